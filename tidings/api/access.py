"""Who may call what: the key of a request, the scope of an endpoint, the rate of both.

An endpoint says in one line what it asks for and what may go wrong:

    @routes.post("", **asks("receipts:write", "unknown_customer", "conflict", answer=ReceiptOut))

Without that line only a key that may do everything opens it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from tidings.api.keys import Caller
from tidings.api.problem_kinds import PROBLEMS, kind_of
from tidings.api.problems import MEDIA_TYPE, document, refuse, tell
from tidings.api.services import Services
from tidings.keys import SCOPES

SCOPE = "x-scope"
# What any endpoint may answer.
COMMON = ("invalid", "unauthorized", "forbidden", "too_large", "too_many_requests", "internal", "not_ready")
_bearer = HTTPBearer(auto_error=False, description="A key of `tidings keys create`, or TIDINGS_API_TOKEN.")


async def services(request: Request) -> Services:
    """The services that the application was made with."""
    found: Services = request.app.state.services
    return found


Here = Annotated[Services, Depends(services)]


async def _caller(
    request: Request,
    later: BackgroundTasks,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    here: Here,
) -> Caller:
    secret = given.credentials if given else ""
    # Most requests come with a key that was just looked up: they need no thread.
    caller = here.keys.remembered(secret) or await asyncio.to_thread(here.keys.find, secret)
    if caller is None:
        detail = "send the header `Authorization: Bearer` with a key of `tidings keys create`"
        raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})
    _within_rate(request, here, caller)
    if here.keys.is_stale(caller):
        later.add_task(here.keys.note_use, caller)
    return caller


def _within_rate(request: Request, here: Services, caller: Caller) -> None:
    if caller.rate is None:
        return
    verdict = here.limits.take(caller.id, caller.rate)
    tell(request.scope, verdict.headers)
    if verdict.wait:
        raise refuse("too_many_requests", f"this key may ask {caller.rate}; come again a little later")


Who = Annotated[Caller, Depends(_caller)]


async def authorized(request: Request, who: Who) -> None:
    """401 without a key, 403 without the scope that the endpoint asks for, 429 above the key's rate."""
    extra: Mapping[str, Any] = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    for scope in [extra[SCOPE]] if SCOPE in extra else SCOPES:
        require(who, scope)


def require(who: Caller, scope: str) -> None:
    """403 `forbidden`, naming the scope that is missing."""
    if not who.may(scope):
        raise refuse("forbidden", f"this key has not the scope {scope}: {SCOPES[scope]}")


def asks(
    scope: str, *codes: str, answer: Any = None, created: bool = False, status: int = 200
) -> dict[str, Any]:
    """How an endpoint declares its scope and, by their codes, the problems beside the common ones.

    `answer` is the model of the answer, if the endpoint returns a response; with `created` it is 201 the
    first time and 200 when the request is repeated.
    """
    if scope not in SCOPES:
        raise ValueError(f"there is no scope {scope!r}; add it to tidings.keys.SCOPES")
    responses = described([*codes, *COMMON])
    if created:
        responses[200] = {"model": answer, "description": "Done before; this is the first answer"}
    declared = {
        "status_code": 201 if created else status, "responses": responses, "openapi_extra": {SCOPE: scope},
    }  # fmt: skip
    return declared if answer is None else {**declared, "response_model": answer}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: every problem of these statuses, and the common ones."""
    return described([*(code for code, kind in PROBLEMS.items() if kind.status in statuses), *COMMON])


def described(codes: Iterable[str]) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: problems by their status, each with an example."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in dict.fromkeys(codes):
        kind = kind_of(code)
        response = found.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: _content()}})
        response["description"] = ", ".join(filter(None, [response["description"], f"`{code}`"]))
        example = {"summary": kind.title, "value": document(code, kind.means)}
        response["content"][MEDIA_TYPE]["examples"][code] = example
    return found


def _content() -> dict[str, Any]:
    return {"schema": {"$ref": "#/components/schemas/ProblemOut"}, "examples": {}}
