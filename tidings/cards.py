"""The card from the command line: a picture, the real pass, the save link."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.clock import Clock, MovableClock
from core.customers.profiles import find
from core.errors import EnvironmentFault, UserError
from scheduler.cards import Cards, Issued
from scheduler.deck import Deck, read_card
from tidings.workspace import Workspace
from wallet.artwork import Artwork
from wallet.design import Face

if TYPE_CHECKING:
    from campaigns.running import Running


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """Where the pass was written, the link for Google, and what keeps them from being real."""

    file: Path
    save_link: str
    notes: tuple[str, ...]


def cards_of(here: Workspace, clock: Clock) -> Cards:
    """The cards of a workspace."""
    return Cards(
        here.database,
        here.live,
        here.links,
        clock,
        outbox=here.outbox,
        private=here.path / ".tidings",
        env_file=here.env_file,
    )


def draw(here: Workspace, running: "Running", who: str, at: datetime, directory: Path) -> list[Path]:
    """Draw a customer's card from the files, as both wallets lay it out; returns the pictures."""
    found = read_card(running.loaded.bundle.files)
    if found is None:
        raise UserError("this workspace has no card; write one, for example cards/loyalty.yaml")
    name, card = found
    artwork = Artwork.of(card, running.loaded.bundle.files.get)
    deck = Deck(running, name, card, artwork.digest, here.links(running.program))
    with here.database.read() as connection:
        row = _customer(connection, who)
        face = deck.faces(connection, [row.id], at).get(row.id)
    if face is None:
        raise UserError(f"the card of {who} cannot be filled in; `tidings check` says why")
    return write_pictures(face, artwork, directory, row.external_id)


def write_pictures(face: Face, artwork: Artwork, directory: Path, name: str) -> list[Path]:
    """`<name>-apple.png` and `<name>-google.png`, front and back side by side, with their SVG."""
    from wallet import preview

    directory.mkdir(parents=True, exist_ok=True)
    written = []
    wallets: tuple[Literal["apple", "google"], ...] = ("apple", "google")
    for wallet in wallets:
        picture = preview.sheet(face, artwork, wallet)
        file = directory / f"{name}-{wallet}.svg"
        file.write_text(picture, "utf-8")
        file.with_suffix(".png").write_bytes(preview.png(picture))
        written.append(file.with_suffix(".png"))
    return written


def issue_card(here: Workspace, who: str, at: datetime, directory: Path) -> IssuedCard:
    """Issue a customer's card for both wallets and write the pass."""
    with here.database.read() as connection:
        row = _customer(connection, who)
    issued = asyncio.run(_issue(cards_of(here, MovableClock(at)), row.id))
    if issued is None or issued.pkpass is None:
        raise UserError(
            "what is live has no Apple card; add cards/*.yaml and wallet.apple to program.yaml, then apply"
        )
    if issued.trouble:
        raise EnvironmentFault(
            f"Google Wallet did not take the card ({issued.trouble}); check TIDINGS_GOOGLE_… in .env"
        )
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{row.external_id}.pkpass"
    file.write_bytes(issued.pkpass)
    return IssuedCard(file, issued.google_link or "none", issued.notes)


async def _issue(cards: Cards, customer_id: int) -> Issued | None:
    try:
        return await cards.issue(customer_id)
    finally:
        await cards.close()


def _customer(connection: Any, who: str) -> Any:
    row = find(connection, who)
    if row is None:
        raise UserError(f"there is no customer '{who}'; write an external id, card, phone or email")
    return row
