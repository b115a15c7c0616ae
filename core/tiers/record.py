"""What a customer bought, in memory: how much of it lies between two times, by each measure."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime

PLACES = {"spend": 0, "points": 1}


class Record:
    """Purchases of one customer in the order of their times, whatever the order in which they come."""

    __slots__ = ("_amounts", "_sums", "times")

    def __init__(self) -> None:
        self.times: list[datetime] = []
        self._amounts: list[tuple[int, int]] = []
        self._sums: dict[str, list[int]] = {}

    def add(self, at: datetime, total: int, points: int) -> None:
        """One more purchase: `total` in minor units, `points` that it earned, at scale."""
        amounts = (total, points)
        if not self.times or at >= self.times[-1]:
            self.times.append(at)
            self._amounts.append(amounts)
            for measure, sums in self._sums.items():
                sums.append(sums[-1] + _amount(measure, amounts))
            return
        place = bisect_right(self.times, at)
        self.times.insert(place, at)
        self._amounts.insert(place, amounts)
        self._sums.clear()

    def before(self, measure: str, start: datetime, end: datetime) -> int:
        """The amount of `measure` in [start, end)."""
        sums = self._summed(measure)
        return max(0, sums[bisect_left(self.times, end)] - sums[bisect_left(self.times, start)])

    def upto(self, measure: str, start: datetime, end: datetime) -> int:
        """The amount of `measure` in [start, end]."""
        sums = self._summed(measure)
        return max(0, sums[bisect_right(self.times, end)] - sums[bisect_left(self.times, start)])

    def _summed(self, measure: str) -> Sequence[int]:
        sums = self._sums.get(measure)
        if sums is None:
            sums = self._sums[measure] = [0]
            for amounts in self._amounts:
                sums.append(sums[-1] + _amount(measure, amounts))
        return sums


def _amount(measure: str, amounts: tuple[int, int]) -> int:
    if measure == "invitation":
        return 0
    return amounts[PLACES[measure]] if measure in PLACES else 1
