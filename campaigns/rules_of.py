"""Which version of the history brought the rules that an entry was booked by.

The ledger counts its programs by themselves: a version that changes only messages is the same program to it.
Who follows an entry wants the number that `tidings history` and `tidings show` know.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from campaigns.tables import BundleVersion
from core.db import json_text
from core.errors import EnvironmentFault
from core.program.check import FILE as PROGRAM_FILE
from core.program.versions import RUN, VERSION, program_of

BUNDLE = BundleVersion.__table__  # type: ignore[attr-defined]
Brought = Callable[[int, datetime], int | None]


def brought(connection: Connection, numbers: Collection[int]) -> Brought:
    """Of the ledger's numbers: a function of one of them and a time that tells the version in the history.

    Rules that came back later are those of the apply before that time. None if they were never applied.
    """
    before = select(func.max(BUNDLE.c.version)).where(BUNDLE.c.applied_at <= RUN.c.since)
    runs = select(RUN.c.program_version, RUN.c.since, before.scalar_subquery().label("live"), VERSION.c.text)
    runs = runs.join(VERSION, VERSION.c.id == RUN.c.program_version)
    rows = connection.execute(runs.where(VERSION.c.id.in_(numbers)).order_by(RUN.c.since, RUN.c.id)).all()
    # An import may have worked by files that were applied after it.
    near = {version for row in rows for version in _near(row.live)}
    texts = _programs(connection, near)
    found: dict[int, list[tuple[datetime, int | None]]] = defaultdict(list)
    for row in rows:
        same = [it for it in _near(row.live) if it in texts and _same_rules(texts[it], row.text)]
        found[row.program_version].append((row.since, same[0] if same else None))
    return lambda number, at: _latest(found[number], at)


def _near(live: int | None) -> tuple[int, int]:
    """What was live, and what came after it."""
    return live or 0, (live or 0) + 1


def _programs(connection: Connection, versions: Collection[int]) -> Mapping[int, str]:
    texts = select(BUNDLE.c.version, json_text(BUNDLE.c.files, PROGRAM_FILE).label("text"))
    return {row.version: row.text for row in connection.execute(texts.where(BUNDLE.c.version.in_(versions)))}


def _same_rules(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return program_of(one).digest == program_of(other).digest
    except EnvironmentFault:  # too old to be read
        return False


def _latest(runs: Sequence[tuple[datetime, int | None]], at: datetime) -> int | None:
    earlier = [version for since, version in runs if since <= at]
    # What happened before the first apply was judged by it.
    return earlier[-1] if earlier else runs[0][1] if runs else None
