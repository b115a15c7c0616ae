"""What the tests about people share: a program with transfers, gifts, and what lies in whose lots."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from core.customers.holders import people
from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT
from core.ledger.bonuses import Request, grant
from core.ledger.lots import Refusal
from core.ledger.writing import ACCOUNT, LOT
from core.purchases.receipts import Outcome, Purchase, record
from tests.core.books import START, accepted, check_books, program

LATER = START + timedelta(days=1)
SHARING = program(("spend: {share", "transfers: {at_least: 1, at_most: 50}\nspend: {share"))


def give(database: Database, customer: str, points: int, at: datetime = START) -> None:
    """A gift, in hundredths of a bonus."""
    key = f"{id_of(database, customer)}:{points}:{at}"
    with database.write() as connection:
        request = Request(key, customer, points, at)
        accepted(grant(connection, SHARING, request, at, live=True))


def buy(database: Database, *purchases: Purchase) -> list[dict[str, Any]]:
    """The till's requests, each at its own time."""
    with database.write() as connection:
        return [accepted(record(connection, SHARING, [it], it.at, live=True)[0]) for it in purchases]


def id_of(database: Database, name: str) -> int:
    """The customer's own number, whoever they lead to."""
    with database.read() as connection:
        found = connection.scalars(select(CUSTOMER.c.id).where(CUSTOMER.c.external_id == name))
        return int(found.one())


def lots(database: Database, name: str) -> list[tuple[int, Any]]:
    """What is open on a customer's own account: (remaining, last day)."""
    mine = (LOT.c.customer_id == id_of(database, name)) & (LOT.c.remaining != 0)
    with database.read() as connection:
        rows = connection.execute(select(LOT.c.remaining, LOT.c.expires_on).where(mine).order_by(LOT.c.id))
        return [(row.remaining, row.expires_on) for row in rows]


def balance(database: Database, name: str) -> int:
    """The account that the customer uses; the books are checked on the way."""
    with database.read() as connection:
        check_books(connection)
        holder = people(connection, [name])[name].holder
        return connection.scalar(select(ACCOUNT.c.total).where(ACCOUNT.c.customer_id == holder)) or 0


def events(database: Database, name: str) -> list[str]:
    """The kinds of what happened to a customer, in order."""
    with database.read() as connection:
        mine = select(EVENT.c.kind).where(EVENT.c.customer_id == id_of(database, name))
        return list(connection.scalars(mine.order_by(EVENT.c.id)))


def refused(outcome: Outcome) -> str:
    """Why a request was not carried out."""
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason
