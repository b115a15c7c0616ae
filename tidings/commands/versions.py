"""Versions: what changes against what is live, making it live, taking it back."""

from pathlib import Path
from typing import Annotated

import typer

from tidings.console import HIGHEST, Format, console, print_json, workspace
from tidings.shipping import (
    compared,
    first_wins,
    now,
    person,
    seen,
    ship,
    tell_approved,
    write_files,
    zone_of,
)

Context = typer.Context

Output = Annotated[Format, typer.Option("--format", help="table or json")]
Who = Annotated[
    str | None,
    typer.Option("--as", envvar="TIDINGS_USER", help="Who you are; your login name if left out."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal.")]
Note = Annotated[str | None, typer.Option("--note", "-m", help="Why: kept in the history.")]
Proposal = Annotated[int, typer.Argument(min=1, max=HIGHEST, help="The proposal's number.")]
Version = Annotated[int, typer.Argument(min=1, max=HIGHEST, help="Its number in the history.")]
Lines = Annotated[bool, typer.Option("--lines/--no-lines", help="Show each file's changed lines too.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (diff, apply, approve, reject, history, show, rollback):
        app.command()(command)


def diff(context: Context, output: Output = Format.table, lines: Lines = True) -> None:
    """What the files change against what is live, and whom it concerns. Exit code 1 if anything does.

    Example: tidings diff
    """
    from tidings.left_behind import left_behind
    from tidings.versions_view import show_difference, show_left_behind

    with workspace(context) as here:
        running = here.files()
        found, cards = compared(here.database, running, now()), left_behind(here, running.program)
    if output is Format.json:
        print_json({**found.as_json(), "left_behind": cards})
    elif found:
        show_difference(console(), found, running.program.max_per_look, lines=lines)
        show_left_behind(console(), cards)
    else:
        typer.echo("nothing differs from what is live")
    raise typer.Exit(1 if found else 0)


def apply(
    context: Context, who: Who = None, note: Note = None, yes: Yes = False,
    base: Annotated[
        int | None,
        typer.Option("--base", min=0, max=HIGHEST, help="Only if this version is live (0: none yet)."),
    ] = None,
    output: Output = Format.table,
) -> None:  # fmt: skip
    """Make the workspace live as a new version, once you have seen how many each first look would reach.

    Where the live program asks for it (`apply: {approvals: 1}`), this proposes, and another person approves.

    Example: tidings apply --note "spring campaign"
    """
    from campaigns.versions import Leave
    from core.errors import Problems
    from tidings.checks import more_findings

    with workspace(context) as here:
        running = here.files()
        if wrong := [it for it in more_findings(here, running.loaded.bundle) if it.severity == "error"]:
            raise Problems(wrong)
        ship(here, running, who, Leave(base=base, note=note), yes=yes, output=output)


def rollback(
    context: Context,
    version: Annotated[
        int | None,
        typer.Argument(min=1, max=HIGHEST, help="The version to bring back; the one before the live one."),
    ] = None,
    who: Who = None, note: Note = None, yes: Yes = False, output: Output = Format.table,
) -> None:  # fmt: skip
    """Make an earlier version's files live again, as a new version. This folder's files stay as they are.

    Example: tidings rollback 12 --note "the discount was wrong"
    """
    from campaigns.history import bundle_of
    from campaigns.running import make_ready
    from campaigns.versions import Leave, live_version
    from core.errors import UserError

    with workspace(context) as here:
        with here.database.read() as connection:
            live = live_version(connection)
            wanted = version or live - 1
            if wanted < 1:
                raise UserError("there is no earlier version to go back to; `tidings history` lists them all")
            bundle = bundle_of(connection, wanted)
        running = make_ready(bundle)
        shipped = ship(
            here, running, who, Leave(note=note, restores=wanted), yes=yes, output=output, lines=True
        )
        if shipped and bundle.digest != here.bundle().digest:
            typer.echo(
                "the files in this folder are others: take the change back in them too, "
                "or the next apply brings it again",
                err=True,
            )


def approve(
    context: Context, number: Proposal,
    who: Who = None, yes: Yes = False, output: Output = Format.table,
) -> None:  # fmt: skip
    """Agree to what another person proposes: you see what it changes, then it goes live.

    Example: tidings approve 3
    """
    from campaigns import proposals
    from campaigns.bundle import Bundle
    from campaigns.running import make_ready

    with workspace(context) as here:
        with here.database.read() as connection:
            row = proposals.proposal(connection, number)
        running = make_ready(Bundle.from_json(row.files))
        said = seen(here, running, yes=yes, output=output, lines=True, ask=f"Approve proposal {number}?")
        if said is None:
            return
        at, name = now(), person(who)
        with here.database.write() as connection:
            done = first_wins(lambda: proposals.approve(connection, number, running, name, at))
    tell_approved(number, done, output)


def reject(
    context: Context, number: Proposal,
    who: Who = None,
) -> None:  # fmt: skip
    """Put a proposal away, somebody else's or your own.

    Example: tidings reject 3
    """
    from campaigns import proposals

    with workspace(context) as here, here.database.write() as connection:
        proposals.reject(connection, number, person(who), now())
    typer.echo(f"proposal {number} is rejected; nothing has changed")


def history(
    context: Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many versions.")] = 20,
    output: Output = Format.table,
) -> None:
    """Who made what live, when and why, and what waits for approval.

    Example: tidings history
    """
    from campaigns import proposals
    from campaigns.history import history as versions
    from tidings import versions_view as view

    with workspace(context) as here:
        with here.database.read() as connection:
            found = list(versions(connection, limit))
            open_ones = proposals.waiting(connection)
            approved = {row.number: proposals.approvers(connection, row.number) for row in open_ones}
        if output is Format.json:
            print_json({
                "versions": [it.as_json() for it in found],
                "waiting": [view.proposal_as_json(row, approved[row.number]) for row in open_ones],
            })  # fmt: skip
            return
        zone = zone_of(here)
    if not found:
        typer.echo("nothing was applied yet")
        return
    view.show_waiting(console(), open_ones, approved, zone)
    view.show_history(console(), found, zone)


def show(
    context: Context, version: Version,
    out: Annotated[Path | None, typer.Option("--out", help="Write its files into this new folder.")] = None,
    output: Output = Format.table, lines: Lines = True,
) -> None:  # fmt: skip
    """One version: who applied it, and what it changed against the one before.

    Example: tidings show 12 --out /tmp/version-12
    """
    from campaigns.history import bundle_of, version_of
    from tidings import versions_view as view

    with workspace(context) as here:
        with here.database.read() as connection:
            found = version_of(connection, version)
            bundle = bundle_of(connection, version)
        zone = zone_of(here)
    if out:
        write_files(out, bundle.files)
    if output is Format.json:
        changes = [it.as_json() for it in found.changes]
        print_json(found.as_json() | {"changes": changes, "files": sorted(bundle.files)})
        return
    view.show_history(console(), [found], zone)
    view.show_files(console(), found.changes if version > 1 else (), lines=lines)
