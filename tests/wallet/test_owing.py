"""Whatever happens in whatever order, no device misses a change of its card."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import select

from core.clock import MovableClock
from core.db import Database
from tests.wallet.conftest import NewCustomer
from tests.wallet.phone import Phone
from tests.wallet.shop import Shop
from wallet import updates
from wallet.apple.owing import LEASE, Owed, Settling, backoff, claim
from wallet.apple.package import Packager
from wallet.tables import DEVICE, REGISTRATION

GUESTS, STEPS, STORIES = 2, 80, 3


@dataclass
class Story:
    """Guests, their phones, and workers that push: each step is one thing that may happen next.

    Kept beside the database: since when a device has not been told of a change (`unheard`), and what
    workers have in hand.
    """

    shop: Shop
    random: Random
    guests: list[int]
    phones: dict[str, Phone] = field(default_factory=dict)
    unheard: dict[str, int] = field(default_factory=dict)
    in_hand: list[tuple[Owed, int]] = field(default_factory=list)
    step: int = 0

    def play(self) -> None:
        acts = [
            self.change, self.change, self.take, self.take, self.take, self.accept, self.accept, self.fail,
            self.lose, self.wait, self.wait, self.move, self.ask, self.remove,
        ]  # fmt: skip
        for guest in self.guests:
            self.add(guest)
        for self.step in range(1, STEPS + 1):
            self.random.choice(acts)()
            if not any(phone.passes for phone in self.phones.values()):
                self.add(self.random.choice(self.guests))
            assert set(self.unheard) <= self.owed()

    def change(self) -> None:
        """Some cards show something new, in one transaction."""
        changed = self.random.sample(self.guests, self.random.randint(1, len(self.guests)))
        for guest in changed:
            self.shop.guests[guest].balance = Decimal(self.step)
        wait = timedelta(seconds=self.random.choice((0, 0.25)))
        with self.shop.database.write() as connection:
            updates.mark(connection, changed, self.shop.faces, self.shop.clock.now(), wait)
            carrying = select(REGISTRATION.c.device).where(REGISTRATION.c.customer_id.in_(changed))
            for device in connection.scalars(carrying):
                self.unheard[device] = self.step

    def add(self, guest: int) -> None:
        name = f"phone-{self.random.randrange(2)}"
        phone = self.phones.setdefault(name, Phone(self.shop.client, name, f"token{name[-1]}"))
        phone.add(self.shop.download(guest))

    def remove(self) -> None:
        if carried := [(name, serial) for name, it in self.phones.items() for serial in it.passes]:
            name, serial = self.random.choice(carried)
            self.phones[name].remove(serial)
            if not self.phones[name].passes:
                self.unheard.pop(name, None)

    def move(self) -> None:
        """A phone listens at another token."""
        if holders := [it for it in self.phones.values() if it.passes]:
            phone = self.random.choice(holders)
            phone.push_token = f"token{self.step}"
            phone.register(self.random.choice(list(phone.passes)))

    def take(self) -> None:
        """A worker claims; it knows nothing of what comes after."""
        with self.shop.database.write() as connection:
            for owed in claim(connection, self.shop.clock.now(), self.random.randint(1, 2)):
                self.in_hand.append((owed, self.step))

    def accept(self) -> None:
        for owed, since in self._end_some():
            with self.shop.database.write() as connection:
                settling = Settling(connection, self.shop.clock.now())
                settling.accepted([owed], settling.held([owed]))
            phone = self.phones[owed.device]
            if phone.push_token == owed.push_token and self.unheard.get(owed.device, since) < since:
                self.unheard.pop(owed.device, None)

    def fail(self) -> None:
        for owed, _ in self._end_some():
            with self.shop.database.write() as connection:
                settling = Settling(connection, self.shop.clock.now())
                settling.failed({owed: backoff(owed.attempts)}, settling.held([owed]))

    def lose(self) -> None:
        """A worker dies with what it has in hand."""
        list(self._end_some())

    def _end_some(self) -> Iterator[tuple[Owed, int]]:
        for _ in range(min(len(self.in_hand), 1)):
            yield self.in_hand.pop(self.random.randrange(len(self.in_hand)))

    def ask(self) -> None:
        if holders := [it for it in self.phones.values() if it.passes]:
            phone = self.random.choice(holders)
            phone.woken()
            self.unheard.pop(phone.device, None)

    def wait(self) -> None:
        self.shop.clock.move_by(self.random.choice((timedelta(seconds=0.25), timedelta(seconds=30), LEASE)))

    def owed(self) -> set[str]:
        """Devices that the database still owes a push."""
        with self.shop.database.read() as connection:
            return set(connection.scalars(select(DEVICE.c.device).where(DEVICE.c.push_at.is_not(None))))


@pytest.mark.parametrize("seed", range(STORIES))
def test_a_device_whose_card_changed_is_owed_a_push_until_it_was_told(
    database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer, seed: int
) -> None:
    shop = Shop(database, clock, packager, new_customer)
    story = Story(shop, Random(seed), [shop.issue(f"guest-{number}") for number in range(GUESTS)])
    for guest in shop.guests.values():
        guest.balance = Decimal(0)
    story.play()
    # And in the end everybody hears of everything.
    story.step += 1
    for _ in range(10):
        clock.move_by(LEASE)
        story.in_hand.clear()
        story.take()
        story.accept()
        story.accept()
        clock.move_by(timedelta(hours=1))
    assert (story.unheard, story.owed()) == ({}, set())
    for phone in story.phones.values():
        if phone.passes:
            phone.woken()
        for serial, content in phone.passes.items():
            assert str(shown_balance(shop, serial)) in str(content["storeCard"])


def shown_balance(shop: Shop, serial: str) -> Decimal:
    customer = next(it for it in shop.guests if shop.row(it).serial == serial)
    return shop.guests[customer].balance
