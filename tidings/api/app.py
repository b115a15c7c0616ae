"""The application: the API under /api/v1, customers' pages, providers' callbacks, the wallets' services."""

from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from fastapi import APIRouter, Depends, FastAPI

from tidings.api import (
    acts,
    bonuses,
    books,
    card_page,
    cards,
    choices,
    customer_page,
    customers,
    events,
    guide,
    health,
    hooks,
    identify,
    letter_page,
    metrics,
    people,
    promo_codes,
    receipts,
    sms_inbound,
    sms_reports,
    telegram,
    till,
    tracking,
)
from tidings.api.access import authorized
from tidings.api.description import Document, as_of, describe
from tidings.api.idempotency import Repeated, repeated
from tidings.api.problems import install
from tidings.api.services import Services
from tidings.api.wallets import Wallets
from tidings.api.watched import Watched

ABOUT = (
    "Customers, consents, receipts and bonuses of a loyalty program. Amounts are decimals in whole units; "
    "times carry their offset. Errors are problem details (RFC 9457)."
)
# Each is a module with `routes`; the description shows them in this order, and their examples can be played
# in it.
ENDPOINTS: tuple[ModuleType, ...] = (
    customers, identify, till, receipts, bonuses, customer_page, acts, promo_codes, events, cards, people,
    books,
)  # fmt: skip
PAGES: tuple[ModuleType, ...] = (
    guide, health, metrics, hooks, sms_reports, sms_inbound, telegram, choices, tracking, letter_page,
    card_page,
)  # fmt: skip


def create_app(services: Services) -> FastAPI:
    """Everything that is served over HTTP."""
    app = bare_app()
    app.state.services = services
    app.mount("/wallet", Wallets(services))
    return app


def bare_app() -> FastAPI:
    """The application without anything behind it: enough to describe itself."""
    app = FastAPI(
        title="Tidings", version=_version(), description=ABOUT, openapi_url="/api/openapi.json",
        docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    install(app)
    app.add_middleware(Watched)
    app.add_exception_handler(Repeated, repeated)
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(authorized)])
    for module in ENDPOINTS:
        api.include_router(module.routes)
    app.include_router(api)
    for module in PAGES:
        app.include_router(module.routes)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> Document:
    """With examples that work today, where it is known what day it is."""
    services: Services | None = getattr(app.state, "services", None)
    return describe(app) if services is None else as_of(describe(app), services.now().date())


def _version() -> str:
    try:
        return version("tidings")
    except PackageNotFoundError:
        return "0"
