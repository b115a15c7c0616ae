"""What a scenario is called, and was called before.

A renamed scenario goes on where it was: the same occasions, the same draws, the same structure for those who
are under way. Its state keeps every name that it had.
"""

from sqlalchemy import Connection, bindparam, case, select

from campaigns.scenario import Scenario
from campaigns.tables import ScenarioState

STATE = ScenarioState.__table__  # type: ignore[attr-defined]
_KNOWN = (
    select(STATE.c.name, STATE.c.earlier)
    .where(STATE.c.name.in_(bindparam("names", expanding=True)))
    .order_by(case((STATE.c.name == bindparam("name"), 0), else_=1))
    .limit(1)
)


def names_of(scenario: Scenario) -> tuple[str, ...]:
    """The scenario's name, and the one that it had before it was renamed."""
    return (scenario.name, scenario.formerly) if scenario.formerly else (scenario.name,)


def names_through_time(connection: Connection, scenario: Scenario) -> tuple[str, ...]:
    """Every name that it had, the first one first; files that say `formerly` may not be applied yet."""
    names = names_of(scenario)
    state = connection.execute(_KNOWN, {"name": scenario.name, "names": names}).first()
    had = (*(state.earlier or ()), state.name) if state else ()
    return tuple(dict.fromkeys((*had, *reversed(names))))
