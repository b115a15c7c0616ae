"""The open lots of one account, kept in the order of spending while they are worked on."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from core.ledger.limits import Limits, Room
from core.ledger.lots import OpenLot
from core.program.lifetime import Life


class Purse:
    """Lots with something left, the first to be spent first; debts beside them.

    A long history is reckoned again purchase by purchase: looking for a lot must not take longer with each.
    Who only earns is never put in order.
    """

    __slots__ = ("_added", "_coming", "_lots", "_order", "_places", "_rank", "debts")

    def __init__(self, rank: Callable[[str], int], lots: Iterable[OpenLot] = ()) -> None:
        self._rank = rank
        self._added = 0
        self._lots: dict[OpenLot, None] = {}
        self._places: dict[OpenLot, tuple[Any, ...]] = {}
        # Given since, and put in order only when somebody spends again.
        self._coming: dict[OpenLot, None] = {}
        self._order: list[tuple[tuple[Any, ...], OpenLot]] | None = None
        self.debts: dict[OpenLot, None] = {}
        for lot in lots:
            if lot.remaining:
                self.put(lot)

    def __iter__(self) -> Iterator[OpenLot]:
        """As they came."""
        return iter([*self._lots])

    def follow(self, rank: Callable[[str], int]) -> None:
        """Accounts are spent in this order from now on: what is reckoned again goes by its own program."""
        if rank != self._rank:
            self._rank, self._order, self._places, self._coming = rank, None, {}, {}

    def first(self) -> Iterator[OpenLot]:
        """In the order of spending, looking at no more than are taken; nothing may change meanwhile."""
        order = self._order
        if order is None:
            order = self._order = self._sorted()
        for lot in self._coming:
            insort(order, (self._place(lot), lot), key=_place)
        self._coming.clear()
        return (lot for _, lot in order)

    def _sorted(self) -> list[tuple[tuple[Any, ...], OpenLot]]:
        ranks = {name: self._rank(name) for name in {lot.account for lot in self._lots}}
        added = enumerate(self._lots, self._added + 1)
        order = [((*_due(lot, ranks[lot.account]), number), lot) for number, lot in added]
        order.sort(key=_place)
        self._added += len(order)
        self._places = {lot: place for place, lot in order}
        return order

    @property
    def owed(self) -> int:
        """What the debts come to."""
        return -sum(lot.remaining for lot in self.debts)

    def by_account(self, at: datetime) -> dict[str, int]:
        """What lies usable in each bonus account."""
        found: dict[str, int] = defaultdict(int)
        # Written out: this is asked of every lot at every purchase.
        for lot in self._lots:
            if lot.remaining > 0 and lot.active_from <= at and ((end := lot.expires_at) is None or end > at):
                found[lot.account] += lot.remaining
        return found

    def plan(
        self, points: int, limits: Limits | None, at: datetime, own: Sequence[tuple[OpenLot, int]] = ()
    ) -> tuple[list[tuple[OpenLot, int]], int]:
        """From which lots points are taken, and how many are missing. `own` lots give first, up to so many
        points each, whether they have started or not.
        """
        room = Room(limits)
        taken = []
        for lot, most in own:
            part = room.take(lot.account, min(points, most, max(0, lot.remaining)))
            if part > 0:
                taken.append((lot, part))
                points -= part
        gave = dict(taken)
        for lot in self.first():
            if not points:
                break
            if lot.usable(at):
                left = lot.remaining - gave[lot] if lot in gave else lot.remaining
                part = room.take(lot.account, min(points, left))
                if part > 0:
                    taken.append((lot, part))
                    points -= part
        return taken, points

    def extend(self, account: str, life: Life, at: datetime) -> Iterator[OpenLot]:
        """Let the lots of an account last at least so long; those that do so now."""
        for lot in self:
            if lot.account != account or lot.remaining <= 0 or lot.ended(at) or lot.expires_at is None:
                continue
            if life.expires_at is None or lot.expires_at < life.expires_at:
                lot.expires_on, lot.expires_at = life.expires_on, life.expires_at
                self._coming.pop(lot, None)  # of those that end together it is the last now
                self.note(lot)
                yield lot

    def put(self, lot: OpenLot) -> None:
        """An open lot, or a debt, before anything is spent."""
        (self._lots if lot.remaining > 0 else self.debts)[lot] = None

    def note(self, lot: OpenLot) -> None:
        """Something about the lot has changed: what is left of it, or when it ends."""
        if lot.remaining > 0:
            self._lots[lot] = None
        else:
            self._lots.pop(lot, None)
        if lot.remaining < 0:
            self.debts[lot] = None
        else:
            self.debts.pop(lot, None)
        if self._order is not None:
            self._put_in_order(lot, self._order)

    def _put_in_order(self, lot: OpenLot, order: list[tuple[tuple[Any, ...], OpenLot]]) -> None:
        before = self._places.get(lot)
        if before is not None:
            if lot.remaining > 0 and before[:-1] == _due(lot, self._rank(lot.account)):
                return
            del self._places[lot]
            del order[bisect_left(order, before, key=_place)]
            if lot.remaining > 0:
                insort(order, (self._place(lot), lot), key=_place)
        elif lot.remaining > 0:
            self._coming[lot] = None
        else:
            self._coming.pop(lot, None)

    def _place(self, lot: OpenLot) -> tuple[Any, ...]:
        self._added += 1
        place = self._places[lot] = (*_due(lot, self._rank(lot.account)), self._added)
        return place


def _due(lot: OpenLot, rank: int) -> tuple[Any, ...]:
    """The account's place, then the earliest to expire first; lots that never expire come last.

    Of those that end together the first to start, then by what they are: who pays must not depend on
    which receipt arrived first.
    """
    end = lot.expires_at
    return (
        rank, end is None, end or lot.active_from, lot.active_from, lot.partner or "", lot.reason, lot.slot,
        lot.id or 2**62,
    )  # fmt: skip


def _place(entry: tuple[tuple[Any, ...], OpenLot]) -> tuple[Any, ...]:
    return entry[0]
