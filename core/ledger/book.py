"""The bonus ledger: operations, lots and entries.

Balance = sum of a customer's entries = sum of what remains in their lots, after every operation.

A `Book` is opened for some customers, worked on in memory, and written at once: the same code serves one
receipt at a till and thousands of an import. Opening it locks the customers' accounts, so that two tills
never spend the same bonuses.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.db import ask_ids, insert_ignoring
from core.db.bulk import piped
from core.db.hot import Asked
from core.events import Happening
from core.ledger.limits import Limits
from core.ledger.lots import DEBT, FORGIVEN, MOST, OWN, Correction, Held, Op, OpenLot, Refusal
from core.ledger.operations import digest_of
from core.ledger.purse import Purse
from core.ledger.reading import ACCOUNTS, ACCOUNTS_HELD, DEBTS, OPEN_HOLDS, OPEN_LOTS, OPEN_LOTS_WITHIN
from core.ledger.set_aside import SetAside
from core.ledger.writing import ACCOUNT, LOT, LOT_CHANGES, OPERATION, write
from core.program import Program
from core.program.lifetime import Life
from core.program.versions import ask_version, kept, known_or_new

# SQLite takes 32,766 parameters in a statement; customers are loaded in chunks below that.
CHUNK = 5_000


class Book:
    """The bonuses of some customers, under their lock, until `close`.

    With `span`, the first and last time of what is going to happen, lots that had ended before it or start
    after it are left out. Of `earners`, from whom nothing will be taken, only the debts are looked at.
    With `lock=False` nothing is locked and nothing may be written: for quotes. `held` are rows of accounts
    that the caller has locked already; `beside` asks what else is to be known, in the same trip; `coming`
    is how many operations are likely to follow: their numbers are got in that trip too.
    """

    def __init__(
        self,
        connection: Connection,
        program: Program,
        customer_ids: Iterable[int],
        recorded_at: datetime,
        *,
        live: bool = True,
        span: tuple[datetime, datetime] | None = None,
        earners: Collection[int] = (),
        lock: bool = True,
        held: Iterable[tuple[Any, ...]] = (),
        beside: Callable[[], None] | None = None,
        coming: int = 0,
    ) -> None:
        self.connection, self.program = connection, program
        self.recorded_at, self.live, self.locked = recorded_at, live, lock
        self.happenings: list[Happening] = []
        self.ops: list[Op] = []
        self.corrections: list[Correction] = []
        self.changed: list[OpenLot] = []
        self.lots: dict[int, list[OpenLot]] = {}
        self._purses: dict[int, Purse] = {}
        self._slots: dict[tuple[object, str], OpenLot] = {}
        self.totals: dict[int, int] = {}
        self.last_at: dict[int, datetime | None] = {}
        self.moved_at: dict[int, datetime | None] = {}
        self._held: dict[int, SetAside] = {}
        self._version: tuple[int, datetime] | None = None
        for row in held:
            self._begin(*row)
        ids = sorted(set(customer_ids))
        for start in range(0, len(ids), CHUNK):
            self._hold(ids[start : start + CHUNK], lock=lock)
        with piped(connection):
            self._program = ask_version(connection, program)
            asked = [self._ask(ids[i : i + CHUNK], span, set(earners)) for i in range(0, len(ids), CHUNK)]
            # SQLite counts from what is there: its numbers are asked for when they are needed.
            early = 0 if connection.dialect.name == "sqlite" else coming
            self.numbers = {it: ask_ids(connection, it, early) for it in (OPERATION, LOT)}
            if beside:
                beside()
            for lots, holds in asked:
                self._keep(lots, holds)

    # --- loading

    def _hold(self, ids: Sequence[int], *, lock: bool) -> None:
        """Hold the accounts, in one order everywhere, so that two writers cannot wait for each other."""
        if rest := [i for i in ids if i not in self.totals]:
            self._accounts(rest, lock=lock)
        missing = [i for i in rest if i not in self.totals]
        if missing and lock:
            rows = [{"customer_id": i, "total": 0, "moved_at": self.recorded_at} for i in missing]
            self.connection.execute(insert_ignoring(self.connection, ACCOUNT), rows)
            self._accounts(missing, lock=True)
        for customer_id in missing:
            self._begin(customer_id, self.totals.get(customer_id, 0), None, self.recorded_at)

    def _accounts(self, ids: Sequence[int], *, lock: bool) -> None:
        for row in (ACCOUNTS_HELD if lock else ACCOUNTS)(self.connection, ids):
            self._begin(*row)

    def _begin(
        self, customer_id: int, total: int, last_at: datetime | None, moved_at: datetime | None
    ) -> None:
        self.totals[customer_id] = total
        self.last_at.setdefault(customer_id, last_at)
        self.moved_at.setdefault(customer_id, moved_at)
        self.lots[customer_id] = []
        self._purses[customer_id] = Purse(self.program.spend_rank)

    def _ask(
        self, ids: Sequence[int], span: tuple[datetime, datetime] | None, earners: set[int]
    ) -> tuple[list[Asked], list[Asked]]:
        """Ask for lots and for holds."""
        spenders = [i for i in ids if i not in earners]
        lots, holds = [], []
        if spenders and span:
            lots.append(OPEN_LOTS_WITHIN.ask(self.connection, spenders, span[1], span[0]))
        elif spenders:
            lots.append(OPEN_LOTS.ask(self.connection, spenders))
        if spenders:
            holds.append(OPEN_HOLDS.ask(self.connection, spenders))
        if len(spenders) < len(ids):
            lots.append(DEBTS.ask(self.connection, [i for i in ids if i in earners]))
        return lots, holds

    def _keep(self, lots: Iterable[Asked], holds: Iterable[Asked]) -> None:
        for answer in lots:
            for row in answer():
                lot = OpenLot(*row)
                self.lots[row[0]].append(lot)
                self._purses[row[0]].put(lot)
        for answer in holds:
            for customer_id, *held in answer():
                self._held.setdefault(customer_id, SetAside(self.recorded_at)).note(Held(*held))

    # --- what is there

    @property
    def version(self) -> int:
        """The number of the program that is worked by."""
        return self._kept()[0]

    @property
    def version_since(self) -> datetime:
        """Since when the ledger works by it."""
        return self._kept()[1]

    def _kept(self) -> tuple[int, datetime]:
        if self._version is None:
            new = kept if self.locked else known_or_new
            found = self._program()
            number, since = found[0] if found else new(self.connection, self.program, self.recorded_at)
            self._version = number, since
        return self._version

    def moment(self, customer_id: int, at: datetime) -> datetime:
        """When something done now happens: never before what has happened already."""
        last = self.last_at[customer_id]
        return max(at, last) if last else at

    def date(self, customer_id: int, times: Iterable[datetime]) -> None:
        """Levels moved at these times: what is earlier comes late from now on."""
        self.last_at[customer_id] = max([*times, *filter(None, [self.last_at[customer_id]])], default=None)

    def total(self, customer_id: int) -> int:
        """The total balance: everything remaining, started or not, less debts."""
        return self.totals[customer_id]

    def debt(self, customer_id: int) -> int:
        """What is owed."""
        return self._purses[customer_id].owed

    def held(self, customer_id: int, besides: str | None = None) -> int:
        """Points set aside by open holds, those of one receipt left out."""
        aside = self._held.get(customer_id)
        return aside.points(besides) if aside else 0

    def available(self, customer_id: int, at: datetime, besides: str | None = None) -> int:
        """What may be spent at `at`: started and unexpired lots, less debts and holds; never below zero."""
        active = sum(self.by_account(customer_id, at).values())
        return max(0, active - self.debt(customer_id) - self.held(customer_id, besides))

    def by_account(self, customer_id: int, at: datetime) -> dict[str, int]:
        """What lies usable in each bonus account."""
        return self._purses[customer_id].by_account(at)

    # --- what happens

    def operation(
        self, customer_id: int, kind: str, key: str, body: object, at: datetime, *,
        data: Mapping[str, Any] | None = None, author: str | None = None, partner: str | None = None,
        program_version: int | None = None,
    ) -> Op:  # fmt: skip
        """Begin an operation. The caller has made sure that `key` is new."""
        version = program_version or self.version
        op = Op(customer_id, kind, key, digest_of(body), at, version, self.live, partner, author, data or {})
        self.ops.append(op)
        return op

    def strike(self, op: Op) -> None:
        """Forget an operation that was refused: it leaves no trace, and its key stays free."""
        self.ops.remove(op)

    def accrue(
        self, op: Op, points: int, *, reason: str, life: Life, rule: str | None = None,
        account: str = "base", slot: str = "", partner: str | None = None,
    ) -> None:  # fmt: skip
        """Give `points` as a lot; debts are repaid from it first.

        What one operation gives under one `slot` is one lot. `partner` is whose bonuses they are: the
        operation's (None), or those of the program itself ("").
        """
        if points <= 0:
            return
        lot = self.slot(op, slot)
        if lot is None:
            lot = OpenLot(
                op.customer_id, reason, 0, 0, life.active_from, life.expires_on, life.expires_at, account,
                slot, op.partner if partner is None else partner or None, life.expires_on, operation=op,
            )  # fmt: skip
            self._add(op, lot)
        elif not lot.amount:
            lot.live(life)
        lot.amount += points
        self.enter(op, lot, "accrual", points, rule)
        self._repay(op, lot)
        self._happen_once(op, lot, points)

    def slot(self, op: Op, slot: str) -> OpenLot | None:
        """The lot that the operation has made under this name."""
        return self._slots.get((op, slot)) or self._slots.get((op.id, slot))

    def _add(self, op: Op, lot: OpenLot) -> None:
        self.lots[op.customer_id].append(lot)
        self._slots[op, lot.slot] = lot

    def _repay(self, op: Op, lot: OpenLot) -> None:
        for debt in [*self._purses[op.customer_id].debts]:
            part = min(-debt.remaining, lot.remaining)
            if part > 0:
                self.enter(op, lot, "repayment", -part, None)
                self.enter(op, debt, "repayment", part, None)

    def redeem(
        self, op: Op, points: int, *, kind: str = "redemption", limits: Limits | None = None,
        at: datetime | None = None, owing: bool = False, besides: str | None = None,
        rules: Program | None = None, own: Sequence[tuple[OpenLot, int]] = (),
    ) -> Refusal | None:  # fmt: skip
        """Spend `points`: by the program's order of accounts (that of `rules`, if it was another one then),
        in each the earliest to expire first.

        `limits` is the most of the accounts (none: no limit), `besides` the receipt whose own hold does not
        stand in its way. `own` lots give first, up to so many points each, started or not. With `owing`, what
        is missing becomes a debt, or is forgiven, as the program says; without, the operation is refused and
        struck out.
        """
        at = at or op.at
        if limits and kind != "redemption":
            # A cart says it anew; whatever else is reckoned again takes from these accounts again.
            op.data = {**op.data, MOST: dict(limits.each)}
        if own:
            op.data = {**op.data, OWN: [[lot.id, most] for lot, most in own]}
        available = points if owing else self.available(op.customer_id, at, besides)
        if not owing:
            limits = self._free(op.customer_id, limits, at, besides)
        purse = self._purses[op.customer_id]
        purse.follow((rules or self.program).spend_rank)
        plan, left = purse.plan(points, limits, at, own)
        if not owing and (points > available or left):
            self.strike(op)
            have = self.program.from_points(min(available, points - left))
            return Refusal("insufficient_balance", f"{have} bonuses are available for this")
        for lot, part in plan:
            self.enter(op, lot, kind, -part, None)
        if left:
            self._owe(op, left, kind)
        if points and not op.replayed:
            self.happen(op, "bonus_redeemed", {"amount": points, "reason": kind})
        return None

    def _free(
        self, customer_id: int, limits: Limits | None, at: datetime, besides: str | None
    ) -> Limits | None:
        """The limits, less what open holds mean to take from each account."""
        aside = self._held.get(customer_id)
        return aside.leave(limits, self.by_account(customer_id, at), besides) if aside else limits

    def payable(
        self, customer_id: int, points: int, limits: Limits, at: datetime, besides: str | None = None
    ) -> dict[str, int]:
        """Up to so many points, as far as they could be spent: from which accounts they would come."""
        most = min(points, self.available(customer_id, at, besides))
        free = self._free(customer_id, limits, at, besides)
        plan, _ = self._purses[customer_id].plan(most, free, at)
        found: dict[str, int] = defaultdict(int)
        for lot, part in plan:
            found[lot.account] += part
        return dict(found)

    def holds(self, external_id: str) -> bool:
        """Whether there is an open hold for this receipt, expired or not."""
        return bool(self._held) and any(aside.has(external_id) for aside in self._held.values())

    def _owe(self, op: Op, points: int, kind: str) -> None:
        """What could not be paid: a lot below nothing, or one that the program makes a present of."""
        never = Life(op.at, None, None)
        if self.program.points.debt == "forgive":
            lot = self._named_lot(op, FORGIVEN, never)
            lot.amount += points
            self.enter(op, lot, "forgiveness", points, None)
        else:
            lot = self._named_lot(op, DEBT, never)
            lot.amount -= points
        self.enter(op, lot, kind, -points, None)

    def _named_lot(self, op: Op, name: str, life: Life) -> OpenLot:
        lot = self.slot(op, name)
        if lot is None:
            lot = OpenLot(
                op.customer_id, name, 0, 0, life.active_from, None, None, "base", name, operation=op
            )
            self._add(op, lot)
        return lot

    def expire(self, op: Op, lot: OpenLot) -> None:
        """Write off what is left of a lot whose time is over."""
        amount = lot.remaining
        self.enter(op, lot, "expiry", -amount, None)
        if not op.replayed:
            self.happen(op, "bonus_expired", {"amount": amount, "reason": lot.reason})

    def expired(self, customer_id: int, at: datetime) -> list[OpenLot]:
        """Lots with something left whose end has come by `at`."""
        return [lot for lot in self._purses[customer_id] if lot.ended(at)]

    def extend(self, customer_id: int, account: str, life: Life, at: datetime) -> None:
        """Let the open lots of an account last at least so long."""
        for lot in self._purses[customer_id].extend(account, life, at):
            self._note(lot)

    def enter(self, op: Op, lot: OpenLot, kind: str, points: int, rule: str | None) -> None:
        """One movement of one lot."""
        lot.remaining += points
        self._purses[op.customer_id].note(lot)
        self._note(lot)
        self.totals[op.customer_id] += points
        op.movements.append((lot, kind, points, rule))

    def _note(self, lot: OpenLot) -> None:
        if not lot.changed:
            lot.changed = True
            self.changed.append(lot)

    def _happen_once(self, op: Op, lot: OpenLot, points: int) -> None:
        """One event for a lot, however many rules filled it."""
        if op.replayed:
            return
        if lot in op.happened:
            op.happened[lot]["amount"] += points
            return
        data = {"amount": points, "reason": lot.reason, "slot": lot.slot,
                "starts_at": lot.active_from.isoformat(),
                "expires_on": lot.expires_on.isoformat() if lot.expires_on else None}  # fmt: skip
        op.happened[lot] = data
        self.happen(op, "bonus_accrued", data)

    def happen(self, op: Op, kind: str, data: dict[str, Any]) -> None:
        """An event about an operation."""
        self.happenings.append(Happening(op.customer_id, kind, op.at, op.key, data))

    def close(self, beside: Callable[[], None] | None = None, *, waits: bool = False) -> None:
        """Write operations, lots, entries and balances, in the caller's transaction.

        `beside` writes what goes with them in the same trip, unless it `waits` for answers.
        """
        write(self, beside, waits=waits)

    # --- for a replay

    def rewind(self, customer_id: int, lots: list[OpenLot]) -> None:
        """Take these lots for the customer's, as they were at an earlier time."""
        self.lots[customer_id] = lots
        self._purses[customer_id] = Purse(self.program.spend_rank, lots)
        others = {key: lot for key, lot in self._slots.items() if lot.customer_id != customer_id}
        self._slots = others | {(lot.operation_id, lot.slot): lot for lot in lots}

    def settle(self, customer_id: int, before: Mapping[OpenLot, tuple[Any, ...]]) -> None:
        """The customer's lots are as a replay left them: those that differ from `before` are written."""
        lots = self.lots[customer_id]
        self.totals[customer_id] = sum(lot.remaining for lot in lots)
        self.changed = [lot for lot in self.changed if lot.customer_id != customer_id]
        for lot in lots:
            # An empty lot that is no row yet was a thought of the replay.
            real = bool(lot.id or lot.amount or lot.remaining)
            lot.changed = real and _changeable(lot) != before.get(lot)
        self.changed += [lot for lot in lots if lot.changed]

    def reload(self, customer_id: int, before: Mapping[OpenLot, tuple[Any, ...]]) -> None:
        """Everything is as it was before a replay."""
        for lot, values in before.items():
            for name, value in zip(LOT_CHANGES, values, strict=True):
                setattr(lot, name, value)
        self.rewind(customer_id, [*before])
        self.settle(customer_id, before)


def _changeable(lot: OpenLot) -> tuple[Any, ...]:
    return tuple(getattr(lot, name) for name in LOT_CHANGES)
