"""The page with the customer's card: on a phone the wallet that it has, on a desk a code for the phone."""

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from tidings.api.access import Here
from tidings.api.choices import Language, customer, missing
from tidings.api.render import HEADERS, page, qr, strip
from tidings.api.services import Services
from tidings.api.words import LANGUAGES, accepted, language
from wallet.apple.package import MIME

routes = APIRouter(include_in_schema=False)
UserAgent = Annotated[str, Header(alias="user-agent")]

_APPLE = re.compile(r"iPhone|iPad|iPod")
_ANDROID = re.compile(r"Android")


@routes.get("/c/{token}")
def card(here: Here, token: str, agent: UserAgent = "", languages: Language = "") -> Response:
    """The card as it is now, and the way into a wallet."""
    row = customer(here, "c", token)
    return missing(here, languages) if row is None else _card(here, row, agent, languages)


@routes.get("/c/{token}/card.pkpass")
def apple(here: Here, token: str, languages: Language = "") -> Response:
    """The pass for Apple Wallet, issued when it is first asked for."""
    row = customer(here, "c", token)
    content = None if row is None else here.cards.apple_pass(row.id)
    if content is None:
        return missing(here, languages)
    headers = {**HEADERS, "Content-Disposition": 'inline; filename="card.pkpass"'}
    return Response(content, media_type=MIME, headers=headers)


@routes.get("/c/{token}/google")
async def google(here: Here, token: str, agent: UserAgent = "", languages: Language = "") -> Response:
    """Leads to Google Wallet, once the card's object is there."""
    row = await asyncio.to_thread(customer, here, "c", token)
    if row is None:
        return await asyncio.to_thread(missing, here, languages)
    link, trouble = await here.cards.google_link(row.id)
    if link is not None:
        return RedirectResponse(link, 302, HEADERS)
    if trouble is None:
        return await asyncio.to_thread(missing, here, languages)
    return await asyncio.to_thread(_card, here, row, agent, languages, busy=True)


def _card(here: Services, row: Any, agent: str, languages: str, *, busy: bool = False) -> Response:
    kit, face = here.cards.kit(), here.cards.face(row.id)
    locales = [row.locale, *accepted(languages)]
    words = LANGUAGES[language([*locales, here.program.locale])]
    if kit is None or face is None:
        return page(here, "notice", "card_none", locales, 404, text=words["card_none_text"])
    apple_phone, android = _APPLE.search(agent), _ANDROID.search(agent)
    own = here.links.card(row.id)
    return page(
        here, "card", "card_title", [face.locale, *locales], 503 if busy else 200, tier=row.tier, face=face,
        strip=strip(here, kit), notice=words["google_busy"] if busy else None,
        apple=f"{own}/card.pkpass" if kit.packager and not android else None,
        google=f"{own}/google" if kit.google and not apple_phone else None,
        qr=None if apple_phone or android else Markup(qr(own)),  # noqa: S704 - made of our own address
    )  # fmt: skip
