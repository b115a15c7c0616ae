"""What open holds of one customer mean to take: until they end, nobody else may."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from core.ledger.limits import Limits
from core.ledger.lots import Held


class SetAside:
    """The holds that were open when an account was loaded; `now` says which of them have ended since."""

    __slots__ = ("_holds", "_now")

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._holds: list[Held] = []

    def note(self, held: Held) -> None:
        """One more hold."""
        self._holds.append(held)

    def has(self, receipt: str) -> bool:
        """Whether there is an open hold for this receipt, ended or not."""
        return any(it.external_id == receipt for it in self._holds)

    def points(self, besides: str | None) -> int:
        """Points set aside, those of one receipt left out."""
        return sum(it.points for it in self._in_force(besides))

    def leave(self, limits: Limits | None, there: Mapping[str, int], besides: str | None) -> Limits | None:
        """The limits, less what holds mean to take of what is `there` in each account."""
        held = [it.accounts for it in self._in_force(besides)]
        if not any(held):
            return limits
        limits = limits or Limits(there)
        left: dict[str, int] = defaultdict(int)
        for accounts, sign in [(there, 1), *((it, -1) for it in held)]:
            for account, points in accounts.items():
                if name := limits.of(account):
                    left[name] += sign * points
        each = {name: max(0, min(limits.each.get(name, 0), points)) for name, points in left.items()}
        return Limits(each, limits.goods, limits.rest)

    def _in_force(self, besides: str | None) -> Iterator[Held]:
        return (it for it in self._holds if it.external_id != besides and it.expires_at > self._now)
