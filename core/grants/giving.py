"""Fixed bonuses for what a customer does besides buying: joining, a birthday, a review, a friend.

An act is given to once: the key of a grant names the rule, the customer and the occasion. What a rule gives
is booked now, whenever the act was; whether the rule was in force and its limit was reached is asked of the
act's own day.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from core.errors import EnvironmentFault
from core.events import Happening, append
from core.ledger.book import CHUNK, Book
from core.ledger.operations import ATTEMPTS, again_if_taken, known_operations
from core.ledger.writing import OPERATION
from core.program import Grant, Program
from core.program.lifetime import Life
from core.tables import Customer
from core.units import Allowance

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
GRANT, TAKEN_BACK = "grant", "grant_taken_back"
# What takes all that somebody has to another account (core.customers).
MOVES = ("household", "merge")
GONE = ("gone", "the customer was erased, or merged into another")


@dataclass(frozen=True, slots=True)
class Act:
    """What a customer did. `occasion` is the act's identity; `data` is kept with what was given."""

    customer_id: int
    occasion: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """What one rule gave for an act: `points` at the program's scale, living for `life`.

    Nothing, and the `reason`: `again` (given before), `not_yet` or `over` (the rule's dates), `limit`,
    `gone` (the customer was erased or merged). `detail` is a sentence.
    """

    customer_id: int
    occasion: str
    rule: str
    points: int = 0
    account: str = ""
    life: Life | None = None
    reason: str = ""
    detail: str = ""


def give_grants(
    connection: Connection, program: Program, on: str, acts: Sequence[Act], recorded_at: datetime,
    *, live: bool, among: Collection[str] | None = None,
) -> list[Given]:  # fmt: skip
    """Give what the rules bring `on` these acts, in the caller's write transaction.

    One answer for each act and rule, of the rules `among` these only (None: all). Sent again, an act is
    given nothing more.
    """

    def work() -> tuple[list[Given], list[Happening]]:
        return book_grants(connection, program, on, acts, recorded_at, live=live, among=among)

    if not acts or not rules_on(program, on, among):
        return []
    given, happenings = again_if_taken(connection, work)
    append(connection, happenings, recorded_at, live=live)
    return given


def rules_on(program: Program, on: str, among: Collection[str] | None = None) -> list[Grant]:
    """The rules that answer an act."""
    return [grant for grant in program.grants(on) if among is None or grant.rule in among]


def book_grants(
    connection: Connection, program: Program, on: str, acts: Sequence[Act], recorded_at: datetime,
    *, live: bool, among: Collection[str] | None = None,
) -> tuple[list[Given], list[Happening]]:  # fmt: skip
    """As `give_grants`, without appending the events: the caller has others of the same moment."""
    giving = _Giving(connection, program, on, rules_on(program, on, among), acts, recorded_at, live)
    return giving.run(), giving.book.happenings


def grant_key(rule: str, customer_id: int, occasion: str) -> str:
    """The idempotency key of a grant."""
    return f"{GRANT}:{rule}:{customer_id}:{occasion}"


def unfit(grant: Grant, day: date) -> tuple[str, str] | None:
    """Why a rule gives nothing on a day of the program: (`not_yet` or `over`, a sentence)."""
    if grant.from_ is not None and day < grant.from_:
        return "not_yet", f"the rule '{grant.rule}' begins on {grant.from_}"
    if grant.until is not None and day > grant.until:
        return "over", f"the rule '{grant.rule}' ended on {grant.until}"
    return None


class _Giving:
    """The acts of one call, under the locks of the accounts that they go to."""

    def __init__(
        self, connection: Connection, program: Program, on: str, grants: Sequence[Grant],
        acts: Sequence[Act], recorded_at: datetime, live: bool,
    ) -> None:  # fmt: skip
        self.connection, self.program, self.on = connection, program, on
        self.grants, self.acts, self.recorded_at = grants, acts, recorded_at
        ids = sorted({act.customer_id for act in acts})
        self.holders, self.book = _opened(connection, program, ids, recorded_at, live)
        self.people = duplicates(connection, ids)
        self.selves: dict[int, list[int]] = defaultdict(list)
        for i, who in self.people.items():
            self.selves[who].append(i)
        keys = [key for act in acts for grant in grants for key in self._keys(act, grant)]
        self.known = set(known_operations(connection, keys))
        self.days = self._earlier()

    def run(self) -> list[Given]:
        """Give, and write."""
        given = [self._give(act, grant) for act in self.acts for grant in self.grants]
        if self.book.ops:
            self.book.close()
        return given

    def _give(self, act: Act, grant: Grant) -> Given:
        holder = self.holders.get(act.customer_id)
        why = GONE if holder is None else self._refused(act, grant)
        if holder is None or why is not None:
            reason, detail = why or GONE
            return Given(act.customer_id, act.occasion, grant.rule, reason=reason, detail=detail)
        return self._book(act, grant, holder)

    def _book(self, act: Act, grant: Grant, holder: int) -> Given:
        key = grant_key(grant.rule, act.customer_id, act.occasion)
        at = self.book.moment(holder, self.recorded_at)
        life = self.program.life(at, account=grant.account, starts=grant.starts, lasts=grant.lasts)
        day = self.program.day_of(act.at)
        data = {**act.data, "rule": grant.rule, "customer": act.customer_id, "occasion": act.occasion,
                "on": self.on, "day": day.isoformat()}  # fmt: skip
        body = [grant.rule, act.customer_id, act.occasion]
        op = self.book.operation(holder, GRANT, key, body, at, data=data)
        self.book.accrue(
            op, grant.points, reason=grant.rule, rule=grant.rule, life=life, account=grant.account
        )
        self.known.add(key)
        self.days[act.customer_id, grant.rule].append(day)
        return Given(act.customer_id, act.occasion, grant.rule, grant.points, grant.account, life)

    def _refused(self, act: Act, grant: Grant) -> tuple[str, str] | None:
        if any(key in self.known for key in self._keys(act, grant)):
            return "again", f"the rule '{grant.rule}' has given for this already"
        day = self.program.day_of(act.at)
        if why := unfit(grant, day):
            return why
        if grant.limit and _full(grant.limit, self.days[act.customer_id, grant.rule], day):
            return "limit", f"the rule '{grant.rule}' gives {grant.limit} to one customer"
        return None

    def _keys(self, act: Act, grant: Grant) -> list[str]:
        """Under which keys it may have been given already: to the customer, or to a duplicate of them."""
        return [grant_key(grant.rule, i, act.occasion) for i in self.selves[act.customer_id]]

    def _earlier(self) -> dict[tuple[int, str], list[date]]:
        """On which days each limited rule gave to each customer (or to a duplicate of them)."""
        found: dict[tuple[int, str], list[date]] = defaultdict(list)
        limited = {grant.rule for grant in self.grants if grant.limit}
        if not limited:
            return found
        booked = sorted(_ever_used(self.connection, {*self.people, *self.holders.values()}))
        for start in range(0, len(booked), CHUNK):
            some = OPERATION.c.customer_id.in_(booked[start : start + CHUNK])
            for data in _standing(self.connection, some):
                who = self.people.get(data["customer"])
                if who is not None and data["rule"] in limited:
                    found[who, data["rule"]].append(date.fromisoformat(data["day"]))
        return found


def holders(connection: Connection, customer_ids: Sequence[int]) -> dict[int, int]:
    """Whose account each customer uses; those who were erased or merged away are left out."""
    found: dict[int, int] = {}
    holder = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)
    for start in range(0, len(customer_ids), CHUNK):
        here = CUSTOMER.c.id.in_(customer_ids[start : start + CHUNK])
        present = [CUSTOMER.c.erased_at.is_(None), CUSTOMER.c.merged_into.is_(None)]
        rows = select(CUSTOMER.c.id, holder).where(here, *present)
        found |= {row[0]: row[1] for row in connection.execute(rows)}
    return found


def _opened(
    connection: Connection, program: Program, ids: Sequence[int], recorded_at: datetime, live: bool
) -> tuple[dict[int, int], Book]:
    """Who may be given something, and their accounts, held; nothing will be taken from them."""
    for _ in range(ATTEMPTS):
        found = holders(connection, ids)
        accounts = set(found.values())
        book = Book(connection, program, accounts, recorded_at, live=live, earners=accounts)
        # A household may have changed while the accounts were waited for.
        if holders(connection, ids) == found:
            return found, book
    raise EnvironmentFault("accounts are changing hands all the time; try again")


def _ever_used(connection: Connection, accounts: Collection[int]) -> set[int]:
    """These accounts and those that their bonuses went to: of households that were left since, too."""
    found, new = set[int](), set(accounts)
    while new:
        found |= new
        here, new = sorted(new), set()
        for start in range(0, len(here), CHUNK):
            some = OPERATION.c.customer_id.in_(here[start : start + CHUNK])
            moved = select(OPERATION.c.data).where(some, OPERATION.c.kind.in_(MOVES))
            new |= {data["receiver_id"] for data in connection.scalars(moved)} - found
    return found


def duplicates(connection: Connection, customer_ids: Sequence[int]) -> dict[int, int]:
    """The customers themselves and the duplicates that were merged into them → the customer."""
    found = {i: i for i in customer_ids}
    for start in range(0, len(customer_ids), CHUNK):
        merged = CUSTOMER.c.merged_into.in_(customer_ids[start : start + CHUNK])
        for row in connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.merged_into).where(merged)):
            found[row.id] = row.merged_into
    return found


def _standing(connection: Connection, whose: ColumnElement[bool]) -> list[dict[str, Any]]:
    """What is known of each grant that was not taken back."""
    kinds = OPERATION.c.kind.in_((GRANT, TAKEN_BACK))
    rows = connection.execute(
        select(OPERATION.c.kind, OPERATION.c.key, OPERATION.c.data).where(whose, kinds)
    ).all()
    gone = {row.data["key"] for row in rows if row.kind == TAKEN_BACK}
    # A grant by hand knows nothing of rules.
    return [row.data for row in rows if row.kind == GRANT and "rule" in row.data and row.key not in gone]


def _full(limit: Allowance, days: Sequence[date], day: date) -> bool:
    """Whether one more on `day` would be too many in some period, calendar days, also of an act told late."""
    length = max(1, limit.window.days)
    ends = [day, *(it for it in days if 0 < (it - day).days < length)]
    return any(sum(0 <= (end - it).days < length for it in days) >= limit.count for end in ends)
