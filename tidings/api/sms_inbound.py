"""What customers write back by an SMS aggregator. It is known by a secret address, or by its signature."""

import structlog
from fastapi import APIRouter, Request, Response

from channels import lexicon
from channels.settings import load_settings
from channels.sms import SmsSettings
from channels.sms.aggregator import reports
from channels.sms.aggregator.config import InboundConfig
from channels.sms.aggregator.inbound import Written, written
from channels.sms.config import SmsConfig
from scheduler.replies import replied
from tidings.api.access import Here
from tidings.api.forms import Bytes
from tidings.api.opting import by_stop, digest_of, owners, start, stop
from tidings.api.problems import Refused
from tidings.api.services import Services

LOG = structlog.get_logger("tidings.hooks")
METHODS = ["GET", "POST"]
CHANNEL = "sms"
routes = APIRouter(prefix="/hooks/sms", tags=["Providers"], include_in_schema=False)


@routes.api_route("/inbound", methods=METHODS)
def signed(here: Here, request: Request, body: Bytes) -> Response:
    """Answers whose body is signed. 403 for others."""
    config, secret = _known(here)
    if config is None or config.signature is None:
        raise _refused()
    if not reports.signed(config.signature, secret, body, request.headers):
        raise _refused()
    return _take(here, config, body, request.url.query)


@routes.api_route("/inbound/{secret}", methods=METHODS)
def addressed(here: Here, request: Request, secret: str, body: Bytes) -> Response:
    """Answers to an address that nobody else knows. 403 for others."""
    config, right = _known(here)
    if config is None or config.signature is not None or not reports.in_address(right, secret):
        raise _refused()
    return _take(here, config, body, request.url.query)


def _known(here: Services) -> tuple[InboundConfig | None, str]:
    """How answers are read, and the secret; None where either is missing."""
    config = SmsConfig.model_validate(here.program.channels.get(CHANNEL) or {}).http
    given = load_settings(SmsSettings, here.workspace.env_file).http_reports_secret
    secret = given.get_secret_value() if given else ""
    return (config.inbound if config and secret else None), secret


def _refused() -> Refused:
    LOG.warning("callback refused", path="/hooks/sms/inbound", reason="signature")
    return Refused(403, "signature", "the answer does not carry this program's secret or signature")


def _take(here: Services, config: InboundConfig, body: bytes, query: str) -> Response:
    for one in written(config, reports.document(body, query)):
        _act(here, one)
    if config.reply:
        return Response(config.reply, media_type="text/plain")
    return Response(status_code=204)


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
