"""Which rules something was booked by: every program that the ledger has worked with is kept with its text.

A late receipt is booked by the rules of its own time, and an entry can be explained years later.
"""

from contextlib import suppress
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, insert, select

from core.clock import EARLIEST
from core.db import insert_ignoring
from core.db.bulk import rows_of
from core.db.hot import Asked, Hot
from core.errors import EnvironmentFault, Problem, UserError
from core.program import Program
from core.program.check import read_program
from core.tables import Operation, ProgramRun, ProgramVersion

VERSION = ProgramVersion.__table__  # type: ignore[attr-defined]
RUN = ProgramRun.__table__  # type: ignore[attr-defined]
OPERATION = Operation.__table__  # type: ignore[attr-defined]
_SINCE = "(SELECT MAX(run.since) FROM program_run AS run WHERE run.program_version = program_version.id)"
_KEPT = Hot(VERSION.c.id, (_SINCE, RUN.c.since), tail="FROM program_version WHERE digest = {}")


def kept(connection: Connection, program: Program, at: datetime) -> tuple[int, datetime]:
    """The program's number in this database, and since when the ledger works by it (the last time).

    A new one is kept and begins now, in the caller's transaction.
    """
    known = _KEPT(connection, program.digest)
    if not known:
        values = {"digest": program.digest, "text": program.text}
        connection.execute(insert_ignoring(connection, VERSION).values(**values))
        [(number, since)] = _KEPT(connection, program.digest)
        if since is None:
            connection.execute(insert(RUN).values(program_version=number, since=at))
        known = _KEPT(connection, program.digest)
    [(number, since)] = known
    return number, since


def begin(connection: Connection, program: Program, at: datetime) -> None:
    """Work by this program from a time on, in the caller's write transaction: it was made live then.

    UserError if the books are kept in other units than it counts in.
    """
    newest = select(RUN.c.program_version).order_by(RUN.c.since.desc(), RUN.c.id.desc()).limit(1)
    running = connection.scalar(newest)
    if running is not None:
        # One that is too old to be read has no say.
        with suppress(EnvironmentFault):
            _same_units(connection, version(connection, running), program)
    known = bool(_KEPT(connection, program.digest))
    number, _ = kept(connection, program, at)
    if known and running != number:
        connection.execute(insert(RUN).values(program_version=number, since=at))


def _same_units(connection: Connection, before: Program, program: Program) -> None:
    """The books hold integers: with another scale, what everybody has would be worth something else."""
    units = [
        ("points.scale", before.points.scale, program.points.scale),
        (f"the decimal places of {program.currency}", before.money_scale, program.money_scale),
    ]
    for name, was, now in units:
        if was != now and connection.scalar(select(OPERATION.c.id).limit(1)):
            raise UserError(
                f"program.yaml: {name}: the books are kept with {was}, not {now}; leave it as it was"
            )


def known_or_new(connection: Connection, program: Program, at: datetime) -> tuple[int, datetime]:
    """The same as `kept` without keeping anything: a program that is new has the number 0."""
    if found := _KEPT(connection, program.digest):
        return found[0][0], found[0][1]
    earlier = connection.scalar(select(VERSION.c.id).limit(1))
    return 0, at if earlier else EARLIEST


def ask_version(connection: Connection, program: Program) -> Asked:
    """What `kept` gives of a program that is known, asked now and read later; no row for a new one."""
    return _KEPT.ask(connection, program.digest)


def version(connection: Connection, number: int) -> Program:
    """The program of that number."""
    [(text,)] = rows_of(connection, VERSION, ("text",), "id", [number])
    return program_of(text)


def version_at(connection: Connection, at: datetime) -> tuple[int, Program]:
    """The number and the program that the ledger worked by at a time; before the first one, that one."""
    runs = select(VERSION.c.id, VERSION.c.text).join(RUN, RUN.c.program_version == VERSION.c.id)
    earlier = runs.where(RUN.c.since <= at).order_by(RUN.c.since.desc(), RUN.c.id.desc()).limit(1)
    first = runs.order_by(RUN.c.since, RUN.c.id).limit(1)
    row = connection.execute(earlier).first() or connection.execute(first).one()
    return row.id, program_of(row.text)


def runs(connection: Connection) -> list[tuple[datetime, int]]:
    """From when on the ledger worked by which program, from the first."""
    rows = select(RUN.c.since, RUN.c.program_version).order_by(RUN.c.since, RUN.c.id)
    return [(since, number) for since, number in connection.execute(rows)]


@lru_cache(maxsize=32)
def program_of(text: str) -> Program:
    """A program that was kept; EnvironmentFault if it cannot be read any more."""
    problems: list[Problem] = []
    program = read_program(text, problems)
    if program is None:
        raise EnvironmentFault(f"a program that the ledger worked by cannot be read any more: {problems[0]}")
    return program
