"""The temporary tables of a replay: those of the engine, laid over the real ones, and its own notes.

Both databases look for a temporary table first, so that looks, gates and `commit` read and write here
without knowing. They are gone with their transaction.
"""

from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, MetaData, Table, UniqueConstraint

from campaigns.past import temporary_schema
from campaigns.tables import (
    Decision,
    Enrolment,
    Message,
    MessageState,
    ScenarioState,
    SegmentChange,
    SegmentDefinition,
)
from core.db import Id, UtcDateTime
from core.events import EVENT
from core.tables import (
    Account,
    Address,
    Consent,
    Customer,
    CustomerStats,
    Entry,
    Lot,
    Operation,
    Receipt,
    ReceiptLine,
    Suppression,
    TierChange,
)

# What is filled again for a customer of whom something has become known.
OF_CUSTOMERS: tuple[Any, ...] = (
    Account, Address, Consent, Customer, CustomerStats, Lot, Receipt, TierChange,
)  # fmt: skip
# Filled again with their receipts.
LINES: tuple[Any, ...] = (ReceiptLine,)
# What never changes once it is known: only added to.
BOOKS: tuple[Any, ...] = (Entry, Operation)
DECISIONS: tuple[Any, ...] = (Decision, Enrolment, Message)
# What looks keep of segments, and since when scenarios run.
RUNNING: tuple[Any, ...] = (ScenarioState, SegmentChange, SegmentDefinition)
# All that a replay reads or writes of the engine's, laid over the real ones; `event` comes a little later.
LAID: tuple[Any, ...] = (*OF_CUSTOMERS, *LINES, *BOOKS, *DECISIONS, *RUNNING, MessageState, Suppression)

_NOTES = MetaData()
SAMPLE = Table("replay_customer", _NOTES, Column("customer_id", Id, primary_key=True), prefixes=["TEMPORARY"])
# When something of a customer became known, or changed.
NEWS = Table(
    "replay_news", _NOTES,
    Column("at", UtcDateTime, nullable=False, index=True), Column("customer_id", Id, nullable=False),
    prefixes=["TEMPORARY"],
)  # fmt: skip
TOUCHED = Table("replay_touched", _NOTES, Column("customer_id", Id, primary_key=True), prefixes=["TEMPORARY"])
# Every event of the sample, in the order in which they became known: `place`.
STREAM = Table(
    "replay_stream", _NOTES,
    *(Column(c.name, c.type, primary_key=c.name == "id") for c in EVENT.c),
    Column("known", UtcDateTime, nullable=False, index=True), Column("place", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)  # fmt: skip
NOTES = (SAMPLE, NEWS, TOUCHED, STREAM)


def lay(connection: Connection) -> None:
    """Make all of them, empty."""
    _NOTES.create_all(connection, checkfirst=False)
    for model in LAID:
        _twin(model.__table__).create(connection, checkfirst=False)


def lay_events(connection: Connection) -> None:
    """The stream of events, laid over only when the real one has been read."""
    _twin(EVENT).create(connection, checkfirst=False)


def analyze(connection: Connection) -> None:
    """Tell the planner how many rows there are."""
    schema = temporary_schema(connection)
    for name in (*(model.__table__.name for model in LAID), "event", *(it.name for it in NOTES)):
        connection.exec_driver_sql(f"ANALYZE {schema}.{name}")


def _twin(table: Table) -> Table:
    """A temporary table of the same name, columns and indexes; nothing in it refers to others."""
    columns = [
        Column(
            c.name, c.type, primary_key=c.primary_key, nullable=c.nullable,
            autoincrement="auto" if c.name == "id" else False,
        )
        for c in table.c
    ]  # fmt: skip
    twin = Table(table.name, MetaData(), *columns, prefixes=["TEMPORARY"])
    for index in table.indexes:
        where = {
            f"{dialect}_where": index.dialect_options[dialect].get("where")
            for dialect in ("sqlite", "postgresql")
        }
        parts = [twin.c[c.name] for c in index.columns]
        Index(
            f"replay_{index.name}",
            *parts,
            unique=index.unique,
            **{k: v for k, v in where.items() if v is not None},
        )
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            names = [c.name for c in constraint.columns]
            Index(f"replay_{table.name}_{'_'.join(names)}", *(twin.c[name] for name in names), unique=True)
    return twin
