"""Looking: the dry run, and one live tick."""

from pathlib import Path
from typing import Annotated

import typer

from tidings.console import ForecastFormat, Format, console, moment, print_json, workspace

Context = typer.Context
At = Annotated[
    str | None, typer.Option("--at", help="The time, for example '2026-03-01 10:00'; now if left out.")
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("dry-run")(dry_run)
    app.command()(tick)


def dry_run(
    context: Context,
    scenarios: Annotated[list[str] | None, typer.Argument(help="All if left out.")] = None,
    at: At = None,
    customer: Annotated[
        str | None, typer.Option("--customer", help="One customer: their story, with the evidence.")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=0, max=1000, help="How many messages to show.")] = 2,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the samples as files into this folder.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write all of it as one page with pictures and messages.")
    ] = None,
    verdicts: Annotated[
        Path | None, typer.Option("--verdicts", help="Write every verdict with its evidence, as CSV.")
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option("--compare", help="What differs from this version: a number, `live`, or a folder."),
    ] = None,
    output: Annotated[
        ForecastFormat, typer.Option("--format", help="table, json or csv")
    ] = ForecastFormat.table,
) -> None:
    """Who would get what, who not and why, when, and what it costs. Changes nothing, sends nothing.

    Example: tidings dry-run bonus-expiring --at '2026-03-01 10:00' --html tomorrow.html
    """
    from tidings import dry_runs, dry_runs_shown

    with workspace(context) as here:
        running = here.files()
        wish = dry_runs.Wish(
            moment(at, running.program.zone), tuple(scenarios or ()), customer, sample,
            gallery=html is not None, verdicts=verdicts, compare=compare,
        )  # fmt: skip
        made = dry_runs.answer(here, running, wish)
        written = dry_runs_shown.write_files(made, here.channels(running.program), out, html)
    if output is ForecastFormat.json:
        print_json(dry_runs_shown.as_json(made))
    elif output is ForecastFormat.csv:
        typer.echo(dry_runs_shown.as_csv(made), nl=False)
    else:
        dry_runs_shown.show(console(), made, written)


def tick(
    context: Context,
    at: At = None,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """One look at everything that is due and one delivery, then exit: for cron, and for trying things out.

    Example: tidings tick
    """
    from campaigns.versions import held
    from core.clock import MovableClock
    from tidings import tick_view
    from tidings.ticking import one_clock, run_tick

    with workspace(context) as here:
        running = here.live.running()
        clock = MovableClock(moment(at, running.program.zone))
        one_clock(here.database, clock, running.program.zone)
        ticked, cards = run_tick(here, running, clock)
        with here.database.read() as connection:
            stopped = held(connection)
    if output is Format.json:
        print_json(tick_view.as_json(ticked, running))
    else:
        tick_view.show(console(), ticked, running.program.zone, stopped)
        tick_view.show_cards(console(), cards)
    raise typer.Exit(tick_view.exit_code(ticked, stopped))
