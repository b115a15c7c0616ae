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
    text,
    update,
)

from core.db import Id, UtcDateTime
from core.events import EVENT
from core.tables import ReceiptLine
from triggers.base import whole_number

LINE: Table = ReceiptLine.__table__  # type: ignore[attr-defined]
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


def give_back_lines(connection: Connection, schema: str) -> None:
    """The same of the lines of receipts: nothing of them had come back. There are too many to copy: they are
    seen through a view that is laid over them.
    """
    if connection.scalar(select(RETURNED.c.receipt).limit(1)) is None:
        return
    its = f"{schema}.receipt AS its JOIN past_returned ON receipt = its.external_id"
    later = f"SELECT 1 FROM {its} WHERE its.id = line_of.receipt_id"  # noqa: S608 - our own names
    columns = [f"line_of.{c.name}" for c in LINE.c if c is not LINE.c.returned]
    columns.append(f"CASE WHEN EXISTS ({later}) THEN 0 ELSE line_of.returned END AS returned")
    seen = f"SELECT {', '.join(columns)} FROM {schema}.{LINE.name} AS line_of"  # noqa: S608 - our own names
    connection.execute(text(f"CREATE TEMPORARY VIEW {LINE.name} AS {seen}"))
