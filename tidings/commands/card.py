"""The wallet card: a picture of it, and the real pass."""

from pathlib import Path
from typing import Annotated

import typer

from tidings.console import console, moment, workspace

Context = typer.Context
card_app = typer.Typer(no_args_is_help=True, help="The wallet card.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    card_app.command()(preview)
    card_app.command()(issue)
    app.add_typer(card_app, name="card")


def preview(
    context: Context,
    who: Annotated[str, typer.Argument(help="External id, card number, phone or email")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the pictures.")] = Path("outbox/cards"),
) -> None:
    """Draw a customer's card as Apple and Google lay it out, from the same data as the real pass.

    Example: tidings card preview 10042
    """
    from tidings.cards import draw

    with workspace(context) as here:
        running = here.files()
        for path in draw(here, running, who, moment(None, running.program.zone), here.path / out):
            typer.echo(f"wrote {path}")


def issue(
    context: Context,
    who: Annotated[str, typer.Argument(help="External id, card number, phone or email")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the pass.")] = Path("outbox/cards"),
) -> None:
    """Make a customer's real pass for Apple Wallet and their save link for Google Wallet.

    Example: tidings card issue 10042
    """
    from tidings.cards import issue_card

    with workspace(context) as here:
        running = here.live.running()
        issued = issue_card(here, who, moment(None, running.program.zone), here.path / out)
    screen = console()
    screen.print(f"Apple Wallet   {issued.file}")
    screen.print(f"Google Wallet  {issued.save_link}", soft_wrap=True)
    for note in issued.notes:
        screen.print(f"[dim]{note}[/dim]")
