"""One application for all tests: its hundred routes take longer to set up than most tests to run."""

from fastapi import FastAPI
from starlette.routing import Mount

from tidings.api import Services, create_app
from tidings.api.wallets import Wallets


class Front:
    """The application with the services of the shop that is tested now: what it has besides is code."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None

    def of(self, services: Services) -> FastAPI:
        """The application before these services."""
        if self._app is None:
            self._app = create_app(services)
        else:
            self._app.state.services = services
            [wallets] = [it for it in self._app.routes if isinstance(it, Mount) and it.path == "/wallet"]
            wallets.app = Wallets(services)
        return self._app
