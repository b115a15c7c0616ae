"""A small program around the wallet: guests, their cards, and the callables that the wallet asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Row

from core.clock import MovableClock
from core.db import Database
from tests.wallet.cards import Guest
from tests.wallet.conftest import PASS_TYPE, NewCustomer
from wallet import passes, updates
from wallet.apple.package import Packager
from wallet.apple.webservice import router
from wallet.design import Face


class Shop:
    """Keeps guests by customer id."""

    def __init__(
        self, database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
    ) -> None:
        self.database, self.clock, self.packager = database, clock, packager
        self._new_customer = new_customer
        self.guests: dict[int, Guest] = {}
        app = FastAPI()
        app.include_router(router(database, clock, PASS_TYPE, self.build), prefix="/wallet/apple")
        self.client = TestClient(app)

    def faces(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        return {it: self.guests[it].face() for it in ids if it in self.guests}

    def build(self, connection: Connection, row: Row[Any]) -> bytes:
        face = self.guests[row.customer_id].face()
        if row.news:
            face = face.with_news("Новини", row.news)
        return self.packager.build(face, row.serial, row.token, voided=row.voided)

    def issue(self, name: str = "olena") -> int:
        """A new guest with a pass; the customer's id."""
        with self.database.write() as connection:
            customer = self._new_customer(connection, name)
            self.guests[customer] = Guest(card=f"KV-{name}")
            passes.issue(connection, customer, self.guests[customer].face(), self.clock.now())
        return customer

    def row(self, customer: int) -> Row[Any]:
        with self.database.read() as connection:
            row = passes.of_customer(connection, customer)
        assert row is not None
        return row

    def download(self, customer: int) -> bytes:
        """The pass behind a link."""
        with self.database.write() as connection:
            passes.fetched(connection, customer, self.clock.now())
        with self.database.read() as connection:
            return self.build(connection, self.row(customer))

    def mark(self, *customers: int) -> list[int]:
        with self.database.write() as connection:
            return updates.mark(connection, customers, self.faces, self.clock.now())

    def claim(self) -> list[updates.Owed]:
        with self.database.write() as connection:
            return updates.claim(connection, self.clock.now())
