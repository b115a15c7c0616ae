"""Phones, a till and a push service at the same moment, and a witness of what was marked.

The balance stands in the database, so that a snapshot of it is one. Who is late, lost or repeated is drawn
from a seed; who comes first is the threads' affair.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random

from fastapi.testclient import TestClient
from sqlalchemy import Connection, select, text

from core.customers.profiles import CUSTOMER
from core.db import Database
from tests.wallet.cards import Guest
from tests.wallet.phone import Phone
from tests.wallet.shop import Shop
from wallet import updates
from wallet.apple.live import Rest, Waking
from wallet.apple.owing import Owed
from wallet.apple.push import Outcome, Pushed
from wallet.design import Face
from wallet.design.face import Shown
from wallet.showing import showing

WITNESS = {
    "sqlite": (
        "CREATE TABLE marked (serial TEXT, tag BIGINT, digest TEXT)",
        """CREATE TRIGGER marks AFTER UPDATE OF tag ON wallet_pass WHEN NEW.tag <> OLD.tag
           BEGIN INSERT INTO marked VALUES (NEW.serial, NEW.tag, NEW.digest); END""",
    ),
    "postgresql": (
        "CREATE TABLE marked (serial TEXT, tag BIGINT, digest TEXT)",
        """CREATE FUNCTION mark_witnessed() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO marked VALUES (NEW.serial, NEW.tag, NEW.digest); RETURN NEW; END $$""",
        """CREATE TRIGGER marks AFTER UPDATE OF tag ON wallet_pass FOR EACH ROW
           WHEN (NEW.tag <> OLD.tag) EXECUTE FUNCTION mark_witnessed()""",
    ),
}
FORGOTTEN = ("DROP TRIGGER marks ON wallet_pass", "DROP FUNCTION mark_witnessed", "DROP TABLE marked")


@contextmanager
def witnessed(database: Database) -> Iterator[None]:
    """Every mark of a pass is written down by the database itself."""
    with database.write() as connection:
        for statement in WITNESS[database.dialect]:
            connection.execute(text(statement))
    try:
        yield
    finally:
        if database.dialect == "postgresql":
            with database.write() as connection:
                for statement in FORGOTTEN:
                    connection.execute(text(statement))


class Till(Shop):
    """A shop whose guests' balances stand in the database."""

    def faces(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        rows = connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.attributes).where(CUSTOMER.c.id.in_(ids)))
        return {row.id: showing_balance(row.attributes.get("balance", 0)) for row in rows}

    def sell(self, customer: int, balance: int) -> None:
        with self.database.write() as connection:
            sold = CUSTOMER.update().where(CUSTOMER.c.id == customer)
            connection.execute(sold.values(attributes={"balance": balance}))

    def mark_at_once(self, *customers: int) -> None:
        with self.database.write() as connection:
            updates.mark(connection, customers, self.faces, self.clock.now(), timedelta(0))

    def as_it_is(self, serial: str) -> bytes:
        """The pass that the server would give out now."""
        found = showing(self.database, serial, self.faces, self.clock)
        assert found.face is not None
        return self.packed(found.face, found.row)


PLAIN = Guest().face()


def showing_balance(balance: int) -> Face:
    return replace(PLAIN, header=(Shown("balance", "Бонуси", str(balance), "Тепер у вас %@"),))


class Owner:
    """Somebody with a phone, who does this and that with it."""

    def __init__(self, till: Till, customers: Sequence[int], number: int, seed: int) -> None:
        self.till, self.customers, self.random = till, customers, Random(f"{seed} {number}")
        self.phone = Phone(TestClient(till.app), f"phone-{number}", f"token{number}v0")
        self.silent: set[str] = set()
        """Passes whose updates are switched off."""
        self._number, self._tokens = number, 0

    def live(self, steps: int) -> None:
        """So many steps, then everything is switched on again."""
        acts = (self.add, self.add, self.look, self.look, self.look, self.renew, self.drop, self.switch)
        self.add()
        for _ in range(steps):
            self.random.choice(acts)()
        for serial in sorted(self.silent):
            self.phone.register(serial)
        self.silent.clear()

    def add(self) -> None:
        self.phone.add(self.till.download(self.random.choice(self.customers)))

    def look(self) -> None:
        self.phone.woken()

    def renew(self) -> None:
        """Apple gives the phone another push token."""
        self._tokens += 1
        self.phone.push_token = f"token{self._number}v{self._tokens}"
        for serial in sorted({*self.phone.passes} - self.silent):
            assert self.phone.register(serial).status_code in (200, 201)

    def drop(self) -> None:
        if self.phone.passes:
            serial = self.random.choice(sorted(self.phone.passes))
            self.silent.discard(serial)
            assert self.phone.remove(serial).status_code == 200

    def switch(self) -> None:
        """Automatic updates off, or on again; the phone keeps what it shows."""
        if not self.phone.passes:
            return
        serial = self.random.choice(sorted(self.phone.passes))
        if serial in self.silent:
            self.silent.remove(serial)
            self.phone.register(serial)
        else:
            self.silent.add(serial)
            self.phone.unregister(serial)


class Lost(Exception):
    """The process dies after the pushes left and before anybody wrote that down."""


class Apple:
    """The push service: knows which phone listens at a token; every other token is dead."""

    def __init__(self, till: Till, owners: Sequence[Owner], seed: int) -> None:
        self.till, self.owners, self.random = till, owners, Random(seed)
        self.waking = Waking(till.database, till.clock, Rest())
        self.quiet = False

    def round(self) -> Counter[str]:
        """Wake who is due."""
        return asyncio.run(self.waking.push_due(self))

    async def push(self, devices: Sequence[Owed]) -> list[Pushed]:
        """Amid the bustle phones look in their own time; when it is quiet, at once."""
        listening = {owner.phone.push_token: owner for owner in self.owners}
        for owed in devices:
            if self.quiet and owed.push_token in listening:
                await asyncio.to_thread(listening[owed.push_token].look)
        if not self.quiet and self.random.random() < 0.2:
            raise Lost
        known = (Outcome.GONE, Outcome.ACCEPTED)
        return [Pushed(owed, known[owed.push_token in listening]) for owed in devices]

    async def close(self) -> None:
        """Nothing is held."""
