"""Shipping: what applying, rolling back and approving have in common. Show, ask, act, tell."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from tidings.console import Format, console, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from campaigns.difference import Difference
    from campaigns.running import Running
    from campaigns.versions import Applied, Leave
    from core.db import Database
    from tidings.workspace import Workspace


def ship(
    here: "Workspace", running: "Running", who: str | None, leave: "Leave",
    *, yes: bool, output: Format, lines: bool = False,
) -> bool:  # fmt: skip
    """Show, ask, and make it live or propose it; False if nothing was to be done."""
    from campaigns import proposals
    from campaigns.versions import apply as make_live
    from campaigns.versions import approvals_needed

    found = seen(here, running, yes=yes, output=output, lines=lines, ask="Make this live?")
    if found is None:
        return False
    # What was shown is what is agreed to: whoever makes something else live meanwhile was faster.
    leave = replace(leave, base=found.base if leave.base is None else leave.base)
    at, name = now(), person(who)
    with here.database.write() as connection:
        if approvals_needed(connection):
            done = first_wins(lambda: proposals.propose(connection, running, name, at, leave))
        else:
            done = first_wins(lambda: make_live(connection, running, name, at, leave))
    tell_proposed(done, output) if isinstance(done, int) else tell_applied(done, output)
    return True


def seen(
    here: "Workspace", running: "Running", *, yes: bool, output: Format, lines: bool, ask: str
) -> "Difference | None":
    """Show what would change and ask; None if nothing would, or if the answer is no (exit code 1)."""
    from tidings.left_behind import left_behind
    from tidings.versions_view import show_difference, show_left_behind

    out = console(stderr=output is Format.json)
    found = compared(here.database, running, now())
    if not found:
        tell_unchanged(found.base, output)
        return None
    show_difference(out, found, running.program.max_per_look, lines=lines)
    show_left_behind(out, left_behind(here, running.program))
    if not yes and not agreed(out, ask):
        out.print("nothing was changed")
        raise typer.Exit(1)
    return found


def agreed(out: "Console", question: str) -> bool:
    """The answer at the terminal; UserError if there is none."""
    import sys

    from core.errors import UserError

    if not sys.stdin.isatty():
        raise UserError("there is no terminal to ask at; look at the above and say --yes")
    return typer.confirm(question, err=out.stderr)


def compared(database: "Database", running: "Running", at: datetime) -> "Difference":
    """What a bundle would change against what is live."""
    from campaigns.difference import difference
    from campaigns.history import bundle_of
    from campaigns.versions import live_version

    with database.read() as connection:
        base = live_version(connection)
        return difference(connection, running, base, bundle_of(connection, base), at)


def first_wins(act: Callable[[], Any]) -> Any:
    """Whoever comes second hears who was faster, and nothing of theirs is kept (exit code 1)."""
    from campaigns.versions import Overtaken

    try:
        return act()
    except Overtaken as overtaken:
        typer.echo(f"tidings: {overtaken}", err=True)
        raise typer.Exit(1) from None


def tell_unchanged(version: int, output: Format) -> None:
    """Say that nothing was to be done."""
    if output is Format.json:
        print_json({"version": version, "changed": False})
    else:
        typer.echo(f"version {version} is live already; nothing has changed")


def tell_applied(applied: "Applied", output: Format) -> None:
    """Say what is live now."""
    from tidings import versions_view as view

    if output is Format.json:
        print_json(view.applied_as_json(applied))
    elif applied.changed:
        view.show_applied(console(), applied)
    else:
        tell_unchanged(applied.version, output)


def tell_proposed(number: int, output: Format) -> None:
    """Say what a proposal waits for."""
    if output is Format.json:
        print_json({"proposal": number, "changed": False})
    else:
        typer.echo(
            f"proposal {number} waits for another person: `tidings approve {number}` makes it live, "
            f"`tidings reject {number}` puts it away"
        )


def tell_approved(number: int, done: Any, output: Format) -> None:
    """Say what an approval did."""
    if done.applied:
        tell_applied(done.applied, output)
    elif output is Format.json:
        print_json({"proposal": number, "changed": False, "missing": done.missing})
    else:
        more = "one more person" if done.missing == 1 else f"{done.missing} more people"
        typer.echo(f"proposal {number} is approved by you and waits for {more}")


def person(who: str | None) -> str:
    """Who acts: as said, else the login name."""
    import getpass

    from core.errors import UserError

    try:
        name = (who if who is not None else getpass.getuser()).strip()
    except (KeyError, OSError, ImportError):  # a container without users
        name = ""
    if not name:
        raise UserError("nobody knows who you are; say it with --as NAME or in TIDINGS_USER")
    return name


def now() -> datetime:
    """The time, UTC."""
    from core.clock import SystemClock

    return SystemClock().now()


def zone_of(here: "Workspace") -> ZoneInfo:
    """The zone of what is live; UTC where nothing is."""
    from core.errors import UserError

    try:
        return here.live.running().program.zone
    except UserError:
        return ZoneInfo("UTC")


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a bundle's files into a new folder."""
    from core.errors import UserError

    if folder.exists():
        raise UserError(f"{folder} is there already; name a new folder")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    typer.echo(f"wrote {len(files)} files to {folder}", err=True)
