"""Requests that may be sent again: the header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07).

An endpoint declares it by one parameter, and does its work in the block that it gives:

    def post(here: Here, once: Once, body: ReceiptIn) -> Response:
        with once.recording() as done:
            …
            return done(201, answer)

The answer is kept in the transaction of the work, so that there is never one without the other. A refused
request changed nothing and is not kept: corrected, it may come again under the same key.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy import Connection, delete

from core.customers.holders import people
from core.db import dumps
from core.db.bulk import asked, piped, upsert_rows
from core.db.hot import Hot
from tidings.api.access import Here, Who
from tidings.api.forms import Bytes
from tidings.api.problems import refuse
from tidings.api.services import Services
from tidings.tables import IdempotentRequest

REQUEST = IdempotentRequest.__table__  # type: ignore[attr-defined]
KEPT = timedelta(days=7)
_COLUMNS = ("digest", "status", "answer", "customer_id", "at")
_ANSWERED = Hot(
    REQUEST.c.digest, REQUEST.c.status, REQUEST.c.answer,
    tail="FROM idempotent_request WHERE api_key = {} AND key = {} AND at > {}",
)  # fmt: skip
# The problems of every endpoint that declares it; the description adds them by itself.
ONCE = ("idempotency_conflict", "idempotency_running")
# The draft writes it as a quoted string; many programs leave the quotes out.
_KEY = re.compile(r'"([\x20-\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
_ABOUT = (
    "Makes the request safe to send again: the same key with the same request gets the first answer, for "
    "seven days; with another request it is refused. Any text of up to 255 characters, best a UUID."
)
# Old answers are looked for with one request in so many.
_TIDY_EVERY = 256


class Repeated(Exception):
    """The request was answered before; that answer is the answer."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


@dataclass(slots=True)
class Done:
    """The open transaction of a request; called with the answer, it keeps and returns it."""

    connection: Connection
    once: "OnceFor"

    def __call__(
        self, status: int, answer: BaseModel | Sequence[BaseModel] | None = None, about: int | None = None
    ) -> Response:
        """The answer; `about` is the customer whom it tells of, found by itself if it says `customer`."""
        body = _body(answer)
        if about is None and self.once.key is not None:
            about = _named(self.connection, answer)
        self.once.keep(self.connection, status, body, about)
        return _response(status, body)


@dataclass(slots=True)
class OnceFor:
    """One request, with its Idempotency-Key if it has one; `caller` is whose key of the API it came with.

    `digest` is of the request, if there is a key.
    """

    here: Services
    caller: int
    key: str | None
    digest: str

    @contextmanager
    def recording(self) -> Iterator[Done]:
        """A write transaction that is worked in once; leaves by `Repeated` if it was."""
        with ExitStack() as stack:
            if self.key is not None:
                ours = stack.enter_context(self.here.running_requests.running((self.caller, self.key)))
                if not ours:
                    raise self._running()
            connection = stack.enter_context(self.here.recording())
            if self.key is not None:
                self._look(connection)
            yield Done(connection, self)

    def keep(self, connection: Connection, status: int, answer: str, about: int | None) -> None:
        """Write the answer down, in place of one whose time is over."""
        if self.key is None:
            return
        now = self.here.now()
        row = (self.caller, self.key, self.digest, status, answer, about, now)
        upsert_rows(connection, REQUEST, ("api_key", "key"), _COLUMNS, [row])
        if int(self.digest[:4], 16) % _TIDY_EVERY == 0:
            connection.execute(delete(REQUEST).where(REQUEST.c.at <= now - KEPT))

    def _look(self, connection: Connection) -> None:
        with piped(connection):
            alone = self._alone(connection)
            before = _ANSWERED.ask(connection, self.caller, self.key, self.here.now() - KEPT)
        if not alone():
            raise self._running()
        for digest, status, answer in before():
            if digest != self.digest:
                raise refuse("idempotency_conflict", "this Idempotency-Key came with another request before")
            raise Repeated(_response(status, answer))

    def _alone(self, connection: Connection) -> Callable[[], bool]:
        """Whether no other process works on it; SQLite has one writer at a time."""
        if connection.dialect.name == "sqlite":
            return lambda: True
        number = hashlib.sha256(f"{self.caller}:{self.key}".encode()).digest()[:8]
        lock = asked(
            connection, "SELECT pg_try_advisory_xact_lock($1)", (int.from_bytes(number, signed=True),)
        )
        return lambda: bool(lock()[0][0])

    def _running(self) -> Exception:
        return refuse("idempotency_running", "a request with this Idempotency-Key is still running")


async def once(
    request: Request, here: Here, who: Who, body: Bytes,
    given: Annotated[
        str | None, Header(alias="Idempotency-Key", description=_ABOUT, examples=["4f0c1f0e-2b7e-4d0a"])
    ] = None,
) -> OnceFor:  # fmt: skip
    """The request that an endpoint works on once."""
    if given is None:
        return OnceFor(here, who.id, None, "")
    return OnceFor(here, who.id, _read(given), _digest(request, body))


Once = Annotated[OnceFor, Depends(once)]


def _named(connection: Connection, answer: object) -> int | None:
    """The number of the customer whom an answer names, under which it is forgotten with them."""
    name = getattr(answer, "customer", None)
    person = people(connection, [name]).get(name) if name else None
    return person.id if person else None


def _read(header: str) -> str:
    found = _KEY.fullmatch(header.strip())
    if not found:
        said = "must be 1 to 255 visible ASCII characters, best a UUID"
        raise refuse("invalid", f"Idempotency-Key: {said}", "Idempotency-Key")
    return found[1] or found[2]


def _digest(request: Request, body: bytes) -> str:
    """What makes two requests the same: not the spaces in their JSON, nor the order of its keys."""
    content: Any
    try:
        content = dumps(json.loads(body)) if body else ""
    except (ValueError, RecursionError):
        content = body.hex()
    said = dumps([request.method, request.url.path, request.url.query, content])
    return hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()


def answered(status: int, answer: BaseModel | Sequence[BaseModel] | None = None) -> Response:
    """An answer that need not be kept: its request came without a key."""
    return _response(status, _body(answer))


def _body(answer: BaseModel | Sequence[BaseModel] | None) -> str:
    return "" if answer is None else to_json(answer).decode()


def _response(status: int, body: str) -> Response:
    return Response(body or None, status, media_type="application/json" if body else None)


def repeated(_request: Request, error: Exception) -> Response:
    """The handler of `Repeated`."""
    assert isinstance(error, Repeated)
    return error.answer
