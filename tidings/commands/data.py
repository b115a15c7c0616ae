"""Data: bringing it in, and looking at one customer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.commands.acting import working
from tidings.console import Format, console, moment, print_json

if TYPE_CHECKING:
    from tidings.workspace import Workspace

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("import")(import_file)
    app.command()(customer)


def import_file(
    context: Context,
    kind: Annotated[
        str, typer.Argument(help="customers, receipts, products, stores, consents or suppressions")
    ],
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet")],
    live: Annotated[
        bool, typer.Option("--live", help="Let triggers answer it; history triggers nothing.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Where rows that cannot be read are set aside.")
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Do not share receipts with the workers of this database.")
    ] = False,
    kind_of_file: Annotated[
        str | None, typer.Option("--as", help="csv, jsonl or parquet; told by the file's ending if left out.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Read a file, streamed. Bad rows are set aside with line and reason (exit code 1); the rest goes in.

    A file can be imported again, or on after an interruption: what is there already stays as it is. On
    PostgreSQL the workers help with receipts.

    Example: tidings import receipts receipts-2026.csv
    """
    bring_in(context, kind, file, output, live=live, alone=alone, rejects=rejects, format=kind_of_file)


def bring_in(
    context: Context, kind: str, file: Path, output: Format, *, trial: bool = False, alone: bool = True,
    **given: Any,
) -> None:  # fmt: skip
    """Read a file and say what came of it; a `trial` counts and changes nothing. Ends the command."""
    from core.imports import import_file as read
    from scheduler.imports import helpers
    from tidings.console import import_sentence
    from tidings.progress import counting
    from tidings.suppressions import kinds

    with working(context) as (here, program), counting() as progress:
        report = read(
            here.database, program, here.addresses, kind, file, recorded_at=moment(None, program.zone),
            progress=progress, give=None if alone else helpers(here.database), kinds=kinds(), trial=trial,
            **given,
        )  # fmt: skip
    if output is Format.json:
        told = {name: getattr(report, name) for name in type(report).__slots__}
        print_json(told | ({"dry_run": True} if trial else {}))
    else:
        typer.echo(import_sentence(report) + ("\nnothing was changed" if trial else ""))
    raise typer.Exit(1 if report.rejected else 0)


def customer(
    context: Context,
    who: Annotated[str, typer.Argument(help="External id, card number, phone or email")],
    file: Annotated[
        Path | None, typer.Argument(help="Where --export-test writes; the terminal if left out.")
    ] = None,
    export_test: Annotated[
        bool, typer.Option("--export-test", help="A scenario test that begins with this customer, masked.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Profile, balance, lots, history, messages, and why or why not.

    Example: tidings customer 10042

    Example: tidings customer 10042 --export-test tests/why-no-reminder.yaml
    """
    from core.errors import UserError
    from tidings import customer_view

    if file and not export_test:
        raise UserError(f"nothing is written to {file} without --export-test; add it, or leave the file out")
    with working(context) as (here, program):
        at = moment(None, program.zone)
        with here.database.read() as connection:
            page = customer_view.read(connection, program, who, at, here.links(program))
            if export_test:
                _export(here, here.files(), connection, page.row, at, file)
                return
    if output is Format.json:
        print_json(page.as_json())
    else:
        customer_view.show(console(), page, program)


def _export(here: "Workspace", running: Any, connection: Any, row: Any, at: Any, file: Path | None) -> None:
    from tidings.exporting import Exporter

    links, channels = here.links(running.program), here.channels(running.program)
    text = Exporter(connection, running, channels, links, here.secret).test_of(row, at)
    if file is None:
        typer.echo(text, nl=False)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    typer.echo(f"wrote {file}; it runs with `tidings test --run {file.stem}`")
