"""What every command prints alike: tables for people, JSON for programs."""

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from core.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from core.imports import Report
    from tidings.workspace import Workspace


# The highest number of a row, and what a whole number of a table takes.
HIGHEST, MOST = 2**63 - 1, 2**31 - 1


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"


class ForecastFormat(StrEnum):
    """How a dry run is printed."""

    table = "table"
    json = "json"
    csv = "csv"


def console(*, stderr: bool = False) -> "Console":
    """A terminal; as wide as it is, 120 where there is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 120
    return Console(stderr=stderr, width=width, highlight=False)


def table(title: str, *columns: str, right: Sequence[str] = ()) -> "Table":
    """An empty table; the columns named in `right` hold numbers."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return made


def plain(*cells: object) -> list[str]:
    """What others wrote, as it stands: rich would take a `[vip]` in a name for its own words."""
    from rich.markup import escape

    return [escape(str(it)) for it in cells]


def number(count: int | Decimal, digits: int | None = None) -> str:
    """`12 500`, `1 612.45`; with so many `digits` behind the point, if it is said."""
    text = f"{count:,}" if digits is None else f"{count:,.{digits}f}"
    return text.replace(",", " ")


def print_json(value: Any) -> None:
    """For programs; always one document, by its escapes where the terminal has no letter for something."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, default=str)
    typer.echo(text)


def hand_out(
    output: ForecastFormat, out: Path | None, *,
    document: Callable[[], Any], rows: Callable[[], str], draw: "Callable[[Console], None]",
) -> None:  # fmt: skip
    """A result in the format that was asked for: `document` as JSON, `rows` as CSV, `draw` as a table.

    Into the file `out` if there is one, where a table is plain text of 120 columns, whatever the terminal is.
    """
    if out is not None:
        text = _as_text(output, document, rows, draw)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, "utf-8")
        typer.echo(f"wrote {out}")
    elif output is ForecastFormat.json:
        print_json(document())
    elif output is ForecastFormat.csv:
        typer.echo(rows(), nl=False)
    else:
        draw(console())


def _as_text(
    output: ForecastFormat, document: Callable[[], Any], rows: Callable[[], str],
    draw: "Callable[[Console], None]",
) -> str:  # fmt: skip
    from rich.console import Console

    if output is ForecastFormat.json:
        return json.dumps(document(), ensure_ascii=False, indent=2, default=str) + "\n"
    if output is ForecastFormat.csv:
        return rows()
    page = io.StringIO()
    draw(Console(file=page, width=120, color_system=None, highlight=False))
    return page.getvalue()


def agreed(question: str, *, err: bool = False) -> bool:
    """The answer to a question, asked on stderr with `err`; UserError where nobody answers."""
    try:
        return typer.confirm(question, err=err)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise UserError("nobody can be asked here; agree with --yes") from None


@contextmanager
def workspace(context: typer.Context) -> Iterator["Workspace"]:
    """The workspace of this command, closed at the end."""
    from tidings.logs import configure
    from tidings.workspace import Workspace

    path: Path = context.obj
    if path.is_file():
        raise UserError(f"{path} is a file; name its folder: -w {path.parent}")
    if not path.is_dir():
        raise UserError(f"there is no folder {path}; run `tidings init {path}` to make a workspace there")
    made = Workspace(path)
    configure(made.settings.log_level)
    with made.closing():
        yield made


def moment(text: str | None, zone: ZoneInfo, option: str = "--at") -> datetime:
    """`2026-03-01 10:00` in the program's zone, or with an offset of its own; now if left out. UTC.

    UserError for what is no time, or one that nobody can mean; it names the `option`.
    """
    from datetime import UTC

    from core.clock import SystemClock, possible

    if text is None:
        return SystemClock().now()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option}: '{text}' is not a time; write for example '2026-03-01 10:00'") from None
    try:
        possible(at)
    except ValueError as error:
        raise UserError(f"{option}: {error}; write for example '2026-03-01 10:00'") from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def local(at: datetime | None, zone: ZoneInfo) -> str:
    """A time as people read it, in the program's zone."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""


def import_sentence(report: "Report") -> str:
    """What became of a file, in one line; where its rejects are, in another."""
    rate = f", {report.read / report.seconds:,.0f} rows/s" if report.seconds > 1 else ""
    line = (
        f"{report.kind}: {report.read:,} rows read, {report.created:,} created, {report.changed:,} changed, "
        f"{report.unchanged:,} unchanged, {report.rejected:,} rejected ({report.seconds:.1f} s{rate})"
    )
    return f"{line}\nset aside with line and reason: {report.rejects}" if report.rejected else line
