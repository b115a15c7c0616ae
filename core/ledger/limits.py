"""How much each bonus account may pay, and some of them together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Together(NamedTuple):
    """Accounts whose goods overlap: all of them together pay no more than `points` (at scale)."""

    accounts: frozenset[str]
    points: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The most points (at scale) of `each` account, and of those that pay for the same goods `together`."""

    each: Mapping[str, int]
    together: tuple[Together, ...] = ()


class Room:
    """What is left of limits while bonuses are taken; without limits there is always room."""

    __slots__ = ("_each", "_together")

    def __init__(self, limits: Limits | None) -> None:
        self._each = dict(limits.each) if limits else None
        self._together = dict(limits.together) if limits else {}

    def most(self, account: str, points: int) -> int:
        """Of so many points those that may still come from an account."""
        if self._each is None:
            return points
        shared = [left for accounts, left in self._together.items() if account in accounts]
        return min([points, self._each.get(account, 0), *shared])

    def take(self, account: str, points: int) -> None:
        """So many points come from an account, which has room for them."""
        if self._each is None:
            return
        self._each[account] -= points
        for accounts in self._together:
            if account in accounts:
                self._together[accounts] -= points
