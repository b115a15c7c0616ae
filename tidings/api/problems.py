"""Errors as RFC 9457 has them: `application/problem+json`, one sentence, the field; never a traceback."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import EnvironmentFault, UserError
from core.ledger import Refusal
from scheduler.beat import explained

LOG = structlog.get_logger("tidings.api")
MEDIA_TYPE = "application/problem+json"
BODY_AT_MOST = 1024 * 1024
RETRY_SECONDS = "5"

TITLES = {
    400: "This cannot be read",
    401: "The token is missing or wrong",
    403: "This is not allowed",
    404: "There is no such thing",
    405: "This address does not take this method",
    409: "This contradicts what is recorded",
    413: "The request is too large",
    422: "Some of this is wrong",
    500: "Something broke",
    503: "The service is not ready",
}


class Refused(Exception):
    """The request is understood and not carried out; `code` is a word for programs, `detail` a sentence."""

    def __init__(self, status: int, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.field = status, code, detail, field


STATUS = {"unknown_customer": 404, "unknown_receipt": 404, "conflict": 409, "card_taken": 409, "erased": 409}


def refused(refusal: Refusal, fields: Mapping[str, str] | None = None) -> Refused:
    """The answer to a refusal of the ledger; `fields` says which part of a request each reason is about."""
    field = (fields or {}).get(refusal.reason)
    return Refused(STATUS.get(refusal.reason, 422), refusal.reason, refusal.detail, field)


def problem(
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer itself."""
    body: dict[str, Any] = {"type": "about:blank", "title": TITLES.get(status, "This did not work"),
                            "status": status, "code": code, "detail": detail}  # fmt: skip
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the application leave as a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(UserError, _not_ready)
    app.add_exception_handler(EnvironmentFault, _not_ready)
    app.add_middleware(Guard)


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"field": _field(it["loc"]), "message": _message(it)} for it in error.errors()]
    first = f"{errors[0]['field']}: {errors[0]['message']}" if errors else "the request cannot be read"
    return problem(422, "invalid", first, errors)


def _field(place: Sequence[Any]) -> str:
    """`lines[0].total`; where it stands (body, path, query) only if there is nothing else to name."""
    names = [part for part in place if part not in ("body", "path", "query", "header")] or list(place)
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in names)
    return text.removeprefix(".")


def _message(error: Mapping[str, Any]) -> str:
    """Pydantic's words without what was sent: that may be somebody's address."""
    if error["type"] == "json_invalid":
        return "the body is not valid JSON"
    text = str(error["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {401: "unauthorized", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    return problem(
        error.status_code, codes.get(error.status_code, "refused"), _sentence(error), headers=error.headers
    )


def _sentence(error: HTTPException) -> str:
    own = {404: "there is nothing at this address", 405: "use another method",
           413: f"a request may have {BODY_AT_MOST // 1024} KiB at most"}  # fmt: skip
    return own.get(error.status_code) or str(error.detail)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    errors = [{"field": error.field, "message": error.detail}] if error.field else []
    return problem(error.status, error.code, error.detail, errors)


def _not_ready(_request: Request, error: Exception) -> Response:
    # The sentence is for the engineer, whose log it goes to; a till only needs to come again.
    LOG.error("not ready", error=str(error))
    detail = "the service cannot work just now; send the same request again"
    return problem(503, "not_ready", detail, headers={"Retry-After": RETRY_SECONDS})


class Guard:
    """Limits bodies, and turns whatever else goes wrong into a 500 that tells nothing to strangers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limited, begun = _Limited(scope, receive), _Begun(send)
        try:
            limited.check_length()
            await self._app(scope, limited, begun)
        except Exception as error:  # noqa: BLE001 - the last resort
            if isinstance(error, HTTPException) and not begun.yet:
                await _http(Request(scope), error)(scope, receive, send)
                return
            LOG.error("request failed", method=scope["method"], error=explained(error))  # noqa: TRY400 - no tracebacks
            if not begun.yet:
                answer = problem(500, "internal", "it was logged; send the same request again later")
                await answer(scope, receive, send)


class _Limited:
    """Counts what comes in."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope, self._receive, self._seen = scope, receive, 0

    def check_length(self) -> None:
        declared = dict(self._scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > BODY_AT_MOST:
            raise HTTPException(413)

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > BODY_AT_MOST:
            raise HTTPException(413)
        return message


class _Begun:
    """Remembers whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.yet = send, False

    async def __call__(self, message: Message) -> None:
        self.yet = True
        await self._send(message)
