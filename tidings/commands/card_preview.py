"""`tidings card preview`: the card as a picture."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.errors import EnvironmentFault
from tidings.console import console, moment, workspace

if TYPE_CHECKING:
    from tidings.card_looks import Found, Wish
    from tidings.card_pictures import Layout

WalletChoice = Literal["apple", "google", "both"]
SideChoice = Literal["front", "back", "both"]
ThemeChoice = Literal["light", "dark", "both"]
FormatChoice = Literal["png", "svg", "both"]
StateChoice = Literal["active", "voided", "expired"]


def preview(
    context: typer.Context,
    who: Annotated[
        str | None,
        typer.Argument(help="External id, card number, phone or email; somebody made up if left out."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder for the pictures.")] = Path("outbox/cards"),
    wallet: Annotated[WalletChoice, typer.Option("--wallet", help="Whose wallet.")] = "both",
    side: Annotated[SideChoice, typer.Option("--side", help="The front, or the details behind it.")] = "both",
    theme: Annotated[ThemeChoice, typer.Option("--theme", help="The phone's theme.")] = "light",
    tier: Annotated[
        str | None, typer.Option("--tier", help="As if the customer had just reached this level.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option("--locale", help="As if the customer spoke this language.")
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", help="A message on the card, and its notification.")
    ] = None,
    state: Annotated[
        StateChoice | None, typer.Option("--state", help="How the pass stands; as it does if left out.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every level, language and theme, and all on one sheet.")
    ] = False,
    output: Annotated[
        FormatChoice, typer.Option("--format", help="Kinds of files; only the PNG are listed for both.")
    ] = "both",
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write every level, language and theme as one page too."),
    ] = None,
) -> None:
    """Draw a card as Apple and Google lay it out, from the same data as the real pass.

    Example: tidings card preview 10042 --tier gold --theme dark
    """
    from rich.markup import escape

    from tidings.card_looks import Looks, Wish
    from tidings.card_pictures import remarks_on, write_contact_sheet, write_pictures

    with workspace(context) as here:
        running = here.files()
        wish = Wish(moment(None, running.program.zone), who, tier, locale, every, message, state)
        looks = Looks(here, running)
        found = looks.find(wish)
        layout = _layout(wish, wallet, side, theme, output)
        for path in write_pictures(found.subjects, here.path / out, found.name, layout):
            typer.echo(f"wrote {path}")
        if every:
            sheet = write_contact_sheet(found.subjects, here.path / out, found.name, layout)
            typer.echo(f"wrote {sheet}")
        if html is not None:
            _write_page(looks.find(replace(wish, every=True)), layout, running.program.name, html)
            typer.echo(f"wrote {html}")
    aside = console(stderr=True)
    for remark in remarks_on(found.subjects, layout):
        aside.print(f"[yellow]note[/yellow]  {escape(remark)}", soft_wrap=True)


def _layout(
    wish: "Wish", wallet: WalletChoice, side: SideChoice, theme: ThemeChoice, output: FormatChoice
) -> "Layout":
    from tidings.card_pictures import Layout

    return Layout(
        ("apple", "google") if wallet == "both" else (wallet,),
        ("front", "back") if side == "both" else (side,),
        ("light", "dark") if theme == "both" or wish.every else (theme,),
        ("png", "svg") if output == "both" else (output,),
        tier=wish.every or wish.tier is not None,
        locale=wish.every or wish.locale is not None,
        theme=wish.every or theme != "light",
    )


def _write_page(found: "Found", layout: "Layout", program: str, file: Path) -> None:
    from tidings.card_gallery import page

    try:
        file.write_text(page(found, layout, program), "utf-8")
    except OSError as error:
        raise EnvironmentFault(
            f"{file} cannot be written ({error.strerror}); choose another place"
        ) from error
