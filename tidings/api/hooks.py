"""What Twilio tells us: how messages fared, and who wrote STOP. Every request must carry its signature."""

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Request, Response
from sqlalchemy import Connection, select

from channels.settings import load_settings
from channels.sms import SmsSettings, callbacks
from core.customers.addresses import ADDRESS, lift, suppress
from core.customers.consent import CONSENT, MARKETING, Choice, choose
from core.customers.profiles import phone_number
from scheduler.outcomes import Heard, confirm
from tidings.api.access import Here
from tidings.api.forms import Form, Pairs, first
from tidings.api.problems import Refused
from tidings.api.services import Services

LOG = structlog.get_logger("tidings.hooks")
CHANNEL, KIND = "sms", "phone"
# Consent that a STOP took away is given back by START; consent withdrawn elsewhere is not.
BY_STOP, BY_START, BY_PROVIDER = "sms: STOP", "sms: START", "sms: provider"


def from_twilio(
    request: Request,
    here: Here,
    pairs: Form,
    x_twilio_signature: Annotated[str, Header()] = "",
    x_twilio_webhooks_signature_settings: Annotated[str, Header()] = "",
) -> Pairs:
    """The form, if Twilio signed it: over the public address, whatever proxy stands before us. Else 403."""
    token = load_settings(SmsSettings, here.workspace.env_file).auth_token
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{here.links.public_url}{request.url.path}{query}"
    secret = token.get_secret_value() if token else ""
    settings = x_twilio_webhooks_signature_settings
    if not secret or not callbacks.signed(secret, url, pairs, x_twilio_signature, settings):
        LOG.warning(
            "callback refused", path=request.url.path, reason="signature" if secret else "no auth token"
        )
        raise Refused(403, "signature", "the request is not signed by Twilio with this account's token")
    return pairs


Signed = Annotated[Pairs, Depends(from_twilio)]
# Twilio waits fifteen seconds for an answer.
WAITS = (1.0, 2.0, 4.0)
routes = APIRouter(prefix="/hooks/twilio", tags=["Providers"], include_in_schema=False)


@routes.post("/status")
async def status(here: Here, form: Signed) -> Response:
    """How a message fared. 404 for one that is not ours.

    A report may overtake the chunk in which its message left: it is asked for again for some seconds.
    """
    report = callbacks.report(first(form, "MessageStatus") or first(form, "SmsStatus"))
    if report is None:
        return Response(status_code=204)
    for seconds in (*WAITS, None):
        if await asyncio.to_thread(_confirm, here, form, report):
            return Response(status_code=204)
        if seconds is not None:
            await here.pause(seconds)
    return Response(status_code=404)


def _confirm(here: Services, form: Pairs, report: callbacks.Report) -> bool:
    reason, fault = callbacks.reason(first(form, "ErrorCode"))
    with here.recording() as connection:
        heard = confirm(connection, first(form, "MessageSid"), report, reason, here.now())
        # A repeated report does not undo what the customer chose since.
        if heard is Heard.NEWS and report == "undelivered" and fault:
            _give_up(here, connection, first(form, "To"), fault, reason or fault)
    return heard is not Heard.NOT_OURS


@routes.post("/inbound")
def inbound(here: Here, form: Signed) -> Response:
    """What a customer wrote back. STOP and START act at once; Twilio itself answers them."""
    word = callbacks.word(first(form, "Body"), first(form, "OptOutType"))
    if word == "stop":
        with here.recording() as connection:
            _stop(here, connection, first(form, "From"), BY_STOP)
    elif word == "start":
        with here.recording() as connection:
            _start(here, connection, first(form, "From"))
    LOG.info("inbound", word=word or "other")
    return Response("<Response/>", media_type="text/xml")


def _give_up(here: Services, connection: Connection, phone: str, fault: str, reason: str) -> None:
    if fault == "opted_out":
        _stop(here, connection, phone, BY_PROVIDER)
    elif (digest := _digest(here, phone)) is not None:
        suppress(connection, CHANNEL, digest, reason, here.now())


def _stop(here: Services, connection: Connection, phone: str, source: str) -> None:
    digest = _digest(here, phone)
    if digest is None:
        return
    suppress(connection, CHANNEL, digest, "stop", here.now())
    _choose(here, connection, _owners(connection, digest), granted=False, source=source)


def _start(here: Services, connection: Connection, phone: str) -> None:
    digest = _digest(here, phone)
    if digest is None:
        return
    lift(connection, CHANNEL, digest)
    withdrawn = select(CONSENT.c.customer_id).where(
        CONSENT.c.customer_id.in_(_owners(connection, digest)), CONSENT.c.channel == CHANNEL,
        CONSENT.c.purpose == MARKETING, ~CONSENT.c.granted, CONSENT.c.source.in_((BY_STOP, BY_PROVIDER)),
    )  # fmt: skip
    _choose(here, connection, list(connection.scalars(withdrawn)), granted=True, source=BY_START)


def _digest(here: Services, phone: str) -> str | None:
    try:
        return here.workspace.addresses.digest(KIND, phone_number(phone))
    except ValueError:
        return None


def _owners(connection: Connection, digest: str) -> list[int]:
    """Whose number it is now; a former owner's consent is not theirs to withdraw."""
    own = select(ADDRESS.c.customer_id).where(ADDRESS.c.digest == digest, ADDRESS.c.kind == KIND)
    own = own.where(ADDRESS.c.active)
    return sorted(set(connection.scalars(own)))


def _choose(here: Services, connection: Connection, owners: list[int], *, granted: bool, source: str) -> None:
    now = here.now()
    choose(connection, [Choice(it, CHANNEL, granted, now, source) for it in owners], now, live=True)
