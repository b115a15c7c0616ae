"""Apple's PassKit web service: devices register, ask what changed, fetch it, and complain.

Source: Wallet Passes documentation, "Adding a Web Service to Update Passes". Mount it at the path of
`webServiceURL`; devices append `/v1` themselves.
"""

import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select

from core.clock import Clock
from core.db import Database
from wallet import registrations
from wallet.apple.package import MIME
from wallet.tables import LOG, PASS

if TYPE_CHECKING:
    from fastapi import APIRouter, Request, Response

Build = Callable[[Connection, Row[Any]], bytes]

SCHEME = "applepass "
BODY_AT_MOST = 64 * 1024
DEVICE_LENGTH = 100
LOG_LINES_A_CALL = 20
LOG_LINE_LENGTH = 500
LOG_LINES_A_MINUTE = 200
LOG_LINES_KEPT = 10_000


class WebService:
    """The answers, one method for each call; `build` makes the bytes of a pass from its row."""

    def __init__(self, database: Database, clock: Clock, pass_type: str, build: Build) -> None:
        self._database = database
        self._clock = clock
        self._pass_type = pass_type
        self._build = build

    def register(self, device: str, pass_type: str, serial: str, authorization: str, body: bytes) -> int:
        """201 for a new registration, 200 for a known one (its push token may still be new)."""
        token = _push_token(body)
        with self._database.write() as connection:
            row = self._authorised(connection, pass_type, serial, authorization)
            if row is None:
                return 401
            if token is None:
                return 400
            new = registrations.register(connection, row, device, token, self._clock.now())
        return 201 if new else 200

    def unregister(self, device: str, pass_type: str, serial: str, authorization: str) -> int:
        """200, also for a registration that is already gone."""
        with self._database.write() as connection:
            row = self._authorised(connection, pass_type, serial, authorization)
            if row is None:
                return 401
            registrations.unregister(connection, row, device, self._clock.now())
        return 200

    def changed(self, device: str, pass_type: str, since: str | None) -> dict[str, Any] | None:
        """Serials on the device that changed strictly after the tag; None for none."""
        if pass_type != self._pass_type:
            return None
        with self._database.read() as connection:
            found = registrations.changed_since(connection, device, _tag(since))
        if not found:
            return None
        return {
            "serialNumbers": [serial for serial, _ in found],
            "lastUpdated": str(max(tag for _, tag in found)),
        }

    def latest(
        self, pass_type: str, serial: str, authorization: str, since: str | None
    ) -> tuple[int, bytes, datetime | None]:
        """Status, the pass and its Last-Modified: 200, 304 if the device has it already, 401."""
        with self._database.read() as connection:
            row = self._authorised(connection, pass_type, serial, authorization)
            if row is None:
                return 401, b"", None
            if (known := _http_date(since)) is not None and row.changed_at <= known:
                return 304, b"", row.changed_at
            content = self._build(connection, row)
        self._note_fetch(row)
        return 200, content, row.changed_at

    def log(self, body: bytes) -> None:
        """Keep what devices complain of: so many lines a call, a minute and in all; the rest is dropped."""
        lines = _log_lines(body)
        if not lines:
            return
        now = self._clock.now()
        with self._database.write() as connection:
            recent = select(func.count()).select_from(LOG).where(LOG.c.at > now - timedelta(minutes=1))
            room = max(0, LOG_LINES_A_MINUTE - (connection.scalar(recent) or 0))
            rows = [{"at": now, "text": line} for line in lines[:room]]
            if rows:
                connection.execute(LOG.insert(), rows)
                newest = connection.scalar(select(func.max(LOG.c.id))) or 0
                connection.execute(LOG.delete().where(LOG.c.id <= newest - LOG_LINES_KEPT))

    def _authorised(
        self, connection: Connection, pass_type: str, serial: str, authorization: str
    ) -> Row[Any] | None:
        """The pass, if the header carries its token. An unknown serial answers like a wrong token."""
        row = connection.execute(select(PASS).where(PASS.c.serial == serial)).first()
        expected = row.token if row else "0" * 32
        given = authorization[len(SCHEME) :] if authorization.lower().startswith(SCHEME) else ""
        right = hmac.compare_digest(given.encode(), expected.encode())
        return row if right and pass_type == self._pass_type else None

    def _note_fetch(self, row: Row[Any]) -> None:
        with self._database.write() as connection:
            mine = PASS.c.customer_id == row.customer_id
            connection.execute(PASS.update().where(mine).values(fetched_at=self._clock.now()))


def _push_token(body: bytes) -> str | None:
    """The token of `{"pushToken": …}`, whatever the Content-Type says; None if there is none."""
    content = _json(body)
    token = content.get("pushToken") if isinstance(content, dict) else None
    fits = isinstance(token, str) and 0 < len(token) <= 200 and token.isalnum() and token.isascii()
    return token if fits else None


def _log_lines(body: bytes) -> list[str]:
    content = _json(body)
    logs = content.get("logs") if isinstance(content, dict) else None
    if not isinstance(logs, list):
        return []
    lines = (line.replace("\0", "").strip()[:LOG_LINE_LENGTH] for line in logs if isinstance(line, str))
    return [line for line in lines if line][:LOG_LINES_A_CALL]


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _tag(since: str | None) -> int:
    """Our own tag come back; anything else means that the device knows nothing yet."""
    fits = since is not None and since.isascii() and since.isdigit() and len(since) < 19
    return int(since) if since is not None and fits else -1


def _http_date(value: str | None) -> datetime | None:
    """The time of an HTTP date (RFC 9110, 5.6.7), None for anything else."""
    try:
        parsed = parsedate_to_datetime(value) if value else None
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed is not None and parsed.tzinfo is None else parsed


def router(database: Database, clock: Clock, pass_type: str, build: Build) -> "APIRouter":
    """The calls under `/v1`, ready to be mounted."""
    from fastapi import APIRouter

    service = WebService(database, clock, pass_type, build)
    routes = APIRouter(prefix="/v1", tags=["Apple Wallet"], include_in_schema=False)
    _registration_routes(routes, service)
    _pass_routes(routes, service)
    return routes


def _registration_routes(routes: "APIRouter", service: WebService) -> None:
    from fastapi import Depends, Header, Response

    one = "/devices/{device}/registrations/{kind}/{serial}"

    @routes.post(one)
    def register(
        device: str,
        kind: str,
        serial: str,
        content: bytes = Depends(_body()),
        authorization: str = Header(""),
    ) -> Response:
        return _answer(service.register(device[:DEVICE_LENGTH], kind, serial, authorization, content))

    @routes.delete(one)
    def unregister(device: str, kind: str, serial: str, authorization: str = Header("")) -> Response:
        return _answer(service.unregister(device[:DEVICE_LENGTH], kind, serial, authorization))

    @routes.get("/devices/{device}/registrations/{kind}")
    def changed(device: str, kind: str, passesUpdatedSince: str | None = None) -> Response:  # noqa: N803 - Apple's
        found = service.changed(device[:DEVICE_LENGTH], kind, passesUpdatedSince)
        if found is None:
            return Response(status_code=204)
        return Response(json.dumps(found), media_type="application/json")


def _pass_routes(routes: "APIRouter", service: WebService) -> None:
    from fastapi import Depends, Header, Response

    @routes.get("/passes/{kind}/{serial}")
    def latest(
        kind: str, serial: str, authorization: str = Header(""), if_modified_since: str | None = Header(None)
    ) -> Response:
        status, content, changed_at = service.latest(kind, serial, authorization, if_modified_since)
        if changed_at is None:
            return _answer(status)
        modified = format_datetime(changed_at, usegmt=True)
        headers = {"Last-Modified": modified, "Cache-Control": "private, no-cache"}
        return Response(content or None, status, headers, MIME if status == 200 else None)

    @routes.post("/log")
    def log(content: bytes = Depends(_body())) -> Response:
        service.log(content)
        return Response(status_code=200)


def _body() -> "Callable[[Request], Awaitable[bytes]]":
    """The bytes of a request, whatever its Content-Type says: devices are not strict about it."""
    from fastapi import HTTPException, Request

    async def read(request: Request) -> bytes:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_AT_MOST:
                raise HTTPException(413)
        return bytes(content)

    return read


def _answer(status: int) -> "Response":
    from fastapi import Response

    return Response(status_code=status, headers={"WWW-Authenticate": "ApplePass"} if status == 401 else {})
