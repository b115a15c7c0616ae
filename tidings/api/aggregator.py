"""Who may tell us something in the name of an SMS aggregator: a secret address tells, or a signature."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from fastapi import Request, Response

from channels.settings import load_settings
from channels.sms import SmsSettings
from channels.sms.aggregator import reports
from channels.sms.aggregator.config import HttpConfig, ToldConfig
from channels.sms.config import SmsConfig
from tidings.api.problems import Refused
from tidings.api.services import Services

LOG = structlog.get_logger("tidings.hooks")
METHODS = ["GET", "POST"]
CHANNEL = "sms"
T = TypeVar("T", bound=ToldConfig)
# Which part of `channels.sms.http` describes what is told.
Part = Callable[[HttpConfig], T | None]


def signed(here: Services, part: Part[T], request: Request, body: bytes) -> T:
    """How a signed body is read. Raises Refused (403) for one that is not."""
    config, secret = _known(here, part)
    if config is None or config.signature is None:
        raise _refused(request)
    if not reports.signed(config.signature, secret, body, request.headers):
        raise _refused(request)
    return config


def addressed(here: Services, part: Part[T], request: Request, secret: str) -> T:
    """How what came to a secret address is read. Raises Refused (403) for another address."""
    config, right = _known(here, part)
    if config is None or config.signature is not None or not reports.in_address(right, secret):
        raise _refused(request)
    return config


def thanks(config: ToldConfig) -> Response:
    """What the aggregator wants to read."""
    if config.reply:
        return Response(config.reply, media_type="text/plain")
    return Response(status_code=204)


def _known(here: Services, part: Part[T]) -> tuple[T | None, str]:
    """How it is read, and the secret; None where either is missing."""
    config = SmsConfig.model_validate(here.program.channels.get(CHANNEL) or {}).http
    given = load_settings(SmsSettings, here.workspace.env_file).http_reports_secret
    secret = given.get_secret_value() if given else ""
    return (part(config) if config and secret else None), secret


def _refused(request: Request) -> Refused:
    # As the routes have it: what stands behind may be the secret, or a try at it.
    LOG.warning("callback refused", path=request.scope["route"].path, reason="signature")
    return Refused(403, "signature", "the request does not carry this program's secret or signature")
