"""What comes back of email, and what its domains should publish."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.console import Format, print_json, workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.bounces import Bounces
    from tidings.workspace import Workspace

Context = typer.Context
email_app = typer.Typer(no_args_is_help=True, help="Email: DNS records, and what comes back.")

# A message that is being sent at this moment is recorded within seconds.
WAITS = (1.0, 2.0, 4.0)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(bounce)
    email_app.command()(dns)
    email_app.command()(inbox)
    app.add_typer(email_app, name="email")


def bounce(
    context: Context,
    recipient: Annotated[
        list[str] | None,
        typer.Option("--recipient", help="To whom it came; taken from its header if left out."),
    ] = None,
) -> None:
    """Take back one bounce or complaint from standard input, as a mail server pipes it.

    What is neither, or not ours, changes nothing and is no error. Exit code 3 means: try again later.

    Example: tidings bounce --recipient "$RECIPIENT" < message.eml
    """
    import time

    from core.errors import EnvironmentFault
    from scheduler.bounces import Returned

    data = sys.stdin.buffer.read()  # all of it: a mail server takes a pipe that closes early for a failure
    with workspace(context) as here:
        bounces = _bounces(here)
        for seconds in (*WAITS, None):
            returned = bounces.take(data, recipient or ())
            if returned is not Returned.TOO_EARLY:
                typer.echo(str(returned))
                return
            if seconds is not None:
                time.sleep(seconds)
    raise EnvironmentFault("the message that came back is still being sent; hand it over again in a minute")


def inbox(
    context: Context,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Read the mailbox for bounces once, as `serve` does by itself.

    Example: tidings email inbox
    """
    from channels.email.reports.inbox import inbox_of
    from core.errors import UserError

    with workspace(context) as here:
        channel = here.each_channel(here.live.running().program)["email"]
        mailbox = inbox_of(channel.settings)
        if mailbox is None:
            variable = channel.settings.variable("inbox_host")
            raise UserError(f"there is no mailbox to read; set {variable} in {here.env_file}")
        counts = {str(what): count for what, count in _bounces(here).read(mailbox).items()}
    if output is Format.json:
        print_json(counts)
    else:
        typer.echo(_said(counts))


def dns(
    context: Context,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Print the DNS records that the sender's domains should have, and what to mend besides.

    Example: tidings email dns
    """
    from dataclasses import asdict

    from channels.email.publishing import advise
    from core.errors import UserError

    with workspace(context) as here:
        program = here.files().program
        if program.channels.get("email") is None:
            raise UserError(
                "program.yaml sets up no email, so there is no domain to publish anything for; write "
                "for example 'email: {from: Kavarnia <hello@kavarnia.example>}' into its channels"
            )
        channel = here.each_channel(program)["email"]
        advice = advise(channel.config, channel.settings, here.env_file)
    if output is Format.json:
        print_json({"records": [asdict(record) for record in advice.records], "notes": list(advice.notes)})
        return
    for record in advice.records:
        typer.echo(f"; {record.why}\n{record.line()}\n")
    for note in advice.notes:
        typer.echo(f"- {note}")


def _bounces(here: "Workspace") -> "Bounces":
    from core.clock import SystemClock
    from scheduler.bounces import Bounces

    return Bounces(here.database, here.links(here.live.running().program), SystemClock())


def _said(counts: "Mapping[str, int]") -> str:
    if not counts:
        return "nothing has come back"
    return ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in sorted(counts.items()))
