"""What differs between two bundles, in words: file by file, key by key, and whom it concerns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from campaigns.audience import Segment, walk
from campaigns.bundle import Bundle
from campaigns.changes import Change, compared, first_looks
from campaigns.checks.over import is_over
from campaigns.membership import segment_of
from campaigns.names import following
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.undone import Undone, undone
from campaigns.versions import STATE, begins_anew
from core.program.check import FILE as PROGRAM_FILE
from core.source import Document, dotted, load

# The keys by which the members of a list know each other.
NAMED_BY = ("id", "rule", "name", "message")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Differs:
    """One file: what becomes of it, in words and as a unified diff (empty for pictures)."""

    file: str
    kind: str
    says: tuple[str, ...]
    diff: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"file": self.file, "change": self.kind, "says": list(self.says), "diff": self.diff}


@dataclass(frozen=True, slots=True)
class Concerned:
    """One scenario that a change concerns, and how many customers.

    `change` is new, changed, renamed, back or removed; `first_look` how many a look now would reach (None
    where none comes by itself: events, pauses, removals); `left` who is under way. `stops` tells that the
    first look is more than the program lets go without asking, `over` that a campaign's time has passed.
    """

    scenario: str
    change: str
    kind: str
    first_look: int | None
    left: Undone
    stops: bool = False
    status: str = "active"
    over: bool = False

    @property
    def recalled(self) -> int:
        """The planned messages that are taken back."""
        return self.left.planned if self.change == "removed" else 0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "scenario": self.scenario,
            "change": self.change,
            "kind": self.kind,
            "status": self.status,
            "first_look": self.first_look,
            "stops_at_guard": self.stops,
            "time_is_over": self.over,
            "under_way": self.left.waiting,
            "planned": self.left.planned,
            "recalled": self.recalled,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that applying would change; `base` is the version that it was compared with."""

    base: int
    files: tuple[Differs, ...]
    scenarios: tuple[Concerned, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.files)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "live": self.base,
            "changes": [it.as_json() for it in self.files],
            "scenarios": [it.as_json() for it in self.scenarios],
        }


def between(before: Bundle, after: Bundle) -> tuple[Differs, ...]:
    """The files that differ, in words."""
    found = compared(dict(before.files), dict(after.files))
    return tuple(Differs(it.file, it.kind, tuple(_says(it, before, after)), it.diff) for it in found)


def difference(
    connection: Connection, running: Running, base: int, before: Bundle, at: datetime
) -> Difference:
    """What `running` would change against the bundle of version `base`, and whom it would concern at `at`."""
    files = between(before, running.loaded.bundle)
    running = following(connection, running)
    concerned = _concerned(connection, running, before, files, at) if files else ()
    return Difference(base, files, tuple(concerned))


def brief(files: Sequence[Differs]) -> str:
    """One line: `scenarios: win-back changed, hello new; program changed`."""
    named: dict[str, dict[str, str]] = {}
    for it in files:
        folder, _, rest = it.file.partition("/")
        name = rest.partition("/")[0].removesuffix(".yaml")
        kinds = named.setdefault(folder.removesuffix(".yaml"), {})
        kinds[name] = it.kind if kinds.get(name, it.kind) == it.kind else "changed"
    parts = []
    for folder, kinds in sorted(named.items()):
        said = ", ".join(f"{name} {kind}".strip() for name, kind in sorted(kinds.items()))
        parts.append(f"{folder} {said}" if "" in kinds else f"{folder}: {said}")
    return "; ".join(parts)


# --- in words


def _says(change: Change, before: Bundle, after: Bundle) -> Iterator[str]:
    old, new = _document(change.file, before), _document(change.file, after)
    if change.kind == "changed" and old and new:
        steps = change.file.startswith("scenarios/")
        for path, was, becomes in _values(old.data, new.data, ()):
            yield _sentence(path, was, becomes) + (_KEPT if steps and path[0] == "steps" else "")
    elif change.file.startswith("messages/") and change.kind == "changed":
        yield "the text changes at once, for messages that are planned already too"
    elif new is not None and isinstance(new.data.get("about"), str):
        yield new.data["about"]


_KEPT = " (who is under way keeps the steps they began with)"


def _document(file: str, bundle: Bundle) -> Document | None:
    content = bundle.files.get(file)
    if content is None or not file.endswith(".yaml"):
        return None
    try:
        return load(content.decode(), file, [])
    except UnicodeDecodeError:
        return None


def _values(
    old: Any, new: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    listed = isinstance(old, list) and isinstance(new, list)
    old, new = _keyed(old), _keyed(new)
    if isinstance(old, dict) and isinstance(new, dict):
        was, becomes = [key for key in old if key in new], [key for key in new if key in old]
        if listed and was != becomes:
            yield path, was, becomes
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _values(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))
    elif old != new:
        yield path, old, new


def _keyed(value: Any) -> Any:
    """A list of named things as a mapping, so that one of them may change and not all."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        return value
    for key in NAMED_BY:
        names = [each.get(key) for each in value]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return dict(zip(names, value, strict=True))
    return value


def _sentence(path: tuple[str | int, ...], was: Any, becomes: Any) -> str:
    where = dotted(path)
    if was is _ABSENT:
        return f"{where}: {_written(becomes)} is new"
    if becomes is _ABSENT:
        return f"{where}: {_written(was)} is gone"
    return f"{where}: {_written(was)} becomes {_written(becomes)}"


def _written(value: Any) -> str:
    """As YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(each) for each in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None else str(value)


# --- whom it concerns


def _concerned(
    connection: Connection, running: Running, before: Bundle, files: Sequence[Differs], at: datetime
) -> Iterator[Concerned]:
    states = {row.name: row for row in connection.execute(select(STATE))}
    looks = first_looks(connection, running, at) | _none_changed_yet(running, before, states)
    gone = _gone(running, states)
    names = sorted({*running.scenarios, *gone})
    left = undone(connection, names + [it.formerly for it in running.scenarios.values() if it.formerly])
    for name in names:
        scenario = running.scenarios.get(name)
        if scenario is None:
            yield Concerned(name, "removed", "", None, left[name], status=states[name].status)
            continue
        change = _change(scenario, running, states, files)
        if change is None:
            continue
        former = name if name in states else scenario.formerly or name
        status = states[former].status if former in states and change != "back" else "active"
        over = is_over(scenario, at, running.program.zone)
        first = None if scenario.kind == "event" or status == "paused" else 0 if over else looks[name]
        stops = first is not None and first > running.program.max_per_look
        yield Concerned(name, change, scenario.kind, first, left[former], stops, status, over)


def _none_changed_yet(running: Running, before: Bundle, states: Mapping[str, Any]) -> dict[str, int]:
    """Scenarios that begin to ask about a segment: nobody has come to it or left it since."""
    asking = {name for name, it in running.scenarios.items() if segment_of(it)}
    if not asking:
        return {}
    renamed = {it.name: it.formerly for it in running.scenarios.values() if it.formerly}
    known = {name: old for name, old in renamed.items() if old in states and name not in states}
    return dict.fromkeys(asking.intersection(begins_anew(running, before, known)), 0)


def _gone(running: Running, states: Mapping[str, Any]) -> list[str]:
    renamed = {it.formerly for it in running.scenarios.values() if it.name not in states}
    alive = [name for name, state in states.items() if state.status != "removed"]
    return [name for name in alive if name not in running.scenarios and name not in renamed]


def _change(
    scenario: Scenario, running: Running, states: Mapping[str, Any], files: Sequence[Differs]
) -> str | None:
    former = states.get(scenario.formerly or "")
    state = states.get(scenario.name, former)
    if state is None:
        return "new"
    if state.status == "removed":
        return "back"
    if state is former:
        return "renamed"
    return "changed" if any(_uses(scenario, running, it.file) for it in files) else None


def _uses(scenario: Scenario, running: Running, file: str) -> bool:
    """Whether a file has a say in what the scenario does."""
    if file in (PROGRAM_FILE, f"scenarios/{scenario.name}.yaml"):
        return True
    folder, _, rest = file.partition("/")
    name = rest.partition("/")[0].removesuffix(".yaml")
    if folder == "messages":
        return name.startswith("_") or any(name in step.messages for step in scenario.steps)
    return folder == "segments" and name in _segments(scenario, running)


def _segments(scenario: Scenario, running: Running) -> set[str]:
    """The segments that it names (its trigger, audience and steps), and those that they are made of."""
    asked_about = segment_of(scenario)
    found = {asked_about} if asked_about else set()
    ahead = [scenario.audience, *(running.segments[name] for name in found)]
    for step in scenario.steps:
        ahead += [asked for key in ("unless", "only_if") for asked in step.asks(key) if asked != "purchase"]
    while ahead:
        named = {node.name for node in walk(ahead.pop()) if isinstance(node, Segment)} - found
        found |= named
        ahead += [running.segments[name] for name in named if name in running.segments]
    return found
