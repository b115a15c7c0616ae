"""What Twilio tells us: how messages fared, and who wrote back. Every request must carry its signature."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Annotated
from xml.sax.saxutils import escape

import structlog
from fastapi import APIRouter, Depends, Header, Request, Response
from sqlalchemy import Connection, select

from channels.settings import load_settings
from channels.sms import SmsSettings, callbacks
from channels.whatsapp import WhatsappSettings
from core.customers.profiles import CUSTOMER
from scheduler.outcomes import Heard, confirm
from scheduler.replies import replied
from tidings.api.access import Here
from tidings.api.forms import Form, Pairs, first
from tidings.api.opting import by_stop, digest_of, give_up, owners, start, stop
from tidings.api.problems import Refused
from tidings.api.reply_words import REPLIES
from tidings.api.services import Services
from tidings.api.words import language

LOG = structlog.get_logger("tidings.hooks")
# A channel stands before its address; an SMS has none there.
WHATSAPP = "whatsapp:"


def from_twilio(
    request: Request,
    here: Here,
    pairs: Form,
    x_twilio_signature: Annotated[str, Header()] = "",
    x_twilio_webhooks_signature_settings: Annotated[str, Header()] = "",
) -> Pairs:
    """The form, if Twilio signed it: over the public address, whatever proxy stands before us. Else 403."""
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{here.links.public_url}{request.url.path}{query}"
    settings = x_twilio_webhooks_signature_settings
    secrets = list(_secrets(here))
    # All of them are tried, so that the time taken does not tell which one was right.
    right = [callbacks.signed(it, url, pairs, x_twilio_signature, settings) for it in secrets]
    if not any(right):
        reason = "signature" if secrets else "no auth token"
        LOG.warning("callback refused", path=request.url.path, reason=reason)
        raise Refused(403, "signature", "the request is not signed by Twilio with this account's token")
    return pairs


def _secrets(here: Services) -> Iterator[str]:
    """The token, or the shared key, of each account that we send by."""
    for kind in (SmsSettings, WhatsappSettings):
        settings = load_settings(kind, here.workspace.env_file)
        given = (settings.auth_token, settings.webhook_key)
        yield from (it.get_secret_value() for it in given if it and it.get_secret_value())


Signed = Annotated[Pairs, Depends(from_twilio)]
# A provider waits some ten seconds for an answer.
WAITS = (1.0, 2.0, 4.0)
routes = APIRouter(prefix="/hooks/twilio", tags=["Providers"], include_in_schema=False)


@routes.post("/status")
async def status(here: Here, form: Signed) -> Response:
    """How a message fared. 404 for one that is not ours."""
    report = callbacks.report(first(form, "MessageStatus") or first(form, "SmsStatus"))
    if report is None:
        return Response(status_code=204)
    ours = await in_time(here, lambda: _confirm(here, form, report))
    return Response(status_code=204 if ours else 404)


async def in_time(here: Services, known: Callable[[], bool]) -> bool:
    """Whether a report's message is ours: it may overtake the chunk in which that left, so ask again."""
    for seconds in (*WAITS, None):
        if await asyncio.to_thread(known):
            return True
        if seconds is not None:
            await here.pause(seconds)
    return False


def _confirm(here: Services, form: Pairs, report: callbacks.Report) -> bool:
    reason, fault = callbacks.reason(first(form, "ErrorCode"))
    with here.recording() as connection:
        heard = confirm(connection, first(form, "MessageSid"), report, reason, here.now())
        # A repeated report does not undo what the customer chose since.
        if heard is Heard.NEWS and report == "undelivered" and fault:
            give_up(here, connection, *_address(first(form, "To")), fault, reason or fault)
    return heard is not Heard.NOT_OURS


@routes.post("/inbound")
def inbound(here: Here, form: Signed) -> Response:
    """What a customer wrote back. STOP and START act at once; what Twilio answers itself is not answered."""
    text = first(form, "Body")
    said = callbacks.said(text, first(form, "OptOutType"))
    channel, phone = _address(first(form, "From"))
    with here.recording() as connection:
        digest = digest_of(here, phone)
        theirs = owners(connection, digest) if digest else []
        replied(connection, channel, theirs, said.word, here.now())
        answer = said.word == "help"
        if said.word == "stop":
            answer = stop(here, connection, channel, phone, by_stop(channel), text)
        elif said.word == "start":
            start(here, connection, channel, phone, text, first(form, "MessageSid"))
        locale = _locale(connection, theirs)
    LOG.info("inbound", channel=channel, word=said.word or "other")
    words = _words(here, said, locale) if answer and not said.answered else ""
    message = f"<Message>{escape(words)}</Message>" if words else ""
    return Response(f"<Response>{message}</Response>" if words else "<Response/>", media_type="text/xml")


def _address(given: str) -> tuple[str, str]:
    """The channel and the number of Twilio's address."""
    return ("whatsapp", given.removeprefix(WHATSAPP)) if given.startswith(WHATSAPP) else ("sms", given)


def _locale(connection: Connection, customers: list[int]) -> str | None:
    """The language of whoever has the number."""
    own = select(CUSTOMER.c.locale).where(CUSTOMER.c.id.in_(customers), CUSTOMER.c.locale.is_not(None))
    return connection.scalar(own.order_by(CUSTOMER.c.id).limit(1))


def _words(here: Services, said: callbacks.Said, locale: str | None) -> str:
    """The answer in the customer's language; in that of their word, where nobody knows it.

    Whoever asks for help is shown the way to the shop, if it has an address: ours opens nothing by itself.
    """
    program = here.program
    replies = REPLIES[language([locale, said.language, program.locale])]
    return replies[said.word or ""].format(name=program.name, url=program.url).strip()
