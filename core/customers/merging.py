"""Two profiles of one person become one: the duplicate's bonuses, receipts and choices go to the survivor.

Merging is not undone. What was written about the duplicate (operations, entries, messages) keeps their
name; whoever asks for them by number, card or phone is led to the survivor.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from core import tiers
from core.customers.double_opt_in import readdress
from core.customers.holders import CUSTOMER, Person, hold_related, opened
from core.customers.households import members, move
from core.customers.merging_profiles import join_profiles
from core.customers.merging_rows import repoint
from core.events import Happening, append
from core.ledger import moving
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.operations import known_operations
from core.program import Program
from core.purchases.receipts import RECEIPT, Outcome, Recorded
from core.purchases.stats import Stats
from core.tiers import Standing, ladder
from core.tiers.periods import periods
from core.tiers.record import Record
from core.units import midnight

KIND = "merge"


@dataclass(frozen=True, slots=True)
class Merge:
    """`duplicate` and `survivor` are external ids; `author` and `reason` are kept with the operation."""

    duplicate: str
    survivor: str
    author: str
    reason: str


def merge(connection: Connection, program: Program, request: Merge, at: datetime, *, live: bool) -> Outcome:
    """Merge at `at`, in the caller's write transaction.

    Repeated: they were merged already. Refused, and nothing changed: `unknown_customer`, `same_customer`,
    `already_merged` (into somebody else), `two_households`, `no_author`, `no_reason`.
    """
    if not request.author.strip() or not request.reason.strip():
        missing = "author" if not request.author.strip() else "reason"
        return Refusal(f"no_{missing}", f"say the {missing}: merging is not undone")
    names = [request.duplicate, request.survivor]
    found = opened(connection, program, names, at, live=live, own=names)
    if isinstance(found, Refusal):
        return found
    people, book = found
    duplicate, survivor = people[request.duplicate], people[request.survivor]
    if duplicate.external_id != request.duplicate or duplicate.id == survivor.id:
        return _merged_before(connection, request, duplicate, survivor)
    heads = _households(connection, duplicate, survivor)
    if isinstance(heads, Refusal):
        return heads
    return Recorded(_Merging(book, program, request, duplicate, survivor, at, live).run())


def _merged_before(connection: Connection, request: Merge, found: Person, survivor: Person) -> Outcome:
    """Who is asked for is a survivor already, perhaps of this very merging."""
    if found.external_id == request.duplicate == request.survivor:
        return Refusal("same_customer", "nobody is their own duplicate")
    if found.id != survivor.id:
        into = f"{found.external_id!r}; merge that one if they are the same person"
        return Refusal("already_merged", f"customer {request.duplicate!r} was merged into {into}")
    if found.external_id == request.duplicate:
        return Refusal(
            "already_merged", f"customer {request.survivor!r} was merged into {request.duplicate!r} before"
        )
    own = select(CUSTOMER.c.id).where(CUSTOMER.c.external_id == request.duplicate)
    key = f"{KIND}:{connection.scalar(own)}:out"
    return Recorded(known_operations(connection, [key])[key][1], repeated=True)


def _households(connection: Connection, duplicate: Person, survivor: Person) -> Refusal | None:
    """Each may be in a household, but not in different ones: whose bonuses were whose could not be told."""
    heads = {
        person.holder
        for person in (duplicate, survivor)
        if person.holder != person.id or members(connection, person.id)
    }
    if len(heads) < 2:
        return None
    return Refusal("two_households", "they belong to different households; let one of them leave first")


class _Merging:
    """One merging, under the locks of the accounts."""

    def __init__(
        self, book: Book, program: Program, request: Merge, duplicate: Person, survivor: Person, at: datetime,
        live: bool,
    ) -> None:  # fmt: skip
        self.book, self.connection, self.program, self.request = book, book.connection, program, request
        self.duplicate, self.survivor, self.at, self.live = duplicate, survivor, at, live

    def run(self) -> dict[str, Any]:
        hold_related(self.connection, [self.duplicate.id, self.survivor.id])
        holder = self._holder()
        data = {"reason": self.request.reason, "survivor_id": self.survivor.id}
        op, points = moving.move_all(
            self.book, self.duplicate.id, holder, KIND, f"{KIND}:{self.duplicate.id}", self.at,
            author=self.request.author, data=data,
        )  # fmt: skip
        if holder != self.survivor.id and not moving.is_empty(self.book, self.survivor.id, self.at):
            move(self.book, self.survivor.id, holder, self.at, self.request.author)
        repoint(self.connection, self.duplicate.id, self.survivor.id, holder)
        join_profiles(self.connection, self.duplicate.id, self.survivor.id, holder, self.at, live=self.live)
        # What was confirmed for the duplicate's address is not yet for the survivor's.
        readdress(self.connection, self.program, [self.survivor.id], self.at, live=self.live)
        happenings = self._rise()
        self._count()
        op.result = {
            "duplicate": self.duplicate.external_id,
            "survivor": self.survivor.external_id,
            "points": str(self.program.from_points(points)),
            "balance": str(self.program.from_points(self.book.total(holder))),
            "tier": self.tier,
        }
        self.book.close()
        happenings += [
            Happening(self.duplicate.id, "customer_merged", self.at, data={"survivor_id": self.survivor.id}),
            Happening(self.survivor.id, "customer_joined", self.at, data={"duplicate_id": self.duplicate.id}),
        ]
        append(self.connection, [*happenings, *self.book.happenings], self.at, live=self.live)
        return op.result

    def _holder(self) -> int:
        """Whose account the survivor uses from now on: that of the household which either of them was in."""
        for person in (self.survivor, self.duplicate):
            if person.holder not in (self.survivor.id, self.duplicate.id):
                return person.holder
        return self.survivor.id

    def _rise(self) -> list[Happening]:
        """The higher of both levels, or what both together have bought."""
        columns = (CUSTOMER.c.id, CUSTOMER.c.tier, CUSTOMER.c.tier_since, CUSTOMER.c.invited_to)
        both = CUSTOMER.c.id.in_([self.duplicate.id, self.survivor.id])
        rows = {row.id: row for row in self.connection.execute(select(*columns).where(both))}
        own, other = rows[self.survivor.id], rows[self.duplicate.id]
        standing = Standing(own.tier, own.tier_since, own.invited_to)
        if self.program.rank(other.tier) > self.program.rank(standing.tier):
            standing.move(self.program, other.tier, self.at)
        ladder.climb(self.program, standing, self._bought(), self.at)
        self.tier = standing.tier
        return tiers.write(self.connection, {self.survivor.id: standing})

    def _bought(self) -> Record:
        opening = midnight(periods(self.program).opens(self.program.day_of(self.at)), self.program.zone)
        rows = select(RECEIPT.c.at, RECEIPT.c.total, RECEIPT.c.earned_points).where(
            RECEIPT.c.customer_id == self.survivor.id,
            RECEIPT.c.at >= opening,
            RECEIPT.c.returned_at.is_(None),
        )
        record = Record()
        for at, total, points in self.connection.execute(rows.order_by(RECEIPT.c.at)):
            record.add(at, total, points)
        return record

    def _count(self) -> None:
        stats = Stats(self.connection, [self.duplicate.id, self.survivor.id])
        stats.recount(self.duplicate.id)
        stats.recount(self.survivor.id)
        stats.close()


@dataclass(frozen=True, slots=True)
class Alike:
    """Customers who may be one person: `by` is what they have in common, the earliest registered first."""

    by: str
    customers: tuple[str, ...]


def duplicates(connection: Connection, at_most: int = 100) -> list[Alike]:
    """Candidates for merging: the same phone, the same email, or cards of the same letters and digits."""
    email = func.lower(CUSTOMER.c.email)
    card = func.upper(CUSTOMER.c.card)
    for separator in " -./":
        card = func.replace(card, separator, "")
    found: list[Alike] = []
    for by, value in (("phone", CUSTOMER.c.phone), ("email", email), ("card", card)):
        found += _alike(connection, by, value, at_most - len(found))
    return found


def _alike(connection: Connection, by: str, value: Any, at_most: int) -> list[Alike]:
    present = [CUSTOMER.c.merged_into.is_(None), CUSTOMER.c.erased_at.is_(None), value != ""]
    several = select(value.label("value")).where(*present).group_by(value).having(func.count() > 1)
    several = several.order_by(value).limit(max(0, at_most))
    values = list(connection.scalars(several))
    groups: dict[str, list[str]] = {it: [] for it in values}
    rows = select(value, CUSTOMER.c.external_id).where(value.in_(values), *present)
    for shared, name in connection.execute(rows.order_by(CUSTOMER.c.registered_at, CUSTOMER.c.id)):
        groups[shared].append(name)
    return [Alike(by, tuple(names)) for names in groups.values()]
