"""What an SMS aggregator tells us of messages. It is known by a secret address, or by its signature."""

import structlog
from fastapi import APIRouter, Request, Response

from channels.settings import load_settings
from channels.sms import SmsSettings
from channels.sms.aggregator import reports
from channels.sms.aggregator.config import ReportsConfig
from channels.sms.config import SmsConfig
from scheduler.outcomes import Heard, confirm
from tidings.api.access import Here
from tidings.api.forms import Bytes
from tidings.api.hooks import in_time
from tidings.api.problems import Refused
from tidings.api.services import Services

LOG = structlog.get_logger("tidings.hooks")
METHODS = ["GET", "POST"]
routes = APIRouter(prefix="/hooks/sms", tags=["Providers"], include_in_schema=False)


@routes.api_route("/reports", methods=METHODS)
async def signed(here: Here, request: Request, body: Bytes) -> Response:
    """Reports whose body is signed. 403 for others."""
    config, secret = _known(here)
    if config is None or config.signature is None:
        raise _refused()
    if not reports.signed(config.signature, secret, body, request.headers):
        raise _refused()
    return await _take(here, config, body, request.url.query)


@routes.api_route("/reports/{secret}", methods=METHODS)
async def addressed(here: Here, request: Request, secret: str, body: Bytes) -> Response:
    """Reports to an address that nobody else knows. 403 for others."""
    config, right = _known(here)
    if config is None or config.signature is not None or not reports.in_address(right, secret):
        raise _refused()
    return await _take(here, config, body, request.url.query)


def _known(here: Services) -> tuple[ReportsConfig | None, str]:
    """How reports are read, and the secret; None where either is missing."""
    config = SmsConfig.model_validate(here.program.channels.get("sms") or {}).http
    given = load_settings(SmsSettings, here.workspace.env_file).http_reports_secret
    secret = given.get_secret_value() if given else ""
    return (config.reports if config and secret else None), secret


def _refused() -> Refused:
    LOG.warning("callback refused", path="/hooks/sms/reports", reason="signature")
    return Refused(403, "signature", "the report does not carry this program's secret or signature")


async def _take(here: Services, config: ReportsConfig, body: bytes, query: str) -> Response:
    """Record them all; 404 if there are some and none is of a message of ours."""
    told = list(reports.heard(config, reports.document(body, query)))
    missing = list(told)
    await in_time(here, lambda: not _confirm(here, missing))
    if told and len(missing) == len(told):
        return Response(status_code=404)
    if config.reply:
        return Response(config.reply, media_type="text/plain")
    return Response(status_code=204)


def _confirm(here: Services, missing: list[reports.Report]) -> list[reports.Report]:
    """Record what is ours, and leave what is not."""
    with here.recording() as connection:
        missing[:] = [
            it
            for it in missing
            if confirm(connection, it.provider_id, it.kind, it.reason, here.now(), address=it.address)
            is Heard.NOT_OURS
        ]
    return missing
