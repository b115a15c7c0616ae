"""What commands that act for a customer share: who is meant, doing it now, and what is said of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.console import Format, print_json, workspace

if TYPE_CHECKING:
    from core.program import Program
    from core.purchases.receipts import Outcome
    from tidings.workspace import Workspace

Who = Annotated[str, typer.Argument(help="External id, card number, phone or email")]
Author = Annotated[str, typer.Option("--author", help="Who answers for it.")]
Output = Annotated[Format, typer.Option("--format", help="table or json")]


@contextmanager
def working(context: typer.Context) -> Iterator[tuple["Workspace", "Program"]]:
    """The workspace, and its live program; that of its files while nothing was ever applied."""
    with workspace(context) as here:
        yield here, program_of(here)


def program_of(here: "Workspace") -> "Program":
    """What is live; the files while nothing was ever applied."""
    # By files that nobody applied the books must not be kept: the service goes on by others.
    from campaigns.versions import live_version

    with here.database.read() as connection:
        live = live_version(connection)
    return here.live.running().program if live else here.files().program


def external_id(here: "Workspace", who: str, *, or_as_said: bool = False) -> str:
    """The external id of who is meant; UserError if there is nobody, unless any name will do."""
    from core.customers.profiles import find
    from core.errors import UserError

    with here.database.read() as connection:
        row = find(connection, who)
    if row is None and not or_as_said:
        raise UserError(f"there is no customer '{who}'; write an external id, card, phone or email")
    return who if row is None else str(row.external_id)


def done(here: "Workspace", act: Callable[[Any, Any], "Outcome"]) -> dict[str, Any]:
    """Do it now; UserError with the reason if it was refused."""
    from core.clock import SystemClock
    from core.errors import UserError
    from core.ledger.lots import Refusal

    with here.database.write() as connection:
        outcome = act(connection, SystemClock().now())
        if isinstance(outcome, Refusal):
            raise UserError(outcome.detail)
    return outcome.answer | ({"repeated": True} if outcome.repeated else {})


def say(output: Format, answer: dict[str, Any], sentence: str) -> None:
    """A sentence with the answer's values in it, or the answer as JSON."""
    if output is Format.json:
        print_json(answer)
        return
    again = " (it was done before)" if answer.get("repeated") else ""
    typer.echo(sentence.format(**answer) + again)
