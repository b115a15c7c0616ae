"""Errors as RFC 9457 has them: `application/problem+json`, one sentence, the field; never a traceback."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import EnvironmentFault, UserError
from core.ledger.lots import Refusal
from scheduler.beat import explained
from tidings.api.plain import said
from tidings.api.problem_kinds import PROBLEMS, kind_of

LOG = structlog.get_logger("tidings.api")
MEDIA_TYPE = "application/problem+json"
BODY_AT_MOST = 1024 * 1024
RETRY_SECONDS = "5"
HEADERS = "answer_headers"
# So many of its mistakes are told of one request: each is put into words by itself, and nobody reads more.
TOLD_AT_MOST = 50
NO_JSON = "json_invalid"
# Of a name that is none of ours.
NAME_AT_MOST = 100
# What FastAPI answers to a body that no text can be read from; one that is no JSON is a matter of validation.
UNREADABLE = 400
WRONG_METHOD = 405
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_CODES = {401: "unauthorized", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_SENTENCES = {404: "there is nothing at this address", 405: "use another method"}
_TOO_LARGE = f"a request may have {BODY_AT_MOST // 1024**2} MiB at most"


class Refused(Exception):
    """The request is understood and not carried out; `code` is a word for programs, `detail` a sentence.

    `status` counts for a code that the table of problems does not have.
    """

    def __init__(self, status: int, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.field = status, code, detail, field


def refuse(code: str, detail: str, field: str | None = None) -> Refused:
    """A refusal of the table."""
    return Refused(kind_of(code).status, code, detail, field)


def refused(refusal: Refusal, fields: Mapping[str, str] | None = None) -> Refused:
    """The answer to a refusal of the ledger; `fields` says which part of a request each reason is about."""
    return refuse(refusal.reason, refusal.detail, refusal.about or (fields or {}).get(refusal.reason))


def document(code: str, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """The body of a problem."""
    kind = kind_of(code)
    body: dict[str, Any] = {
        "type": kind.path(code), "title": kind.title, "status": kind.status, "code": code, "detail": detail
    }  # fmt: skip
    return {**body, "errors": list(errors)} if errors else body


def problem(
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response:
    """The answer itself; `status` if it is another than the table has."""
    body = document(code, detail, errors)
    body["status"] = status or body["status"]
    return JSONResponse(body, body["status"], headers, MEDIA_TYPE)


def tell(scope: MutableMapping[str, Any], headers: Mapping[str, str]) -> None:
    """Let whatever is answered to a request carry these headers."""
    scope.setdefault(HEADERS, {}).update(headers)


def install(app: FastAPI) -> None:
    """Let every error of the application leave as a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(UserError, _not_ready)
    app.add_exception_handler(EnvironmentFault, _not_ready)
    app.add_middleware(Guard)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    model, found = _model(request), [_cut(it) for it in error.errors()[:TOLD_AT_MOST]]
    wrong = _wrong_type(request)
    errors = [
        {"field": _field(it["loc"]), "message": wrong if wrong and _is_no_object(it) else said(it, model)}
        for it in found
    ]
    first = f"{errors[0]['field']}: {errors[0]['message']}" if errors else "the request cannot be read"
    if (others := len(error.errors()) - len(errors)) > 0:
        first += f" (beside those in `errors` there are {others} more)"
    return problem("invalid", first, errors)


def _cut(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Its place as long as a place of ours may be; of a body that is no JSON, the body."""
    if error["type"] == NO_JSON:
        return {**error, "loc": ["body"], "ctx": {**error.get("ctx", {}), "at": error["loc"][-1] + 1}}
    return {**error, "loc": [it[:NAME_AT_MOST] if isinstance(it, str) else it for it in error["loc"]]}


def _wrong_type(request: Request) -> str | None:
    """What to say of a body that was not read as JSON, because no header says that it is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("application/") and kind.endswith(("/json", "+json")):
        return None
    return "was not read as JSON; send the header `Content-Type: application/json`"


def _is_no_object(error: Mapping[str, Any]) -> bool:
    return tuple(error["loc"]) == ("body",) and str(error["type"]).startswith("model_")


def _model(request: Request) -> type[BaseModel] | None:
    """What the body should have been."""
    field = getattr(request.scope.get("route"), "body_field", None)
    kind = getattr(getattr(field, "field_info", None), "annotation", None)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _field(place: Sequence[Any]) -> str:
    """`lines[0].total`; where it stands (body, path, query) only if there is nothing else to name."""
    names = [part for part in place if part not in ("body", "path", "query", "header")] or list(place)
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in names)
    return text.removeprefix(".")


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, error.headers
    if status == UNREADABLE:
        return problem("invalid", "the body is not JSON in UTF-8")
    if status == WRONG_METHOD and (allowed := _methods(request)):
        headers = {**(headers or {}), "Allow": ", ".join(allowed)}
    sentence = _SENTENCES.get(status) or str(error.detail)
    return problem(_CODES.get(status, "refused"), sentence, headers=headers, status=status)


def _methods(request: Request) -> list[str]:
    """What the address takes (RFC 9110, 15.5.6): the error knows only the first endpoint that is there."""
    routes = request.app.router.routes if "app" in request.scope else []
    return [
        method
        for method in METHODS
        if any(it.matches({**request.scope, "method": method})[0] is Match.FULL for it in routes)
    ]


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    errors = [{"field": error.field, "message": error.detail}] if error.field else []
    status = None if error.code in PROBLEMS else error.status
    return problem(error.code, error.detail, errors, status=status)


def _not_ready(_request: Request, error: Exception) -> Response:
    # The sentence is for the engineer, whose log it goes to; a till only needs to come again.
    LOG.error("not ready", error=str(error))
    detail = "the service cannot work just now; send the same request again"
    return problem("not_ready", detail, headers={"Retry-After": RETRY_SECONDS})


class Guard:
    """Limits bodies, and turns whatever else goes wrong into a 500 that tells nothing to strangers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limited, begun = _Limited(scope, receive), _Begun(scope, send)
        if _holds_nul(scope):
            await problem("invalid", "the address holds a NUL character (%00)")(scope, receive, send)
            return
        try:
            limited.check_length()
            await self._app(scope, limited, begun)
        except Exception as error:  # noqa: BLE001 - the last resort
            if isinstance(error, HTTPException) and not begun.yet:
                await _http(Request(scope), error)(scope, receive, send)
                return
            LOG.error("request failed", method=scope["method"], error=explained(error))  # noqa: TRY400 - no tracebacks
            if not begun.yet:
                answer = problem("internal", "it was logged; send the same request again later")
                await answer(scope, receive, send)


def _holds_nul(scope: Scope) -> bool:
    """What PostgreSQL keeps in no text, and takes in no question. Pages know such a link for a wrong one."""
    return scope["path"].startswith("/api/") and ("\0" in scope["path"] or b"%00" in scope["query_string"])


class _Limited:
    """Counts what comes in."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope, self._receive, self._seen = scope, receive, 0

    def check_length(self) -> None:
        declared = dict(self._scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > BODY_AT_MOST:
            raise HTTPException(413, _TOO_LARGE)

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > BODY_AT_MOST:
            raise HTTPException(413, _TOO_LARGE)
        return message


class _Begun:
    """Remembers whether an answer has begun, and adds the headers that its request was promised."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send, self.yet = scope, send, False

    async def __call__(self, message: Message) -> None:
        self.yet = True
        if message["type"] == "http.response.start":
            own: Mapping[str, str] = self._scope.get(HEADERS, {})
            added = [(name.lower().encode(), value.encode()) for name, value in own.items()]
            message["headers"] = [*message.get("headers", ()), *added]
        await self._send(message)
