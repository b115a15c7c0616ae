"""Whatever happens at one moment: when it is quiet again, every phone shows what the server shows."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import select, text

from core.clock import MovableClock
from core.db import Database
from core.events import EVENT
from tests.wallet.conftest import NewCustomer
from tests.wallet.fleet import Apple, Lost, Owner, Till, witnessed
from tests.wallet.phone import Asked
from wallet.apple.owing import LEASE
from wallet.apple.package import Packager
from wallet.tables import DEVICE, REGISTRATION

SEED, CUSTOMERS, PHONES, STEPS, SALES = 7, 3, 3, 10, 25


def sales(till: Till, customers: list[int]) -> None:
    """Accruals one after the other. The beat hears late of some: phones fetch before they are marked."""
    random = Random(SEED)
    for number in range(1, SALES):
        customer = random.choice(customers)
        till.sell(customer, number)
        till.clock.move_by(timedelta(milliseconds=200))
        if random.random() < 0.7:
            till.mark_at_once(*customers)


def pushing(apple: Apple) -> None:
    for _ in range(STEPS):
        with suppress(Lost):
            apple.round()


def settle(till: Till, apple: Apple, customers: list[int]) -> None:
    """Until nothing is owed to anybody."""
    apple.quiet = True
    till.mark_at_once(*customers)
    till.clock.move_by(LEASE)
    while apple.round():
        till.clock.move_by(LEASE)


def audit(till: Till, owners: list[Owner]) -> None:
    phones = [owner.phone for owner in owners]
    carried = {(phone.device, serial) for phone in phones for serial in phone.passes}
    with till.database.read() as connection:
        kept = connection.execute(select(REGISTRATION.c.device, REGISTRATION.c.serial))
        assert {(row.device, row.serial) for row in kept} == carried
        assert set(connection.scalars(select(DEVICE.c.device))) == {device for device, _ in carried}
        marks = connection.execute(text("SELECT serial, tag, digest FROM marked ORDER BY tag")).all()
        told = connection.execute(select(EVENT.c.customer_id, EVENT.c.kind).order_by(EVENT.c.id)).all()
    for phone in phones:
        for serial in phone.passes:
            assert phone.files[serial] == till.as_it_is(serial), f"{phone.device} shows something old"
        for asked in phone.diary:
            for serial in asked.serials:
                assert has_changed(asked, serial, marks), f"{serial} was named in vain: {asked}"
    of_one_time: dict[tuple[str, str], bytes] = {}
    for serial, modified, pkpass in (it for phone in phones for it in phone.seen):
        assert of_one_time.setdefault((serial, modified), pkpass) == pkpass, "one time, two contents"
    for customer in till.guests:
        kinds = [row.kind for row in told if row.customer_id == customer]
        assert kinds == ["card_added", "card_removed"] * (len(kinds) // 2) + ["card_added"] * (len(kinds) % 2)


def has_changed(asked: Asked, serial: str, marks: Sequence[Any]) -> bool:
    """Whether the pass showed something else at the tag that the phone was given than at the one it knew."""
    if asked.since is None or asked.tag is None:
        return True  # who knows nothing is told everything
    (since, late_since), (until, late_until) = (map(int, it.split("-")) for it in (asked.since, asked.tag))
    shown = [None, *(digest for of, tag, digest in marks if of == serial and tag <= until)]
    known = [None, *(digest for of, tag, digest in marks if of == serial and tag <= since)]
    return shown[-1] != known[-1] or late_until > late_since


def test_after_any_bustle_every_phone_shows_what_the_server_shows(
    database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
) -> None:
    till = Till(database, clock, packager, new_customer)
    customers = [till.issue(f"guest{number}") for number in range(CUSTOMERS)]
    owners = [Owner(till, customers, number, SEED) for number in range(PHONES)]
    apple = Apple(till, owners, SEED)
    acts: list[Callable[[], None]] = [lambda: sales(till, customers), lambda: pushing(apple)]
    acts += [lambda owner=owner: owner.live(STEPS) for owner in owners]  # type: ignore[misc]
    with witnessed(database):
        with ThreadPoolExecutor(len(acts)) as pool:
            for done in [pool.submit(act) for act in acts]:
                done.result(timeout=60)
        settle(till, apple, customers)
        audit(till, owners)
