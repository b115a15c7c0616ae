"""A tier that ends soon."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    select,
    values,
)

from core.db import UtcDateTime, days_between, facts
from core.program import Program
from core.tables import Receipt
from core.tiers.bought import measured
from core.tiers.periods import periods
from core.units import Days, Series, midnight
from triggers.base import CUSTOMER, PRESENT, Due, Fact, Kind, Look, Parameters, Trigger

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
DAY = timedelta(days=1)


class TierExpiringParameters(Parameters):
    """`ahead` is one span or a series."""

    ahead: Series[Days] = Field(
        description="how long before the tier's last day; a series has a step for each"
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """Days whose purchases alone carry a tier over a check, if they are enough.

    `until` is the day before the check, [start, end) the span and `last` its last day, `reached` the time
    before which a tier must have been reached to be looked at then. What is bought today belongs to the span
    that is `open`.
    """

    until: str
    last: str
    start: datetime
    end: datetime
    reached: datetime
    open: bool


class TierExpiring(Trigger[TierExpiringParameters]):
    """The customer's tier ends soon if they buy nothing more.

    The end is the last day before the check that the tier does not pass as things stand, grace included. A
    purchase that carries it further moves the end, which is then another occasion; tiers that were given by
    invitation have none. With a series each step is open from its day until the next begins; what still waits
    of an earlier step is recalled once the customer has entered a nearer one.
    """

    name: ClassVar[str] = "tier_expiring"
    kind: ClassVar[Kind] = "state"
    Parameters = TierExpiringParameters
    facts = {
        "tier": Fact("text", "the tier that ends"),
        "ends_on": Fact("date", "its last day, if nothing more is bought"),
        "days_left": Fact("number", "days from today to that day"),
        "to_keep": Fact(
            "number",
            "what must be bought to keep it, as the program measures: money, bonuses, purchases",
        ),
        "keep_by": Fact(
            "date", "the last day on which buying that keeps it; none while it would not count for it"
        ),
    }

    def candidates(self, parameters: TierExpiringParameters, look: Look) -> Select[Any]:
        """Whose tier does not pass one of the next checks."""
        series = _series(parameters)
        ends = _ends(look, series[0], None)
        left = days_between(literal(str(look.today)), ends.c.until)
        occasion: ColumnElement[str] = ends.c.until
        if len(series) > 1:
            # The open step is the nearest one whose day has come.
            occasion += " / " + case(*((left <= days, f"{days} days") for days in reversed(series)))
        return (
            select(
                ends.c.customer_id, occasion.label("occasion"), ends.c.until.label("subject"),
                look.zones.c.fired_at.label("at"), _facts(ends, look).label("facts"),
            )
            .join(CUSTOMER, CUSTOMER.c.id == ends.c.customer_id)
            .join(look.zones, look.zone_of(CUSTOMER))
        )  # fmt: skip

    def perhaps(self, parameters: TierExpiringParameters, look: Look) -> Sequence[Select[Any]]:
        """Everybody with a tier that purchases have to carry."""
        return (select(CUSTOMER.c.id).where(PRESENT, _by_purchases(look.program)),)

    def still_true(self, parameters: TierExpiringParameters, look: Look, due: Due) -> Select[Any]:
        """The tier still ends on that day, which is not over, and no nearer step was entered."""
        series = _series(parameters)
        ends = _ends(look, series[0], select(due.c.customer_id))
        same = and_(ends.c.customer_id == due.c.customer_id, ends.c.until == due.c.subject)
        newest = look.is_newest(due, [due.c.subject + f" / {days} days" for days in series])
        return select(due.c.id, _facts(ends, look).label("facts")).join(ends, same).where(newest)

    def read(self, stored: Mapping[str, Any], program: Program, at: datetime) -> dict[str, Any]:
        """What is to be bought, in whole units of the program's measure."""
        found = super().read(stored, program, at)
        amount = found["to_keep"]
        # None: facts that were kept for another trigger, which the scenario had before.
        return {**found, "to_keep": None if amount is None else program.in_whole(amount)}


def _series(parameters: TierExpiringParameters) -> list[int]:
    """Its spans in days, the longest first."""
    return sorted({span.days for span in parameters.ahead}, reverse=True)


def _ends(look: Look, ahead: int, among: Select[Any] | None) -> FromClause:
    """Whose tier ends within so many days (customer_id, tier, until, to_keep, keep_by)."""
    program = look.program
    found = list(_spans(program, look.today, ahead))
    spans = _table(found)
    here, need = spans.alias("here"), _by_tier(program, program.tier_amount)
    carried = exists().where(here.c.until == spans.c.until, _bought(look, here) >= need)
    falling = (
        select(CUSTOMER.c.id.label("customer_id"), CUSTOMER.c.tier, spans.c.until,
               (need - _bought(look, spans)).label("to_keep"),
               case((spans.c.start <= literal(look.at, UtcDateTime), spans.c.last)).label("keep_by"),
               func.row_number().over(partition_by=CUSTOMER.c.id, order_by=spans.c.until).label("place"))
        .join(spans, and_(CUSTOMER.c.tier_since < spans.c.reached, spans.c.open))
        .where(PRESENT, _by_purchases(program), ~carried, look.about(CUSTOMER.c.id))
    )  # fmt: skip
    if not program.tiers.over.calendar:
        # Counted back from a later check there is only less: most pass the last one, and so all of them.
        falling = falling.where(_bought(look, _table(found[-1:], "last")) < need)
    if among is not None:
        falling = falling.where(CUSTOMER.c.id.in_(among))
    each = falling.subquery("falling")
    # A tier that is over already waits for the review that takes it away.
    columns = (each.c.customer_id, each.c.tier, each.c.until, each.c.to_keep, each.c.keep_by)
    first = select(*columns).where(each.c.place == 1, each.c.until >= str(look.today))
    return first.subquery("ends")


def _by_purchases(program: Program) -> ColumnElement[bool]:
    """A tier above the lowest, and above the one at which an invitation holds the customer."""
    rank = _by_tier(program, lambda level: program.rank(level.name))
    floor = case(
        {it.name: i for i, it in enumerate(program.tiers.levels)}, value=CUSTOMER.c.invited_to, else_=0
    )
    return and_(CUSTOMER.c.tier.in_(program.tier_names[1:]), rank > floor)


def _by_tier(program: Program, told: Any) -> ColumnElement[Any]:
    levels = {level.name: literal(told(level), BigInteger()) for level in program.tiers.levels}
    return case(levels, value=CUSTOMER.c.tier, else_=0)


def _bought(look: Look, span: FromClause) -> ColumnElement[Any]:
    """How much of the measure a customer bought in a span, until now."""
    rows = select(measured(look.program)).where(
        RECEIPT.c.customer_id == CUSTOMER.c.id, RECEIPT.c.returned_at.is_(None),
        RECEIPT.c.at >= span.c.start, RECEIPT.c.at < span.c.end,
        RECEIPT.c.at <= literal(look.at, UtcDateTime),
    )  # fmt: skip
    return rows.correlate_except(RECEIPT).scalar_subquery()


def _spans(program: Program, today: date, ahead: int) -> Iterator[_Span]:
    """The spans of every check whose tiers end within so many days, and of the last one that is over."""
    rules = periods(program)
    days = (today + timedelta(days=number) for number in range(ahead + 2))
    for check in sorted({rules.last_check(day) for day in days}):
        found = list(_spans_of(program, check))
        first_open = next((end for _, end in found if end > today), check)
        for start, end in found:
            yield _Span(
                str(check - DAY), str(end - DAY), midnight(start, program.zone), midnight(end, program.zone),
                midnight(rules.reached_before(check), program.zone), end == first_open,
            )  # fmt: skip


def _spans_of(program: Program, check: date) -> Iterator[tuple[date, date]]:
    """The period that a check is about, and those of the calendar that have begun since."""
    rules, grace = periods(program), timedelta(days=program.tiers.grace.days)
    start, end = rules.span(check)
    yield start, end
    while end < check:
        start, end = end, min(rules.first_check(end) - grace, check)
        yield start, end


def _table(spans: list[_Span], name: str = "span") -> FromClause:
    columns = (
        column("until", String), column("last", String), column("start", UtcDateTime),
        column("end", UtcDateTime), column("reached", UtcDateTime), column("open", Boolean),
    )  # fmt: skip
    return values(*columns, name=name).data([astuple(span) for span in spans]).cte(name)


def _facts(ends: FromClause, look: Look) -> ColumnElement[Any]:
    left = days_between(literal(str(look.today)), ends.c.until)
    return facts(
        tier=ends.c.tier, ends_on=ends.c.until, days_left=left, to_keep=ends.c.to_keep, keep_by=ends.c.keep_by
    )


TRIGGER = TierExpiring()
