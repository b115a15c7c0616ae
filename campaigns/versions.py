"""Versions: what runs is what was applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from threading import Lock
from typing import Any

from sqlalchemy import Connection, and_, select, update

from campaigns import membership
from campaigns.bundle import Bundle, check
from campaigns.names import following
from campaigns.running import Running, make_ready
from campaigns.scenario import Scenario
from campaigns.tables import (
    BundleVersion,
    Decision,
    Enrolment,
    Feedback,
    Message,
    ScenarioRun,
    ScenarioState,
)
from campaigns.undone import Undone, recall, undone
from channels import discover as discover_channels
from core.db import Database, insert_ignoring, insert_many
from core.db.hot import Hot
from core.errors import EnvironmentFault, Problems, UserError
from core.events import CURSOR, horizon, move_cursor
from core.program.check import FILE as PROGRAM_FILE
from core.program.versions import begin
from core.source import load
from triggers import discover
from triggers.base import EventTrigger

VERSION = BundleVersion.__table__  # type: ignore[attr-defined]
STATE = ScenarioState.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did; `version` is unchanged if the files were live already.

    `undone` tells of each scenario that stopped what it left: its planned messages were recalled.
    """

    version: int
    changed: bool
    started: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    undone: Mapping[str, Undone] = field(default_factory=dict)


class Overtaken(UserError):
    """Somebody else was faster: what is live is no longer what these files were compared with."""

    def __init__(self, version: int, who: str, at: datetime) -> None:
        self.version, self.who, self.at = version, who, at
        super().__init__(
            f"{who} was faster and made version {version} live at {at:%Y-%m-%d %H:%M} UTC; nothing of yours "
            "was applied: look at `tidings diff` and apply again"
        )


# Asked with each request and each look.
_NEWEST = Hot(("MAX(version)", VERSION.c.version), tail=f"FROM {VERSION.name}")


def live_version(connection: Connection) -> int:
    """The version that runs; 0 before the first apply."""
    [(newest,)] = _NEWEST(connection)
    return newest or 0


class Live:
    """The applied bundles of a database, compiled once a version.

    Kept are the live one and those that somebody under way began with: whatever nobody asked for between two
    applies is let go. However many versions enrolments began with, none is read twice in a row of looks.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock, self._asking = Lock(), Lock()
        self._moments, self._asked_at = count(1), 0
        self._found: int | EnvironmentFault = 0
        self._newest = 0
        self._ready: dict[int, Running | Problems] = {}
        self._asked: set[int] = set()

    def running(self) -> Running:
        """What runs now; UserError if nothing was ever applied."""
        version = self._number()
        if not version:
            raise UserError("nothing is live yet; run `tidings apply` to make this workspace live")
        with self._lock:
            if version != self._newest:
                self._newest = version
                self._ready = {it: ready for it, ready in self._ready.items() if it in self._asked}
                self._asked = set()
        return self.of(version)

    def of(self, version: int) -> Running:
        """An earlier version, for enrolments that began with it; Problems if it cannot be read any more."""
        with self._lock:
            self._asked.add(version)
            if version not in self._ready:
                self._ready[version] = self._load(version)
            ready = self._ready[version]
        if isinstance(ready, Problems):
            raise ready
        return ready

    def _number(self) -> int:
        """The version that is live, asked once for everybody who comes while somebody asks."""
        came = next(self._moments)
        with self._asking:
            # What somebody began to ask before we came may be older than what we know of.
            if self._asked_at < came:
                begun, self._found = next(self._moments), self._ask()
                self._asked_at = begun
            found = self._found
        if isinstance(found, EnvironmentFault):
            raise found
        return found

    def _ask(self) -> int | EnvironmentFault:
        try:
            with self._database.glance() as connection:
                return live_version(connection)
        except EnvironmentFault as fault:
            return fault

    def _load(self, version: int) -> Running | Problems:
        with self._database.read() as connection:
            files = connection.scalar(select(VERSION.c.files).where(VERSION.c.version == version))
        try:
            return make_ready(Bundle.from_json(files or {}), version)
        except Problems as problems:
            return problems


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


@dataclass(frozen=True, slots=True)
class Leave:
    """With what right, and why, something is made live.

    `base` is the version that the files were compared with (None: whatever is live), `approved_by` who else
    agreed, `restores` the version whose files these are again.
    """

    base: int | None = None
    note: str | None = None
    approved_by: tuple[str, ...] = ()
    restores: int | None = None


def apply(
    connection: Connection, running: Running, who: str, at: datetime, leave: Leave | None = None
) -> Applied:
    """Make a checked bundle live as a new version, in the caller's write transaction.

    An event scenario that is new begins with what happens from now on. One that is gone stops at once.
    Overtaken if another version went live meanwhile; UserError where the live program asks for approvals
    that are not there.
    """
    leave = leave or Leave()
    newest = newest_row(connection)
    if newest and newest.digest == running.loaded.bundle.digest:
        return Applied(newest.version, changed=False)
    _allow(newest, leave)
    version = _keep(connection, running, who, at, leave, newest)
    running = following(connection, running)
    begin(connection, running.program, at)
    # In the order in which looks lock them.
    held = select(STATE).order_by(STATE.c.name).with_for_update()
    states = {state.name: state for state in connection.execute(held)}
    renamed = _rename(connection, running, states)
    gone = [it for it in states if it not in running.scenarios and states[it].status != "removed"]
    gone = sorted(name for name in gone if name not in renamed.values())
    left = _stop(connection, gone, at)
    # By the name that the state had: one that was removed may come back renamed.
    was = {it: states[old] for it in running.scenarios if (old := renamed.get(it, it)) in states}
    back = [name for name, state in was.items() if state.status == "removed"]
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
    other = begins_anew(running, Bundle.from_json(newest.files if newest else {}), renamed)
    _set(connection, other, began_at=at, looked_at=None)
    _skip_history(connection, [*new, *back, *other])
    membership.begin(connection, running, at)
    return Applied(version, True, tuple(sorted([*new, *back])), tuple(gone), left)


def newest_row(connection: Connection) -> Any:
    """The row of what is live; None before the first apply."""
    return connection.execute(select(VERSION).order_by(VERSION.c.version.desc()).limit(1)).first()


def approvals_needed(connection: Connection) -> int:
    """How many others must agree: what is live decides, so that nobody can switch it off alone."""
    return _needed(newest_row(connection))


def _needed(newest: Any) -> int:
    content = Bundle.from_json(newest.files).files.get(PROGRAM_FILE) if newest else None
    # Only this key: a program of an older release, whose other keys were different, still has its say.
    document = load(content.decode(), PROGRAM_FILE, []) if content else None
    asked = document.get(("apply", "approvals")) if document else None
    return asked if isinstance(asked, int) else 0


def _allow(newest: Any, leave: Leave) -> None:
    live = newest.version if newest else 0
    if leave.base is not None and newest and leave.base != live:
        raise Overtaken(live, newest.applied_by, newest.applied_at)
    needed = _needed(newest)
    if len(set(leave.approved_by)) < needed:
        people = "another person" if needed == 1 else f"{needed} other people"
        raise UserError(
            f"the live program asks for the approval of {people}; propose it with `tidings apply`"
        )


def _keep(connection: Connection, running: Running, who: str, at: datetime, leave: Leave, newest: Any) -> int:
    """The new row. Of two that come at once one finds the number taken, and hears by whom."""
    version = int(newest.version if newest else 0) + 1
    row = {
        "version": version,
        "digest": running.loaded.bundle.digest,
        "files": running.loaded.bundle.to_json(),
        "applied_at": at,
        "applied_by": who,
        "approved_by": list(leave.approved_by),
        "note": leave.note,
        "restores": leave.restores,
    }
    kept = insert_ignoring(connection, VERSION).values(**row).returning(VERSION.c.version)
    if connection.scalar(kept) is None:
        faster = newest_row(connection)
        raise Overtaken(faster.version, faster.applied_by, faster.applied_at)
    return version


def _stop(connection: Connection, gone: Sequence[str], at: datetime) -> dict[str, Undone]:
    left = undone(connection, gone)
    _set(connection, gone, status="removed")
    recall(connection, gone, at)
    return left


def begins_anew(running: Running, live: Bundle, renamed: Mapping[str, str]) -> list[str]:
    """Scenarios that now wait for something else than before: they too begin with what happens later.

    `renamed` is new name → old name.
    """
    checked = check(live, discover(), discover_channels()) if live.files else None
    # Applied by an older release whose language was another: nothing is known of it.
    before = checked.scenarios if checked and not checked.errors else {}
    found = []
    for scenario in running.scenarios.values():
        then = before.get(renamed.get(scenario.name, scenario.name))
        if then is not None and _waits_for(then) != _waits_for(scenario):
            found.append(scenario.name)
    return found


def _waits_for(scenario: Scenario) -> tuple[str, object]:
    """The trigger, with the event that it reads, the times of its calendar, or whose members it asks about:
    other events, times and changes of another segment are another scenario's.
    """
    trigger = discover()[scenario.trigger]
    if isinstance(trigger, EventTrigger):
        return scenario.trigger, trigger.event_of(scenario.parameters)
    if scenario.kind == "calendar":
        return scenario.trigger, scenario.parameters
    return scenario.trigger, membership.segment_of(scenario)


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
    models: tuple[Any, ...] = (Enrolment, Message, Decision, Feedback, ScenarioRun)
    for table in (model.__table__ for model in models):
        connection.execute(update(table).where(table.c.scenario == old).values(scenario=new))
    earlier = connection.scalar(select(STATE.c.earlier).where(STATE.c.name == old)) or []
    connection.execute(update(STATE).where(STATE.c.name == old).values(name=new, earlier=[*earlier, old]))
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


def pause(connection: Connection, scenario: str) -> Undone:
    """No look and no message of the scenario until it is resumed; returns what stays undone meanwhile.

    UserError for one that does not run.
    """
    _steer(connection, scenario, status="paused")
    return undone(connection, [scenario])[scenario]


def resume(connection: Connection, scenario: str, allowed: int | None = None) -> int | None:
    """Go on. `allowed` agrees to a look of so many customers that the blast guard stopped.

    Returns how many that look would have reached if it was stopped and `allowed` is less: unless fewer are
    due by then, the guard stops it again.
    """
    stopped = connection.scalar(select(STATE.c.held).where(STATE.c.name == scenario))
    _steer(connection, scenario, status="active", held=None, allowed=allowed)
    return stopped if stopped and (allowed or 0) < stopped else None


def _steer(connection: Connection, scenario: str, **values: object) -> None:
    """Not asked before: it may be removed or renamed while this waits for an apply to end."""
    runs = and_(STATE.c.name == scenario, STATE.c.status != "removed")
    if not connection.execute(update(STATE).where(runs).values(**values)).rowcount:
        known(connection, scenario)


def known(connection: Connection, scenario: str) -> None:
    """UserError for a scenario that does not run."""
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
