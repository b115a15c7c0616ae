"""What the command `dry-run` does: one snapshot, every scenario in its turn, files on request."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from campaigns.bundle import Bundle
from campaigns.dryrun import DryRun, Forecast
from campaigns.dryrun.comparison import Comparison, compare
from campaigns.dryrun.run import Watch
from campaigns.dryrun.verdicts import VerdictLines
from campaigns.past import as_of
from campaigns.running import Running, make_ready
from campaigns.versions import VERSION, live_version
from core.customers.profiles import find
from core.errors import EnvironmentFault, UserError
from core.explain import suggest
from core.program.check import FILE as PROGRAM_FILE

if TYPE_CHECKING:
    from tidings.workspace import Workspace

LIVE = "live"
FILES = "the files"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a dry run. `compare` is a version's number, `live`, or another workspace's folder."""

    at: datetime
    scenarios: Sequence[str] = ()
    customer: str | None = None
    sample: int = 2
    gallery: bool = False
    verdicts: Path | None = None
    compare: str | None = None


@dataclass(slots=True)
class Answer:
    """What came of it; `customer` is the external id of whom it is about, `lines` how many were written."""

    running: Running
    wish: Wish
    forecasts: list[Forecast] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    customer: str | None = None
    name: str | None = None
    lines: int = 0


def answer(here: "Workspace", running: Running, wish: Wish) -> Answer:
    """Run it all over one snapshot. UserError for names that are not there, EnvironmentFault for files."""
    made = Answer(running, wish)
    with here.database.read() as connection:
        _find_customer(connection, made)
        older = _older(connection, wish.compare) if wish.compare else None
        names = chosen(running, wish.scenarios, older)
        as_of(connection, running.program, wish.at)
        with _lines(wish.verdicts) as lines:
            run = _dry_run(here, connection, running, made, lines)
            forecasts = {it.name: run.run(it) for it in running.by_priority if it.name in names}
        made.forecasts = [forecasts[name] for name in names if name in forecasts]
        made.lines = lines.count if lines else 0
        if older is not None and wish.compare:
            called = wish.compare if not _is_number(wish.compare) else f"version {wish.compare}"
            pair = [(called, older), (FILES, running)]
            runs = [(word, _dry_run(here, connection, each, Answer(each, wish))) for word, each in pair]
            made.comparisons = compare(connection, runs[0], runs[1], names, max(1, wish.sample))
    return made


def _dry_run(
    here: "Workspace", connection: Connection, running: Running, made: Answer, watch: Watch | None = None
) -> DryRun:
    program, wish = running.program, made.wish
    return DryRun(
        connection, running, here.channels(program), here.links(program), wish.at, sample=wish.sample,
        customer=made.customer, gallery=wish.gallery and made.customer is None, watch=watch,
    )  # fmt: skip


def _find_customer(connection: Connection, made: Answer) -> None:
    who = made.wish.customer
    if who is None:
        return
    person = find(connection, who)
    if person is None:
        raise UserError(f"there is no customer '{who}'; write an external id, card, phone or email")
    made.customer, made.name = person.external_id, person.name


def chosen(running: Running, asked: Sequence[str], older: Running | None = None) -> list[str]:
    """The names that are meant, in order; all if none is. UserError for one that is in no version."""
    names = sorted({*running.scenarios, *(older.scenarios if older else ())} - _renamed(running))
    for name in asked:
        if name not in names:
            raise UserError(f"there is no scenario '{name}'; {suggest(name, names)}")
    return list(dict.fromkeys(asked)) or names


def _renamed(running: Running) -> set[str]:
    """Names that a scenario of the files had before: it is told of under the one it has now."""
    return {it.formerly for it in running.scenarios.values() if it.formerly}


def _older(connection: Connection, what: str) -> Running:
    if what == LIVE or _is_number(what):
        return _applied(connection, live_version(connection) if what == LIVE else int(what))
    folder = Path(what)
    if not (folder / PROGRAM_FILE).is_file():
        raise UserError(
            f"--compare: '{what}' is no version and no workspace; write 'live', a number or a folder"
        )
    return make_ready(Bundle.read(folder))


def _is_number(what: str) -> bool:
    """A version's: no other script's digits, nor more of them than the database keeps."""
    return what.isascii() and what.isdigit() and len(what) < 10


def _applied(connection: Connection, version: int) -> Running:
    files = connection.scalar(select(VERSION.c.files).where(VERSION.c.version == version))
    if files is None:
        newest = live_version(connection)
        known = f"the newest is {newest}" if newest else "nothing was applied yet"
        raise UserError(f"--compare: there is no version {version or LIVE}; {known}")
    return make_ready(Bundle.from_json(files), version)


@contextmanager
def _lines(path: Path | None) -> Iterator[VerdictLines | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise EnvironmentFault(
            f"{path} cannot be written ({error.strerror}); choose another place"
        ) from error
    with file:
        yield VerdictLines(file)
