"""Reckoning again from an earlier time: what a late receipt or a return changes of what came after it.

The ledger is a fold over facts in the order of their own time. The state just before a time is the sum of
the entries of all operations before it; from there every later operation is applied anew, with the late
receipt in its place or the returned goods left out. The difference between what comes out and what stands in
the books is posted as new entries, which say what they correct. Purchases earn anew by the rules they
were booked by; what was taken is taken again, perhaps from other lots; what was given stays given.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, and_, func, select

from core.grants.giving import TAKEN_BACK
from core.ledger import moving
from core.ledger.book import Book
from core.ledger.limits import Limits
from core.ledger.lots import DEBT, FORGIVEN, MOST, OWN, Correction, Op, OpenLot, Refusal
from core.ledger.reading import EVERY_LOT
from core.ledger.writing import ENTRY, INSTANT, LOT_CHANGES, OPERATION
from core.program import Program
from core.program.lifetime import Life
from core.program.versions import version
from core.purchases.booking import Bought, Desk, Effect
from core.purchases.elsewhere import Elsewhere, given_on, kept_of_them, receipts_elsewhere
from core.purchases.history import past_before
from core.purchases.stored import RECEIPT, bought_of
from core.tiers import Climb, Move, merged_since, standing_at

# Movements that follow from others when these are applied anew.
CONSEQUENCES = ("accrual", "repayment", "forgiveness")
ERASURE = "erasure"
# Movements of everything that an account has, what has not started and debts too.
WHOLE = {*moving.MOVED, ERASURE}
EFFECTIVE = func.coalesce(ENTRY.c.corrects, ENTRY.c.operation_id)

# operation, lot, kind, rule
Place = tuple[int, OpenLot, str, str | None]


@dataclass(frozen=True, slots=True)
class News:
    """A late purchase; `owing`: it stands even if it cannot be paid for (an offline till)."""

    op: Op
    bought: Bought
    owing: bool = False


@dataclass(slots=True)
class Replayed:
    """What came out. `by` posts the corrections; `effects` are by receipt, old and new; `corrected` is
    points more or less by the operation's key; `lapsed` is how much more of which lots has expired now,
    `owed` how much more is owed; `moves` and `tiers` are by buyer: how the level moved, where it stands.
    """

    since: datetime
    by: Op | None = None
    effects: dict[str, Effect | Refusal] = field(default_factory=dict)
    bought: dict[str, Bought] = field(default_factory=dict)
    corrected: dict[str, int] = field(default_factory=dict)
    lapsed: Mapping[OpenLot, int] = field(default_factory=dict)
    owed: int = 0
    moves: dict[int, list[Move]] = field(default_factory=dict)
    tiers: dict[int, str | None] = field(default_factory=dict)


class Replay:
    """One account's fold from a time on, within an open book."""

    def __init__(self, book: Book, holder_id: int, since: datetime) -> None:
        self.book, self.holder_id, self.since = book, holder_id, since
        self.connection = book.connection
        self.rows = self._operations()
        self.by_id = {row.id: row for row in self.rows}
        self.actual = self._entries()
        self.by_operation: dict[int, list[tuple[int, str, str | None, int]]] = defaultdict(list)
        for (operation_id, lot_id, kind, rule), points in self.actual.items():
            self.by_operation[operation_id].append((lot_id, kind, rule, points))
        self.debt_before = book.debt(holder_id)
        self._known: dict[int, Program] = {}
        self._rewind()

    # --- what stands in the books

    def _operations(self) -> Sequence[Row[Any]]:
        later = select(OPERATION).where(
            OPERATION.c.customer_id == self.holder_id, OPERATION.c.at >= self.since
        )
        return self.connection.execute(later.order_by(OPERATION.c.at, OPERATION.c.id)).all()

    def _entries(self) -> dict[tuple[int, int, str, str | None], int]:
        """What each later operation did in the end."""
        mine = self._mine(ENTRY.c.lot_id, ENTRY.c.kind, ENTRY.c.rule, EFFECTIVE.label("operation_id"))
        mine = mine.where(OPERATION.c.at >= self.since)
        rows = mine.group_by(EFFECTIVE, ENTRY.c.lot_id, ENTRY.c.kind, ENTRY.c.rule)
        return {
            (row.operation_id, row.lot_id, row.kind, row.rule): int(row.points)
            for row in self.connection.execute(rows)
        }

    def _mine(self, *columns: Any) -> Any:
        """The account's entries, added up, beside the operations whose effect they are."""
        joined = and_(OPERATION.c.id == EFFECTIVE, ENTRY.c.customer_id == self.holder_id)
        total = func.sum(ENTRY.c.amount).label("points")
        return select(*columns, total).select_from(ENTRY).join(OPERATION, joined)

    def _rewind(self) -> None:
        """Put the account back to just before the time."""
        self.original: dict[OpenLot, tuple[Any, ...]] = {}
        self.made: dict[int | None, list[OpenLot]] = defaultdict(list)
        before = self._mine(ENTRY.c.lot_id).where(OPERATION.c.at < self.since).group_by(ENTRY.c.lot_id)
        remaining = {row.lot_id: int(row.points) for row in self.connection.execute(before)}
        lots = []
        for lot in (OpenLot(*row) for row in EVERY_LOT(self.connection, self.holder_id)):
            self.original[lot] = tuple(getattr(lot, name) for name in LOT_CHANGES)
            lots.append(lot)
            if lot.operation_id in self.by_id:
                self.made[lot.operation_id].append(lot)
                lot.amount = lot.remaining = 0
            else:
                lot.remaining = remaining.get(lot.id or 0, 0)
        self.lapsed_before = self._lapsed(self._expired(lots), [(it, self.original[it][1]) for it in lots])
        self._shorten([lot for lot in lots if lot.operation_id not in self.by_id])
        self.book.rewind(self.holder_id, lots)

    def _shorten(self, lots: Sequence[OpenLot]) -> None:
        """What later purchases extended ends again as it did then, each by the rules of its own time."""
        lots = [it for it in lots if it.first_expires_on != it.expires_on]
        if not lots:
            return
        # A receipt that came back whole has extended nothing.
        kept = and_(RECEIPT.c.operation_id == OPERATION.c.id, RECEIPT.c.returned_at.is_(None))
        columns = (OPERATION.c.at, OPERATION.c.id, OPERATION.c.program_version)
        bought = select(*columns).join(RECEIPT, kept).where(
            OPERATION.c.customer_id == self.holder_id, OPERATION.c.at < self.since
        )  # fmt: skip
        purchases = self.connection.execute(bought.order_by(OPERATION.c.at, OPERATION.c.id)).all()
        given = select(*columns).where(OPERATION.c.id.in_({it.operation_id for it in lots}))
        gave = {row.id: row for row in self.connection.execute(given)}
        lives = [self._rules(number).extensions(at) for at, _, number in purchases]
        for lot in lots:
            by = gave[lot.operation_id]
            lot.live(self._first_life(lot, by.program_version))
            for (at, number, _), longer in zip(purchases, lives, strict=True):
                life, end = longer.get(lot.account), lot.expires_at
                if life is None or (at, number) < (by.at, by.id) or end is None or end <= at:
                    continue
                if life.expires_at is None or end < life.expires_at:
                    lot.expires_on, lot.expires_at = life.expires_on, life.expires_at

    def _first_life(self, lot: OpenLot, number: int) -> Life:
        """For how long a lot was given, in the zone of the program of that number."""
        end = lot.expires_at
        if lot.first_expires_on != lot.expires_on:
            end = self._rules(number).end_of(lot.first_expires_on)
        return Life(lot.active_from, lot.first_expires_on, end)

    def _rules(self, number: int) -> Program:
        """The program of that number."""
        if number not in self._known:
            self._known[number] = version(self.connection, number)
        return self._known[number]

    def _expired(self, lots: Sequence[OpenLot]) -> list[tuple[OpenLot, int]]:
        """What the books say was written off."""
        by_id = {lot.id: lot for lot in lots}
        return [(by_id[i], -points) for (_, i, kind, _), points in self.actual.items() if kind == "expiry"]

    def _lapsed(
        self, expired: Iterable[tuple[OpenLot, int]], left: Iterable[tuple[OpenLot, int]]
    ) -> dict[OpenLot, int]:
        """What has expired of each lot, written off or not yet."""
        found: dict[OpenLot, int] = defaultdict(int)
        for lot, points in expired:
            found[lot] += points
        for lot, remaining in left:
            if remaining > 0 and lot.ended(self.book.recorded_at):
                found[lot] += remaining
        return found

    def brought(self, operation_id: int, beginning: str) -> int:
        """Points that a later operation has given in the end, in lots whose slots begin so."""
        meant = {lot.id for lot in self.made[operation_id] if lot.slot.startswith(beginning)}
        did = self.by_operation[operation_id]
        return sum(points for lot_id, kind, _, points in did if kind == "accrual" and lot_id in meant)

    # --- the fold

    def run(self, news: Sequence[News], by: Op | None = None) -> Replayed:
        """Apply everything again, the news in their places; corrections are posted by `by`, else by the first
        of the news that stands. If none does, the book is as it was.

        Bonuses are spent once: a late purchase whose bonuses were there in its time and are spent since is
        refused, unless it is owing.
        """
        found = Replayed(self.since)
        told = len(self.book.happenings)
        unpaid = self._unpaid((lot, values[0]) for lot, values in self.original.items())
        purchases = bought_of(self.connection, self.rows)
        desk = self._desk(purchases, news)
        for _, act in self._timeline(desk, found, purchases, news):
            act()
        more = self._unpaid((it, it.amount) for it in self._lots()) > unpaid
        if more and (late := self._last_paying(found, news)):
            return self._without(late, news, by, told)
        by = by or next((it.op for it in news if isinstance(self._outcome(found, it), Effect)), None)
        if by is None:
            self.book.reload(self.holder_id, self.original)
            return found
        found.by = by
        lapsed = self._lapsed(self._expired_now(), [(it, it.remaining) for it in self._lots()])
        further = {lot: points - self.lapsed_before[lot] for lot, points in lapsed.items()}
        found.lapsed = {lot: points for lot, points in further.items() if points > 0}
        found.owed = self.book.debt(self.holder_id) - self.debt_before
        self._correct(by, found)
        for buyer_id in desk.standings:
            # Nightly falls after the last operation are a part of what is written anew.
            desk.climb.settle(self.book.program, buyer_id, self.book.recorded_at)
        found.moves = {i: list(standing.moves) for i, standing in desk.standings.items()}
        self.book.date(self.holder_id, (it.at for moves in found.moves.values() for it in moves))
        found.tiers = {i: standing.tier for i, standing in desk.standings.items()}
        return found

    def _unpaid(self, amounts: Iterable[tuple[OpenLot, int]]) -> int:
        """All that could not be paid, owed or forgiven."""
        return sum(abs(amount) for lot, amount in amounts if lot.reason in (DEBT, FORGIVEN))

    def _last_paying(self, found: Replayed, news: Sequence[News]) -> News | None:
        paying = [it for it in news if it.bought.cart.paid_points and not it.owing]
        return next((it for it in reversed(paying) if isinstance(self._outcome(found, it), Effect)), None)

    def _without(self, late: News, news: Sequence[News], by: Op | None, told: int) -> Replayed:
        """The same once more, one late purchase refused."""
        del self.book.happenings[told:]
        for it in news:
            it.op.movements.clear()
            it.op.happened.clear()
        self.book.strike(late.op)
        self.book.reload(self.holder_id, self.original)
        self._rewind()
        again = self.run([it for it in news if it is not late], by)
        again.effects[late.bought.external_id] = Refusal(
            "insufficient_balance", "what was available for this in its time has been spent since"
        )
        return again

    def _outcome(self, found: Replayed, news: News) -> Effect | Refusal | None:
        return found.effects.get(news.bought.external_id)

    def _lots(self) -> list[OpenLot]:
        return self.book.lots[self.holder_id]

    def _desk(self, purchases: Mapping[int, Bought], news: Sequence[News]) -> Desk:
        buyers = {it.buyer_id for it in purchases.values()} | {it.bought.buyer_id for it in news}
        before = self.since - INSTANT
        standings = standing_at(self.connection, self.book.program, sorted(buyers), before)
        self.elsewhere = receipts_elsewhere(self.connection, sorted(buyers), self.since, list(self.by_id))
        self.given = given_on(self.connection, self.elsewhere)
        self.kept = kept_of_them(self.connection, self.elsewhere)
        rules = [it.program for it in (*purchases.values(), *(it.bought for it in news))]
        rules += [it.rules for it in self.elsewhere]
        climb = Climb(self.connection, self.book.program, standings, self.since, None, before, rules=rules)
        pasts = {i: past_before(self.connection, i, self.since) for i in buyers}
        self.replayed: list[Op] = []
        return Desk(self.book, climb, standings, pasts, {lot.id: lot.amount for lot in self._lots()})

    def _timeline(
        self, desk: Desk, found: Replayed, purchases: Mapping[int, Bought], news: Sequence[News]
    ) -> list[tuple[tuple[datetime, int, int], Any]]:
        """Everything in the order of its time; of one moment, what was recorded earlier comes first."""
        acts: list[tuple[tuple[datetime, int, int], Any]] = []
        for row in self.rows:
            act = self._again(desk, found, row, purchases.get(row.id))
            acts.append(((row.at, 0, row.id), act))
        for number, it in enumerate(news):
            acts.append(((it.bought.cart.at, 1, number), self._anew(desk, found, it)))
        for number, receipt in enumerate(self.elsewhere):
            acts.append(((receipt.at, 0, -number), self._counted(desk, receipt)))
        for number, merged in enumerate(merged_since(self.connection, desk.standings, self.since)):
            joined = partial(desk.climb.join, merged.rules, merged.customer_id, merged.tier, merged.at)
            acts.append(((merged.at, 2, number), joined))
        return sorted(acts, key=lambda it: it[0])

    def _again(self, desk: Desk, found: Replayed, row: Row[Any], bought: Bought | None) -> Any:
        op = Op(row.customer_id, row.kind, row.key, row.digest, row.at, row.program_version, row.live,
                row.partner, data=row.data or {}, id=row.id, replayed=True)  # fmt: skip
        self.replayed.append(op)

        def purchase() -> None:
            assert bought is not None
            found.bought[bought.external_id] = bought
            found.effects[bought.external_id] = desk.buy(op, bought, owing=True)

        if bought is not None:
            return purchase
        return (lambda: self._expire(op, row)) if row.kind == "expiry" else (lambda: self._stand(op))

    def _anew(self, desk: Desk, found: Replayed, news: News) -> Any:
        def act() -> None:
            bought = news.bought
            found.effects[bought.external_id] = desk.buy(news.op, bought, owing=news.owing)

        return act

    def _counted(self, desk: Desk, it: Elsewhere) -> Any:
        """A receipt of the buyer's that another account's book has: it counts, and moves no bonuses here."""

        def act() -> None:
            desk.climb.settle(it.rules, it.buyer_id, it.at)
            desk.climb.count(it.rules, it.buyer_id, it.at, it.total, it.points)
            desk.pasts[it.buyer_id].add(it.at, it.total, self.given[it.id], self.kept[it.id])

        return act

    def _expire(self, op: Op, row: Row[Any]) -> None:
        lot_id = row.data.get("lot") or int(row.key.split(":")[1])
        for lot in self._lots():
            if lot.id == lot_id and lot.remaining > 0 and lot.ended(op.at):
                self.book.expire(op, lot)

    def _stand(self, op: Op) -> None:
        """What was given stays given; what was taken is taken again, what moved from the same lots."""
        taken: dict[str, int] = defaultdict(int)
        moved: list[tuple[int, int]] = []
        mine = {lot.id: lot for lot in self.made.get(op.id or 0, ())}
        for lot_id, kind, rule, points in self.by_operation.get(op.id or 0, ()):
            if kind in WHOLE:
                moved.append((lot_id, points))
            elif kind not in CONSEQUENCES:
                taken[kind] -= points
            elif kind == "accrual" and lot_id in mine:
                self._give(op, mine[lot_id], points, rule)
        if op.kind == ERASURE and (moved or op.data.get(moving.ALL)):
            moving.write_off(self.book, op)
            return
        self._move_again(op, moved)
        limits = Limits(op.data[MOST]) if MOST in op.data else None
        for kind, points in sorted(taken.items()):
            if (rest := points - self._from_its_lot(op, kind, points)) > 0:
                rules, own = self._rules(op.program_version), self._own(op)
                self.book.redeem(op, rest, kind=kind, limits=limits, owing=True, rules=rules, own=own)

    def _own(self, op: Op) -> list[tuple[OpenLot, int]]:
        """The lots that give first."""
        lots = {lot.id: lot for lot in self._lots()}
        return [(lots[i], most) for i, most in op.data.get(OWN, ()) if not lots[i].ended(op.at)]

    def _from_its_lot(self, op: Op, kind: str, points: int) -> int:
        """A grant is taken back from its own lot first: how much of it."""
        if op.kind != TAKEN_BACK:
            return 0
        given = self.connection.scalar(select(OPERATION.c.id).where(OPERATION.c.key == op.data["key"]))
        lot = next((it for it in self._lots() if it.operation_id == given), None)
        part = min(points, max(0, lot.remaining)) if lot else 0
        if lot and part > 0:
            self.book.enter(op, lot, kind, -part, None)
        return part

    def _move_again(self, op: Op, moved: Sequence[tuple[int, int]]) -> None:
        """The same lots give as far as they can; what they miss now is taken elsewhere or owed, and what was
        paid of a debt that is smaller now stays as a lot: the move comes to as much as it did.
        """
        lots = {lot.id: lot for lot in self._lots()}
        rest = 0
        for lot_id, points in moved:
            lot = lots[lot_id]
            part = -min(-points, max(0, lot.remaining)) if points < 0 else min(points, max(0, -lot.remaining))
            if part:
                self.book.enter(op, lot, op.kind, part, None)
            rest += points - part
        if rest < 0:
            self.book.redeem(op, -rest, kind=op.kind, owing=True)
        elif rest:
            self.book.accrue(op, rest, reason=op.kind, life=Life(op.at, None, None), slot="rest")

    def _give(self, op: Op, lot: OpenLot, points: int, rule: str | None) -> None:
        if lot.slot in (DEBT, FORGIVEN):
            return
        life = self._first_life(lot, op.program_version)
        self.book.accrue(
            op, points, reason=lot.reason, life=life, rule=rule, account=lot.account, slot=lot.slot,
            partner=lot.partner,
        )  # fmt: skip

    def _expired_now(self) -> list[tuple[OpenLot, int]]:
        moves = (move for op in self.replayed for move in op.movements)
        return [(lot, -points) for lot, kind, points, _ in moves if kind == "expiry"]

    # --- the difference

    def _correct(self, by: Op, found: Replayed) -> None:
        desired: dict[Place, int] = defaultdict(int)
        for op in self.replayed:
            for lot, kind, points, rule in op.movements:
                desired[op.id or 0, lot, kind, rule] += points
        lots = {lot.id: lot for lot in self.original}
        for (op_id, lot_id, kind, rule), points in self.actual.items():
            desired[op_id, lots[lot_id], kind, rule] -= points
        net: dict[str, int] = defaultdict(int)
        for (op_id, lot, kind, rule), points in desired.items():
            if points:
                row = self.by_id[op_id]
                net[row.key] += points
                self.book.corrections.append(
                    Correction(by, op_id, lot, kind, points, rule, row.program_version)
                )
        found.corrected = {key: points for key, points in net.items() if points}
        self.book.settle(self.holder_id, self.original)
