"""What a scenario is called, and was called before.

A renamed scenario goes on where it was: the same occasions, the same draws, the same structure for those who
are under way. Its state keeps every name that it had.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, select

from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.tables import ScenarioState
from core.errors import UserError

STATE = ScenarioState.__table__  # type: ignore[attr-defined]
_KNOWN = (
    select(STATE.c.name, STATE.c.earlier)
    .where(STATE.c.name.in_(bindparam("names", expanding=True)))
    .order_by(case((STATE.c.name == bindparam("name"), 0), else_=1))
    .limit(1)
)
_STATES = select(STATE.c.name, STATE.c.earlier, STATE.c.status).order_by(STATE.c.name)


def names_of(scenario: Scenario) -> tuple[str, ...]:
    """The scenario's name, and the one that it had before it was renamed."""
    return (scenario.name, scenario.formerly) if scenario.formerly else (scenario.name,)


def names_through_time(connection: Connection, scenario: Scenario) -> tuple[str, ...]:
    """Every name that it had, the first one first; files that say `formerly` may not be applied yet."""
    names = names_of(scenario)
    state = connection.execute(_KNOWN, {"name": scenario.name, "names": names}).first()
    had = (*(state.earlier or ()), state.name) if state else ()
    return tuple(dict.fromkeys((*had, *reversed(names))))


def as_called_then(connection: Connection, then: Running, name: str) -> Scenario | None:
    """The scenario of this name as earlier files have it, perhaps by another name; None if they have it not.

    A message keeps the version that spoke, and takes the new name of its scenario.
    """
    if name in then.scenarios:
        return then.scenarios[name]
    earlier = connection.scalar(select(STATE.c.earlier).where(STATE.c.name == name)) or ()
    return next((then.scenarios[it] for it in reversed(earlier) if it in then.scenarios), None)


def following(connection: Connection, running: Running) -> Running:
    """The same, where files take a name back that a live scenario had: it goes on there, as by `formerly`.

    So it is with older files that are brought back: they cannot name what they were called later. UserError
    for a scenario that says `formerly` and has a past of its own: two pasts cannot become one.
    """
    known = {row.name: row for row in connection.execute(_STATES)}
    for scenario in running.scenarios.values():
        _refuse_two_pasts(scenario, known)
    states = {name: row.earlier or () for name, row in known.items() if row.status != "removed"}
    taken = {it.formerly for it in running.scenarios.values()}
    fresh = running.scenarios.keys() - known.keys()
    fresh -= {it.name for it in running.scenarios.values() if it.formerly in states}
    follows: dict[str, Scenario] = {}
    for state, earlier in states.items():
        again = [name for name in reversed(earlier) if name in fresh - follows.keys()]
        if again and state not in running.scenarios and state not in taken:
            follows[again[0]] = replace(running.scenarios[again[0]], formerly=state)
    if not follows:
        return running
    return replace(running, loaded=replace(running.loaded, scenarios={**running.scenarios, **follows}))


def _refuse_two_pasts(scenario: Scenario, known: Mapping[str, Row[Any]]) -> None:
    own, old = known.get(scenario.name), known.get(scenario.formerly or "")
    if own is None or old is None or old.name in (own.earlier or ()):
        return
    # Of two that stand apart and stay as they are, the line says nothing.
    if own.status == "removed" or old.status != "removed":
        raise UserError(
            f"scenarios/{scenario.name}.yaml: formerly: '{scenario.name}' has a past of its own and cannot "
            f"follow '{old.name}'; give the file a name that no scenario had, or leave 'formerly' out"
        )
