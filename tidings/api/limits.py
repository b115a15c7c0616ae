"""How often a key may ask: a token bucket a key, in this process.

The answer tells where its key stands, as draft-ietf-httpapi-ratelimit-headers-10 writes it: the policy
(`q` requests in a window of `w` seconds) and what is left of it (`r` requests, full again in `t` seconds).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from threading import Lock

from core.units import Rate

POLICY = "key"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one more request may come; `wait` is in how many seconds, if not."""

    rate: Rate
    left: float
    wait: float

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer says about it."""
        full = ceil((self.rate.count - self.left) / self.rate.per_second)
        told = {
            "RateLimit-Policy": f'"{POLICY}";q={self.rate.count};w={self.rate.seconds}',
            "RateLimit": f'"{POLICY}";r={int(self.left)};t={full}',
        }
        return {**told, "Retry-After": str(max(1, ceil(self.wait)))} if self.wait else told


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Limits:
    """The buckets of all keys. `ticks` counts seconds, from anywhere."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks, self._lock = ticks, Lock()
        self._buckets: dict[int, _Bucket] = {}

    def take(self, key: int, rate: Rate) -> Verdict:
        """One request of a key."""
        now = self._ticks()
        with self._lock:
            bucket = self._buckets.setdefault(key, _Bucket(rate.count, now))
            bucket.left = min(rate.count, bucket.left + (now - bucket.at) * rate.per_second)
            bucket.at = now
            if bucket.left < 1:
                return Verdict(rate, 0, (1 - bucket.left) / rate.per_second)
            bucket.left -= 1
            return Verdict(rate, bucket.left, 0)
