"""What a scenario is called, and was called before.

A renamed scenario goes on where it was: the same occasions, the same draws, the same structure for those who
are under way. Its state keeps every name that it had.
"""

from sqlalchemy import Connection, case, select

from campaigns.scenario import Scenario
from campaigns.tables import ScenarioState

STATE = ScenarioState.__table__  # type: ignore[attr-defined]


def names_of(scenario: Scenario) -> tuple[str, ...]:
    """The scenario's name, and the one that it had before it was renamed."""
    return (scenario.name, scenario.formerly) if scenario.formerly else (scenario.name,)


def names_through_time(connection: Connection, scenario: Scenario) -> tuple[str, ...]:
    """Every name that it had, the first one first; files that say `formerly` may not be applied yet."""
    names = names_of(scenario)
    known = select(STATE.c.name, STATE.c.earlier).where(STATE.c.name.in_(names))
    known = known.order_by(case((STATE.c.name == scenario.name, 0), else_=1))
    state = connection.execute(known.limit(1)).first()
    had = (*(state.earlier or ()), state.name) if state else ()
    return tuple(dict.fromkeys((*had, *reversed(names))))
