"""How long things took in this process, for whoever watches it: kept in memory, gone with the process."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

# Seconds; each bound is included in its bucket.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Key = tuple[str, ...]


class Histogram:
    """Durations by what they were of. `observe` costs less than a microsecond."""

    def __init__(self, *labels: str, bounds: Sequence[float] = BOUNDS) -> None:
        """`labels` name the parts of a key. Give it few keys: each is kept as long as the process lives."""
        self.labels, self.bounds = labels, tuple(bounds)
        self._counts: dict[Key, list[int]] = {}
        self._sums: dict[Key, float] = {}

    def observe(self, key: Key, seconds: float) -> None:
        """It took so long, once."""
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts.setdefault(key, [0] * (len(self.bounds) + 1))
        counts[bisect_left(self.bounds, seconds)] += 1
        self._sums[key] = self._sums.get(key, 0.0) + seconds

    def rows(self) -> Iterator[tuple[Key, Sequence[int], float]]:
        """Each key with its counts up to each bound, the last one of all, and the sum in seconds."""
        for key, counts in sorted(self._counts.items()):
            yield key, list(accumulate(counts)), self._sums.get(key, 0.0)
