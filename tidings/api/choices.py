"""Links of a message's foot: one click ends a channel's offers, another page shows every choice.

Source: RFC 8058. A GET shows a page and changes nothing (mail scanners follow links); a POST acts at once,
whatever its body, without redirect, cookie or question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from sqlalchemy import Connection, select

from campaigns.running import Running
from channels import discover
from core.customers.addresses import address_of
from core.customers.consent import CONSENT, MARKETING, Choice, choose
from core.customers.profiles import CUSTOMER
from core.links import Use
from tidings.api.access import Here
from tidings.api.forms import Bytes, Form, first
from tidings.api.render import page
from tidings.api.services import Services
from tidings.api.words import LANGUAGES, accepted, language, named

routes = APIRouter(include_in_schema=False)
Language = Annotated[str, Header(alias="accept-language")]

BY_LINK, BY_PAGE = "unsubscribe link", "preference page"


@routes.get("/u/{channel}/{token}")
def ask(here: Here, channel: str, token: str, languages: Language = "") -> Response:
    """Shows what a POST would do."""
    row = customer(here, "u", token, channel)
    if row is None or channel not in discover():
        return missing(here, languages)
    return _stop(here, "stop", row, channel, languages)


@routes.post("/u/{channel}/{token}")
def one_click(here: Here, channel: str, token: str, _body: Bytes, languages: Language = "") -> Response:
    """Withdraws consent to marketing on the channel, at once (RFC 8058)."""
    row = customer(here, "u", token, channel)
    if row is None or channel not in discover():
        return missing(here, languages)
    with here.recording() as connection:
        _withdraw(here, connection, row.id, [channel], BY_LINK)
    return _stop(here, "stopped", row, channel, languages)


@routes.get("/p/{token}")
def preferences(here: Here, token: str, languages: Language = "") -> Response:
    """The customer's choices, channel by channel."""
    row = customer(here, "p", token)
    return missing(here, languages) if row is None else _choices(here, row, languages)


@routes.post("/p/{token}")
def save(here: Here, token: str, form: Form, languages: Language = "") -> Response:
    """Keeps them."""
    row = customer(here, "p", token)
    if row is None:
        return missing(here, languages)
    wanted = set() if first(form, "do") == "none" else {value for name, value in form if name == "channel"}
    with here.recording() as connection:
        before = _granted(connection, row.id)
        now = here.now()
        offered = _offered(here.running)
        changed = [it for it in offered if (it in wanted) != before.get(it, False)]
        choices = [Choice(row.id, it, it in wanted, now, BY_PAGE) for it in changed]
        choose(connection, choices, now, live=True)
    return _choices(here, row, languages, saved=True)


def customer(here: Services, use: Use, token: str, channel: str = "") -> Any | None:
    """The customer whom a link names; None for a forged link or somebody who was erased."""
    customer_id = here.links.read(use, token, channel)
    if customer_id is None:
        return None
    with here.database.read() as connection:
        own = select(CUSTOMER).where(CUSTOMER.c.id == customer_id, CUSTOMER.c.erased_at.is_(None))
        return connection.execute(own).first()


def missing(here: Services, languages: str) -> Response:
    """The page for a link that leads nowhere."""
    locales = accepted(languages)
    words = LANGUAGES[language([*locales, here.program.locale])]
    return page(here, "notice", "missing_title", locales, 404, text=words["missing_text"])


def _withdraw(
    here: Services, connection: Connection, customer_id: int, channels: Sequence[str], source: str
) -> None:
    now = here.now()
    choices = [Choice(customer_id, it, False, now, source, MARKETING) for it in channels]
    choose(connection, choices, now, live=True)


def _stop(here: Services, name: str, row: Any, channel: str, languages: str) -> Response:
    locales = [row.locale, *accepted(languages)]
    words = LANGUAGES[language([*locales, here.program.locale])]
    return page(
        here, name, f"{name}_title", locales, tier=row.tier,
        channel=named(words, channel), choices=here.links.preferences(row.id),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the preference page."""

    name: str
    title: str
    address: str | None
    granted: bool


def _choices(here: Services, row: Any, languages: str, *, saved: bool = False) -> Response:
    running = here.running
    locales = [row.locale, *accepted(languages)]
    words = LANGUAGES[language([*locales, running.program.locale])]
    with here.database.read() as connection:
        granted = _granted(connection, row.id)
        addresses = {kind: address_of(connection, row.id, kind) for kind in ("email", "phone")}
    rows = [
        _Row(name, named(words, name), _masked(addresses.get(running.kinds[name])), granted.get(name, False))
        for name in _offered(running)
    ]
    return page(here, "choices", "choices_title", locales, tier=row.tier, channels=rows, saved=saved)


def _offered(running: Running) -> list[str]:
    """The channels that the program uses; every channel if it names none."""
    known = list(running.kinds)
    return [name for name in known if name in running.program.channels] or known


def _granted(connection: Connection, customer_id: int) -> dict[str, bool]:
    own = select(CONSENT.c.channel, CONSENT.c.granted).where(CONSENT.c.purpose == MARKETING)
    return dict(connection.execute(own.where(CONSENT.c.customer_id == customer_id)).all())


def _masked(address: str | None) -> str | None:
    """Enough to recognise one's own address; a link may be forwarded."""
    if not address:
        return None
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}" if at else f"{address[:4]} ••• {address[-4:]}"
