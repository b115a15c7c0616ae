"""What partners owe each other."""

from typing import Annotated

import typer

from tidings.commands.acting import working
from tidings.commands.periods import Since, Until, period
from tidings.console import ForecastFormat, hand_out

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(settlement)


def settlement(
    context: Context,
    since: Since,
    until: Until,
    output: Annotated[ForecastFormat, typer.Option("--format", help="table, json or csv")] = (
        ForecastFormat.table
    ),
) -> None:
    """What partners owe each other for bonuses that one gave and another took, booked in a period.

    Example: tidings settlement --from 2026-03-01 --to 2026-04-01 --format csv
    """
    from core.ledger.settlement import settle
    from tidings import settlement_view as view

    with working(context) as (here, program):
        start, end = period(program, since, until)
        with here.database.read() as connection:
            found = settle(connection, program, start, end)
    hand_out(
        output, None,
        document=lambda: view.as_json(found, program), rows=lambda: view.as_csv(found, program),
        draw=lambda console: view.show(console, found, program),
    )  # fmt: skip
