"""The movement of bonuses."""

from typing import Annotated

import typer

from tidings.commands.acting import working
from tidings.commands.periods import Since, Until, period
from tidings.console import ForecastFormat, hand_out

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(movement)


def movement(
    context: Context,
    since: Since,
    until: Until,
    output: Annotated[ForecastFormat, typer.Option("--format", help="table, json or csv")] = (
        ForecastFormat.table
    ),
) -> None:
    """What was given by which rule, spent and written off, month by month, and what is outstanding.

    Example: tidings movement --from 2026-01-01 --to 2026-04-01
    """
    from core.clock import SystemClock
    from core.ledger import movement as books
    from tidings import movement_view as view

    with working(context) as (here, program):
        start, end = period(program, since, until)
        with here.database.read() as connection:
            found = books.movement(connection, program, start, end, SystemClock().now())
    hand_out(
        output, None,
        document=lambda: view.as_json(found, program), rows=lambda: view.as_csv(found, program),
        draw=lambda console: view.show(console, found, program),
    )  # fmt: skip
