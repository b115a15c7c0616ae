"""The wallet card: a picture of it, the real pass, a new one, none; how it stands."""

from pathlib import Path
from typing import Annotated

import typer

from tidings.commands.card_preview import preview
from tidings.console import Format, console, print_json, workspace

Context = typer.Context
Who = Annotated[str, typer.Argument(help="External id, card number, phone or email")]
Author = Annotated[str, typer.Option("--author", help="Who answers for it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a few words.")]
Output = Annotated[Format, typer.Option("--format", help="table or json")]
card_app = typer.Typer(no_args_is_help=True, help="The wallet card.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    card_app.command()(preview)
    card_app.command()(issue)
    card_app.command()(reissue)
    card_app.command()(revoke)
    card_app.command()(status)
    app.add_typer(card_app, name="card")


def issue(
    context: Context,
    who: Annotated[list[str], typer.Argument(help="External ids, card numbers, phones or emails")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the passes.")] = Path("outbox/cards"),
    output: Output = Format.table,
) -> None:
    """Make customers' real passes for Apple Wallet and their save links for Google Wallet.

    Several passes (ten at most) stand also in one file, cards.pkpasses, which a phone adds together.

    Example: tidings card issue 10042

    Example: tidings card issue 10042 10043 10044 --out family
    """
    from rich.markup import escape

    from core.clock import SystemClock
    from tidings.cards import issue_cards

    with workspace(context) as here:
        issued = issue_cards(here, who, SystemClock().now(), here.path / out)
    if output is Format.json:
        cards = [{"customer": it.customer, "pkpass": it.file, "google": it.save_link} for it in issued.cards]
        print_json({"cards": cards, "pkpasses": issued.bundle, "notes": issued.notes})
        return
    screen = console()
    for it in issued.cards:
        if len(issued.cards) > 1:
            screen.print(f"[bold]{escape(it.customer)}[/bold]")
        screen.print(f"Apple Wallet   {it.file or 'none'}", soft_wrap=True, markup=False)
        screen.print(f"Google Wallet  {it.save_link or 'none'}", soft_wrap=True)
    if issued.bundle:
        screen.print(f"All together   {issued.bundle}", soft_wrap=True, markup=False)
    for note in issued.notes:
        screen.print(f"[dim]{escape(note)}[/dim]")


def reissue(
    context: Context, who: Who, reason: Reason, author: Author,
    card: Annotated[
        str | None,
        typer.Option("--card", help="Their new card number: the old barcode is nobody's from then on."),
    ] = None,
    output: Output = Format.table,
) -> None:  # fmt: skip
    """A new pass for a lost phone: the old one is void and empty, and the links lead to the new one.

    Without --card the old barcode, or a photograph of it, stays good at the till: it is the card's number.

    Example: tidings card reissue 10042 --reason 'phone lost' --author maria

    Example: tidings card reissue 10042 --reason 'phone stolen' --author maria --card KV20264321
    """
    from core.clock import SystemClock
    from tidings import card_acts
    from wallet.issuing import Deed

    with workspace(context) as here:
        made = card_acts.reissue(here, who, Deed(author, reason), SystemClock().now(), card)
    if output is Format.json:
        print_json({name: getattr(made, name) for name in type(made).__slots__})
        return
    screen = console()
    said = f"{made.customer} has a new pass; the old one is void and empty as soon as its phone asks"
    screen.print(said, markup=False)
    screen.print(f"to be added at  {made.page}", soft_wrap=True)
    if card is None:
        said = "the old barcode stays good at the till: both show the same number; --card gives a new one"
        screen.print(f"[yellow]{said}[/yellow]", soft_wrap=True)


def revoke(
    context: Context, who: Who, author: Author, reason: Reason = "revoked", output: Output = Format.table
) -> None:
    """Take the card back: void and empty wherever it is, and its links give out none.

    `tidings card reissue` gives the customer a new one.

    Example: tidings card revoke 10042 --author maria --reason 'misused'
    """
    from core.clock import SystemClock
    from tidings import card_acts
    from wallet.issuing import Deed

    with workspace(context) as here:
        customer = card_acts.revoke(here, who, Deed(author, reason), SystemClock().now())
    if output is Format.json:
        print_json({"customer": customer, "state": "revoked"})
    else:
        typer.echo(f"the card of {customer} is revoked")


def status(
    context: Context,
    who: Annotated[
        str | None, typer.Argument(help="External id, card number, phone or email; all cards if left out")
    ] = None,
    output: Output = Format.table,
) -> None:
    """What is on a customer's card, who carries it, and what wallets were and are to be told; or all cards.

    Example: tidings card status 10042

    Example: tidings card status --format json
    """
    from core.clock import SystemClock
    from tidings import card_acts, card_view

    now = SystemClock().now()
    with workspace(context) as here:
        if who is None:
            found = card_acts.all_cards(here, now)
            if output is Format.json:
                print_json(card_view.as_json(found))
            else:
                card_view.show_all(console(), found)
            return
        one = card_acts.status(here, who, now)
        zone = here.live.running().program.zone
    if output is Format.json:
        print_json(one.model_dump(mode="json"))
    else:
        card_view.show(console(), one, zone)
