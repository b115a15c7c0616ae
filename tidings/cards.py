"""The card from the command line: the real pass, the save link."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.clock import Clock, MovableClock
from core.customers.profiles import find
from core.errors import EnvironmentFault, UserError
from scheduler.cards import Cards, Issued
from tidings.workspace import Workspace
from wallet.apple.bundle import bundle as bundled
from wallet.apple.bundle import few_enough


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """A customer's pass, where it was written, and the link for Google; None without that wallet."""

    customer: str
    file: Path | None
    save_link: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedCards:
    """Cards, the bundle with several of them, and what keeps them from being real."""

    cards: Sequence[IssuedCard]
    bundle: Path | None
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


def issue_cards(here: Workspace, names: Sequence[str], at: datetime, directory: Path) -> IssuedCards:
    """Issue customers' cards for both wallets and write their passes, several also as one `.pkpasses`."""
    with here.database.read() as connection:
        rows = [customer_of(connection, who) for who in names]
    cards = cards_of(here, MovableClock(at))
    if (kit := cards.kit()) is not None and kit.packager is not None:
        few_enough(len({row.id for row in rows}))  # before anything is issued
    found = asyncio.run(_issue(cards, [row.id for row in rows]))
    if found is None:
        raise UserError("what is live has no card; add cards/*.yaml, then apply")
    passes = {row.external_id: it.pkpass for row, it in zip(rows, found, strict=True) if it.pkpass}
    # A customer's id may hold anything: it must not lead into another folder.
    files = {name: directory / f"{name.replace('/', '%2F')}.pkpass" for name in passes}
    bundle = directory / "cards.pkpasses" if len(passes) > 1 else None
    written = {files[name]: content for name, content in passes.items()}
    if bundle is not None:
        written[bundle] = bundled(passes)
    directory.mkdir(parents=True, exist_ok=True)
    for file, content in written.items():
        file.write_bytes(content)
    issued = [
        IssuedCard(row.external_id, files.get(row.external_id), it.google_link)
        for row, it in zip(rows, found, strict=True)
    ]
    return IssuedCards(issued, bundle, found[0].notes)


async def _issue(cards: Cards, ids: Sequence[int]) -> list[Issued] | None:
    """One after the other: each writes to Google. None if there is no card."""
    found: list[Issued] = []
    try:
        for customer_id in ids:
            issued = await cards.issue(customer_id)
            if issued is None:
                return None
            if issued.trouble:
                raise EnvironmentFault(
                    f"Google Wallet did not take the card ({issued.trouble}); check TIDINGS_GOOGLE_… in .env"
                )
            found.append(issued)
    finally:
        await cards.close()
    return found


def customer_of(connection: Any, who: str) -> Any:
    """The customer's row; UserError if there is none."""
    row = find(connection, who)
    if row is None:
        raise UserError(f"there is no customer '{who}'; write an external id, card, phone or email")
    return row
