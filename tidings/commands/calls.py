"""The call list: who is to be phoned, and what came of it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.console import console, plain, table, workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from channels.call_list.sheet import Call

Context = typer.Context
SHOWN = ("planned", "scenario", "customer", "name", "phone", "say")


class Sheet(StrEnum):
    """How the list is written."""

    table = "table"
    csv = "csv"
    xlsx = "xlsx"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(calls)
    app.command("call-results")(call_results)


def calls(
    context: Context,
    scenario: Annotated[str | None, typer.Option("--scenario", help="Only of this scenario.")] = None,
    day: Annotated[str | None, typer.Option("--day", help="Listed on this day; today if left out.")] = None,
    output: Annotated[
        Sheet | None, typer.Option("--format", help="table, csv or xlsx; by the name of --out if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write a file, which only you may read.")] = None,
) -> None:
    """Whom the scenarios want to be phoned: number, name, and what to say.

    Example: tidings calls --out calls.xlsx

    Example: tidings calls --scenario win-back --day 2026-03-01 --format csv
    """
    from channels.call_list import CallListSettings
    from channels.settings import load_settings
    from core.clock import SystemClock
    from tidings.calls import Wanted, listed

    form, asked = _form(output, out), _day(day)
    with workspace(context) as here:
        running = here.live.running()
        at = SystemClock().now()
        on = asked or running.program.day_of(at)
        rehearsed = load_settings(CallListSettings, here.env_file).transport == "folder"
        found = listed(here.database, here.live, here.links(running.program), Wanted(on, scenario), at)
    if form is Sheet.table:
        shown = table("", *SHOWN)
        for call in found.calls:
            shown.add_row(*plain(*(call.row()[name] for name in SHOWN)))
        console().print(shown)
    else:
        _write(_sheet(form, found.calls, on, mark=out is not None), out)
    left_out = "".join(f", {count} left out ({why})" for why, count in sorted(found.left_out.items()))
    typer.echo(f"{len(found.calls)} to call, listed on {on}{left_out}", err=True)
    if not found.calls and rehearsed:
        typer.echo(
            "the call list is only rehearsed: its notes are written into the outbox folder; write "
            "TIDINGS_CALL_LIST_TRANSPORT=list into .env to put calls on the list",
            err=True,
        )


def call_results(
    context: Context,
    file: Annotated[Path, typer.Argument(help="The sheet of `tidings calls`, filled in, as CSV.")],
) -> None:
    """What came of the calls: reached, no answer, wrong number, no more calls. Read twice, it counts once.

    Example: tidings call-results calls.csv
    """
    from core.clock import SystemClock
    from tidings.calls import read_results, record

    results = read_results(file)
    with workspace(context) as here, here.database.write() as connection:
        counted = record(connection, results, SystemClock().now())
    unknown = counted["unknown"]
    typer.echo(
        f"{counted['recorded']} recorded, {counted['repeated']} known before, {unknown} not on the list"
    )
    raise typer.Exit(1 if unknown else 0)


def _form(output: Sheet | None, out: Path | None) -> Sheet:
    from core.errors import UserError

    if output is None and out is not None and out.suffix.lower() in (".csv", ".xlsx"):
        return Sheet(out.suffix.lower().removeprefix("."))
    form = output or Sheet.table
    if form is Sheet.table and out is not None:
        raise UserError("--out: a table is for the screen; name the file .csv or .xlsx, or add --format")
    if form is Sheet.xlsx and out is None:
        raise UserError("--format xlsx is no text; add --out calls.xlsx")
    return form


def _day(text: str | None) -> "date | None":
    from datetime import date, datetime, time

    from core.clock import possible
    from core.errors import UserError

    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise UserError(f"--day: '{text}' is not a day; write for example 2026-03-01") from None
    try:
        return None if day is None else possible(datetime.combine(day, time())).date()
    except ValueError as error:
        raise UserError(f"--day: {error}; write for example 2026-03-01") from None


def _sheet(form: Sheet, found: "Sequence[Call]", on: "date", *, mark: bool) -> bytes:
    from channels.call_list.sheet import as_csv, as_xlsx

    return as_xlsx(found, on) if form is Sheet.xlsx else as_csv(found, mark=mark)


def _write(content: bytes, out: Path | None) -> None:
    """Names and phones are in it: others on this machine are not to read them."""
    import os
    import sys

    if out is None:
        sys.stdout.buffer.write(content)
        return
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        # A file that was there keeps its rights otherwise.
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
