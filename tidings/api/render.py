"""How the pages that customers open are drawn: in their language, in the card's colours, without scripts."""

import base64
import secrets
from collections.abc import Sequence
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment

from scheduler.kit import GOOGLE_PICTURES, Kit
from tidings.api.contrast import readable
from tidings.api.services import Services
from tidings.api.words import LANGUAGES, language
from tidings.drawn_pages import templates
from wallet.design import Colours

# How a page is asked for. Link checkers and scanners of mail ask for the head alone: it is answered like the
# page, and changes nothing.
SHOWN = ["GET", "HEAD"]
# Neither frames nor scripts nor anything from elsewhere; nobody learns the address by a referrer.
POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; img-src data: 'self' {public}; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def _templates() -> Environment:
    return templates("tidings.api", "pages")


def page(
    here: Services, name: str, title: str, locales: Sequence[str | None], status: int = 200,
    tier: str | None = None, **values: Any,
) -> HTMLResponse:  # fmt: skip
    """A page; `title` is the key of its heading among the words, `locales` are the customer's, best first."""
    program, nonce = here.program, secrets.token_urlsafe(12)
    spoken = language([*locales, program.locale])
    words = LANGUAGES[spoken]
    kit = here.cards.kit()
    colours = kit.deck.card.colours_for(tier) if kit else Colours()
    text = _templates().get_template(f"{name}.html").render(
        language=spoken, words=words, title=words[title], program=program.name, nonce=nonce,
        colours=colours, on_action=readable(colours.text, colours.background),
        icon=_icon(kit) if kit else None, **values,
    )  # fmt: skip
    policy = POLICY.format(nonce=nonce, public=here.links.public_url)
    return HTMLResponse(text, status, {**HEADERS, "Content-Security-Policy": policy})


def _icon(kit: Kit) -> str:
    return f"data:image/png;base64,{base64.b64encode(kit.artwork.apple['icon@3x.png']).decode()}"


def strip(here: Services, kit: Kit, tier: str | None) -> str | None:
    """Where the strip of a level's card stands; None if it has none."""
    name = kit.artwork.google_hero(tier)
    return f"{here.links.public_url}/{GOOGLE_PICTURES}/{kit.artwork.digest}/{name}" if name else None


def qr(url: str) -> str:
    """The address as a QR code, as SVG to stand in a page."""
    from wallet.design import Code
    from wallet.preview.barcode import svg

    return svg(Code("qr", url))
