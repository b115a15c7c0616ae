"""What is done with a customer's pass by hand: a new one instead of it, or none. Each leaves an event.

A new pass does not make the old barcode worthless: a till reads the card's number from it, which both passes
show, and so does a photograph. Only a new number does (`renumber`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from core import events
from core.customers.addresses import Addresses
from core.customers.profiles import Profile, save
from core.events import Happening
from core.ledger.lots import Refusal
from core.program import Program
from wallet import passes, updates
from wallet.design import Face

REISSUED, REVOKED = "card_reissued", "card_revoked"


@dataclass(frozen=True, slots=True)
class Deed:
    """Who does it and why, which is kept."""

    author: str
    reason: str = field(repr=False)


def reissue(connection: Connection, customer_id: int, face: Face, deed: Deed, now: datetime) -> Row[Any]:
    """A new pass with a serial and a token of its own, also for a customer whose card was revoked.

    The old one is void and empty wherever it is carried: phones are told at once, Google with the next round.
    """
    row = passes.replace(connection, customer_id, face, now)
    _note(connection, REISSUED, customer_id, row.serial, deed, now)
    return row


def revoke(connection: Connection, customer_id: int, deed: Deed, now: datetime) -> bool:
    """No pass any more, until one is issued anew; false if there is none."""
    row = passes.current(connection, customer_id)
    if row is None:
        return False
    updates.retire(connection, customer_id, now)
    _note(connection, REVOKED, customer_id, row.serial, deed, now)
    return True


def renumber(
    connection: Connection, program: Program, addresses: Addresses, customer: str, card: str, now: datetime
) -> Refusal | None:
    """A new card number for a customer (their external id): the old one, and its barcode, are nobody's.

    Refused, and nothing changed: `card_taken`.
    """
    [saved] = save(connection, program, addresses, [Profile(customer, card=card)], now, live=True)
    return saved.refusal


def _note(
    connection: Connection, kind: str, customer_id: int, serial: str, deed: Deed, now: datetime
) -> None:
    data = {"author": deed.author, "reason": deed.reason}
    events.append(connection, [Happening(customer_id, kind, now, serial, data)], now, live=True)
