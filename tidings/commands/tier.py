"""Levels that are given by hand, and taken back."""

from typing import Annotated

import typer

from tidings.commands.acting import Author, Output, Who, done, external_id, say, working
from tidings.console import Format

Context = typer.Context
Reason = Annotated[str, typer.Option("--reason", help="Why, in a few words.")]
tier_app = typer.Typer(no_args_is_help=True, help="Levels that are given by hand, and taken back.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    tier_app.command()(invite)
    tier_app.command("take-back")(take_back)
    app.add_typer(tier_app, name="tier")


def invite(
    context: Context,
    customer: Who,
    level: Annotated[str, typer.Argument(help="One of the program's levels.")],
    author: Author,
    reason: Reason,
    output: Output = Format.table,
) -> None:
    """Give a level by hand: the customer does not fall below it until it is taken back.

    Example: tidings tier invite 10042 gold --author maria --reason 'opened the shop with us'
    """
    _hold(context, customer, level, author, reason, output, "{customer} is invited to {invited_to}")


def take_back(
    context: Context, customer: Who, author: Author, reason: Reason, output: Output = Format.table
) -> None:
    """Take an invitation back: who held the level by it alone falls to what their purchases reach.

    Example: tidings tier take-back 10042 --author maria --reason 'moved away'
    """
    _hold(context, customer, None, author, reason, output, "{customer} is held by no invitation")


def _hold(
    context: Context, customer: str, level: str | None, author: str, reason: str, output: Format, said: str
) -> None:
    from core.tiers import invite as act

    with working(context) as (here, program):
        name = external_id(here, customer)
        answer = done(
            here,
            lambda connection, at: act(connection, program, name, level, author, reason, at, live=True),
        )
    say(output, answer, said + "; the level is {tier}")
