"""A small program around the wallet: guests, their cards, and the callables that the wallet asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Row, select

from core.clock import MovableClock
from core.db import Database
from tests.wallet.cards import Guest, designed
from tests.wallet.conftest import PASS_TYPE, NewCustomer
from wallet import copies, passes, updates
from wallet.apple.attempts import Attempts
from wallet.apple.owing import Owed, claim
from wallet.apple.package import Packager
from wallet.apple.routes import router
from wallet.apple.webservice import WebService
from wallet.design import Card, Face
from wallet.showing import showing
from wallet.tables import CURRENT, PASS


class Shop:
    """Keeps guests by customer id."""

    def __init__(
        self, database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
    ) -> None:
        self.database, self.clock, self.packager = database, clock, packager
        self._new_customer = new_customer
        self.guests: dict[int, Guest] = {}
        self.design: Card | None = None
        self.seconds = 0.0
        self.attempts = Attempts(lambda: self.seconds)
        app = FastAPI(redirect_slashes=False)
        service = WebService(database, clock, PASS_TYPE, self, self.attempts)
        app.include_router(router(service), prefix="/wallet/apple")
        self.app = app
        self.client = TestClient(app)

    def faces(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        """Every guest's card; whose card cannot be filled in has no guest."""
        told = select(PASS.c.customer_id, PASS.c.news).where(PASS.c.customer_id.in_(ids), CURRENT)
        news = dict(connection.execute(told).all())
        faces = {it: self.guests[it].face(self.design) for it in ids if it in self.guests}
        return {
            it: face.with_news("Новини", news[it]) if news.get(it) else face for it, face in faces.items()
        }

    def packed(self, face: Face, row: Row[Any]) -> bytes:
        if row.replaced_at is not None:
            face = face.emptied()
        return self.packager.build(face, row.serial, row.token, row.changed_at, voided=row.voided)

    def issue(self, name: str = "olena") -> int:
        """A new guest with a pass; the customer's id."""
        with self.database.write() as connection:
            customer = self._new_customer(connection, name)
            self.guests[customer] = Guest(card=f"KV-{name}")
            passes.issue(connection, customer, self.guests[customer].face(self.design), self.clock.now())
        return customer

    def redesign(self, **parts: Any) -> None:
        """A new version, whose card's file says some parts otherwise."""
        self.design = designed(**parts)

    def row(self, customer: int) -> Row[Any]:
        with self.database.read() as connection:
            row = passes.current(connection, customer)
        assert row is not None
        return row

    def download(self, customer: int) -> bytes:
        """The pass behind a link."""
        found = showing(self.database, self.row(customer).serial, self.faces, self.clock)
        assert found.face is not None
        with self.database.write() as connection:
            copies.handed_out(connection, found.row, self.clock.now())
        return self.packed(found.face, found.row)

    def mark(self, *customers: int) -> list[int]:
        with self.database.write() as connection:
            return updates.mark(connection, customers, self.faces, self.clock.now())

    def claim(self) -> list[Owed]:
        with self.database.write() as connection:
            return claim(connection, self.clock.now())
