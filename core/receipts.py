"""Receipts: recorded with their lines, earning and spending, one or thousands at a time."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from core import tiers
from core.bulk import insert_rows, rows_of
from core.clock import EARLIEST, LATEST
from core.db import allocate
from core.earning import earn_on_lines
from core.events import Happening, append
from core.ledger import CHUNK, Book, Refusal, again_if_taken, digest_of, known_operations
from core.program import Program
from core.stats import Stats
from core.tables import Customer, Product, Receipt, ReceiptLine
from core.tiers import Standing

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
PRODUCT = Product.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
LINE = ReceiptLine.__table__  # type: ignore[attr-defined]

RECEIPT_COLUMNS = (
    "id", "external_id", "customer_id", "store", "at", "recorded_at", "total", "paid_points", "earned_points",
)  # fmt: skip
# From here on it is quicker to read what is excluded than to ask about each of the goods.
MANY_SKUS = 500
LINE_COLUMNS = ("receipt_id", "line", "customer_id", "sku", "quantity", "total", "earned_points")


@dataclass(frozen=True, slots=True)
class Line:
    """A line: quantity in thousandths, total in minor units after discounts."""

    sku: str
    quantity: int
    total: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a till sends. `customer` is the external id; `pay_points` in points at the program's scale,
    `total`, the sum of the lines, in minor units.
    """

    external_id: str
    customer: str
    at: datetime
    lines: tuple[Line, ...]
    store: str | None = None
    pay_points: int = 0
    total: int = field(init=False)

    def body(self) -> list[Any]:
        """What makes two requests the same; one moment is the same whichever zone it is written in."""
        lines = [[line.sku, line.quantity, line.total] for line in self.lines]
        return [self.customer, self.at.astimezone(UTC).isoformat(), self.store, self.pay_points, lines]

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(line.total for line in self.lines))


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer to a receipt; the same again when it is repeated."""

    answer: dict[str, Any]
    repeated: bool = False


Outcome = Recorded | Refusal


def record(
    connection: Connection,
    program: Program,
    purchases: Sequence[Purchase],
    recorded_at: datetime,
    *,
    live: bool,
) -> list[Outcome]:
    """Record purchases in the caller's write transaction; one outcome each, in their order.

    A refused purchase changes nothing and does not hold up the others. Reasons: `unknown_customer`,
    `conflict` (recorded with other content), `bad_amount`, `in_the_future`, `over_the_limit`,
    `insufficient_balance`.
    """
    return again_if_taken(
        connection, lambda: _Recording(connection, program, purchases, recorded_at, live).run()
    )


class _Recording:
    """One call of `record`: what it loads once, and what it writes once."""

    def __init__(
        self, connection: Connection, program: Program, purchases: Sequence[Purchase],
        recorded_at: datetime, live: bool,
    ) -> None:  # fmt: skip
        self.connection, self.program, self.purchases = connection, program, purchases
        self.recorded_at, self.live = recorded_at, live
        self.rule = next((it.rule for it in program.earn.rules if it.by), None)
        # A batch that was interrupted and is repeated asks first what is there, and locks the rest.
        keys = [_key(it) for it in purchases]
        self.known = known_operations(connection, keys) if len(keys) > 1 else {}
        new = [it for it in purchases if _key(it) not in self.known and EARLIEST <= it.at < LATEST]
        ids = _ids(connection, {it.customer for it in new})
        times = [it.at for it in new] or [recorded_at]
        first = min(times)
        spenders = {it.customer for it in new if live or it.pay_points}
        earners = {number for name, number in ids.items() if name not in spenders}
        # Everything else is read under the accounts' lock: what another writer just did is seen.
        self.book = Book(connection, ids.values(), recorded_at, (first, max(times)), earners)
        self.known |= known_operations(connection, [_key(it) for it in new])
        self.customers = _customers(connection, sorted(ids.values()))
        self.excluded = _excluded_skus(connection, program, new)
        self.standing = {row.id: Standing(row.tier, row.tier_since) for row in self.customers.values()}
        self.stats = Stats(connection, sorted(ids.values()))
        climbers = self._climbers()
        self.climbers = set(climbers)
        self.spend = Spend(connection, climbers, first - program.tier_window, program.tier_window)
        self.rates: dict[str | None, Decimal] = {}
        self.receipts: list[tuple[Any, ...]] = []
        self.lines: list[tuple[Any, ...]] = []
        self.happenings: list[Happening] = []

    def _climbers(self) -> list[int]:
        """Who may reach a higher level now: only theirs is the spend of the period added up."""
        bought: dict[str, int] = defaultdict(int)
        for purchase in self.purchases:
            bought[purchase.customer] += purchase.total
        climbers = []
        for name, row in self.customers.items():
            level = self.program.next_level(row.tier)
            ever = self.stats.spent(row.id) + bought[name]
            if self.program.rank(row.tier) < 0 or (level and ever >= self.program.to_money(level.from_)):
                climbers.append(row.id)
        return climbers

    def run(self) -> list[Outcome]:
        ids = iter(allocate(self.connection, RECEIPT, len(self.purchases)))
        outcomes = [self._one(purchase, next(ids)) for purchase in self.purchases]
        self.book.close()
        insert_rows(self.connection, RECEIPT, RECEIPT_COLUMNS, self.receipts)
        insert_rows(self.connection, LINE, LINE_COLUMNS, self.lines)
        self.stats.close()
        self.happenings += tiers.write(self.connection, self.standing)
        append(self.connection, self.happenings + self.book.happenings, self.recorded_at, live=self.live)
        return outcomes

    def _one(self, purchase: Purchase, receipt_id: int) -> Outcome:
        refusal = self._refused(purchase)
        if refusal or _key(purchase) in self.known:
            return refusal or self._repeat(purchase)
        customer_id = self.customers[purchase.customer].id
        op = self.book.operation(customer_id, "purchase", _key(purchase), purchase.body(), purchase.at)
        if purchase.pay_points:
            self.book.redeem(op, purchase.pay_points)
        earned = self._earn(purchase, self.standing[customer_id])
        starts = self.program.starts_at(purchase.at)
        expires_on = self.program.expires_on(starts)
        self.book.accrue(
            op, sum(earned), reason="purchase", rule=self.rule, active_from=starts,
            expires_on=expires_on, expires_at=self.program.end_of(expires_on),
        )  # fmt: skip
        self._move_tier(customer_id, purchase)
        op.result = self._answer(purchase, customer_id, sum(earned))
        self.known[_key(purchase)] = (op.digest, op.result)
        self._keep(purchase, receipt_id, customer_id, earned)
        return Recorded(op.result)

    def _refused(self, purchase: Purchase) -> Refusal | None:
        known = self.known.get(_key(purchase))
        if known:
            same = known[0] == digest_of(purchase.body())
            other = f"receipt {purchase.external_id!r} is recorded with other content"
            return None if same else Refusal("conflict", other)
        if not EARLIEST <= purchase.at < LATEST:
            return Refusal("impossible_time", f"the receipt's year {purchase.at.year} cannot be meant")
        if purchase.customer not in self.customers:
            return Refusal(
                "unknown_customer", f"no customer {purchase.customer!r}; register or import them first"
            )
        if purchase.pay_points < 0 or any(line.total < 0 or line.quantity < 0 for line in purchase.lines):
            return Refusal(
                "bad_amount", "no line, quantity or payment may be below zero; a return is told apart"
            )
        if purchase.at > self.recorded_at + timedelta(days=1):
            when = purchase.at.astimezone(UTC)
            return Refusal("in_the_future", f"the receipt's time {when:%Y-%m-%d %H:%M} UTC has not come yet")
        return self._refused_payment(purchase)

    def _refused_payment(self, purchase: Purchase) -> Refusal | None:
        if not purchase.pay_points:
            return None
        limit = self.program.spendable(purchase.total)
        if purchase.pay_points > limit:
            most = self.program.from_points(limit)
            return Refusal("over_the_limit", f"at most {most} bonuses may be spent on this receipt")
        available = self.book.available(self.customers[purchase.customer].id, purchase.at)
        if purchase.pay_points > available:
            return Refusal(
                "insufficient_balance", f"{self.program.from_points(available)} bonuses are available"
            )
        return None

    def _repeat(self, purchase: Purchase) -> Recorded:
        return Recorded(self.known[_key(purchase)][1], repeated=True)

    def _earn(self, purchase: Purchase, standing: Standing) -> list[int]:
        rate = self.rates.get(standing.tier)
        if rate is None:
            rate = self.rates[standing.tier] = self.program.level(standing.tier).earn
        totals = [0 if line.sku in self.excluded else line.total for line in purchase.lines]
        return earn_on_lines(self.program, totals, purchase.total, purchase.pay_points, rate)

    def _move_tier(self, customer_id: int, purchase: Purchase) -> None:
        if customer_id not in self.climbers:
            return
        self.spend.add(customer_id, purchase.at, purchase.total)
        # A receipt that arrives late counts towards the spend of today.
        now = self.spend.latest(customer_id)
        self.standing[customer_id].rise(self.program, self.spend.at(customer_id, now), now)

    def _answer(self, purchase: Purchase, customer_id: int, earned: int) -> dict[str, Any]:
        points = self.program.from_points
        answer = {
            "receipt": purchase.external_id,
            "customer": purchase.customer,
            "earned": str(points(earned)),
            "spent": str(points(purchase.pay_points)),
            "balance": str(points(self.book.total(customer_id))),
        }
        # What could be spent at a moment of history is no answer to anybody.
        if self.live:
            answer["available"] = str(points(self.book.available(customer_id, purchase.at)))
        return answer | {"tier": self.standing[customer_id].tier}

    def _keep(self, purchase: Purchase, receipt_id: int, customer_id: int, earned: list[int]) -> None:
        self.receipts.append(
            (receipt_id, purchase.external_id, customer_id, purchase.store, purchase.at, self.recorded_at,
             purchase.total, purchase.pay_points, sum(earned))
        )  # fmt: skip
        self.lines += [
            (receipt_id, number, customer_id, line.sku, line.quantity, line.total, points)
            for number, (line, points) in enumerate(zip(purchase.lines, earned, strict=True), start=1)
        ]
        self.stats.purchase(customer_id, purchase.at, purchase.total)
        data = {"total": purchase.total, "store": purchase.store}
        self.happenings.append(Happening(customer_id, "purchase", purchase.at, purchase.external_id, data))


class Spend:
    """What customers spent in a rolling window, at any time: receipts of the window in memory."""

    def __init__(
        self, connection: Connection, customer_ids: Sequence[int], since: datetime, window: timedelta
    ) -> None:
        self._window = window
        self._times: dict[int, list[datetime]] = defaultdict(list)
        self._sums: dict[int, list[int]] = defaultdict(lambda: [0])
        for start in range(0, len(customer_ids), CHUNK):
            statement = (
                select(RECEIPT.c.customer_id, RECEIPT.c.at, RECEIPT.c.total)
                .where(RECEIPT.c.customer_id.in_(customer_ids[start : start + CHUNK]))
                .where(RECEIPT.c.at > since, RECEIPT.c.returned_at.is_(None))
                .order_by(RECEIPT.c.customer_id, RECEIPT.c.at)
            )
            for customer_id, at, total in connection.execute(statement).all():
                self._append(customer_id, at, total)

    def _append(self, customer_id: int, at: datetime, total: int) -> None:
        self._times[customer_id].append(at)
        self._sums[customer_id].append(self._sums[customer_id][-1] + total)

    def add(self, customer_id: int, at: datetime, total: int) -> None:
        """One more receipt; a late one finds its place."""
        times = self._times[customer_id]
        if not times or at >= times[-1]:
            return self._append(customer_id, at, total)
        place = bisect_right(times, at)
        times.insert(place, at)
        sums = self._sums[customer_id]
        sums.insert(place + 1, sums[place])
        for i in range(place + 1, len(sums)):
            sums[i] += total
        return None

    def times(self, customer_id: int) -> Sequence[datetime]:
        """When the customer bought, from the earliest."""
        return self._times[customer_id]

    def latest(self, customer_id: int) -> datetime:
        """The time of the latest receipt."""
        return self._times[customer_id][-1]

    def at(self, customer_id: int, at: datetime) -> int:
        """Minor units spent in (at - window, at]."""
        times, sums = self._times[customer_id], self._sums[customer_id]
        return sums[bisect_right(times, at)] - sums[bisect_right(times, at - self._window)]


def _key(purchase: Purchase) -> str:
    return f"receipt:{purchase.external_id}"


def _ids(connection: Connection, external_ids: set[str]) -> dict[str, int]:
    rows = rows_of(connection, CUSTOMER, ("external_id", "id"), "external_id", sorted(external_ids))
    return {row[0]: row[1] for row in rows}


def _customers(connection: Connection, ids: Sequence[int]) -> dict[str, Any]:
    found = {}
    for start in range(0, len(ids), CHUNK):
        statement = select(CUSTOMER.c.id, CUSTOMER.c.external_id, CUSTOMER.c.tier, CUSTOMER.c.tier_since)
        chunk = statement.where(CUSTOMER.c.id.in_(ids[start : start + CHUNK]), CUSTOMER.c.erased_at.is_(None))
        found.update({row.external_id: row for row in connection.execute(chunk).all()})
    return found


def _excluded_skus(connection: Connection, program: Program, purchases: Sequence[Purchase]) -> set[str]:
    categories = set(program.excluded_categories)
    if not categories:
        return set()
    skus = sorted({line.sku for purchase in purchases for line in purchase.lines})
    if len(skus) > MANY_SKUS:
        return {row[0] for row in rows_of(connection, PRODUCT, ("sku",), "category", sorted(categories))}
    rows = rows_of(connection, PRODUCT, ("sku", "category"), "sku", skus)
    return {sku for sku, category in rows if category in categories}
