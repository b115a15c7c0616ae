"""Bonuses without a purchase: granted by hand or by a shop's system, and spent outside a receipt.

The caller gives each request a key: the same request again is the same operation and the same answer,
another request under the same key is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from core.customers.holders import opened
from core.events import append
from core.ledger.book import Book
from core.ledger.lots import Op, Refusal
from core.ledger.operations import again_if_taken, digest_of, known_operations
from core.program import Program
from core.purchases.receipts import Outcome, Recorded

Act = Callable[[Book, Op], Refusal | None]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `customer` is the external id, `points` are at the program's scale, above zero."""

    key: str
    customer: str
    points: int
    at: datetime
    reason: str = "grant"
    rule: str | None = None

    def body(self) -> list[Any]:
        """What makes two requests the same."""
        return [self.customer, self.points, self.at.astimezone(UTC).isoformat(), self.reason]


def grant(
    connection: Connection, program: Program, request: Request, recorded_at: datetime, *, live: bool
) -> Outcome:
    """Give bonuses with the program's start and lifetime, in the caller's write transaction.

    Refused: `unknown_customer`, `bad_amount`, `conflict`.
    """

    def act(book: Book, op: Op) -> None:
        life = program.life(op.at)
        book.accrue(op, request.points, reason=request.reason, life=life, rule=request.rule)

    return _once(connection, program, "grant", request, act, recorded_at, live)


def redeem(
    connection: Connection, program: Program, request: Request, recorded_at: datetime, *, live: bool
) -> Outcome:
    """Spend bonuses, the earliest to expire first, in the caller's write transaction.

    Refused: `unknown_customer`, `bad_amount`, `conflict`, `insufficient_balance`.
    """

    def act(book: Book, op: Op) -> Refusal | None:
        return book.redeem(op, request.points)

    return _once(connection, program, "redemption", request, act, recorded_at, live)


def _once(
    connection: Connection, program: Program, kind: str, request: Request, act: Act, recorded_at: datetime,
    live: bool,
) -> Outcome:  # fmt: skip
    def work() -> Outcome:
        return _work(connection, program, kind, request, act, recorded_at, live)

    return again_if_taken(connection, work)


def _work(
    connection: Connection, program: Program, kind: str, request: Request, act: Act, recorded_at: datetime,
    live: bool,
) -> Outcome:  # fmt: skip
    if request.points <= 0:
        return Refusal("bad_amount", "the number of bonuses must be above zero")
    found = opened(connection, program, [request.customer], recorded_at, live=live)
    if isinstance(found, Refusal):
        return found
    people, book = found
    holder = people[request.customer].holder
    key, body = f"request:{request.key}", [kind, *request.body()]
    if known := known_operations(connection, [key]).get(key):
        same = known[0] == digest_of(body)
        return (
            Recorded(known[1], True) if same else Refusal("conflict", f"{request.key!r} was another request")
        )
    op = book.operation(holder, kind, key, body, book.moment(holder, request.at))
    if refusal := act(book, op):
        return refusal
    op.result = {
        "customer": request.customer,
        "points": str(program.from_points(request.points)),
        "balance": str(program.from_points(book.total(holder))),
        "available": str(program.from_points(book.available(holder, op.at))),
    }
    book.close()
    append(connection, book.happenings, recorded_at, live=live)
    return Recorded(op.result)
