"""Bonuses given or taken by hand, each with its author and reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.customers.holders import Person, opened
from core.events import append
from core.ledger.book import Book
from core.ledger.limits import Limits
from core.ledger.lots import Op, Refusal
from core.ledger.operations import again_if_taken, digest_of, known_operations
from core.program import Program
from core.program.lifetime import Lasts
from core.purchases.receipts import Outcome, Recorded

KIND = "adjustment"
# A reason is a sentence, not a file.
REASON_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class Adjustment:
    """`points` at the program's scale, above zero to give, below to take; `customer` is the external id.

    `account` None: given to `base`, taken in the program's order of accounts. `lasts`: a lifetime of its own,
    of what is given.
    With `owing` more may be taken than there is: the rest becomes a debt, or is forgiven by the program.
    """

    key: str
    customer: str
    points: int
    author: str
    reason: str
    account: str | None = None
    lasts: Lasts | None = None
    owing: bool = False

    def body(self) -> list[Any]:
        """What makes two requests the same."""
        lasts = str(self.lasts) if self.lasts else None
        return [self.customer, self.points, self.author, self.reason, self.account, lasts, self.owing]


def adjust(
    connection: Connection, program: Program, request: Adjustment, at: datetime, *, live: bool
) -> Outcome:
    """Give or take bonuses at `at`, in the caller's write transaction; under one key once.

    Refused, and nothing changed: `unknown_customer`, `bad_amount`, `no_author`, `no_reason`,
    `unknown_account`, `conflict`, `insufficient_balance`.
    """
    return again_if_taken(connection, lambda: _adjust(connection, program, request, at, live))


def told(author: str | None, data: Mapping[str, Any]) -> str:
    """How a history shows an adjustment: `adjustment by maria: goodwill`."""
    by = f" by {author}" if author else ""
    return f"adjustment{by}: {data['reason']}" if data.get("reason") else f"adjustment{by}"


def _adjust(
    connection: Connection, program: Program, request: Adjustment, at: datetime, live: bool
) -> Outcome:
    found, refusal = (
        opened(connection, program, [request.customer], at, live=live),
        _refused(program, request),
    )
    if isinstance(found, Refusal):
        return refusal or found
    people, book = found
    # What was booked is answered as it was then, whatever the program says by now.
    if known := repeated(connection, f"{KIND}:{request.key}", request.body()):
        return known
    if refusal:
        return refusal
    outcome = _book(book, program, request, people[request.customer], at)
    if isinstance(outcome, Recorded):
        book.close()
        append(connection, book.happenings, at, live=live)
    return outcome


def _book(book: Book, program: Program, request: Adjustment, person: Person, at: datetime) -> Outcome:
    holder, when = person.holder, book.moment(person.holder, at)
    data = {"reason": request.reason, "customer_id": person.id}
    op = book.operation(
        holder, KIND, f"{KIND}:{request.key}", request.body(), when, data=data, author=request.author
    )
    if refusal := _move(book, program, request, op):
        return refusal
    points = program.from_points
    op.result = {
        "customer": person.external_id,
        "points": str(points(request.points)),
        "balance": str(points(book.total(holder))),
        "available": str(points(book.available(holder, when))),
    }
    return Recorded(op.result)


def _move(book: Book, program: Program, request: Adjustment, op: Op) -> Refusal | None:
    if request.points > 0:
        account = request.account or "base"
        life = program.life(op.at, account=account, lasts=request.lasts)
        book.accrue(op, request.points, reason=KIND, life=life, account=account)
        return None
    limits = Limits({request.account: -request.points}) if request.account else None
    return book.redeem(op, -request.points, kind=KIND, limits=limits, owing=request.owing)


def _refused(program: Program, request: Adjustment) -> Refusal | None:
    if not request.points:
        return Refusal("bad_amount", "an adjustment of nothing changes nothing")
    if request.points < 0 and request.lasts is not None:
        return Refusal("bad_amount", "only bonuses that are given have a lifetime; leave `lasts` out")
    if not request.author.strip():
        return Refusal("no_author", "say who adjusts the balance")
    if not request.reason.strip():
        return Refusal("no_reason", "say why the balance is adjusted")
    if len(request.reason) > REASON_AT_MOST:
        return Refusal("no_reason", f"say why in {REASON_AT_MOST} characters at most")
    names = [account.name for account in program.accounts]
    if request.account is not None and request.account not in names:
        there = ", ".join(names)
        return Refusal("unknown_account", f"the program has no account {request.account!r}; it has {there}")
    return None


def repeated(connection: Connection, key: str, body: object) -> Outcome | None:
    """The first answer to a request whose operation is known, or `conflict`; None if the key is new."""
    known = known_operations(connection, [key]).get(key)
    if known is None:
        return None
    same = known[0] == digest_of(body)
    other = "something else was recorded under this id; take a new one"
    return Recorded(known[1], True) if same else Refusal("conflict", other)
