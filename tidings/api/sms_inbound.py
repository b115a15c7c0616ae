"""What customers write back by an SMS aggregator. It is known by a secret address, or by its signature."""

import structlog
from fastapi import APIRouter, Request, Response

from channels import lexicon
from channels.sms.aggregator import reports
from channels.sms.aggregator.config import HttpConfig, InboundConfig
from channels.sms.aggregator.inbound import Written, written
from scheduler.replies import replied
from tidings.api import aggregator
from tidings.api.access import Here
from tidings.api.aggregator import CHANNEL, METHODS
from tidings.api.forms import Bytes
from tidings.api.opting import by_stop, digest_of, owners, start, stop
from tidings.api.services import Services

LOG = structlog.get_logger("tidings.hooks")
routes = APIRouter(prefix="/hooks/sms", tags=["Providers"], include_in_schema=False)


@routes.api_route("/inbound", methods=METHODS)
def signed(here: Here, request: Request, body: Bytes) -> Response:
    """Answers whose body is signed. 403 for others."""
    return _take(here, aggregator.signed(here, _part, request, body), body, request.url.query)


@routes.api_route("/inbound/{secret}", methods=METHODS)
def addressed(here: Here, request: Request, secret: str, body: Bytes) -> Response:
    """Answers to an address that nobody else knows. 403 for others."""
    return _take(here, aggregator.addressed(here, _part, request, secret), body, request.url.query)


def _part(config: HttpConfig) -> InboundConfig | None:
    return config.inbound


def _take(here: Services, config: InboundConfig, body: bytes, query: str) -> Response:
    for one in written(config, reports.document(body, query)):
        _act(here, one)
    return aggregator.thanks(config)


def _act(here: Services, one: Written) -> None:
    """STOP and START act at once. An aggregator says nothing for us: no word is answered."""
    word = lexicon.meant(one.text).word
    with here.recording() as connection:
        digest = digest_of(here, one.number)
        replied(connection, CHANNEL, owners(connection, digest) if digest else [], word, here.now())
        if word == "stop":
            stop(here, connection, CHANNEL, one.number, by_stop(CHANNEL), one.text)
        elif word == "start" and one.name:
            start(here, connection, CHANNEL, one.number, one.text, one.name)
    if digest is None:
        LOG.warning("inbound not understood", channel=CHANNEL, word=word or "other", reason="number")
    else:
        LOG.info("inbound", channel=CHANNEL, word=word or "other")
