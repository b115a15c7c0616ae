"""What a look at the past lays aside: what came in as history, and what came back only later."""

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    String,
    Table,
    and_,
    case,
    false,
    func,
    null,
    select,
    update,
)

from core.db import Id, UtcDateTime
from core.events import EVENT
from triggers.base import whole_number

# What came in as history, by the subject of its event: looked up for each fact, so it has a key of its own.
IMPORTED = Table(
    "past_imported", MetaData(),
    Column("customer_id", Id, primary_key=True),
    Column("subject", String, primary_key=True),
    prefixes=["TEMPORARY"],
)  # fmt: skip
# The columns of a receipt that a return lessens, and what its event calls that.
LESS = {"total": "returned", "earned_points": "taken_back", "paid_points": "given_back"}
# Returns that were not known yet: what came back by them still counted.
RETURNED = Table(
    "past_returned", MetaData(),
    Column("receipt", String, nullable=False, index=True),
    Column("known", UtcDateTime, nullable=False),
    *(Column(name, Id, nullable=False) for name in LESS),
    prefixes=["TEMPORARY"],
)  # fmt: skip


def note_imported(connection: Connection, at: Any) -> None:
    """Lay aside what came in as history and had happened by `at` (bound as a time): `IMPORTED`."""
    IMPORTED.create(connection)
    history = select(EVENT.c.customer_id, EVENT.c.subject).distinct()
    history = history.where(EVENT.c.live == false(), EVENT.c.at <= at, EVENT.c.subject.is_not(None))
    connection.execute(IMPORTED.insert().from_select(["customer_id", "subject"], history))


def note_returned(connection: Connection, at: Any) -> None:
    """Lay aside the returns that were not known by `at` (bound as a time): `RETURNED`."""
    RETURNED.create(connection)
    known = case((EVENT.c.live, EVENT.c.recorded_at), else_=EVENT.c.at)
    less = (func.coalesce(whole_number(EVENT.c.data, said), 0) for said in LESS.values())
    returns = select(EVENT.c.subject, known, *less).where(EVENT.c.kind == "return", known > at)
    returns = returns.where(EVENT.c.subject.is_not(None))
    connection.execute(RETURNED.insert().from_select(["receipt", "known", *LESS], returns))


def give_back(connection: Connection, receipt: Table, at: Any, whose: Any) -> None:
    """Let receipts that are laid over the real ones be as they were at `at`, of the customers that `whose`
    picks out: what was not known then to have come back is still in them.
    """
    later = and_(RETURNED.c.receipt == receipt.c.external_id, RETURNED.c.known > at)
    back = {name: select(func.sum(RETURNED.c[name])).where(later).scalar_subquery() for name in LESS}
    told = receipt.c.external_id.in_(select(RETURNED.c.receipt).where(RETURNED.c.known > at))
    still = update(receipt).where(told, whose(receipt.c.customer_id))
    whole = {name: receipt.c[name] + points for name, points in back.items()}
    connection.execute(still.values(returned_at=null(), **whole))
