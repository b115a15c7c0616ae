"""Where customers can be reached, and which addresses must be left alone.

A suppression concerns a channel and an address. Only a keyed digest of the address is kept in it, so that
it outlives the person's erasure and a later import stays suppressed.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from core.db import insert_ignoring, upsert
from core.tables import Address, LiftedSuppression, Suppression

ADDRESS = Address.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]
LIFTED = LiftedSuppression.__table__  # type: ignore[attr-defined]
# Kinds of addresses of which an app or a messenger tells by itself, also that they are good again.
REPORTED = ("push", "telegram")
# Who lifted a suppression by their own START, or on their own page.
THE_CUSTOMER = "the customer"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The keeper of addresses; `secret` keys the digests and must never change within an installation."""

    secret: bytes

    def digest(self, kind: str, value: str) -> str:
        """HMAC-SHA-256 of an address, hex; the same for an email in whatever case, as mailboxes take it."""
        known = value.lower() if kind == "email" else value
        return hmac.new(self.secret, f"{kind}:{known}".encode(), hashlib.sha256).hexdigest()

    def put(
        self,
        connection: Connection,
        found: Sequence[tuple[int, str, str]],
        kinds: Sequence[str],
        at: datetime,
        since: Mapping[int, datetime] = MappingProxyType({}),
    ) -> None:
        """Set the addresses of the named single-valued kinds: (customer id, kind, value), '' for none.

        An address that a profile no longer names becomes inactive; the same one again becomes active.
        `since` is from when a customer's addresses are good, where that is not `at`: imported history.
        """
        named = [(i, kind, value) for i, kind, value in found if kind in kinds]
        for kind in kinds:
            ids = [i for i, its_kind, _ in named if its_kind == kind]
            for start in range(0, len(ids), 5_000):
                chunk = ADDRESS.c.customer_id.in_(ids[start : start + 5_000])
                connection.execute(update(ADDRESS).where(chunk, ADDRESS.c.kind == kind).values(active=False))
        self.add(connection, [it for it in named if it[2]], at, since)

    def add(
        self,
        connection: Connection,
        found: Sequence[tuple[int, str, str]],
        at: datetime,
        since: Mapping[int, datetime] = MappingProxyType({}),
    ) -> None:
        """Add addresses beside those that are there (a customer has several phones with the app)."""
        rows = [
            {"customer_id": i, "kind": kind, "value": value, "digest": self.digest(kind, value),
             "active": True, "since": since.get(i, at)}
            for i, kind, value in found
        ]  # fmt: skip
        if rows:
            connection.execute(
                upsert(connection, ADDRESS, ["customer_id", "kind", "value"], ["active"]), rows
            )

    def reported(
        self, connection: Connection, customer_id: int, kind: str, value: str, at: datetime
    ) -> None:  # fmt: skip
        """An app says whose it is: the address is theirs beside others, and nobody else's any more.

        A phone keeps its token when somebody else logs in, and what is said of one customer's bonuses must
        not stand on the screen of another.
        """
        digest = self.digest(kind, value)
        alone(connection, digest)
        self.add(connection, [(customer_id, kind, value)], at)
        others = (ADDRESS.c.kind == kind) & (ADDRESS.c.digest == digest)
        elsewhere = others & (ADDRESS.c.customer_id != customer_id)
        connection.execute(update(ADDRESS).where(elsewhere).values(active=False))


def alone(connection: Connection, digest: str) -> None:
    """One at a time, before a customer is held: of two who come to one address the later one has it."""
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(bytes.fromhex(digest)[:8], signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(number)))


def suppress(connection: Connection, channel: str, digest: str, reason: str, at: datetime) -> None:
    """Never use this address on this channel again."""
    row = {"channel": channel, "digest": digest, "reason": reason, "at": at}
    connection.execute(insert_ignoring(connection, SUPPRESSION).values(**row))


def give_up(
    connection: Connection, channel: str, kind: str, digest: str, reason: str, at: datetime
) -> None:  # fmt: skip
    """A provider will deliver nothing more to this address.

    One that an app or a messenger reports is put aside until it is reported again; one that the shop knows
    from the customer is suppressed, since the shop's next import would bring it back.
    """
    if kind not in REPORTED:
        suppress(connection, channel, digest, reason, at)
        return
    mine = (ADDRESS.c.kind == kind) & (ADDRESS.c.digest == digest)
    connection.execute(update(ADDRESS).where(mine).values(active=False))


@dataclass(frozen=True, slots=True)
class Answerable:
    """Who takes suppressions back, and why, in a few words: it is kept with what was lifted."""

    author: str
    why: str


def lift(connection: Connection, channel: str, digest: str, by: Answerable, at: datetime) -> bool:
    """The address may be used again (START, or a corrected mistake); False if it was not suppressed."""
    where = and_(SUPPRESSION.c.channel == channel, SUPPRESSION.c.digest == digest)
    row = connection.execute(delete(SUPPRESSION).where(where).returning(*SUPPRESSION.c)).first()
    if row is None:
        return False
    kept = {**row._mapping, "lifted_at": at, "author": by.author, "why": by.why}  # noqa: SLF001
    connection.execute(insert(LIFTED).values(kept))
    return True


def address_of(connection: Connection, customer_id: int, kind: str) -> str | None:
    """The newest active address of a kind."""
    statement = select(ADDRESS.c.value).where(ADDRESS.c.customer_id == customer_id, ADDRESS.c.kind == kind)
    newest = statement.where(ADDRESS.c.active).order_by(ADDRESS.c.since.desc(), ADDRESS.c.id.desc()).limit(1)
    return connection.scalar(newest)
