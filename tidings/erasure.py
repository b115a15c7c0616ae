"""Erasure in the whole house: the facts, the messages, the cards."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, ColumnElement, cast, select

import campaigns.erasure
import wallet.erasure
from channels import discover
from core.customers.addresses import Addresses
from core.customers.erasure import Erasure, Wipe
from core.customers.erasure_words import arrived
from core.db import Database, json_text
from core.ledger.writing import OPERATION
from tidings.tables import IdempotentRequest

REQUEST = IdempotentRequest.__table__  # type: ignore[attr-defined]


def request_of(
    addresses: Addresses, customer: str, *, author: str | None = None, keep_bonuses: bool = False
) -> Erasure:
    """What is asked for when a customer is to be forgotten everywhere."""
    channels = {name: channel.address_kind for name, channel in discover().items()}
    return Erasure(customer, addresses, channels, author, keep_bonuses, _also)


def tidy(database: Database) -> None:
    """After the erasure is committed: SQLite keeps earlier pages in its log until it is emptied."""
    if database.dialect == "sqlite":
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _also(ids: Sequence[int]) -> Sequence[Wipe]:
    answers = Wipe("answers of the API", REQUEST, REQUEST.c.customer_id.in_(ids) | _given_to(ids))
    return (*campaigns.erasure.wipes(ids), *wallet.erasure.wipes(ids), answers)


def _given_to(ids: Sequence[int]) -> ColumnElement[bool]:
    """Answers about transfers, kept with the giver: they name the receiver as well.

    All of those givers go: the ledger itself answers a transfer that is sent again.
    """
    giver = cast(json_text(OPERATION.c.data, "sender_id"), BigInteger)
    theirs: ColumnElement[bool] = REQUEST.c.customer_id.in_(select(giver).where(arrived(ids)))
    about_transfers: ColumnElement[bool] = REQUEST.c.answer.contains('"receiver":')
    return theirs & about_transfers
