"""Bonuses without a purchase: granted by hand or by a shop's system, and spent outside a receipt.

The caller gives each request a key: the same request again is the same operation and the same answer,
another request under the same key is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from core.events import append
from core.ledger import Book, Op, Refusal, again_if_taken, digest_of, known_operations
from core.program import Program
from core.receipts import CUSTOMER, Outcome, Recorded

Act = Callable[[Book, Op], Refusal | None]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `customer` is the external id, `points` are at the program's scale, above zero."""

    key: str
    customer: str
    points: int
    at: datetime
    reason: str = "grant"

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
        starts = program.starts_at(request.at)
        expires_on = program.expires_on(starts)
        book.accrue(
            op, request.points, reason=request.reason, active_from=starts,
            expires_on=expires_on, expires_at=program.end_of(expires_on),
        )  # fmt: skip

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
    known_customer = CUSTOMER.c.erased_at.is_(None) & (CUSTOMER.c.external_id == request.customer)
    customer_id = connection.scalar(select(CUSTOMER.c.id).where(known_customer))
    if customer_id is None:
        return Refusal("unknown_customer", f"no customer {request.customer!r}; register or import them first")
    if request.points <= 0:
        return Refusal("bad_amount", "the number of bonuses must be above zero")
    book = Book(connection, [customer_id], recorded_at)
    key, body = f"request:{request.key}", [kind, *request.body()]
    if known := known_operations(connection, [key]).get(key):
        same = known[0] == digest_of(body)
        return (
            Recorded(known[1], True) if same else Refusal("conflict", f"{request.key!r} was another request")
        )
    op = book.operation(customer_id, kind, key, body, request.at)
    if refusal := act(book, op):
        return refusal
    op.result = {
        "customer": request.customer,
        "points": str(program.from_points(request.points)),
        "balance": str(program.from_points(book.total(customer_id))),
        "available": str(program.from_points(book.available(customer_id, request.at))),
    }
    book.close()
    append(connection, book.happenings, recorded_at, live=live)
    return Recorded(op.result)
