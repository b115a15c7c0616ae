"""Versions: what runs is what was applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, func, select, update

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from campaigns.tables import BundleVersion, Decision, Enrolment, Message, ScenarioRun, ScenarioState
from core.db import Database, insert_many
from core.errors import Problems, UserError
from core.events import CURSOR, horizon, move_cursor
from core.program.versions import begin

VERSION = BundleVersion.__table__  # type: ignore[attr-defined]
STATE = ScenarioState.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did; `version` is unchanged if the files were live already."""

    version: int
    changed: bool
    started: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


def live_version(connection: Connection) -> int:
    """The version that runs; 0 before the first apply."""
    return connection.scalar(select(func.max(VERSION.c.version))) or 0


class Live:
    """The applied bundles of a database, compiled once a version."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = lru_cache(maxsize=8)(self._load)

    def running(self) -> Running:
        """What runs now; UserError if nothing was ever applied."""
        with self._database.read() as connection:
            version = live_version(connection)
        if not version:
            raise UserError("nothing is live yet; run `tidings apply` to make this workspace live")
        return self._read(version)

    def of(self, version: int) -> Running:
        """An earlier version, for enrolments that began with it."""
        return self._read(version)

    def _load(self, version: int) -> Running:
        with self._database.read() as connection:
            files = connection.scalar(select(VERSION.c.files).where(VERSION.c.version == version))
        return make_ready(Bundle.from_json(files or {}), version)


class Stored:
    """The applied bundles as one snapshot has them; `running` stands for any version with the same files."""

    def __init__(self, connection: Connection, running: Running) -> None:
        self._connection, self._running = connection, running
        self._read: dict[int, Running] = {}

    def of(self, version: int) -> Running:
        """The bundle of a version."""
        if version not in self._read:
            row = self._connection.execute(select(VERSION).where(VERSION.c.version == version)).one()
            same = row.digest == self._running.loaded.bundle.digest
            self._read[version] = self._running if same else make_ready(Bundle.from_json(row.files), version)
        return self._read[version]


def apply(connection: Connection, running: Running, who: str, at: datetime) -> Applied:
    """Make a checked bundle live as a new version, in the caller's write transaction.

    An event scenario that is new begins with what happens from now on. One that is gone stops at once.
    """
    newest = connection.execute(select(VERSION).order_by(VERSION.c.version.desc()).limit(1)).first()
    digest = running.loaded.bundle.digest
    if newest and newest.digest == digest:
        return Applied(newest.version, changed=False)
    version = (newest.version if newest else 0) + 1
    row = {
        "version": version,
        "digest": digest,
        "files": running.loaded.bundle.to_json(),
        "applied_at": at,
        "applied_by": who,
    }
    insert_many(connection, VERSION, [row])
    begin(connection, running.program, at)
    states = {state.name: state for state in connection.execute(select(STATE).with_for_update())}
    renamed = _rename(connection, running, states)
    gone = [it for it in states if it not in running.scenarios and states[it].status != "removed"]
    gone = [name for name in gone if name not in renamed.values()]
    _set(connection, gone, status="removed")
    back = [it for it in running.scenarios if it in states and states[it].status == "removed"]
    # What happened while it was away is not made up for.
    _set(
        connection,
        back,
        status="active",
        version=version,
        began_at=at,
        looked_at=None,
        held=None,
        allowed=None,
    )
    new = [name for name in running.scenarios if name not in states and name not in renamed]
    _start(connection, new, version, at)
    other = _other_trigger(running, newest.files if newest else {}, renamed)
    _skip_history(connection, [*new, *back, *other])
    return Applied(version, changed=True, started=tuple(sorted([*new, *back])), stopped=tuple(sorted(gone)))


def _other_trigger(running: Running, files: Mapping[str, str], renamed: Mapping[str, str]) -> list[str]:
    """Scenarios that now wait for something else than before: they too begin with what happens later."""
    try:
        before = make_ready(Bundle.from_json(files)).scenarios if files else {}
    except Problems:
        # Applied by an older release whose language was another: nothing is known of it.
        before = {}
    found = []
    for scenario in running.scenarios.values():
        then = before.get(renamed.get(scenario.name, scenario.name))
        if then is not None and then.trigger != scenario.trigger:
            found.append(scenario.name)
    return found


def _rename(connection: Connection, running: Running, states: Mapping[str, Any]) -> dict[str, str]:
    """New name → old name of scenarios that say `formerly`; they go on where they were."""
    renamed = {}
    for scenario in running.scenarios.values():
        old = scenario.formerly
        if old and old in states and scenario.name not in states:
            _rename_everywhere(connection, old, scenario.name)
            renamed[scenario.name] = old
    return renamed


def _rename_everywhere(connection: Connection, old: str, new: str) -> None:
    models: tuple[Any, ...] = (Enrolment, Message, Decision, ScenarioRun)
    for table in (model.__table__ for model in models):
        connection.execute(update(table).where(table.c.scenario == old).values(scenario=new))
    connection.execute(update(STATE).where(STATE.c.name == old).values(name=new))
    reader = update(CURSOR).where(CURSOR.c.reader == reader_of(old))
    connection.execute(reader.values(reader=reader_of(new)))


def _start(connection: Connection, names: Sequence[str], version: int, at: datetime) -> None:
    rows = [{"name": name, "status": "active", "version": version, "began_at": at} for name in sorted(names)]
    insert_many(connection, STATE, rows)


def _skip_history(connection: Connection, names: Sequence[str]) -> None:
    here = horizon(connection)
    for name in names:
        move_cursor(connection, reader_of(name), here)


def _set(connection: Connection, names: Sequence[str], **values: object) -> None:
    if names:
        connection.execute(update(STATE).where(STATE.c.name.in_(names)).values(**values))


def since_of(state: Any) -> datetime:
    """The last look; a scenario that was applied on the very stroke of its schedule looks at once."""
    looked_at: datetime | None = state.looked_at
    began_at: datetime = state.began_at
    return looked_at or began_at - timedelta(microseconds=1)


def reader_of(scenario: str) -> str:
    """Under which name a scenario reads the events."""
    return f"scenario:{scenario}"


def pause(connection: Connection, scenario: str) -> None:
    """No look and no message of the scenario until it is resumed. UserError for one that does not run."""
    _known(connection, scenario)
    _set(connection, [scenario], status="paused")


def resume(connection: Connection, scenario: str, allowed: int | None = None) -> None:
    """Go on. `allowed` agrees to a look of so many customers that the blast guard stopped."""
    _known(connection, scenario)
    _set(connection, [scenario], status="active", held=None, allowed=allowed)


def _known(connection: Connection, scenario: str) -> None:
    names = connection.scalars(
        select(STATE.c.name).where(STATE.c.status != "removed").order_by(STATE.c.name)
    ).all()
    if scenario not in names:
        known = f"live are {', '.join(names)}" if names else "nothing is live yet; run `tidings apply`"
        raise UserError(f"there is no live scenario '{scenario}'; {known}")


def held(connection: Connection) -> dict[str, int]:
    """Scenarios that the blast guard stopped, with how many customers their look would have reached."""
    rows = connection.execute(select(STATE.c.name, STATE.c.held).where(STATE.c.status == "held"))
    return {name: count or 0 for name, count in rows}
