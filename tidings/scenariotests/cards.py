"""The cards of a test's customers: who has one on their phone, and what it shows."""

from datetime import datetime

from sqlalchemy import Connection, update

from core.links import Links
from core.source import KeyPath
from scheduler.deck import Deck, read_card
from tidings.scenariotests.people import People
from wallet import happenings, passes, registrations
from wallet.design import Face
from wallet.tables import CURRENT, PASS

APPLE = "apple"


class Cards:
    """The workspace's card, if it has one."""

    def __init__(self, people: People, links: Links) -> None:
        self.people = people
        found = read_card(people.running.loaded.bundle.files)
        self.deck = Deck(people.running, found[0], found[1], None, links) if found else None

    def face(self, connection: Connection, name: str, at: datetime, path: KeyPath) -> Face:
        """What a customer's card shows; Problems if there is no card."""
        if self.deck is None:
            raise self.people.refuse(
                path, "the workspace has no card", "write cards/loyalty.yaml, or remove it"
            )
        face = self.deck.faces(connection, [self.people.ids[name]], at).get(self.people.ids[name])
        if face is None:
            raise self.people.refuse(path, "the card cannot be filled in", "see what `tidings check` says")
        return face

    def add(self, connection: Connection, name: str, wallet: str, at: datetime, path: KeyPath) -> None:
        """The customer puts the card on a phone."""
        customer_id = self.people.ids[name]
        row = passes.issue(connection, customer_id, self.face(connection, name, at, path), at)
        if wallet == APPLE:
            registrations.register(connection, row.serial, f"phone-{name}", f"token-{name}", at)
            return
        self._save(connection, customer_id, saved=True)
        happenings.came(connection, row.serial, wallet, at)

    def remove(self, connection: Connection, name: str, wallet: str, at: datetime) -> None:
        """The customer takes it off."""
        customer_id = self.people.ids[name]
        row = passes.current(connection, customer_id)
        if row is None:
            return
        if wallet == APPLE:
            registrations.unregister(connection, row.serial, f"phone-{name}", at)
            return
        self._save(connection, customer_id, saved=False)
        happenings.went(connection, row.serial, wallet, at)

    @staticmethod
    def _save(connection: Connection, customer_id: int, *, saved: bool) -> None:
        mine = update(PASS).where(PASS.c.customer_id == customer_id, CURRENT)
        connection.execute(mine.values(google_saved=saved))
