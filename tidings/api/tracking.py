"""The links of messages that lead by way of us, and the picture that tells of an opened mail.

A link leads on at once, whatever the database does: what it carries is signed (core.links), so that it leads
nowhere but where the message said. What it tells is kept afterwards. Neither the caller's address nor the
name of their program is kept.
"""

import asyncio
import base64
from functools import lru_cache
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.background import BackgroundTask

from campaigns.short_links import address_of
from core.domain_names import ascii_domain
from core.links import Links
from scheduler.reactions import Reaction
from tidings.api.access import Here
from tidings.api.choices import missing
from tidings.api.machines import is_machine
from tidings.api.render import HEADERS, SHOWN
from tidings.api.services import Services

routes = APIRouter(include_in_schema=False)

# One transparent point, the smallest GIF that every program shows.
PICTURE = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
LONGEST_LABEL = 200
UNREADABLE = "unreadable address"
# Everything that may stand in an address (RFC 3986); the rest is written as percents.
_ALLOWED = "!#$%&'()*+,/:;=?@[]~-._"


@routes.api_route("/r/{token}", methods=SHOWN)
async def follow(here: Here, token: str, request: Request) -> Response:
    """Leads on to the address that the link carries."""
    found = here.reader.read_redirect(token)
    if found is None:
        return await _nowhere(here, request)
    message_id, url = found
    return _led(here, request, message_id, url)


@routes.api_route("/h/{token}", methods=SHOWN)
async def follow_short(here: Here, token: str, request: Request) -> Response:
    """Leads on to a link that is kept."""
    found = here.reader.read_short(token)
    url = await asyncio.to_thread(_kept, here, found[1]) if found else None
    if found is None or url is None:
        return await _nowhere(here, request)
    return _led(here, request, found[0], url)


@routes.api_route("/o/{token}.gif", methods=SHOWN)
async def opened(here: Here, token: str, request: Request) -> Response:
    """One transparent point."""
    message_id = here.reader.read("o", token)
    if message_id is None:
        return Response(status_code=404, headers=HEADERS)
    later = _noted(here, request, Reaction(message_id, "opened", here.now(), None, _machine(request)))
    return Response(PICTURE, 200, HEADERS, "image/gif", later)


def label(reader: Links, url: str) -> str:
    """What a link is called among the reactions: host and path, without what may be the customer's own."""
    try:
        parts = urlsplit(url)
    except ValueError:  # `https://[x`: it leads on all the same, to wherever the browser makes of it
        return UNREADABLE
    page, _, token = parts.path.rpartition("/")
    if page.endswith("/c") and reader.read("c", token) is not None:
        return "card"
    if page.endswith("/k") and reader.read_card_short(token) is not None:
        return "card"
    return f"{parts.hostname or ''}{parts.path}"[:LONGEST_LABEL]


@lru_cache(maxsize=1024)
def location(url: str) -> str:
    """An address as a header carries it: in ASCII, and leading to the same place (RFC 3987, 3.1)."""
    if url.isascii():
        return quote(url, safe=_ALLOWED)
    try:
        parts = urlsplit(url)
        host = ascii_domain(parts.hostname or "")
    except ValueError:  # also for a name that browsers alone make the right one of
        return quote(url, safe=_ALLOWED)
    named = parts.netloc.rpartition("@")[2].partition(":")[0]
    whole = url.replace(named, host, 1) if not named.isascii() else url
    return quote(whole, safe=_ALLOWED)


def _led(here: Services, request: Request, message_id: int, url: str) -> Response:
    headers = {**HEADERS, "Location": location(url)}
    reaction = Reaction(message_id, "clicked", here.now(), label(here.reader, url), _machine(request))
    return Response(None, 302, headers, background=_noted(here, request, reaction))


def _noted(here: Services, request: Request, reaction: Reaction) -> BackgroundTask | None:
    # Whoever asks for the head alone looks whether the link is there.
    if request.method == "HEAD":
        return None
    here.reactions.note(reaction)
    return BackgroundTask(here.reactions.write)


def _machine(request: Request) -> bool:
    return is_machine(request.headers)


def _kept(here: Services, link_id: int) -> str | None:
    with here.database.read() as connection:
        return address_of(connection, link_id)


async def _nowhere(here: Services, request: Request) -> Response:
    languages = request.headers.get("accept-language", "")
    return await asyncio.to_thread(missing, here, languages)
