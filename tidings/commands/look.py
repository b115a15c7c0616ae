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
        str | None, typer.Option("--customer", help="One customer: the verdict on them.")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=0, max=1000, help="How many messages to show.")] = 2,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the samples as files into this folder.")
    ] = None,
    output: Annotated[
        ForecastFormat, typer.Option("--format", help="table, json or csv")
    ] = ForecastFormat.table,
) -> None:
    """Who would get what, who not and why, and what it costs. Changes nothing, sends nothing.

    Example: tidings dry-run bonus-expiring --at '2026-03-01 10:00' --sample 3
    """
    from campaigns.dryrun import DryRun
    from campaigns.past import as_of
    from core.customers.profiles import find
    from core.errors import UserError
    from tidings import forecast_view

    with workspace(context) as here:
        running = here.files()
        wanted = _chosen(running.scenarios, scenarios)
        when = moment(at, running.program.zone)
        channels = here.channels(running.program)
        with here.database.read() as connection:
            person = find(connection, customer) if customer else None
            if customer and person is None:
                raise UserError(
                    f"there is no customer '{customer}'; write an external id, card, phone or email"
                )
            as_of(connection, running.program, when)
            forecaster = DryRun(
                connection,
                running,
                channels,
                here.links(running.program),
                when,
                sample=sample,
                customer=person.external_id if person else None,
            )
            forecasts = [forecaster.run(running.scenarios[name]) for name in wanted]
        written = forecast_view.write_samples(out, forecasts, channels) if out else []
    if output is ForecastFormat.json:
        print_json([forecast.as_json() for forecast in forecasts])
    elif output is ForecastFormat.csv:
        typer.echo(forecast_view.as_csv(forecasts), nl=False)
    else:
        forecast_view.show(console(), forecasts, running.program.zone)
        for path in written:
            typer.echo(f"wrote {path}")


def _chosen(known: object, asked: list[str] | None) -> list[str]:
    from core.errors import UserError
    from core.explain import suggest

    names = sorted(known)  # type: ignore[call-overload]
    for name in asked or ():
        if name not in names:
            raise UserError(f"there is no scenario '{name}'; {suggest(name, names)}")
    return list(dict.fromkeys(asked)) if asked else names


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
    from tidings.ticking import run_tick

    with workspace(context) as here:
        running = here.live.running()
        ticked, cards = run_tick(here, running, MovableClock(moment(at, running.program.zone)))
        with here.database.read() as connection:
            stopped = held(connection)
    if output is Format.json:
        print_json(tick_view.as_json(ticked, running))
    else:
        tick_view.show(console(), ticked, running.program.zone, stopped)
        tick_view.show_cards(console(), cards)
    raise typer.Exit(tick_view.exit_code(ticked, stopped))
