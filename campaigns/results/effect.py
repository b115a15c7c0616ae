"""What a scenario changed: customers who could be told, against those who were held out.

Compared are all who entered, told or not (intention to treat): the draw comes after the gates of reaching,
so both arms are alike, while those who were really told are chosen by what came after. A customer counts
once, in the arm of their first entry, with what they bought within the time after any of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, select

from campaigns.gates.holdout import OF_ALL_MARKETING, is_drawn
from campaigns.results.entered import ENROLMENT, Entered
from campaigns.results.funnel import DECISION, MESSAGE
from campaigns.results.intervals import Amounts, Interval, difference_of_means, difference_of_rates, rate
from core.db import UtcDateTime
from core.db.sets import among
from core.program import Program
from core.tables import Customer, Receipt

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
# Customers whose entries and receipts are read at a time, by their ids: what memory holds.
CUSTOMERS = 20_000
TIMES_KEPT = 65_536

HELD_OUT, HELD_OUT_OF_ALL = "holdout", "holdout of all marketing"
TREATMENT = "treatment"
# From when on until when a purchase counts, the end among them.
Window = tuple[datetime, datetime]


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
    ends = lru_cache(TIMES_KEPT)(within)
    for entries in _chunks(connection, entered):
        windows: dict[int, list[Window]] = {}
        arms: dict[int, str] = {}
        for customer, rows in groupby(entries, attrgetter("who")):
            own = list(rows)
            arms[customer] = _arm(program, own[0])
            windows[customer] = [(it.at, ends(it.at)) for it in own if ends(it.at) <= now]
        bought = _bought(connection, program, windows)
        texts = _texts(connection, entries, steps) if steps else {}
        for customer, times in windows.items():
            _add(found, arms[customer], bool(times), bought.get(customer, ()), texts.get(customer, ()))
    return found


def effect_of_all(connection: Connection, program: Program, entered: Entered, now: datetime) -> Effect:
    """What all marketing changed: from a customer's first entry on, against whom the program holds out.

    `entered` names every scenario of marketing; who is held out of one of them alone hears from the others.
    """
    found = Effect()
    for entries in _chunks(connection, entered):
        first = {customer: next(rows) for customer, rows in groupby(entries, attrgetter("who"))}
        bought = _bought(connection, program, {customer: [(it.at, now)] for customer, it in first.items()})
        for customer, entry in first.items():
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


def _chunks(connection: Connection, entered: Entered) -> Iterator[Sequence[Any]]:
    """The entries by customer and time, those of some customers at once.

    A merged duplicate's are the survivor's, as its purchases are.
    """
    least, most = connection.execute(select(func.min(CUSTOMER.c.id), func.max(CUSTOMER.c.id))).one()
    if least is None:
        return
    merged = connection.scalar(select(CUSTOMER.c.id).where(CUSTOMER.c.merged_into.is_not(None)).limit(1))
    for low in range(least, most + 1, CUSTOMERS):
        high = low + CUSTOMERS - 1
        own = and_(ENROLMENT.c.customer_id.between(low, high), CUSTOMER.c.merged_into.is_(None))
        found = list(connection.execute(_entries(entered, own)))
        if merged is not None:
            found += connection.execute(_entries(entered, CUSTOMER.c.merged_into.between(low, high)))
        if found:
            yield sorted(found, key=attrgetter("who", "at", "id"))


def _entries(entered: Entered, whose: ColumnElement[bool]) -> Select[Any]:
    held = and_(
        DECISION.c.customer_id == ENROLMENT.c.customer_id, DECISION.c.scenario == ENROLMENT.c.scenario,
        DECISION.c.occasion == ENROLMENT.c.occasion, DECISION.c.verdict == HELD_OUT,
    )  # fmt: skip
    columns = (ENROLMENT.c.id, ENROLMENT.c.at, ENROLMENT.c.arm, CUSTOMER.c.external_id, DECISION.c.detail)
    who = func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id).label("who")
    joined = ENROLMENT.join(CUSTOMER, CUSTOMER.c.id == ENROLMENT.c.customer_id).outerjoin(DECISION, held)
    return select(*columns, who).select_from(joined).where(entered.where, whose)


def _bought(
    connection: Connection, program: Program, windows: Mapping[int, Sequence[Window]]
) -> dict[int, list[int]]:
    """What was paid in money for each purchase that stands and was made in time, by customer."""
    times = [it for own in windows.values() for it in own]
    if not times:
        return {}
    first, last = min(start for start, _ in times), max(end for _, end in times)
    columns = (RECEIPT.c.customer_id, RECEIPT.c.at, RECEIPT.c.total, RECEIPT.c.paid_points)
    rows = select(*columns).where(
        among(RECEIPT.c.customer_id, [customer for customer, own in windows.items() if own]),
        RECEIPT.c.returned_at.is_(None),
        RECEIPT.c.at > literal(first, UtcDateTime), RECEIPT.c.at <= literal(last, UtcDateTime),
    )  # fmt: skip
    found: dict[int, list[int]] = {}
    for customer, at, total, points in connection.execute(rows):
        if any(start < at <= end for start, end in windows[customer]):
            paid = total - (program.points_in_money(points) if points else 0)
            found.setdefault(customer, []).append(int(paid))
    return found


def _texts(
    connection: Connection, entries: Sequence[Any], steps: Sequence[str]
) -> dict[int, list[tuple[str, str]]]:
    """The first text that each customer was drawn at each of these steps."""
    whose = {it.id: it.who for it in entries}
    rows = (
        select(MESSAGE.c.enrolment_id, MESSAGE.c.step, MESSAGE.c.message)
        .where(among(MESSAGE.c.enrolment_id, list(whose)), MESSAGE.c.step.in_(steps))
        .order_by(MESSAGE.c.planned_at, MESSAGE.c.id)
    )
    found: dict[int, dict[str, str]] = {}
    for enrolment, step, message in connection.execute(rows):
        found.setdefault(whose[enrolment], {}).setdefault(step, message)
    return {customer: list(texts.items()) for customer, texts in found.items()}
