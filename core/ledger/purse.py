"""The open lots of one account, kept in the order of spending while they are worked on."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from core.ledger.lots import OpenLot, expiry_order


class Purse:
    """Lots with something left, the first to be spent first; debts beside them.

    A long history is reckoned again purchase by purchase: looking for a lot must not take longer with each.
    Who only earns is never put in order.
    """

    __slots__ = ("_added", "_lots", "_order", "_places", "_rank", "debts")

    def __init__(self, rank: Callable[[str], int], lots: Iterable[OpenLot] = ()) -> None:
        self._rank = rank
        self._added = 0
        self._lots: dict[OpenLot, None] = {}
        self._places: dict[OpenLot, tuple[Any, ...]] = {}
        self._order: list[tuple[tuple[Any, ...], OpenLot]] | None = None
        self.debts: dict[OpenLot, None] = {}
        for lot in lots:
            self.note(lot)

    def __iter__(self) -> Iterator[OpenLot]:
        """As they came."""
        return iter([*self._lots])

    def first(self) -> Iterator[OpenLot]:
        """In the order of spending, looking at no more than are taken; nothing may change meanwhile."""
        if self._order is None:
            self._order = sorted(((self._place(lot), lot) for lot in self._lots), key=_place)
        return (lot for _, lot in self._order)

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
            if lot.remaining > 0 and before[:-1] == self._due(lot):
                return
            del self._places[lot]
            del order[bisect_left(order, before, key=_place)]
        if lot.remaining > 0:
            insort(order, (self._place(lot), lot), key=_place)

    def _due(self, lot: OpenLot) -> tuple[Any, ...]:
        return (self._rank(lot.account), *expiry_order(lot))

    def _place(self, lot: OpenLot) -> tuple[Any, ...]:
        self._added += 1
        place = self._places[lot] = (*self._due(lot), self._added)
        return place


def _place(entry: tuple[tuple[Any, ...], OpenLot]) -> tuple[Any, ...]:
    return entry[0]
