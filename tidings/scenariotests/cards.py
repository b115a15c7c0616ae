"""The cards of a test's customers: who has one on their phone, and what it shows."""

from datetime import datetime

from sqlalchemy import Connection, update

from core.links import Links
from core.source import KeyPath
from scheduler.deck import Deck, read_card
from tidings.scenariotests.people import People
from wallet import passes, registrations
from wallet.design import Face
from wallet.tables import PASS

APPLE = "apple"


class Cards:
    """The workspace's card, if it has one."""

    def __init__(self, people: People, links: Links) -> None:
        self.people = people
        found = read_card(people.running.loaded.bundle.files)
        self._deck = Deck(people.running, found[0], found[1], "", links) if found else None

    def face(self, connection: Connection, name: str, at: datetime, path: KeyPath) -> Face:
        """What a customer's card shows; Problems if there is no card."""
        if self._deck is None:
            raise self.people.refuse(
                path, "the workspace has no card", "write cards/loyalty.yaml, or remove it"
            )
        face = self._deck.faces(connection, [self.people.ids[name]], at).get(self.people.ids[name])
        if face is None:
            raise self.people.refuse(path, "the card cannot be filled in", "see what `tidings check` says")
        return face

    def add(self, connection: Connection, name: str, wallet: str, at: datetime, path: KeyPath) -> None:
        """The customer puts the card on a phone."""
        customer_id = self.people.ids[name]
        row = passes.issue(connection, customer_id, self.face(connection, name, at, path), at)
        if wallet == APPLE:
            registrations.register(connection, row, f"phone-{name}", f"token-{name}", at)
            return
        self._save(connection, customer_id, saved=True)
        registrations.note(connection, registrations.ADDED, customer_id, wallet, row.serial, at)

    def remove(self, connection: Connection, name: str, wallet: str, at: datetime) -> None:
        """The customer takes it off."""
        customer_id = self.people.ids[name]
        row = passes.of_customer(connection, customer_id)
        if row is None:
            return
        if wallet == APPLE:
            registrations.unregister(connection, row, f"phone-{name}", at)
            return
        self._save(connection, customer_id, saved=False)
        registrations.note(connection, registrations.REMOVED, customer_id, wallet, row.serial, at)

    @staticmethod
    def _save(connection: Connection, customer_id: int, *, saved: bool) -> None:
        mine = update(PASS).where(PASS.c.customer_id == customer_id)
        connection.execute(mine.values(google_saved=saved))
