"""Lots and operations in memory, before they are rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from core.program.lifetime import Life

DEBT = "debt"
FORGIVEN = "forgiven"
# Under this key an operation keeps the most that it may take of each account, if not of all.
MOST = "most"
# And under this one which lots give first, whether they have started or not, and how much: [[lot, points]].
OWN = "own"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the ledger does not carry out. Nothing was changed.

    `about` names the part of the request, where the same reason may be of several.
    """

    reason: str
    detail: str
    about: str | None = field(default=None, compare=False)


@dataclass(slots=True, eq=False)
class OpenLot:
    """A lot in memory; amounts in points at the program's scale. Two lots are never the same one."""

    customer_id: int
    reason: str
    amount: int
    remaining: int
    active_from: datetime
    expires_on: date | None
    expires_at: datetime | None
    account: str
    slot: str
    partner: str | None = None
    first_expires_on: date | None = None
    id: int | None = None
    operation_id: int | None = None
    operation: "Op | None" = None
    changed: bool = False

    def usable(self, at: datetime) -> bool:
        """Active, unexpired, and something is left."""
        return self.remaining > 0 and self.active_from <= at and not self.ended(at)

    def ended(self, at: datetime) -> bool:
        """Its time is over at `at`."""
        return self.expires_at is not None and self.expires_at <= at

    def live(self, life: Life) -> None:
        """Live from then until then."""
        self.active_from, self.expires_on, self.expires_at = (
            life.active_from, life.expires_on, life.expires_at
        )  # fmt: skip
        self.first_expires_on = life.expires_on


# One movement: (lot, kind, points, rule).
Movement = tuple[OpenLot, str, int, str | None]


@dataclass(slots=True, eq=False)
class Op:
    """One operation in memory; becomes a row of `operation` with its rows of `entry`.

    `program_version` is by which rules it is booked. An operation that is already a row has its `id`, and
    its movements are compared with its entries, never written again.
    """

    customer_id: int
    kind: str
    key: str
    digest: str
    at: datetime
    program_version: int
    live: bool = True
    partner: str | None = None
    author: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    happened: dict[OpenLot, dict[str, Any]] = field(default_factory=dict)
    id: int | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Correction:
    """What a late fact or a return changes of an earlier operation; becomes an entry of `by`."""

    by: Op
    corrects: int
    lot: OpenLot
    kind: str
    points: int
    rule: str | None
    program_version: int


@dataclass(frozen=True, slots=True)
class Held:
    """Bonuses set aside for a cart; `accounts` is which of them."""

    external_id: str
    points: int
    expires_at: datetime
    accounts: Mapping[str, int] = field(default_factory=dict)
