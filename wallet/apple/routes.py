"""The PassKit web service over HTTP. Mount it at the path of `webServiceURL`; devices append `/v1`."""

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

from core.http_dates import http_date
from wallet.apple.package import MIME
from wallet.apple.webservice import Reply, Request, WebService
from wallet.requests import body

if TYPE_CHECKING:
    from fastapi import APIRouter, Response
    from fastapi import Request as Http


def router(service: WebService) -> "APIRouter":
    """The calls under `/v1`. A slash at the end does not matter: a redirect would lose a token to http."""
    from fastapi import APIRouter

    routes = APIRouter(prefix="/v1", tags=["Apple Wallet"], include_in_schema=False)
    _registration_routes(routes, service)
    _list_route(routes, service)
    _pass_route(routes, service)
    _log_route(routes, service)
    return routes


def _registration_routes(routes: "APIRouter", service: WebService) -> None:
    from fastapi import Depends, Response
    from fastapi import Request as Http

    def register(
        http: Http, device: str, kind: str, serial: str, content: bytes = Depends(body())
    ) -> Response:
        return _answer(service.register(device, _request(http, kind, serial), content))

    def unregister(http: Http, device: str, kind: str, serial: str) -> Response:
        return _answer(service.unregister(device, _request(http, kind, serial)))

    # An identifier of a device may have a slash in it, which comes here decoded.
    _add(routes, "/devices/{device:path}/registrations/{kind}/{serial}", register, "POST")
    _add(routes, "/devices/{device:path}/registrations/{kind}/{serial}", unregister, "DELETE")


def _list_route(routes: "APIRouter", service: WebService) -> None:
    from fastapi import BackgroundTasks, Response

    def changed(
        later: BackgroundTasks, device: str, kind: str, passesUpdatedSince: str | None = None  # noqa: N803 - Apple's
    ) -> Response:  # fmt: skip
        found, notable = service.changed(device, kind, passesUpdatedSince)
        if notable:
            later.add_task(service.note_question, device)
        if not found:
            return Response(status_code=204, background=later)
        return Response(found, media_type="application/json", background=later)

    _add(routes, "/devices/{device:path}/registrations/{kind}", changed, "GET", "HEAD")


def _pass_route(routes: "APIRouter", service: WebService) -> None:
    from fastapi import BackgroundTasks, Response
    from fastapi import Request as Http

    def latest(http: Http, later: BackgroundTasks, kind: str, serial: str) -> Response:
        reply = service.latest(_request(http, kind, serial), http.headers.get("if-modified-since"))
        if reply.row is not None and http.method == "GET":
            later.add_task(service.note_fetch, reply.row)
        response = _answer(reply)
        response.background = later
        return response

    _add(routes, "/passes/{kind}/{serial}", latest, "GET", "HEAD")


def _log_route(routes: "APIRouter", service: WebService) -> None:
    from fastapi import Depends, Response
    from fastapi import Request as Http

    def log(http: Http, content: bytes = Depends(body())) -> Response:
        service.log(content, _address(http))
        return Response(status_code=200)

    _add(routes, "/log", log, "POST")


def _add(routes: "APIRouter", path: str, answer: "Callable[..., Response]", *methods: str) -> None:
    for spelled in (path, f"{path}/"):
        routes.add_api_route(spelled, answer, methods=list(methods), response_model=None)


def _request(http: "Http", kind: str, serial: str) -> Request:
    return Request(kind, serial, http.headers.get("authorization", ""), _address(http))


def _address(http: "Http") -> str:
    """Where the request came from; behind a proxy that the server trusts, what the proxy says of it."""
    return http.client.host if http.client else ""


def _answer(reply: Reply) -> "Response":
    from fastapi import Response

    headers = {"Cache-Control": "private, no-cache"}
    if reply.changed_at is not None:
        headers["Last-Modified"] = http_date(reply.changed_at)
    if reply.status == 401:
        headers["WWW-Authenticate"] = "ApplePass"
    if reply.wait:
        headers["Retry-After"] = str(ceil(reply.wait))
    media = MIME if reply.content else None
    return Response(reply.content or None, reply.status, headers, media)
