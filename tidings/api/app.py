"""The application: the API under /api/v1, customers' pages, providers' callbacks, the wallets' services."""

from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Depends, FastAPI

from tidings.api import card_page, choices, customers, health, hooks, receipts
from tidings.api.access import authorized
from tidings.api.problems import install
from tidings.api.services import Services
from tidings.api.wallets import Wallets

ABOUT = (
    "Customers, consents and receipts of a loyalty program. Amounts are decimals in whole units; times carry "
    "their offset. Errors are problem details (RFC 9457)."
)


def create_app(services: Services) -> FastAPI:
    """Everything that is served over HTTP."""
    app = FastAPI(
        title="Tidings", version=_version(), description=ABOUT, openapi_url="/api/openapi.json",
        docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.services = services
    install(app)
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(authorized)])
    for module in (customers, receipts):
        api.include_router(module.routes)
    app.include_router(api)
    for each in (health.routes, hooks.routes, choices.routes, card_page.routes):
        app.include_router(each)
    app.mount("/wallet", Wallets(services))
    return app


def _version() -> str:
    try:
        return version("tidings")
    except PackageNotFoundError:
        return "0"
