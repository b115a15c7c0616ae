"""What phones and Google ask of us under /wallet: passes, registrations, pictures, callbacks.

Pass type and issuer stand in program.yaml, so the routes are made anew when a version changes them.
"""

import asyncio
from dataclasses import dataclass
from functools import lru_cache

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import EnvironmentFault
from scheduler.kit import Kit
from tidings.api.problems import install
from tidings.api.services import Services
from wallet.apple.attempts import Attempts
from wallet.apple.routes import router
from wallet.apple.webservice import WebService
from wallet.artwork import Artwork
from wallet.google.keys import RootKeys
from wallet.google.webservice import callback_router, picture_router


@dataclass(frozen=True, slots=True)
class _Names:
    pass_type: str | None
    issuer: str | None
    keys_url: str


class Wallets:
    """The application that is mounted at /wallet."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # Whatever version is live: wrong tokens of a minute ago still count.
        self._attempts = Attempts(services.ticks)
        self._routes = lru_cache(maxsize=4)(self._make)
        self._known: _Names | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            self._known = await asyncio.to_thread(self._names)
        except EnvironmentFault:
            # What cannot do without the database says so itself; what is no request at all, it is told so.
            if self._known is None:
                raise
        await self._routes(self._known)(scope, receive, send)

    def _names(self) -> _Names:
        kit = self._services.cards.kit()
        apple, google = (kit.apple, kit.google) if kit else (None, None)
        return _Names(
            apple.pass_type if apple else None,
            google.issuer.issuer if google else None,
            google.keys_url if google else "",
        )

    def _make(self, names: _Names) -> ASGIApp:
        here = self._services
        # A redirect for a slash too many would lead a phone and its token to http behind a proxy.
        app = FastAPI(openapi_url=None, redirect_slashes=False)
        install(app)
        if names.pass_type:
            passes = WebService(here.database, here.clock, names.pass_type, here.cards, self._attempts)
            app.include_router(router(passes), prefix="/apple")
        if names.issuer:
            keys = RootKeys(names.keys_url, here.clock)
            app.include_router(
                callback_router(here.database, here.clock, names.issuer, keys), prefix="/google"
            )
        # The digest in the address only makes it a new one when a picture changes.
        app.include_router(picture_router(self._artwork), prefix="/google/pictures/{digest}")
        return app

    def _artwork(self) -> Artwork:
        kit: Kit | None = self._services.cards.kit()
        if kit is None:
            raise HTTPException(404)
        return kit.artwork
