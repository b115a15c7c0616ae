"""Cards in wallets that a new version would leave behind: a pass keeps for good whose it is."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from core.errors import UserError
from core.program import Program
from scheduler.kit import apple_identity, google_issuer
from tidings.workspace import Workspace
from wallet.tables import CURRENT, PASS, REGISTRATION


def left_behind(here: Workspace, program: Program) -> list[str]:
    """A sentence for each wallet whose cards `program` would no longer update; none where nothing is live."""
    try:
        live = here.live.running().program
    except UserError:
        return []
    with here.database.read() as connection:
        return [*_at_apple(connection, live, program), *_at_google(connection, live, program)]


def _at_apple(connection: Connection, live: Program, program: Program) -> Iterator[str]:
    before = apple_identity(live)
    if before is None or before == apple_identity(program):
        return
    carried = select(func.count(REGISTRATION.c.serial.distinct()))
    if count := connection.scalar(carried.join(PASS, PASS.c.serial == REGISTRATION.c.serial).where(CURRENT)):
        yield (
            f"{_cards(count)} on iPhones of the pass type {before.pass_type} and the team {before.team} "
            "would show what they show now for good: a phone takes no other's pass for its own; leave "
            "wallet.apple as it is, or have their holders add the card anew"
        )


def _at_google(connection: Connection, live: Program, program: Program) -> Iterator[str]:
    before = google_issuer(live)
    if before is None or before == google_issuer(program):
        return
    saved = select(func.count()).select_from(PASS).where(CURRENT, PASS.c.google_saved)
    if count := connection.scalar(saved):
        yield (
            f"{_cards(count)} saved to Google Wallet from the issuer {before} would show what they show now "
            "for good; leave wallet.google as it is, or have their holders save the card anew"
        )


def _cards(count: int) -> str:
    return "one card" if count == 1 else f"{count:,} cards"
