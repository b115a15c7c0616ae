"""Bonuses that one customer gives to another: as many arrive as leave, with the same accounts and expiry."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.customers.holders import Person, opened
from core.events import append
from core.ledger import moving
from core.ledger.adjustments import repeated
from core.ledger.book import Book
from core.ledger.limits import Limits
from core.ledger.lots import Refusal
from core.ledger.operations import again_if_taken
from core.program import Program
from core.program.transfers import Transfers
from core.purchases.receipts import Outcome, Recorded

KIND = "transfer"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`points` at the program's scale, above zero; `sender` and `receiver` are external ids.

    `author` is who asked for it, if not the sender.
    """

    key: str
    sender: str
    receiver: str
    points: int
    author: str | None = None

    def body(self) -> list[Any]:
        """What makes two requests the same."""
        return [self.sender, self.receiver, self.points, self.author]


def transfer(
    connection: Connection, program: Program, request: Transfer, at: datetime, *, live: bool
) -> Outcome:
    """Give bonuses at `at`, in the caller's write transaction; under one key once.

    They leave the sender's lots in the order of spending and arrive as lots that expire on the same days.
    Refused, and nothing changed: `transfers_not_allowed`, `bad_amount`, `below_the_limit`, `over_the_limit`,
    `unknown_customer`, `same_account`, `conflict`, `insufficient_balance`.
    """
    return again_if_taken(connection, lambda: _transfer(connection, program, request, at, live))


def _transfer(
    connection: Connection, program: Program, request: Transfer, at: datetime, live: bool
) -> Outcome:
    found = opened(connection, program, [request.sender, request.receiver], at, live=live)
    if isinstance(found, Refusal):
        return found
    people, book = found
    if known := repeated(connection, f"{KIND}:{request.key}:out", request.body()):
        return known
    sender, receiver = people[request.sender], people[request.receiver]
    refusal = _refused(program, request) or _refused_pair(sender, receiver)
    outcome = refusal or _book(book, program, request, sender, receiver, at)
    if isinstance(outcome, Recorded):
        book.close()
        append(connection, book.happenings, at, live=live)
    return outcome


def _book(
    book: Book, program: Program, request: Transfer, sender: Person, receiver: Person, at: datetime
) -> Outcome:
    # Neither side may see it before what happened there already.
    when = max(book.moment(sender.holder, at), book.moment(receiver.holder, at))
    data = {"sender_id": sender.id, "receiver_id": receiver.id}
    leaving, arriving = moving.pair(
        book, sender.holder, receiver.holder, KIND, f"{KIND}:{request.key}", request.body(), when,
        author=request.author, data=data,
    )  # fmt: skip
    limits = _limits(book, program, sender.holder, request.points, when)
    if refusal := book.redeem(leaving, request.points, kind=KIND, limits=limits):
        book.strike(arriving)
        return refusal
    moving.arrive(book, leaving, arriving, KIND)
    points = program.from_points
    leaving.result = {
        "sender": sender.external_id,
        "receiver": receiver.external_id,
        "points": str(points(request.points)),
        "balance": str(points(book.total(sender.holder))),
        "available": str(points(book.available(sender.holder, when))),
    }
    return Recorded(leaving.result)


def _limits(book: Book, program: Program, holder: int, points: int, at: datetime) -> Limits | None:
    """The most of each account; what may not be given away is left out."""
    kept = program.transfers.exclude.account if program.transfers else ()
    if not kept:
        return None
    # Those of accounts that the program no longer has may be given away, too.
    names = {it.name for it in program.accounts} | book.by_account(holder, at).keys()
    return Limits(dict.fromkeys(sorted(names.difference(kept)), points))


def _refused(program: Program, request: Transfer) -> Refusal | None:
    rules: Transfers | None = program.transfers
    if rules is None or not rules.allowed:
        return Refusal("transfers_not_allowed", "this program has no transfers between customers")
    if request.points <= 0:
        return Refusal("bad_amount", "the number of bonuses must be above zero")
    if rules.at_least is not None and request.points < program.to_points(rules.at_least):
        return Refusal("below_the_limit", f"a transfer is of {rules.at_least} bonuses or more")
    if rules.at_most is not None and request.points > program.to_points(rules.at_most):
        return Refusal("over_the_limit", f"a transfer is of {rules.at_most} bonuses at most")
    return None


def _refused_pair(sender: Person, receiver: Person) -> Refusal | None:
    if sender.id == receiver.id:
        return Refusal("same_account", "nobody transfers bonuses to themselves")
    if sender.holder == receiver.holder:
        return Refusal("same_account", "both share one account already")
    return None
