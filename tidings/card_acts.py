"""What is done with a customer's card from the command line: a new pass, none; and how it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.clock import MovableClock
from core.errors import UserError
from scheduler.card_changes import note_next
from scheduler.kit import Kit
from tidings.card_status import CardStatus, status_of
from tidings.cards import cards_of, customer_of
from tidings.workspace import Workspace
from wallet import figures, issuing, tally
from wallet.apple import complaints
from wallet.apple.complaints import Complaint
from wallet.figures import Queues, Totals
from wallet.issuing import Deed

CARD_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Reissued:
    """A new pass: whose, its serial, the link that hands it out, their card number."""

    customer: str
    serial: str
    page: str = field(repr=False)
    card: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AllCards:
    """All cards of a workspace, what pushes and Google came to since the first day, and of what phones
    complained last.
    """

    totals: Totals
    queues: Queues
    counted: Mapping[tuple[str, str], int]
    complaints: Sequence[Complaint]


def reissue(here: Workspace, who: str, deed: Deed, at: datetime, card: str | None = None) -> Reissued:
    """A new pass in place of the customer's, and a new card number with it if `card` is one."""
    _answered(deed)
    if card is not None and not (card.strip() and len(card) <= CARD_AT_MOST):
        raise UserError(f"--card: write a number of 1 to {CARD_AT_MOST} characters, or leave it out")
    kit, running = _kit(here, at), here.live.running()
    with here.database.write() as connection:
        row = customer_of(connection, who)
        if card is not None:
            _renumber(connection, here, row, card, at)
        face = kit.deck.faces(connection, [row.id], at).get(row.id)
        if face is None:
            raise UserError(f"the card of {who} cannot be filled in; `tidings check` says why")
        made = issuing.reissue(connection, row.id, face, deed, at)
        note_next(connection, row.id, at)
    page = here.links(running.program).card(row.id)
    return Reissued(row.external_id, made.serial, page, card or row.card)


def revoke(here: Workspace, who: str, deed: Deed, at: datetime) -> str:
    """No pass any more; the customer's external id. UserError if they have none."""
    _answered(deed)
    with here.database.write() as connection:
        row = customer_of(connection, who)
        if not issuing.revoke(connection, row.id, deed, at):
            raise UserError(f"{who} has no card that could be revoked; `tidings card status {who}` says why")
    return str(row.external_id)


def status(here: Workspace, who: str, at: datetime) -> CardStatus:
    """How a customer's card stands."""
    kit, running = _kit(here, at), here.live.running()
    with here.database.read() as connection:
        row = customer_of(connection, who)
        return status_of(connection, kit, here.links(running.program), row, at)


def all_cards(here: Workspace, at: datetime) -> AllCards:
    """How all cards stand."""
    with here.database.read() as connection:
        return AllCards(
            figures.totals(connection, at), figures.queues(connection, at), tally.counted(connection),
            complaints.latest(connection),
        )  # fmt: skip


def _answered(deed: Deed) -> None:
    for option, said, what in (
        ("--author", deed.author, "who answers for it"), ("--reason", deed.reason, "why"),
    ):  # fmt: skip
        if not said.strip():
            raise UserError(f"{option}: say {what}; it is kept with the card")


def _kit(here: Workspace, at: datetime) -> Kit:
    kit = cards_of(here, MovableClock(at)).kit()
    if kit is None:
        raise UserError("what is live has no card; add cards/*.yaml, then apply")
    return kit


def _renumber(connection: Connection, here: Workspace, row: Any, card: str, at: datetime) -> None:
    program = here.live.running().program
    refusal = issuing.renumber(connection, program, here.addresses, row.external_id, card, at)
    if refusal is not None:
        raise UserError(f"--card {card}: {refusal.detail}")
