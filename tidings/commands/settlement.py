"""What partners owe each other."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.commands.acting import working
from tidings.console import ForecastFormat, console, print_json

if TYPE_CHECKING:
    from core.program import Program

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(settlement)


def settlement(
    context: Context,
    since: Annotated[str, typer.Option("--from", help="The first day, for example 2026-03-01.")],
    until: Annotated[str, typer.Option("--to", help="The day after the last one, for example 2026-04-01.")],
    output: Annotated[ForecastFormat, typer.Option("--format", help="table, json or csv")] = (
        ForecastFormat.table
    ),
) -> None:
    """What partners owe each other for bonuses that one gave and another took, booked in a period.

    Example: tidings settlement --from 2026-03-01 --to 2026-04-01 --format csv
    """
    from core.errors import UserError
    from core.ledger.settlement import settle
    from tidings import settlement_view

    with working(context) as (here, program):
        start, end = _day(program, since, "--from"), _day(program, until, "--to")
        if end <= start:
            raise UserError("--to must be a day after --from")
        with here.database.read() as connection:
            found = settle(connection, program, start, end)
    if output is ForecastFormat.json:
        print_json(settlement_view.as_json(found, program))
    elif output is ForecastFormat.csv:
        typer.echo(settlement_view.as_csv(found, program), nl=False)
    else:
        settlement_view.show(console(), found, program)


def _day(program: "Program", text: str, option: str) -> Any:
    from datetime import date

    from core.errors import UserError
    from core.ledger.settlement import first_moment

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option}: '{text}' is no day; write for example 2026-03-01") from None
    try:
        return first_moment(program, day)
    except ValueError as error:
        raise UserError(f"{option}: {error}") from None
