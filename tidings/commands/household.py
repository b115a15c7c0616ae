"""Customers who share one account: who they are, who joins, leaves and leads."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from tidings.commands.acting import Author, Output, Who, done, external_id, say, working
from tidings.console import Format

if TYPE_CHECKING:
    from core.purchases.receipts import Outcome

Context = typer.Context
household_app = typer.Typer(no_args_is_help=True, help="Customers who share one account.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (show, join, leave, head, dissolve):
        household_app.command()(command)
    app.add_typer(household_app, name="household")


def show(context: Context, customer: Who, output: Output = Format.table) -> None:
    """Who shares an account with a customer.

    Example: tidings household show 10042
    """
    from core.customers.holders import people
    from core.customers.households import household

    with working(context) as (here, program):
        name = external_id(here, customer)
        with here.database.read() as connection:
            answer = household(connection, program, people(connection, [name])[name].holder)
    _say_household(output, answer)


def join(
    context: Context, head: Who, member: Who, author: Author = "", output: Output = Format.table
) -> None:
    """Let a customer share the head's bonuses; their own go there.

    Example: tidings household join 10042 10077
    """
    from core.customers.households import join as act

    _change(context, act, head, member, author, output)


def leave(
    context: Context, head: Who, member: Who, author: Author = "", output: Output = Format.table
) -> None:
    """Let a member have an account of their own again; the bonuses stay with the household.

    Example: tidings household leave 10042 10077
    """
    from core.customers.households import leave as act

    _change(context, act, head, member, author, output)


def head(
    context: Context, head: Who, member: Who, author: Author = "", output: Output = Format.table
) -> None:
    """Make a member the head: the shared bonuses go to their account.

    Example: tidings household head 10042 10077
    """
    from core.customers.households import pass_on

    _change(context, pass_on, head, member, author, output)


def dissolve(context: Context, head: Who, output: Output = Format.table) -> None:
    """Give everybody an account of their own again; the bonuses stay with the head.

    Example: tidings household dissolve 10042
    """
    from core.customers.households import dissolve as act

    with working(context) as (here, program):
        name = external_id(here, head)
        answer = done(here, lambda connection, at: act(connection, program, name, at, live=True))
    _say_household(output, answer)


def _change(
    context: Context, act: Callable[..., "Outcome"], head: str, member: str, author: str, output: Format
) -> None:
    from core.customers.households import Change

    with working(context) as (here, program):
        wanted = Change(external_id(here, head), external_id(here, member), author or None)
        answer = done(here, lambda connection, at: act(connection, program, wanted, at, live=True))
    _say_household(output, answer)


def _say_household(output: Format, answer: dict[str, Any]) -> None:
    members = ", ".join(answer["members"]) or "nobody else"
    say(
        output, answer | {"others": members}, "{head} shares an account with {others}; {places} more may join"
    )
