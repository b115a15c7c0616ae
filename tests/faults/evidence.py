"""What the world outside knows: receipts that were acknowledged, wishes, and who was interrupted in what."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from campaigns.tables import Message
from core.db import Database
from core.ledger.writing import ENTRY
from tests.faults.providers import Taken

MESSAGE = Message.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A receipt that the till was told is booked; bonuses in whole ones, as answered."""

    customer: str
    earned: str
    spent: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A customer wanted no more (a STOP, a withdrawn consent), or had spent what was to be reminded of.

    `at` is when the service had said that it knows (monotonic seconds); `texts` is what must not leave after
    that, all of them if there are none, but for the `begun` copies that were on their way by then.
    """

    kind: str
    customer: str
    address: str
    texts: tuple[str, ...]
    at: float
    begun: int


@dataclass(slots=True)
class Evidence:
    """What an audit compares: the database, the providers' records, and what the world outside was told."""

    database: Database
    taken: Sequence[Taken] = ()
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    unheard: set[str] = field(default_factory=set)
    """Receipts that were sent and not answered yet: they may be booked, once."""
    unsure: set[str] = field(default_factory=set)
    """Receipts that were not answered at least once; most of them were, when they were sent again."""
    refused: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    """Receipts of files whose import came to its end."""
    wishes: list[Wish] = field(default_factory=list)
    entries: dict[int, str] = field(default_factory=dict)
    """The ledger's entries as they were seen at each fault: id → digest."""
    interruptions: int = 0
    """How often a process that may send was killed, frozen past its lease, or lost database or provider."""
    frozen: Counter[int] = field(default_factory=Counter)
    """Message → how often it was on its way in a process that then was past its lease (decision 0004)."""
    at_most: int = 20
    """How many messages of an at-most-once channel one interruption may leave unknown."""
    shown: dict[str, str] = field(default_factory=dict)
    """Phone's owner → the balance that the phone shows, woken by nothing but pushes."""

    def keep_entries(self) -> None:
        """See the ledger's entries: none of them may be changed or gone later."""
        with self.database.read() as connection:
            self.entries |= digests(connection)


def digests(connection: Connection) -> dict[int, str]:
    """Id → digest of every entry of the ledger."""
    rows = connection.execute(select(ENTRY).order_by(ENTRY.c.id))
    return {row.id: hashlib.sha256(repr(tuple(row)).encode()).hexdigest() for row in rows}


def on_their_way(database: Database, *channels: str) -> set[int]:
    """Messages that are claimed, and of which nobody has said what became."""
    mine = (MESSAGE.c.state == "sending") & MESSAGE.c.channel.in_(channels)
    with database.read() as connection:
        return set(connection.scalars(select(MESSAGE.c.id).where(mine)))


def is_locked(database: Database) -> bool:
    """Whether somebody is writing to a file of SQLite just now."""
    if database.dialect != "sqlite":
        return False
    with closing(sqlite3.connect(database.engine.url.database or "", timeout=0, isolation_level=None)) as own:
        try:
            own.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        own.execute("ROLLBACK")
        return False
