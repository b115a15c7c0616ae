"""The bonus ledger: lots, entries, and the book in which they change.

A `Book` loads the open lots of a set of customers under their lock, lets operations happen in memory,
and writes everything back at once: one receipt at the till and a thousand in an import go the same way.
Balance = sum of entries = sum of what remains in the lots, after every operation.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, or_, select
from sqlalchemy.exc import IntegrityError

from core.bulk import insert_rows, rows_of, set_column
from core.db import allocate, insert_ignoring
from core.events import Happening
from core.tables import Account, Entry, Lot, Operation

ACCOUNT = Account.__table__  # type: ignore[attr-defined]
ENTRY = Entry.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
OPERATION = Operation.__table__  # type: ignore[attr-defined]

Answer = TypeVar("Answer")

DEBT = "debt"
# SQLite takes 32,766 parameters in a statement; customers are loaded in chunks below that.
CHUNK = 5_000
# How often work that met another transaction's fresh key is done again.
ATTEMPTS = 4
# One encoder for all: the same body is the same text, whatever the order of its keys.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the ledger does not carry out. Nothing was changed."""

    reason: str
    detail: str


@dataclass(slots=True, eq=False)
class OpenLot:
    """A lot in memory; amounts in points at the program's scale. Two lots are never the same one."""

    customer_id: int
    reason: str
    amount: int
    remaining: int
    active_from: datetime
    expires_on: date | None
    expires_at: datetime | None
    id: int | None = None
    operation: "Op | None" = None
    changed: bool = False

    def usable(self, at: datetime) -> bool:
        """Active, unexpired, and something is left."""
        return self.remaining > 0 and self.active_from <= at and not self.ended(at)

    def ended(self, at: datetime) -> bool:
        """Its time is over at `at`."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(slots=True, eq=False)
class Op:
    """One operation in memory; becomes a row of `operation` with its rows of `entry`."""

    customer_id: int
    kind: str
    key: str
    digest: str
    at: datetime
    result: dict[str, Any] = field(default_factory=dict)
    entries: list[tuple[OpenLot, str, int, str | None]] = field(default_factory=list)
    id: int | None = None


def digest_of(body: object) -> str:
    """What tells a repeated request from another one under the same key."""
    return hashlib.sha256(_encode(body).encode()).hexdigest()[:32]


class Book:
    """The bonuses of some customers, under their lock, until `close`.

    With `span`, the first and last time of what is going to happen, lots that had ended before it or start
    after it are left out. Of `earners`, from whom nothing will be taken, only the debts are looked at.
    """

    def __init__(
        self,
        connection: Connection,
        customer_ids: Iterable[int],
        recorded_at: datetime,
        span: tuple[datetime, datetime] | None = None,
        earners: Collection[int] = (),
    ) -> None:
        self.connection = connection
        self.recorded_at = recorded_at
        self.happenings: list[Happening] = []
        self._ops: list[Op] = []
        self._lots: dict[int, list[OpenLot]] = {}
        self._totals: dict[int, int] = {}
        self._touched: set[int] = set()
        self._changed: list[OpenLot] = []
        ids = sorted(set(customer_ids))
        for start in range(0, len(ids), CHUNK):
            self._lock(ids[start : start + CHUNK])
            self._open(ids[start : start + CHUNK], span, set(earners))

    def _open(self, ids: Sequence[int], span: tuple[datetime, datetime] | None, earners: set[int]) -> None:
        here = LOT.c.remaining != 0
        if span:
            unended = or_(LOT.c.expires_at.is_(None), LOT.c.expires_at > span[0])
            here &= or_(LOT.c.remaining < 0, and_(LOT.c.active_from <= span[1], unended))
        if spenders := [i for i in ids if i not in earners]:
            self._load(here & LOT.c.customer_id.in_(spenders))
        if earners:
            debts = (LOT.c.remaining != 0) & (LOT.c.remaining < 0)
            self._load(debts & LOT.c.customer_id.in_([i for i in ids if i in earners]))

    def _lock(self, ids: Sequence[int]) -> None:
        """Hold the accounts, in one order everywhere, so that two writers cannot wait for each other."""
        self._hold(ids)
        missing = [{"customer_id": i, "total": 0} for i in ids if i not in self._totals]
        if missing:
            self.connection.execute(insert_ignoring(self.connection, ACCOUNT), missing)
            self._hold([row["customer_id"] for row in missing])

    def _hold(self, ids: Sequence[int]) -> None:
        accounts = select(ACCOUNT.c.customer_id, ACCOUNT.c.total).where(ACCOUNT.c.customer_id.in_(ids))
        held = accounts.order_by(ACCOUNT.c.customer_id).with_for_update()
        for customer_id, total in self.connection.execute(held).all():
            self._totals[customer_id] = total
            self._lots[customer_id] = []

    def _load(self, which: ColumnElement[bool]) -> None:
        columns = (
            LOT.c.customer_id, LOT.c.reason, LOT.c.amount, LOT.c.remaining,
            LOT.c.active_from, LOT.c.expires_on, LOT.c.expires_at, LOT.c.id,
        )  # fmt: skip
        for row in self.connection.execute(select(*columns).where(which).order_by(LOT.c.id)).all():
            self._lots[row[0]].append(OpenLot(*row))

    def reopen(self, customer_id: int, lot_ids: Sequence[int]) -> list[OpenLot]:
        """These lots of the customer, spent or not, so that something can be given back to them."""
        here = {lot.id for lot in self._lots[customer_id]}
        self._load((LOT.c.customer_id == customer_id) & LOT.c.id.in_([i for i in lot_ids if i not in here]))
        by_id = {lot.id: lot for lot in self._lots[customer_id]}
        return [by_id[i] for i in lot_ids]

    def operation(self, customer_id: int, kind: str, key: str, body: object, at: datetime) -> Op:
        """Begin an operation. The caller has made sure that `key` is new."""
        op = Op(customer_id, kind, key, digest_of(body), at)
        self._ops.append(op)
        return op

    def total(self, customer_id: int) -> int:
        """The total balance: everything remaining, started or not, less debts."""
        return self._totals[customer_id]

    def available(self, customer_id: int, at: datetime) -> int:
        """What may be spent at `at`: started and unexpired lots, less debts; never below nothing."""
        lots = self._lots[customer_id]
        return max(0, sum(lot.remaining for lot in lots if lot.remaining < 0 or lot.usable(at)))

    def accrue(
        self, op: Op, points: int, *, reason: str, active_from: datetime,
        expires_on: date | None, expires_at: datetime | None, rule: str | None = None,
    ) -> None:  # fmt: skip
        """Give `points` as a new lot; debts are repaid from it first."""
        if points <= 0:
            return
        lot = OpenLot(op.customer_id, reason, points, 0, active_from, expires_on, expires_at, operation=op)
        self._lots[op.customer_id].append(lot)
        self._enter(op, lot, "accrual", points, rule)
        self._repay(op, lot)
        data = {"amount": points, "reason": reason, "starts_at": active_from.isoformat(),
                "expires_on": expires_on.isoformat() if expires_on else None}  # fmt: skip
        self._happen(op, "bonus_accrued", data)

    def _repay(self, op: Op, lot: OpenLot) -> None:
        for debt in self._lots[op.customer_id]:
            part = min(-debt.remaining, lot.remaining)
            if part > 0:
                self._enter(op, lot, "repayment", -part, None)
                self._enter(op, debt, "repayment", part, None)

    def redeem(self, op: Op, points: int) -> Refusal | None:
        """Spend `points`, the earliest to expire first; lots that never expire come last.

        A refused operation is struck out: it leaves no trace, and its key stays free.
        """
        available = self.available(op.customer_id, op.at)
        if points > available:
            self._ops.remove(op)
            return Refusal(
                "insufficient_balance", f"{points} asked, {available} available (in smallest units)"
            )
        left = points
        for lot in sorted(self._lots[op.customer_id], key=_expiry_order):
            if left and lot.usable(op.at):
                part = min(left, lot.remaining)
                self._enter(op, lot, "redemption", -part, None)
                left -= part
        if points:
            self._happen(op, "bonus_redeemed", {"amount": points})
        return None

    def expire(self, op: Op, lot: OpenLot) -> None:
        """Write off what is left of a lot whose time is over."""
        amount = lot.remaining
        self._enter(op, lot, "expiry", -amount, None)
        self._happen(op, "bonus_expired", {"amount": amount, "reason": lot.reason})

    def expired(self, customer_id: int, at: datetime) -> list[OpenLot]:
        """Lots with something left whose end has come by `at`."""
        lots = self._lots[customer_id]
        return [lot for lot in lots if lot.remaining > 0 and lot.ended(at)]

    def take_back(self, op: Op, lots: Sequence[tuple[int, int]], forgive: bool) -> int:
        """Reverse accruals: `lots` are (lot id, points). Returns how much of that was spent already.

        That becomes a debt, or is forgiven. A debt is repaid at once from what the
        customer has left, else by the next accruals.
        """
        by_id = {lot.id: lot for lot in self._lots[op.customer_id]}
        debt = 0
        for lot_id, points in lots:
            lot = by_id.get(lot_id)
            part = min(points, max(0, lot.remaining)) if lot else 0
            if lot and part:
                self._enter(op, lot, "reversal", -part, None)
            debt += points - part
        if debt and not forgive:
            lot = OpenLot(op.customer_id, DEBT, -debt, 0, op.at, None, None, operation=op)
            self._lots[op.customer_id].append(lot)
            self._enter(op, lot, "reversal", -debt, None)
            given = {id(it) for it, _, amount, _ in op.entries if amount > 0}
            for source in sorted(self._lots[op.customer_id], key=_expiry_order):
                if id(source) in given or not source.ended(op.at):
                    self._repay(op, source)
        return debt

    def give_back(self, op: Op, lot: OpenLot, points: int) -> None:
        """Return spent points to the lot they came from (see `reopen`), with its own expiry.

        They repay debts first. Into a lot that has ended they come back too, and expire with the next run.
        """
        self._enter(op, lot, "reversal", points, None)
        self._repay(op, lot)

    def find(self, customer_id: int, lot_id: int) -> OpenLot | None:
        """An open lot of the customer by its id."""
        return next((lot for lot in self._lots[customer_id] if lot.id == lot_id), None)

    def _enter(self, op: Op, lot: OpenLot, kind: str, points: int, rule: str | None) -> None:
        lot.remaining += points
        if not lot.changed:
            lot.changed = True
            self._changed.append(lot)
        self._totals[op.customer_id] += points
        self._touched.add(op.customer_id)
        op.entries.append((lot, kind, points, rule))

    def _happen(self, op: Op, kind: str, data: dict[str, Any]) -> None:
        self.happenings.append(Happening(op.customer_id, kind, op.at, op.key, data))

    def close(self) -> None:
        """Write operations, lots, entries and balances, in the caller's transaction."""
        self._write_operations()
        self._write_lots()
        self._write_entries()
        totals = [(i, self._totals[i]) for i in sorted(self._touched)]
        set_column(self.connection, ACCOUNT, "customer_id", "total", totals)

    def _write_operations(self) -> None:
        for op, op_id in zip(self._ops, allocate(self.connection, OPERATION, len(self._ops)), strict=True):
            op.id = op_id
        rows = [
            (op.id, op.customer_id, op.kind, op.key, op.digest, op.result, op.at, self.recorded_at)
            for op in self._ops
        ]
        columns = ("id", "customer_id", "kind", "key", "digest", "result", "at", "recorded_at")
        insert_rows(self.connection, OPERATION, columns, rows)

    def _write_lots(self) -> None:
        old = [(lot.id, lot.remaining) for lot in self._changed if lot.id is not None]
        set_column(self.connection, LOT, "id", "remaining", old)
        new = [lot for lot in self._changed if lot.id is None]
        for lot, lot_id in zip(new, allocate(self.connection, LOT, len(new)), strict=True):
            lot.id = lot_id
        rows = [
            (lot.id, lot.customer_id, lot.operation.id if lot.operation else None, lot.reason, lot.amount,
             lot.remaining, lot.active_from, lot.expires_on, lot.expires_at)
            for lot in new
        ]  # fmt: skip
        columns = ("id", "customer_id", "operation_id", "reason", "amount",
                   "remaining", "active_from", "expires_on", "expires_at")  # fmt: skip
        insert_rows(self.connection, LOT, columns, rows)

    def _write_entries(self) -> None:
        rows = [
            (op.customer_id, op.id, lot.id, kind, points, rule, op.at, self.recorded_at)
            for op in self._ops
            for lot, kind, points, rule in op.entries
        ]
        columns = ("customer_id", "operation_id", "lot_id", "kind", "amount", "rule", "at", "recorded_at")
        insert_rows(self.connection, ENTRY, columns, rows)


def _expiry_order(lot: OpenLot) -> tuple[bool, datetime, int]:
    return (lot.expires_at is None, lot.expires_at or lot.active_from, lot.id or 2**62)


def known_operations(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Of these idempotency keys, the ones already used: key → (digest, answer)."""
    known = {}
    for key, digest, result in rows_of(connection, OPERATION, ("key", "digest", "result"), "key", keys):
        known[key] = (digest, json.loads(result) if isinstance(result, str) else result)
    return known


def again_if_taken(connection: Connection, work: Callable[[], Answer]) -> Answer:
    """Do `work`; do it again if another transaction took one of its unique keys meanwhile.

    Two identical requests at one moment both find their key unused; the later one then meets the other's
    row, starts over from a savepoint, and finds the answer there. On SQLite writers wait their turn.
    """
    for _ in range(ATTEMPTS if connection.dialect.name == "postgresql" else 0):
        try:
            with connection.begin_nested():
                return work()
        except IntegrityError:
            continue
    return work()
