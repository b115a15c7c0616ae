"""What applying would change: files, and how many customers each first look would reach."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from campaigns.bundle import Bundle
from campaigns.commit import passing
from campaigns.look import Span, rehearsal, zones_of
from campaigns.running import Running
from campaigns.versions import VERSION, live_version
from core.db import Database


@dataclass(frozen=True, slots=True)
class Change:
    """One file: `new`, `changed` or `removed`, with a unified diff (empty for pictures)."""

    file: str
    kind: str
    diff: str


def changes(database: Database, bundle: Bundle) -> list[Change]:
    """Files that differ from what is live."""
    with database.read() as connection:
        version = live_version(connection)
        stored = connection.scalar(select(VERSION.c.files).where(VERSION.c.version == version)) or {}
    return list(compared(dict(Bundle.from_json(stored).files), dict(bundle.files)))


def compared(live: dict[str, bytes], files: dict[str, bytes]) -> Iterator[Change]:
    """The files that differ, in their order."""
    for path in sorted(live.keys() | files.keys()):
        before, after = live.get(path), files.get(path)
        if before != after:
            kind = "new" if before is None else "removed" if after is None else "changed"
            yield Change(path, kind, _diff(path, before or b"", after or b""))


def _diff(path: str, before: bytes, after: bytes) -> str:
    try:
        old, new = before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return ""
    lines = difflib.unified_diff(old, new, f"live/{path}", path, n=2)
    # The last line of a file may have no end: what follows is a line of its own all the same.
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def first_looks(connection: Connection, running: Running, at: datetime) -> dict[str, int]:
    """Scenario → customers whom a look at `at` would reach; event scenarios begin with what happens later."""
    sizes = {}
    looker = rehearsal(connection, running)
    for scenario in running.by_priority:
        span = Span(at)
        zones = zones_of(connection, running.program, scenario, span, everywhere=True)
        if scenario.kind == "event":
            sizes[scenario.name] = 0
            continue
        sizes[scenario.name] = passing(looker.enter(scenario, span, zones))
    return sizes
