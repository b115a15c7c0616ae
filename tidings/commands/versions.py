"""Versions: what changes against what is live, making it live, the database's schema."""

import getpass
from typing import Annotated

import typer

from tidings.console import Format, console, print_json, table, workspace

Context = typer.Context
database_app = typer.Typer(no_args_is_help=True, help="The database.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(diff)
    app.command()(apply)
    database_app.command()(upgrade)
    app.add_typer(database_app, name="db")


def diff(
    context: Context, output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table
) -> None:
    """What the files change against what is live. Exit code 1 if anything does.

    Example: tidings diff
    """
    from campaigns.changes import changes

    with workspace(context) as here:
        found = changes(here.database, here.bundle())
    if output is Format.json:
        print_json([{"file": it.file, "change": it.kind, "diff": it.diff} for it in found])
    else:
        for it in found:
            typer.echo(f"{it.kind:8} {it.file}")
            typer.echo(it.diff, nl=False)
        if not found:
            typer.echo("nothing differs from what is live")
    raise typer.Exit(1 if found else 0)


def apply(
    context: Context,
    who: Annotated[
        str | None, typer.Option("--by", help="Who applies it; your login name if left out.")
    ] = None,
) -> None:
    """Make the workspace live as a new version, and show how many each first look would reach.

    Example: tidings apply
    """
    from campaigns.changes import first_looks
    from campaigns.versions import apply as make_live
    from core.clock import SystemClock
    from core.errors import Problems
    from tidings.checks import more_findings

    with workspace(context) as here:
        running = here.files()
        if wrong := [it for it in more_findings(here, running.loaded.bundle) if it.severity == "error"]:
            raise Problems(wrong)
        at = SystemClock().now()
        with here.database.read() as connection:
            sizes = first_looks(connection, running, at)
        with here.database.write() as connection:
            applied = make_live(connection, running, who or getpass.getuser(), at)
    out = console()
    if not applied.changed:
        out.print(f"version {applied.version} is live already; nothing has changed")
        return
    out.print(f"[bold]version {applied.version} is live[/bold]")
    if applied.stopped:
        out.print(f"stopped: {', '.join(applied.stopped)}")
    shown = table("First looks, if they came now", "scenario", "would reach", "", right=("would reach",))
    for name, size in sizes.items():
        stops = size > running.program.max_per_look
        note = (
            f"[red]more than max_per_look ({running.program.max_per_look}): it will stop and ask[/red]"
            if stops
            else ""
        )
        begins = "answers what happens from now on" if running.scenarios[name].kind == "event" else note
        shown.add_row(name, str(size), begins)
    out.print(shown)


def upgrade(context: Context) -> None:
    """Bring the database to this version's schema.

    Example: tidings db upgrade
    """
    from core.db import Database
    from tidings.schema import HEAD, upgrade

    with workspace(context) as here:
        database = Database(here.database_url)
        try:
            upgrade(database)
        finally:
            database.close()
    typer.echo(f"the database is at schema {HEAD}")
