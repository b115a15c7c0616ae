"""An import that several processes share.

Whoever reads the file writes its rows into the database in parts, and others bring them in. Rows of one
customer are in one lane, whose parts go in by their order: the ledger takes the order of the file for the
order of time. Who waits for the others helps them, so that an import ends even where nobody else works.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, delete, select, update

from core.customers.addresses import Addresses
from core.db import Database
from core.errors import EnvironmentFault
from core.imports.kinds import KINDS
from core.imports.kinds.base import Context
from core.imports.reading import Row
from core.imports.texts import groups_of, read_back, text_of, written
from core.imports.work import Report, Work
from core.program.versions import kept, version
from core.tables import ImportPart

PART = ImportPart.__table__  # type: ignore[attr-defined]

LANES = 16
# A part holds its customers' accounts for as long as it takes: shorter than an import by one process.
ROWS = 2_000
# So many parts wait at most, and with them their rows.
OPEN_AT_MOST = 4 * LANES
# How long whoever reads the file waits where others are at every lane, seconds.
PAUSE = 0.05
# What an import left that was killed: nobody waits for it any more, and it is personal.
LEFT = timedelta(days=2)

# Tells others of a part, in the transaction that writes it: (connection, the part's id, its lane's name).
Give = Callable[[Connection, int, str], None]


class Parts:
    """One import from the side of whoever reads the file."""

    def __init__(self, work: Work, give: Give, rows: int = ROWS) -> None:
        self._work, self._give, self._rows = work, give, rows
        self._context = work.kind.context
        self._run = secrets.token_hex(8)
        self._lanes: list[list[list[Row]]] = [[] for _ in range(LANES)]

    def bring_in(self, rows: Iterator[Row]) -> Iterator[None]:
        """Everything, until the others are done, too; what ends it takes back what is not in."""
        with self._context.database.write() as connection:
            forget_left(connection, self._context.recorded_at)
        try:
            yield from self._share_out(rows)
        finally:
            with suppress(EnvironmentFault), self._context.database.write() as connection:
                connection.execute(delete(PART).where(PART.c.run == self._run))

    def _share_out(self, rows: Iterator[Row]) -> Iterator[None]:
        for group in self._work.kind.groups(rows):
            self._work.report.read += len(group)
            lane = crc32(self._work.kind.owner(group).encode()) % LANES
            self._lanes[lane].append(group)
            if sum(map(len, self._lanes[lane])) >= self._rows:
                self._put(lane)
                self._settle(OPEN_AT_MOST)
                yield
        for lane in range(LANES):
            self._put(lane)
        self._settle(0)

    def _put(self, lane: int) -> None:
        groups, self._lanes[lane] = self._lanes[lane], []
        if not groups:
            return
        it = self._context
        with it.database.write() as connection:
            number, _ = kept(connection, it.program, it.recorded_at)
            values = {
                "run": self._run, "lane": lane, "kind": self._work.report.kind, "program_version": number,
                "live": it.live, "recorded_at": it.recorded_at, "rows": written(groups), "outcome": {},
                "at": it.recorded_at,
            }  # fmt: skip
            [part] = connection.execute(PART.insert().values(values).returning(PART.c.id)).one()
            self._give(connection, part, f"import {self._run} {lane}")

    def _settle(self, at_most: int) -> None:
        """Wait until no more parts are open, and help meanwhile."""
        while self._collect() > at_most:
            if not self._help():
                time.sleep(PAUSE)

    def _collect(self) -> int:
        """Count what the others have done; how many parts are open."""
        mine = PART.c.run == self._run
        with self._context.database.write() as connection:
            gone = delete(PART).where(mine, PART.c.done_at.is_not(None)).returning(PART.c.id, PART.c.outcome)
            done = sorted(connection.execute(gone).all())
            left = connection.scalars(select(PART.c.id).where(mine)).all()
        for _, outcome in done:
            self._add(outcome)
        return len(left)

    def _add(self, outcome: dict[str, Any]) -> None:
        report = self._work.report
        for name in ("created", "changed", "unchanged", "rejected"):
            setattr(report, name, getattr(report, name) + outcome[name])
        for told in outcome["aside"]:
            self._work.rejects.add(Row(told["line"], read_back(told["values"])), told["reason"])
        self._work.kind.touch(outcome["touched"])

    def _help(self) -> bool:
        """Bring in the first open part of a lane at which nobody is; false if there is none."""
        it = self._context
        open_ = select(PART.c.id, PART.c.lane).where(PART.c.run == self._run, PART.c.done_at.is_(None))
        with it.database.read() as connection:
            firsts = {
                lane: part for part, lane in reversed(connection.execute(open_.order_by(PART.c.id)).all())
            }
        return any(_bring_in(it.database, it.addresses, part, wait=False) for part in sorted(firsts.values()))


def forget_left(connection: Connection, at: datetime) -> None:
    """Take away what imports left that were killed: run again, they bring in what is missing."""
    connection.execute(delete(PART).where(PART.c.at < at - LEFT))


@dataclass
class _Aside:
    """Rows set aside, kept until whoever reads the file writes them down."""

    told: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: Row, reason: str) -> None:
        self.told.append({"line": row.line, "reason": reason, "values": text_of(row.values)})


def bring_in(database: Database, addresses: Addresses, part: int) -> None:
    """Bring in a part, and first those of its lane that are open before it: each in a transaction, once."""
    with database.read() as connection:
        row = connection.execute(select(PART.c.run, PART.c.lane).where(PART.c.id == part)).first()
        if row is None:
            return  # it was done, and whoever reads the file has heard of it
        same = (PART.c.run == row.run) & (PART.c.lane == row.lane) & (PART.c.id <= part)
        ids = connection.scalars(select(PART.c.id).where(same, PART.c.done_at.is_(None)).order_by(PART.c.id))
        before = list(ids)
    for each in before:
        _bring_in(database, addresses, each, wait=True)


def _bring_in(database: Database, addresses: Addresses, part: int, *, wait: bool) -> bool:
    """Whether it was done now. Somebody else who is at it is waited for, or not."""
    with database.write() as connection:
        mine = select(PART).where(PART.c.id == part, PART.c.done_at.is_(None))
        row = connection.execute(mine.with_for_update(skip_locked=not wait)).first()
        if row is None:
            return False
        outcome = _store(connection, database, addresses, row)
        values = {"outcome": outcome, "rows": "[]", "done_at": row.recorded_at}
        connection.execute(update(PART).where(PART.c.id == part).values(values))
    return True


def _store(connection: Connection, database: Database, addresses: Addresses, row: Any) -> dict[str, Any]:
    program = version(connection, row.program_version)
    kind = KINDS[row.kind](Context(database, program, addresses, row.recorded_at, row.live))
    report, aside = Report(row.kind), _Aside()
    work = Work(kind, report, aside)
    items = [item for group in groups_of(row.rows) if (item := work.read(group))]
    work.count(items, work.stored(connection, items))
    counts = {name: getattr(report, name) for name in ("created", "changed", "unchanged", "rejected")}
    return {**counts, "aside": aside.told, "touched": kind.touched()}
