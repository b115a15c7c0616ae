"""The period of a report of the books: two days, by the program's clocks."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from core.program import Program

Since = Annotated[str, typer.Option("--from", help="The first day, for example 2026-03-01.")]
Until = Annotated[str, typer.Option("--to", help="The day after the last one, for example 2026-04-01.")]


def period(program: "Program", since: str, until: str) -> tuple[datetime, datetime]:
    """When it begins and ends; UserError if that is no period."""
    from core.errors import UserError

    start, end = _moment(program, since, "--from"), _moment(program, until, "--to")
    if end <= start:
        raise UserError("--to must be a day after --from")
    return start, end


def _moment(program: "Program", text: str, option: str) -> datetime:
    from datetime import date

    from core.errors import UserError
    from core.units import first_moment

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option}: '{text}' is no day; write for example 2026-03-01") from None
    try:
        return first_moment(day, program.zone)
    except ValueError as error:
        raise UserError(f"{option}: {error}") from None
