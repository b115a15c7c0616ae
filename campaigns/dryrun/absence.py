"""Why somebody is not even a candidate: what the trigger waits for, and what they have."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, literal, select

from campaigns.dryrun.forecast import Evidence
from campaigns.dryrun.words import Words
from campaigns.look import zone_info
from campaigns.running import Running
from campaigns.scenario import Scenario
from core.db import UtcDateTime
from core.ledger.reading import OPEN
from core.schedule import times_between
from core.tables import Customer, CustomerStats, Lot
from triggers import discover

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]
NEXT_STROKE = timedelta(days=32)


def why_absent(
    connection: Connection, running: Running, scenario: Scenario, customer: str, at: datetime
) -> list[Evidence]:
    """What is said of a customer for whom nothing is due; empty if there is nobody of this external id."""
    person = connection.execute(select(CUSTOMER).where(CUSTOMER.c.external_id == customer)).first()
    if person is None:
        return []
    words = Words(running.program)
    about = (discover()[scenario.trigger].__doc__ or scenario.trigger).split("\n")[0].rstrip(".")
    said = f"not due; it waits for this: {about[:1].lower()}{about[1:]}"
    found = [Evidence("not_due", said, {"trigger": scenario.trigger})]
    if scenario.schedule is not None:
        found += _next(words, running, scenario, person.time_zone, at)
    return [*found, *_has(connection, words, person.id, at)]


def _next(
    words: Words, running: Running, scenario: Scenario, zone: str | None, at: datetime
) -> list[Evidence]:
    local = zone_info(running.program, zone)
    assert scenario.schedule is not None
    ahead = times_between(scenario.schedule, at, at + NEXT_STROKE, local)
    if not ahead:
        return []
    said = f"the next look at them is on {words.moment(ahead[0], local)} ({local.key})"
    return [Evidence("schedule", said, {"at": ahead[0].isoformat()})]


def _has(connection: Connection, words: Words, customer_id: int, at: datetime) -> list[Evidence]:
    """Their bonuses that end, and their last purchase: what most triggers look at."""
    found = []
    ends = select(LOT.c.expires_on, func.sum(LOT.c.remaining)).where(
        LOT.c.customer_id == customer_id, *OPEN, LOT.c.expires_at > literal(at, UtcDateTime)
    )
    ends = ends.group_by(LOT.c.expires_on).order_by(LOT.c.expires_on).limit(3)
    for day, amount in connection.execute(ends):
        said = f"{words.points(int(amount))} expire on {words.day(day)}"
        found.append(Evidence("lots", said, {"expires_on": day.isoformat()}))
    last = connection.scalar(select(STATS.c.last_purchase_at).where(STATS.c.customer_id == customer_id))
    if last is not None:
        found.append(Evidence("purchase", f"last bought on {words.moment(last)}", {"at": last.isoformat()}))
    return found
