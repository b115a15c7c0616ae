"""What an SMS aggregator tells us of messages. It is known by a secret address, or by its signature."""

from fastapi import APIRouter, Request, Response

from channels.sms.aggregator import reports
from channels.sms.aggregator.config import HttpConfig, ReportsConfig
from scheduler.outcomes import Heard, confirm
from tidings.api import aggregator
from tidings.api.access import Here
from tidings.api.aggregator import METHODS
from tidings.api.forms import Bytes
from tidings.api.hooks import in_time
from tidings.api.services import Services

routes = APIRouter(prefix="/hooks/sms", tags=["Providers"], include_in_schema=False)


@routes.api_route("/reports", methods=METHODS)
async def signed(here: Here, request: Request, body: Bytes) -> Response:
    """Reports whose body is signed. 403 for others."""
    return await _take(here, aggregator.signed(here, _part, request, body), body, request.url.query)


@routes.api_route("/reports/{secret}", methods=METHODS)
async def addressed(here: Here, request: Request, secret: str, body: Bytes) -> Response:
    """Reports to an address that nobody else knows. 403 for others."""
    return await _take(here, aggregator.addressed(here, _part, request, secret), body, request.url.query)


def _part(config: HttpConfig) -> ReportsConfig | None:
    return config.reports


async def _take(here: Services, config: ReportsConfig, body: bytes, query: str) -> Response:
    """Record them all; 404 if there are some and none is of a message of ours."""
    told = list(reports.heard(config, reports.document(body, query)))
    missing = list(told)
    await in_time(here, lambda: not _confirm(here, missing))
    if told and len(missing) == len(told):
        return Response(status_code=404)
    return aggregator.thanks(config)


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
