"""What a scenario changed: customers who could be told, against those who were held out.

Compared are all who entered, told or not (intention to treat): the draw comes after the gates of reaching,
so both arms are alike, while those who were really told are chosen by what came after. A customer counts
once, by their first entry: in its arm, with what they bought within the time after it. Who enters again is
chosen by what came after too: whoever was told may have bought since, or said stop.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    func,
    literal,
    select,
    true,
    union_all,
)

from campaigns.gates.entry import any_merged
from campaigns.gates.exits import made_since
from campaigns.gates.holdout import OF_ALL_MARKETING, is_drawn
from campaigns.results.entered import ENROLMENT, Entered
from campaigns.results.funnel import DECISION, MESSAGE
from campaigns.results.intervals import Amounts, Interval, difference_of_means, difference_of_rates, rate
from campaigns.staging import DEADLINE, prepare, put_deadlines
from core.db import UtcDateTime
from core.errors import EnvironmentFault
from core.program import Program
from core.program.versions import version
from core.tables import Customer, Receipt

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
# Customers whose entries and receipts are read at a time, by their ids: what memory holds.
CUSTOMERS = 20_000

HELD_OUT, HELD_OUT_OF_ALL = "holdout", "holdout of all marketing"
TREATMENT = "treatment"


@dataclass(slots=True)
class Arm:
    """Customers whose time is over: how many, how many of them bought, and what each spent (minor units)."""

    bought: int = 0
    spent: Amounts = field(default_factory=Amounts)

    @property
    def customers(self) -> int:
        """All of them."""
        return self.spent.count

    @property
    def rate(self) -> Interval | None:
        """The part that bought; None for nobody."""
        return rate(self.bought, self.customers)

    def add(self, amounts: Sequence[int]) -> None:
        """A customer, with what their purchases came to."""
        self.bought += bool(amounts)
        self.spent.add(sum(amounts))


@dataclass(slots=True)
class Effect:
    """Both arms, those with each text where one was drawn, and customers whose time is not over.

    Who is held out of all marketing is in neither arm: to them this scenario is not all that is missing.
    """

    treatment: Arm = field(default_factory=Arm)
    holdout: Arm = field(default_factory=Arm)
    variants: dict[tuple[str, str], Arm] = field(default_factory=dict)
    held_out_of_all: int = 0
    waiting: int = 0
    held_waiting: int = 0

    @property
    def uplift(self) -> Interval | None:
        """How much more of them bought, as a fraction of the arm; None without both arms."""
        told, held = self.treatment, self.holdout
        return difference_of_rates(told.bought, told.customers, held.bought, held.customers)

    @property
    def spent_more(self) -> Interval | None:
        """How much more each customer spent, in minor units; None with fewer than two in an arm."""
        return difference_of_means(self.treatment.spent, self.holdout.spent)


def effect(
    connection: Connection, program: Program, entered: Entered, within: Callable[[datetime], datetime],
    now: datetime, *, drawn: Iterable[str] = (),
) -> Effect:  # fmt: skip
    """Read it through. `within` gives the end of an entry's time, `drawn` the steps with several texts."""
    found, steps = Effect(), tuple(drawn)
    for part in _parts(connection, entered, within):
        bought = part.bought(program, now)
        texts = part.texts(steps) if steps else {}
        for customer, entry in part.customers():
            arm, is_over = _arm(program, entry), entry.until <= now
            _add(found, arm, is_over, bought.get(customer, ()), texts.get(customer, ()))
    return found


def effect_of_all(connection: Connection, program: Program, entered: Entered, now: datetime) -> Effect:
    """What all marketing changed: from a customer's first entry on, against whom the program holds out.

    `entered` names every scenario of marketing; who is held out of one of them alone hears from the others.
    """
    found = Effect()
    for part in _parts(connection, entered, lambda _at: now):
        bought = part.bought(program, now)
        for customer, entry in part.customers():
            arm = HELD_OUT if _arm(program, entry) == HELD_OUT_OF_ALL else TREATMENT
            _add(found, arm, True, bought.get(customer, ()), ())
    return found


def _arm(program: Program, entry: Any) -> str:
    if entry.arm != HELD_OUT:
        return TREATMENT
    if entry.detail is not None:
        return HELD_OUT_OF_ALL if entry.detail == OF_ALL_MARKETING else HELD_OUT
    # `retention` has let the decision go; the draw is the same as then, unless the program's part changed.
    of_all = is_drawn(program.seed, "holdout", entry.external_id, program.holdout)
    return HELD_OUT_OF_ALL if of_all else HELD_OUT


def _add(
    found: Effect, arm: str, is_over: bool, amounts: Sequence[int], texts: Iterable[tuple[str, str]]
) -> None:
    if arm == HELD_OUT_OF_ALL:
        found.held_out_of_all += 1
    elif not is_over and arm == HELD_OUT:
        found.held_waiting += 1
    elif not is_over:
        found.waiting += 1
    elif arm == HELD_OUT:
        found.holdout.add(amounts)
    else:
        found.treatment.add(amounts)
        for text in texts:
            found.variants.setdefault(text, Arm()).add(amounts)


# --- what is read


def _parts(
    connection: Connection, entered: Entered, within: Callable[[datetime], datetime]
) -> Iterator["_Part"]:
    """All customers who entered, some of them at a time."""
    least, most = connection.execute(select(func.min(CUSTOMER.c.id), func.max(CUSTOMER.c.id))).one()
    some_merged = any_merged(connection)
    prepare(connection)
    for low in range(least, most + 1, CUSTOMERS) if least is not None else ():
        part = _Part(connection, entered, low, low + CUSTOMERS - 1, some_merged)
        if part.put_times(within):
            yield part


@dataclass(frozen=True, slots=True)
class _Part:
    """The customers with an id from `low` to `high`; a merged duplicate's entries are the survivor's."""

    connection: Connection
    entered: Entered
    low: int
    high: int
    some_merged: bool

    def put_times(self, within: Callable[[datetime], datetime]) -> bool:
        """Stage when the time of each entry ends; False if there is none."""
        times = self.connection.scalars(select(self._entries().c.at).distinct()).all()
        put_deadlines(self.connection, {at: within(at) for at in times})
        return bool(times)

    def customers(self) -> Iterator[tuple[int, Any]]:
        """Each customer with their first entry, `until` the end of its time."""
        first = self._firsts()
        columns = (first.c.who, first.c.arm, first.c.external_id, first.c.detail, first.c.until)
        for row in self.connection.execute(select(*columns)):
            yield row.who, row

    def bought(self, program: Program, now: datetime) -> dict[int, list[int]]:
        """What was paid in money for each purchase that stands and was made in time, by customer.

        Bonuses were worth what the program of that time says; `program` has a say where that cannot be read.
        """
        first = self._firsts()
        in_time = and_(
            RECEIPT.c.customer_id == first.c.who, RECEIPT.c.customer_id.between(self.low, self.high),
            made_since(first.c.at), RECEIPT.c.at <= first.c.until,
        )  # fmt: skip
        rows = (
            select(first.c.who, RECEIPT.c.total, RECEIPT.c.paid_points, RECEIPT.c.program_version)
            .join(RECEIPT, in_time)
            .where(first.c.until <= literal(now, UtcDateTime))
        )
        found: dict[int, list[int]] = {}
        rules: dict[int, Program] = {}
        for who, total, points, number in self.connection.execute(rows).all():
            paid = int(total)
            if points:
                if number not in rules:
                    rules[number] = self._program(number, program)
                paid -= rules[number].points_in_money(points)
            found.setdefault(who, []).append(paid)
        return found

    def _program(self, number: int, otherwise: Program) -> Program:
        with suppress(EnvironmentFault):
            return version(self.connection, number)
        return otherwise

    def texts(self, steps: Sequence[str]) -> dict[int, list[tuple[str, str]]]:
        """The text that each customer was drawn at each of these steps."""
        first = self._firsts()
        rows = (
            select(first.c.who, MESSAGE.c.step, MESSAGE.c.message)
            .join(MESSAGE, MESSAGE.c.enrolment_id == first.c.id)
            .where(MESSAGE.c.step.in_(steps))
        )
        found: dict[int, list[tuple[str, str]]] = {}
        for who, step, message in self.connection.execute(rows):
            found.setdefault(who, []).append((step, message))
        return found

    def _firsts(self) -> Subquery:
        """The first entry of each customer, `until` the end of its time."""
        entries = self._entries()
        place = func.row_number().over(partition_by=entries.c.who, order_by=(entries.c.at, entries.c.id))
        placed = select(entries, place.label("place")).subquery("placed")
        joined = select(placed, DEADLINE.c.until).join(DEADLINE, DEADLINE.c.at == placed.c.at)
        return joined.where(placed.c.place == 1).subquery("first")

    def _entries(self) -> Subquery:
        own = self._theirs(CUSTOMER.c.id) & CUSTOMER.c.merged_into.is_(None)
        if not self.some_merged:
            return self._entries_of(own, self._theirs).subquery("entry")
        duplicates = self._entries_of(self._theirs(CUSTOMER.c.merged_into), lambda _: true())
        return union_all(self._entries_of(own, self._theirs), duplicates).subquery("entry")

    def _theirs(self, customer_id: ColumnElement[int]) -> ColumnElement[bool]:
        return customer_id.between(self.low, self.high)

    def _entries_of(
        self, whose: ColumnElement[bool], among: Callable[[ColumnElement[int]], ColumnElement[bool]]
    ) -> Select[Any]:
        """`among` is said of each table: from `a = b` and a range of `a` PostgreSQL concludes none of `b`. It
        would read all customers and decisions for each part.
        """
        held = and_(
            DECISION.c.customer_id == ENROLMENT.c.customer_id, DECISION.c.scenario == ENROLMENT.c.scenario,
            DECISION.c.occasion == ENROLMENT.c.occasion, DECISION.c.verdict == HELD_OUT,
            ENROLMENT.c.arm == HELD_OUT, among(DECISION.c.customer_id),
        )  # fmt: skip
        columns = (ENROLMENT.c.id, ENROLMENT.c.at, ENROLMENT.c.arm, CUSTOMER.c.external_id, DECISION.c.detail)
        who = func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id).label("who")
        joined = ENROLMENT.join(CUSTOMER, CUSTOMER.c.id == ENROLMENT.c.customer_id).outerjoin(DECISION, held)
        rows = select(*columns, who).select_from(joined)
        return rows.where(self.entered.where, whose, among(ENROLMENT.c.customer_id))
