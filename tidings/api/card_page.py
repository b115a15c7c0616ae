"""The page with the customer's card: on a phone the wallet that it has, on a desk a code for the phone."""

import asyncio
import base64
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from scheduler.cards import Unfillable
from scheduler.kit import Kit
from tidings.api.access import Here
from tidings.api.choices import Language, customer, missing
from tidings.api.devices import Device
from tidings.api.render import HEADERS, SHOWN, page, qr, strip
from tidings.api.services import Services
from tidings.api.words import LANGUAGES, accepted, language
from wallet import passes
from wallet.apple.package import MIME

routes = APIRouter(include_in_schema=False)
UserAgent = Annotated[str, Header(alias="user-agent")]

# A pass holds its customer's token: no cache between us may keep it. The phone asks its own web service.
PASS_HEADERS = {**HEADERS, "Cache-Control": "private, no-store"}
FILE_NAME = "card.pkpass"
_PICTURES = {"svg": "image/svg+xml", "png": "image/png"}


@dataclass(frozen=True, slots=True)
class Button:
    """A way into a wallet; `name` is `apple` or `google`."""

    name: str
    href: str
    type: str | None = None


@routes.api_route("/k/{token}", methods=SHOWN)
def short(here: Here, token: str, languages: Language = "") -> Response:
    """The card's address in an SMS leads to its page."""
    customer_id = here.links.read_card_short(token)
    if customer_id is None:
        return missing(here, languages, token)
    return RedirectResponse(here.links.card(customer_id), 302, HEADERS)


@routes.api_route("/c/{token}", methods=SHOWN)
def card(here: Here, token: str, agent: UserAgent = "", languages: Language = "") -> Response:
    """The card as it is now, and the way into a wallet."""
    row = customer(here, "c", token)
    return missing(here, languages, token) if row is None else _card(here, row, agent, languages)


@routes.api_route(f"/c/{{token}}/{FILE_NAME}", methods=SHOWN)
def apple(here: Here, token: str, request: Request, languages: Language = "") -> Response:
    """The pass for Apple Wallet, issued when it is first asked for."""
    row = customer(here, "c", token)
    if row is None:
        return missing(here, languages, token)
    if _is_revoked(here, row.id):
        return _gone(here, row, languages)
    kit = here.cards.kit()
    if kit is None or kit.packager is None:
        return missing(here, languages)
    try:
        content = None if request.method == "HEAD" else here.cards.apple_pass(row.id)
    except Unfillable:
        return _no_card(here, row, languages)
    headers = {**PASS_HEADERS, "Content-Disposition": f'inline; filename="{FILE_NAME}"'}
    answer = Response(content, 200, headers, MIME)
    if content is None:  # the head says the length of the pass or none (RFC 9110, 8.6), never 0
        del answer.headers["content-length"]
    return answer


@routes.api_route("/c/{token}/google", methods=SHOWN)
async def google(
    here: Here, token: str, request: Request, agent: UserAgent = "", languages: Language = ""
) -> Response:
    """Leads to Google Wallet, once the card's object is there. For the head alone nothing is written to
    Google, so there is no link yet: it leads to the card's page.
    """
    row = await asyncio.to_thread(customer, here, "c", token)
    if row is None:
        return await asyncio.to_thread(missing, here, languages, token)
    if await asyncio.to_thread(_is_revoked, here, row.id):
        return await asyncio.to_thread(_gone, here, row, languages)
    if request.method == "HEAD":
        return await asyncio.to_thread(_google_head, here, row, languages)
    try:
        link, trouble = await here.cards.google_link(row.id)
    except Unfillable:
        return await asyncio.to_thread(_no_card, here, row, languages)
    if link is not None:
        return RedirectResponse(link, 302, HEADERS)
    if trouble is None:
        return await asyncio.to_thread(missing, here, languages)
    return await asyncio.to_thread(_card, here, row, agent, languages, busy=True)


def _google_head(here: Services, row: Any, languages: str) -> Response:
    kit = here.cards.kit()
    if kit is None or kit.google is None:
        return missing(here, languages)
    return RedirectResponse(here.links.card(row.id), 302, HEADERS)


def _is_revoked(here: Services, customer_id: int) -> bool:
    with here.database.read() as connection:
        return passes.is_revoked(connection, customer_id)


def _gone(here: Services, row: Any, languages: str) -> Response:
    locales = [row.locale, *accepted(languages)]
    words = LANGUAGES[language([*locales, here.program.locale])]
    return page(here, "notice", "card_gone", locales, 410, text=words["card_gone_text"])


def _no_card(here: Services, row: Any, languages: str) -> Response:
    locales = [row.locale, *accepted(languages)]
    words = LANGUAGES[language([*locales, here.program.locale])]
    return page(here, "notice", "card_none", locales, 404, text=words["card_none_text"])


def _card(here: Services, row: Any, agent: str, languages: str, *, busy: bool = False) -> Response:
    if _is_revoked(here, row.id):
        return _gone(here, row, languages)
    kit, face = here.cards.kit(), here.cards.face(row.id)
    locales = [row.locale, *accepted(languages)]
    words = LANGUAGES[language([*locales, here.program.locale])]
    if kit is None or face is None:
        return _no_card(here, row, languages)
    locales, spoken = [face.locale, *locales], language([face.locale, *locales])
    device, own, short_link = Device.of(agent), here.links.card(row.id), here.links.card_short(row.id)
    first, others = _buttons(device, own, kit)
    return page(
        here, "card", "card_title", locales, 503 if busy else 200, tier=row.tier, face=face,
        strip=strip(here, kit, face.tier), notice=words["google_busy"] if busy else None, device=device,
        first=first, others=others, safari=_in_safari(device, own), badges=badges(kit, spoken),
        qr=Markup(qr(short_link)),  # noqa: S704 - made of our own address
    )  # fmt: skip


def _buttons(device: Device, own: str, kit: Kit) -> tuple[list[Button], list[Button]]:
    """What stands first on this device, and what is for others."""
    buttons = [Button("apple", f"{own}/{FILE_NAME}", MIME)] if kit.packager else []
    buttons += [Button("google", f"{own}/google")] if kit.google else []
    wanted = {"iphone": ("apple",), "android": ("google",), "computer": ("google",)}.get(
        device.platform, ("apple", "google")
    )
    first = [it for it in buttons if it.name in wanted]
    return (first, [it for it in buttons if it not in first]) if first else (buttons, [])


def badges(kit: Kit, spoken: str) -> dict[str, str]:
    """The official buttons that the shop has put into `cards/badges`: `apple-uk.svg`, `google-uk.png`."""
    files = kit.deck.running.loaded.bundle.files
    found: dict[str, str] = {}
    for wallet in ("apple", "google"):
        for suffix, kind in _PICTURES.items():
            content = files.get(f"cards/badges/{wallet}-{spoken}.{suffix}")
            if content is not None:
                found[wallet] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return found


def _in_safari(device: Device, own: str) -> str | None:
    """The page for Safari, out of an app that cannot open a pass (iOS 17; older ones do nothing)."""
    return f"x-safari-{own}" if device.platform == "iphone" and device.in_app else None
