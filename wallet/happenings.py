"""A card that came to a wallet, or left it: told to the stream of events, for scenarios to wait for.

The customer comes and goes, not the copy of the card. A pass that replaced another one (a lost phone) is no
card that was removed and added; and nobody left when the shop itself made the pass void (a person erased, a
duplicate merged).
"""

from datetime import datetime

from sqlalchemy import Connection, select

from core import events
from core.db import json_text
from core.events import EVENT, Happening
from wallet.tables import CURRENT, PASS

ADDED, REMOVED = "card_added", "card_removed"


def came(connection: Connection, serial: str, wallet: str, now: datetime, subject: str | None = None) -> None:
    """The pass came to a wallet (`apple`, `google`): the customer has the card there, if they had it not."""
    customer = _holder(connection, serial)
    if customer is not None and _last(connection, customer, wallet) != ADDED:
        _note(connection, ADDED, customer, wallet, subject or serial, now)


def went(connection: Connection, serial: str, wallet: str, now: datetime, subject: str | None = None) -> None:
    """The pass is in this wallet no more: the customer has removed the card."""
    customer = _holder(connection, serial)
    if customer is not None:
        _note(connection, REMOVED, customer, wallet, subject or serial, now)


def _holder(connection: Connection, serial: str) -> int | None:
    """Whose pass it is; None if it is no longer good."""
    good = select(PASS.c.customer_id).where(PASS.c.serial == serial, CURRENT, PASS.c.voided.is_(False))
    return connection.scalar(good)


def _last(connection: Connection, customer: int, wallet: str) -> str | None:
    """What happened last to the customer's card in this wallet."""
    mine = select(EVENT.c.kind).where(
        EVENT.c.customer_id == customer, EVENT.c.kind.in_((ADDED, REMOVED)),
        json_text(EVENT.c.data, "wallet") == wallet,
    )  # fmt: skip
    return connection.scalar(mine.order_by(EVENT.c.id.desc()).limit(1))


def _note(connection: Connection, kind: str, customer: int, wallet: str, subject: str, now: datetime) -> None:
    events.append(connection, [Happening(customer, kind, now, subject, {"wallet": wallet})], now, live=True)
