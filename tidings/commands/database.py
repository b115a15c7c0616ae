"""The database: its schema, the way up to PostgreSQL, backups and what follows a restore."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.console import Format, agreed, console, print_json, table, workspace

if TYPE_CHECKING:
    from core.db import Database
    from tidings.moving.copying import Moved

Context = typer.Context
database_app = typer.Typer(no_args_is_help=True, help="The database.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    database_app.command()(upgrade)
    database_app.command()(copy)
    database_app.command()(backup)
    database_app.command()(restored)
    app.add_typer(database_app, name="db")


def upgrade(context: Context) -> None:
    """Bring the database to this version's schema. What runs may go on, unless it is told to be stopped.

    Example: tidings db upgrade
    """
    from core.clock import SystemClock
    from tidings import schema

    with workspace(context) as here, _opened(here.database_url) as database:
        schema.leave_nobody_behind(database, SystemClock().now())
        stands = schema.upgrade(database)
    typer.echo(f"the database is at schema {stands}")


def copy(
    source: Annotated[str, typer.Argument(help="The SQLite file, or its sqlite:/// address")],
    target: Annotated[str, typer.Argument(help="An empty database: postgresql://…")],
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Throw away a copy that is not complete, and use SOURCE again.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Move the installation from SQLite to PostgreSQL: everything, verified row by row.

    SOURCE refuses every write from the beginning and for good, so nothing is ever sent twice. Broken off,
    the same command goes on where it was.

    Example: tidings db copy tidings.db postgresql://tidings@db.example.com/tidings
    """
    from core.clock import SystemClock
    from tidings import progress
    from tidings.moving import copying

    with ExitStack() as stack:
        old, new = stack.enter_context(_opened(_file(source))), stack.enter_context(_opened(target))
        if give_up:
            copying.give_up(old, new)
            typer.echo(f"the copy is given up; {old.name} is in use again")
            return
        with progress.counting() as tell:
            moved = copying.move(
                old, new, SystemClock().now(), lambda done, whole: tell(done, done / max(1, whole))
            )
        name = new.name
    _show(moved, name, output)


def _show(moved: "Moved", target: str, output: Format) -> None:
    if output is Format.json:
        print_json({"target": target, "rows": moved.rows, "entries": moved.entries, "lots": moved.remaining})
        return
    shown = table("", "table", "rows", right=("rows",))
    for name, rows in moved.rows.items():
        if rows:
            shown.add_row(name.replace("_", " "), f"{rows:,}")
    screen = console()
    screen.print("[bold]copied, and found the same on both sides[/bold]")
    screen.print(shown)
    screen.print(f"the books: {moved.entries:,} by entries, {moved.remaining:,} left in lots (smallest unit)")
    screen.print(
        f"now set TIDINGS_DATABASE in .env to {target} and start `tidings serve`",
        soft_wrap=True,
        markup=False,
    )


def _file(source: str) -> str:
    """An address as it is; a path as the address of a file that is there."""
    from sqlalchemy import make_url

    from core.errors import UserError
    from tidings.workspace import address_of

    path = Path(source)
    if source.startswith("sqlite:///"):
        path = Path(make_url(source).database or "")
    elif "://" in source:
        return source
    if not path.is_file():
        raise UserError(f"there is no database {path}; name the SQLite file to copy")
    return address_of(path)


@contextmanager
def _opened(url: str) -> "Iterator[Database]":
    from core.db import Database

    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def backup(
    context: Context,
    file: Annotated[Path, typer.Argument(help="The new file; it must not be there yet")],
) -> None:
    """Copy an SQLite database while it is in use, and check the copy. PostgreSQL has tools of its own.

    Example: tidings db backup /backups/tidings-2026-03-01.db
    """
    from tidings.moving.backup import backup

    with workspace(context) as here, _opened(here.database_url) as database:
        size = backup(database, file)
    typer.echo(f"wrote {file}: {size:,} bytes, checked")


def restored(
    context: Context,
    to: Annotated[
        str | None,
        typer.Option("--to", help="The moment that the database was restored to; its last sign if left out."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """After a restore from a backup, before anything starts: what may have been sent since is not sent again.

    It is set aside as unknown: providers that can be asked are asked, the rest is reported.

    Example: tidings db restored --to '2026-03-01 03:00'
    """
    from core.clock import SystemClock
    from core.errors import UserError
    from scheduler.restored import last_sign, set_aside
    from tidings.console import local, moment

    with workspace(context) as here:
        program = here.live.running().program
        with here.database.read() as connection:
            since = moment(to, program.zone, "--to") if to else last_sign(connection)
        if since is None:
            raise UserError("say which moment the database was restored to: --to '2026-03-01 03:00'")
        if since > SystemClock().now():
            said = f"{local(since, program.zone)} is yet to come; say which moment it was restored to"
            raise UserError(f"{said}: --to '2026-03-01 03:00'")
        question = f"was the database restored to {local(since, program.zone)}, and is nothing running on it?"
        if not yes and not agreed(question, err=output is Format.json):
            raise typer.Exit(2)
        done = set_aside(here.database, here.live, SystemClock(), since)
    if output is Format.json:
        print_json({"since": since.isoformat(), "until": done.until.isoformat(), "unknown": done.unknown,
                    "letters": done.letters, "broken": done.broken, "idle": done.idle})  # fmt: skip
    else:
        said = ", ".join(f"{count:,} by {channel}" for channel, count in sorted(done.unknown.items()))
        typer.echo(f"set aside as unknown, and never sent again: {said or 'no message'}")
        if done.letters:
            typer.echo(f"{done.letters:,} letters that somebody may wait for, too: they can ask for another")
        for scenario in done.idle:
            typer.echo(f"{scenario} is paused or held: if it ran since, resume it only after a dry run")
        typer.echo("see them with `tidings messages --state unknown`; now start `tidings serve`")
    for scenario, reason in done.broken.items():
        typer.echo(f"{scenario} could not be looked at ({reason}): pause it before you start", err=True)
    raise typer.Exit(1 if done.broken else 0)
