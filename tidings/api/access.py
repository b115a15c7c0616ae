"""Who may call the API: whoever knows its token."""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from tidings.api.models import ProblemOut
from tidings.api.services import Services

_bearer = HTTPBearer(auto_error=False, description="TIDINGS_API_TOKEN")


def services(request: Request) -> Services:
    """The services that the application was made with."""
    found: Services = request.app.state.services
    return found


def authorized(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    here: Annotated[Services, Depends(services)],
) -> None:
    """401 unless the request carries the token."""
    if given is None or not here.admits(given.credentials):
        detail = "send the header `Authorization: Bearer` with the value of TIDINGS_API_TOKEN"
        raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})


Here = Annotated[Services, Depends(services)]

_PROBLEM = {"model": ProblemOut, "content": {"application/problem+json": {}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: the errors that an endpoint may answer beside the common ones."""
    return {status: {**_PROBLEM} for status in (401, 413, 422, 503, *statuses)}
