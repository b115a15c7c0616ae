"""Letting go what is not kept for ever."""

from typing import TYPE_CHECKING, Annotated

import typer

from tidings.console import Format, console, moment, print_json, table, workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(prune)


def prune(
    context: Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", help="As of this time, for example '2026-03-01 10:00'.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Let go what is older than `retention` in program.yaml keeps it. `serve` does so by itself each night.

    Exit code 1 if events had to stay because a scenario has not read them.

    Example: tidings prune --dry-run
    """
    from time import sleep

    from core.clock import SystemClock
    from core.errors import UserError
    from scheduler import pruning
    from scheduler.readers import unread_since

    with workspace(context) as here:
        running = here.live.running()
        when = moment(at, running.program.zone)
        if not dry_run and when > SystemClock().now():
            raise UserError("--at lies in the future; add --dry-run to see what would go by then")

        def breathe() -> bool:
            sleep(0 if dry_run else pruning.BREATH)
            return True

        done = pruning.prune(here.database, running, when, go_on=breathe, dry=dry_run)
        before = pruning.oldest_kept(running, "events", when)
        with here.database.read() as connection:
            unread = unread_since(connection, running)
        held = {kind: since for kind, since in unread.items() if before and since < before}
    if output is Format.json:
        print_json({"at": when.isoformat(), "dry_run": dry_run, "rows": dict(done.rows),
                    "unread": {kind: since.isoformat() for kind, since in held.items()}})  # fmt: skip
    else:
        _show(done.rows, held, running.program.zone, dry_run)
    raise typer.Exit(1 if held else 0)


def _show(rows: "Mapping[str, int]", held: "Mapping[str, datetime]", zone: "ZoneInfo", dry_run: bool) -> None:
    shown = table("", "kind", "would go" if dry_run else "gone", right=("would go", "gone"))
    for name, count in rows.items():
        shown.add_row(name, f"{count:,}")
    console().print(shown)
    for kind, since in held.items():
        typer.echo(
            f"events '{kind}' stay since {since.astimezone(zone):%Y-%m-%d}: a scenario on them has not read "
            "them; resume it, or remove it"
        )
