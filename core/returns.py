"""The return of a whole receipt: what it earned goes, what it spent comes back, and it no longer counts.

What was already spent of the earned bonuses becomes a debt, or is forgiven, as the program says; what of
them has expired is owed by nobody. Spent bonuses go back to the lots they came from, with those lots' own
expiry: into a lot that has ended meanwhile they come back as well, repay debts if there are any, and the
rest expires at the next expiry run. The simplest rule that invents no new lifetime.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from core import tiers
from core.events import Happening, append
from core.ledger import ENTRY, OPERATION, Book, Refusal, again_if_taken, known_operations
from core.program import Program
from core.receipts import CUSTOMER, RECEIPT, Outcome, Recorded, Spend
from core.stats import Stats
from core.tiers import Standing


def take_back(
    connection: Connection, program: Program, external_id: str, at: datetime, recorded_at: datetime,
    *, live: bool,
) -> Outcome:  # fmt: skip
    """Return the receipt `external_id` whole, at `at`, in the caller's write transaction.

    A receipt is returned once: asked again, the answer is the first one. Refused, and nothing changed:
    `unknown_receipt`, `before_the_purchase`, `in_the_future`. The answer's amounts are whole bonuses:
    `taken_back` of the `earned`, of which `debt` had to be owed, and `given_back` of what was spent.
    """
    return again_if_taken(
        connection, lambda: _take_back(connection, program, external_id, at, recorded_at, live)
    )


def _take_back(
    connection: Connection, program: Program, external_id: str, at: datetime, recorded_at: datetime,
    live: bool,
) -> Outcome:  # fmt: skip
    receipt = connection.execute(select(RECEIPT).where(RECEIPT.c.external_id == external_id)).first()
    if receipt is None:
        return Refusal("unknown_receipt", f"no receipt {external_id!r} is recorded")
    book = Book(connection, [receipt.customer_id], recorded_at)
    known = known_operations(connection, [_key(external_id)])
    if known:
        return Recorded(known[_key(external_id)][1], repeated=True)
    if refusal := _refused(receipt, at, recorded_at):
        return refusal
    return Recorded(_Return(connection, program, receipt, book, at).run(recorded_at, live))


def _key(external_id: str) -> str:
    return f"return:{external_id}"


def _refused(receipt: Any, at: datetime, recorded_at: datetime) -> Refusal | None:
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if at < receipt.at:
        return Refusal("before_the_purchase", f"the return's time {when} is before the receipt's own")
    if at > recorded_at + timedelta(days=1):
        return Refusal("in_the_future", f"the return's time {when} has not come yet")
    return None


@dataclass(frozen=True, slots=True)
class _Moved:
    """What a purchase did to lots: (lot id, points at scale) earned and still somebody's, and spent."""

    earned: list[tuple[int, int]] = field(default_factory=list)
    spent: list[tuple[int, int]] = field(default_factory=list)


class _Return:
    """One return, under the customer's lock."""

    def __init__(
        self, connection: Connection, program: Program, receipt: Any, book: Book, at: datetime
    ) -> None:
        self.connection, self.program, self.receipt = connection, program, receipt
        self.book, self.at = book, at
        self.customer_id: int = receipt.customer_id
        row = select(CUSTOMER.c.external_id, CUSTOMER.c.tier, CUSTOMER.c.tier_since)
        self.customer = connection.execute(row.where(CUSTOMER.c.id == self.customer_id)).one()
        self.standing = Standing(self.customer.tier, self.customer.tier_since)

    def run(self, recorded_at: datetime, live: bool) -> dict[str, Any]:
        external_id = self.receipt.external_id
        op = self.book.operation(self.customer_id, "return", _key(external_id), [external_id], self.at)
        moved = self._moved()
        lots = self.book.reopen(self.customer_id, [lot_id for lot_id, _ in moved.spent])
        for lot, (_, points) in zip(lots, moved.spent, strict=True):
            self.book.give_back(op, lot, points)
        debt = self.book.take_back(op, moved.earned, forgive=self.program.points.debt == "forgive")
        self._uncount()
        op.result = self._answer(moved, debt)
        self.book.close()
        self._append(recorded_at, live)
        return op.result

    def _moved(self) -> _Moved:
        mine = (ENTRY.c.operation_id == OPERATION.c.id) & (
            OPERATION.c.key == f"receipt:{self.receipt.external_id}"
        )
        statement = (
            select(ENTRY.c.lot_id, ENTRY.c.kind, ENTRY.c.amount).join(OPERATION, mine).order_by(ENTRY.c.id)
        )
        points: dict[str, dict[int, int]] = {"accrual": {}, "redemption": {}}
        for lot_id, kind, amount in self.connection.execute(statement):
            if kind in points:
                points[kind][lot_id] = abs(amount)
        expired = self._expired(list(points["accrual"]))
        earned = [(lot_id, amount - expired[lot_id]) for lot_id, amount in points["accrual"].items()]
        return _Moved(earned, list(points["redemption"].items()))

    def _expired(self, lot_ids: list[int]) -> dict[int, int]:
        """What of these lots expired: nobody had it, so nobody owes it."""
        expired: dict[int, int] = defaultdict(int)
        rows = select(ENTRY.c.lot_id, ENTRY.c.amount).where(
            ENTRY.c.lot_id.in_(lot_ids), ENTRY.c.kind == "expiry"
        )
        for lot_id, amount in self.connection.execute(rows):
            expired[lot_id] -= amount
        return expired

    def _uncount(self) -> None:
        """Neither the statistics nor the tier's period know the receipt any more."""
        mine = update(RECEIPT).where(RECEIPT.c.id == self.receipt.id)
        self.connection.execute(mine.values(returned_at=self.at))
        stats = Stats(self.connection, [self.customer_id])
        stats.recount(self.customer_id)
        stats.close()
        level = self._deserved()
        if self.program.rank(level) < self.program.rank(self.standing.tier):
            self.standing.move(self.program, level, self.at)

    def _deserved(self) -> str:
        """The highest level that the receipts left would have reached while it is kept.

        A level is kept for a period and its grace after it was reached; a return takes it away only if
        no moment of that time reaches it without the returned receipt.
        """
        window, grace = self.program.tier_window, self.program.tier_grace
        kept = self.at - window - grace
        rolling = Spend(self.connection, [self.customer_id], kept - window, window)
        whole = Spend(self.connection, [self.customer_id], kept, window + grace)
        spends = [rolling.at(self.customer_id, at) for at in rolling.times(self.customer_id) if at > kept]
        return self.program.tier_for(max([whole.at(self.customer_id, self.at), *spends])).name

    def _answer(self, moved: _Moved, debt: int) -> dict[str, Any]:
        def points(amount: int) -> str:
            return str(self.program.from_points(amount))

        earned = sum(amount for _, amount in moved.earned)
        forgiven = debt if self.program.points.debt == "forgive" else 0
        return {
            "receipt": self.receipt.external_id,
            "customer": self.customer.external_id,
            "earned": points(self.receipt.earned_points),
            "taken_back": points(earned - forgiven),
            "debt": points(debt - forgiven),
            "given_back": points(sum(amount for _, amount in moved.spent)),
            "balance": points(self.book.total(self.customer_id)),
            "available": points(self.book.available(self.customer_id, self.at)),
            "tier": self.standing.tier,
        }

    def _append(self, recorded_at: datetime, live: bool) -> None:
        data = {"total": self.receipt.total, "store": self.receipt.store}
        happenings = [Happening(self.customer_id, "return", self.at, self.receipt.external_id, data)]
        happenings += tiers.write(self.connection, {self.customer_id: self.standing})
        append(self.connection, happenings + self.book.happenings, recorded_at, live=live)
