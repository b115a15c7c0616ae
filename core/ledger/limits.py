"""How much each bonus account may pay, and some of them for the same goods."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from core.fact import fact


class SharedGoods(NamedTuple):
    """What accounts for some goods alone may pay: minor units on each line of a cart, the lines that each of
    them is for, and the minor units that a point (at scale) pays for.
    """

    lines: tuple[int, ...]
    accounts: Mapping[str, frozenset[int]]
    worth: Decimal


@fact
class Limits:
    """The most points (at scale) of `each` account, and the `goods` that some of them share. What lies in
    accounts that are not named is a part of `rest`, or stays where it is (None).
    """

    each: Mapping[str, int]
    goods: SharedGoods | None = None
    rest: str | None = None

    def of(self, account: str) -> str | None:
        """By whose limit an account goes."""
        return account if account in self.each else self.rest


class Room:
    """What is left of limits while bonuses are taken; without limits there is always room."""

    __slots__ = ("_each", "_goods", "_limits")

    def __init__(self, limits: Limits | None) -> None:
        self._limits = limits
        self._each = dict(limits.each) if limits else {}
        self._goods = _Paid(limits.goods) if limits and limits.goods else None

    def take(self, account: str, points: int) -> int:
        """Of so many points those that come from an account, as far as it has room for them."""
        if self._limits is None:
            return points
        name = self._limits.of(account)
        part = min(points, self._each.get(name, 0)) if name else 0
        if name is None or part <= 0:
            return 0
        if self._goods:
            part = self._goods.pay(name, part)
        self._each[name] -= part
        return part


class _Paid:
    """What accounts pay on the lines that they are for. Where a line is full, whoever pays there makes room
    as far as another line takes them: a maximal flow, by shortest augmenting paths (Edmonds and Karp).
    """

    __slots__ = ("_free", "_lines", "_paid", "_worth")

    def __init__(self, goods: SharedGoods) -> None:
        self._lines, self._worth = goods.accounts, goods.worth
        self._free = [Decimal(it) for it in goods.lines]
        self._paid = {name: dict.fromkeys(lines, Decimal(0)) for name, lines in goods.accounts.items()}

    def pay(self, account: str, points: int) -> int:
        """Lay up to so many points on the account's lines; how many fit. Others may pay for anything."""
        if account not in self._lines:
            return points
        asked = left = points * self._worth
        while left and (path := self._path(account)):
            left -= self._push(path, left)
        fitting = int((asked - left) // self._worth)
        self._take_off(account, asked - left - fitting * self._worth)
        return fitting

    def _path(self, account: str) -> list[tuple[str, int, int | None]]:
        """Who pays on which line from now on, and where no more: from a line with room to the account."""
        reached: dict[int, tuple[str, int | None]] = {}
        asking: list[tuple[str, int | None]] = [(account, None)]
        for name, full in asking:
            for line in self._lines[name] - reached.keys():
                reached[line] = name, full
                if self._free[line]:
                    return self._back(reached, line)
                asking += [(other, line) for other, paid in self._paid.items() if paid.get(line)]
        return []

    def _back(
        self, reached: Mapping[int, tuple[str, int | None]], line: int
    ) -> list[tuple[str, int, int | None]]:
        path = []
        at: int | None = line
        while at is not None:
            name, full = reached[at]
            path.append((name, at, full))
            at = full
        return path

    def _push(self, path: list[tuple[str, int, int | None]], most: Decimal) -> Decimal:
        """Pay as much along the path as goes, `most` at most; how much that is."""
        giving_way = [self._paid[name][full] for name, _, full in path if full is not None]
        part = min(most, self._free[path[0][1]], *giving_way)
        self._free[path[0][1]] -= part
        for name, line, full in path:
            self._paid[name][line] += part
            if full is not None:
                self._paid[name][full] -= part
        return part

    def _take_off(self, account: str, rest: Decimal) -> None:
        """What is less than a point is not paid."""
        for line, paid in self._paid[account].items():
            part = min(rest, paid)
            self._paid[account][line] -= part
            self._free[line] += part
            rest -= part
