"""A little that is missing to the next tier."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    func,
    literal,
    null,
    select,
)
from sqlalchemy import cast as sql_cast

from core.db import UtcDateTime, days_between, facts
from core.program import Program
from core.program.tiers import BEYOND, Level
from core.tables import CustomerStats, Receipt
from core.tiers.bought import measured
from core.tiers.periods import period_began, periods
from triggers.base import CUSTOMER, PRESENT, Due, Fact, Kind, Look, Parameters, Trigger, utc_text
from triggers.marks import OfTiers

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]


class TierNearParameters(Parameters):
    """How little is left."""

    missing: OfTiers = Field(
        gt=0,
        description="at most so much is left to the next tier: money, bonuses or purchases, as the program "
        "measures its tiers",
    )


class TierNear(Trigger[TierNearParameters]):
    """The customer is almost at the next tier.

    The occasion is the tier aimed at and the period: that of the calendar, or where tiers are measured over
    so many days back, one such length of time after another from the registration. It is worked out from the
    receipts each time, so that one which arrives late, or a return, counts from the look that follows it.
    """

    name: ClassVar[str] = "tier_near"
    kind: ClassVar[Kind] = "state"
    Parameters = TierNearParameters
    facts = {
        "tier": Fact("text", "the tier that the customer has"),
        "next_tier": Fact("text", "the tier aimed at"),
        "missing": Fact("number", "what is left to it, as the program measures: money, bonuses, purchases"),
        "have": Fact("number", "what counts towards it already"),
        "period_ends_on": Fact(
            "date", "the last day of the calendar's period; none where so many days back are measured"
        ),
    }

    def candidates(self, parameters: TierNearParameters, look: Look) -> Select[Any]:
        """Everybody below the highest tier for whom so little is left."""
        near = _near(parameters, look, None)
        return (
            select(
                near.c.customer_id, near.c.occasion, near.c.next_tier.label("subject"),
                look.zones.c.fired_at.label("at"), _facts(near, look).label("facts"),
            )
            .join(CUSTOMER, CUSTOMER.c.id == near.c.customer_id)
            .join(look.zones, look.zone_of(CUSTOMER))
        )  # fmt: skip

    def perhaps(self, parameters: TierNearParameters, look: Look) -> Sequence[Select[Any]]:
        """Whoever has ever bought enough for the lowest tier to reach, then for their own."""
        program = look.program
        lowest = _enough_for_any(program, program.measured(parameters.missing))
        anybody = [select(STATS.c.customer_id).where(lowest)] if lowest is not None else []
        return (*anybody, _below(parameters, look))

    def still_true(self, parameters: TierNearParameters, look: Look, due: Due) -> Select[Any]:
        """The same tier is aimed at, and as little is left to it."""
        near = _near(parameters, look, select(due.c.customer_id))
        same = and_(near.c.customer_id == due.c.customer_id, near.c.next_tier == due.c.subject)
        return select(due.c.id, _facts(near, look).label("facts")).join(near, same)

    def read(self, stored: Mapping[str, Any], program: Program, at: datetime) -> dict[str, Any]:
        """Amounts in whole units of the program's measure."""
        values = super().read(stored, program, at)
        amounts = {name: values[name] for name in ("missing", "have")}
        # None: facts that were kept for another trigger, which the scenario had before.
        return values | {name: it if it is None else program.in_whole(it) for name, it in amounts.items()}


def _near(parameters: TierNearParameters, look: Look, among: Select[Any] | None) -> FromClause:
    """Who is near (customer_id, occasion, tier, next_tier, have, missing)."""
    program, limit = look.program, look.program.measured(parameters.missing)
    below = _below(parameters, look)
    if among is None:
        # Who has entered is left out before any receipt is read.
        below = below.where(look.about(CUSTOMER.c.id), look.is_new(CUSTOMER.c.id, _occasion(look)))
    else:
        below = below.where(CUSTOMER.c.id.in_(among))
    # First who comes into question, then what they bought, once: in one, each receipt would be read thrice.
    some = below.cte("below").prefix_with("MATERIALIZED")
    bought = select(measured(program)).where(
        RECEIPT.c.customer_id == some.c.customer_id, RECEIPT.c.returned_at.is_(None),
        RECEIPT.c.at >= literal(period_began(program, look.at), UtcDateTime),
        RECEIPT.c.at <= literal(look.at, UtcDateTime),
    ).correlate_except(RECEIPT)  # fmt: skip
    way = select(*some.c, bought.scalar_subquery().label("have")).cte("way").prefix_with("MATERIALIZED")
    missing = way.c.goal - way.c.have
    return (
        select(way.c.customer_id, way.c.occasion, way.c.tier, way.c.next_tier, way.c.have,
               missing.label("missing"))
        .where(missing > 0, missing <= limit)
        .subquery("near")
    )  # fmt: skip


def _below(parameters: TierNearParameters, look: Look) -> Select[Any]:
    """Who has a tier above them, and has ever bought enough for it (customer_id, occasion, tier, next_tier,
    goal).
    """
    program, limit = look.program, look.program.measured(parameters.missing)
    goal = _by_tier(program, program.tier_amount, BigInteger())
    theirs = and_(STATS.c.customer_id == CUSTOMER.c.id, look.about(STATS.c.customer_id))
    below = select(
        CUSTOMER.c.id.label("customer_id"), _occasion(look).label("occasion"), CUSTOMER.c.tier,
        _by_tier(program, attrgetter("name"), String()).label("next_tier"), goal.label("goal"),
    ).select_from(CUSTOMER.outerjoin(STATS, theirs))  # fmt: skip
    return below.where(PRESENT, goal.is_not(None), *_ever_enough(program, goal, limit))


def _by_tier(program: Program, told: Callable[[Level], Any], kind: Any) -> ColumnElement[Any]:
    """What is told of the level above the customer's own; NULL at the top, and where it is given by hand."""
    levels = program.tiers.levels
    above = {
        level.name: literal(told(following), kind)
        for level, following in pairwise(levels)
        if program.tier_amount(following) < BEYOND
    }
    # Of a level that the program no longer has the review makes another one; until then nobody is near.
    return case(above, value=CUSTOMER.c.tier, else_=null()) if above else sql_cast(null(), kind)


def _ever_enough(program: Program, goal: ColumnElement[Any], limit: int) -> list[ColumnElement[bool]]:
    """Whether all that was ever bought would do: kept statistics spare the receipts of everybody else."""
    kept = _kept(program)
    if kept is None:
        return []
    # Who is not even near the lowest tier is sorted out by the statistics alone.
    lowest = _enough_for_any(program, limit)
    return [func.coalesce(kept, 0) >= goal - limit, *([lowest] if lowest is not None else [])]


def _enough_for_any(program: Program, limit: int) -> ColumnElement[bool] | None:
    """Whether the kept statistics would do for the lowest tier above the first; None if they cannot tell."""
    kept = _kept(program)
    lowest = min((program.tier_amount(level) for level in program.tiers.levels[1:]), default=0) - limit
    return kept >= lowest if kept is not None and lowest > 0 else None


def _kept(program: Program) -> ColumnElement[int] | None:
    """What was ever bought, as the program measures; None where nobody keeps that."""
    return {"spend": STATS.c.spent, "purchases": STATS.c.purchases}.get(program.tiers.measure)


def _occasion(look: Look) -> ColumnElement[str]:
    program = look.program
    aim = _by_tier(program, attrgetter("name"), String())
    if program.tiers.over.calendar:
        opening = period_began(program, look.at).astimezone(program.zone).date()
        return aim + literal(f" / {opening}")
    joined = func.substr(utc_text(CUSTOMER.c.registered_at), 1, 10)
    period = days_between(joined, literal(str(look.today))) // literal(program.tiers.over.days)
    return aim + " / period " + sql_cast(period + 1, String)


def _facts(near: FromClause, look: Look) -> ColumnElement[Any]:
    return facts(
        tier=near.c.tier, next_tier=near.c.next_tier, missing=near.c.missing, have=near.c.have,
        period_ends_on=sql_cast(literal(_ends_on(look)), String),
    )  # fmt: skip


def _ends_on(look: Look) -> str | None:
    program = look.program
    if not program.tiers.over.calendar:
        return None
    check = periods(program).first_check(look.today) - timedelta(days=program.tiers.grace.days)
    return str(check - timedelta(days=1))


TRIGGER = TierNear()
