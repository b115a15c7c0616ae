"""Which cards are marked, in which order, and which devices are owed a push."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Event

import pytest
from sqlalchemy import Connection, select, text

from core.clock import MovableClock
from core.db import Database
from tests.wallet.conftest import NewCustomer
from tests.wallet.phone import Phone
from tests.wallet.shop import Shop
from wallet import passes, registrations, updates
from wallet.apple import dormancy, owing
from wallet.apple.owing import ATTEMPTS_AT_MOST, LEASE, Owed, Settling, backoff
from wallet.apple.package import Packager
from wallet.design import Face
from wallet.google import due
from wallet.registrations import Tag
from wallet.tables import DEVICE, PASS
from wallet.updates import COALESCE


@pytest.fixture
def shop(database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer) -> Shop:
    return Shop(database, clock, packager, new_customer)


def with_phone(shop: Shop, name: str, device: str | None = None) -> int:
    customer = shop.issue(name)
    Phone(shop.client, device or f"phone-of-{name}", "aa").add(shop.download(customer))
    return customer


def accept(shop: Shop, *owed: Owed) -> None:
    """Apple took these pushes."""
    with shop.database.write() as connection:
        settling = Settling(connection, shop.clock.now())
        settling.accepted(owed, settling.held(owed))


def change_and_push(shop: Shop, customer: int, balance: int) -> int:
    """The card shows something new; how many devices were pushed."""
    shop.guests[customer].balance = Decimal(balance + 1)
    shop.mark(customer)
    shop.clock.move_by(COALESCE)
    owed = shop.claim()
    accept(shop, *owed)
    return len(owed)


def test_only_cards_that_show_something_else_are_marked(shop: Shop) -> None:
    changed, same, without_pass = with_phone(shop, "olena"), with_phone(shop, "ihor"), 999_999
    shop.guests[changed].balance = Decimal(1)
    before = shop.row(same)
    assert shop.mark(changed, same, without_pass) == [changed]
    assert shop.row(same) == before
    shop.clock.move_by(COALESCE)
    assert [owed.device for owed in shop.claim()] == ["phone-of-olena"]


def test_marking_again_without_a_change_marks_nothing(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    shop.guests[customer].balance = Decimal(1)
    assert shop.mark(customer) == [customer]
    assert shop.mark(customer) == []


def test_a_burst_of_changes_is_one_push_after_a_short_while(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    for balance in range(5):
        shop.guests[customer].balance = Decimal(balance)
        shop.mark(customer)
        shop.clock.move_by(timedelta(milliseconds=40))
    assert shop.claim() == []
    shop.clock.move_by(COALESCE)
    (owed,) = shop.claim()
    assert owed.tag == shop.row(customer).tag == 5


def test_a_device_with_many_changed_cards_gets_one_push(shop: Shop) -> None:
    family = [with_phone(shop, name, "shared") for name in ("olena", "ihor", "taras")]
    for customer in family:
        shop.guests[customer].balance = Decimal(1)
    assert shop.mark(*family) == family
    shop.clock.move_by(COALESCE)
    assert [owed.device for owed in shop.claim()] == ["shared"]


def test_a_change_while_the_push_is_under_way_is_pushed_next(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    shop.guests[customer].balance = Decimal(1)
    shop.mark(customer)
    shop.clock.move_by(COALESCE)
    (owed,) = shop.claim()
    shop.guests[customer].balance = Decimal(2)
    shop.mark(customer)
    accept(shop, owed)
    (again,) = shop.claim()
    assert again.tag == owed.tag + 1


def test_a_push_that_nobody_recorded_is_made_again_after_the_lease(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    shop.guests[customer].balance = Decimal(1)
    shop.mark(customer)
    shop.clock.move_by(COALESCE)
    assert len(shop.claim()) == 1
    assert shop.claim() == []
    shop.clock.move_by(LEASE)
    assert len(shop.claim()) == 1


def test_a_push_that_fails_waits_longer_each_time_and_for_a_day(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    shop.guests[customer].balance = Decimal(1)
    shop.mark(customer)
    shop.clock.move_by(COALESCE)
    tries, began = 0, shop.clock.now()
    while owed := shop.claim():
        with shop.database.write() as connection:
            settling = Settling(connection, shop.clock.now())
            settling.failed({owed[0]: backoff(owed[0].attempts)}, settling.held(owed))
        shop.clock.move_by(backoff(tries))
        tries += 1
    assert tries == ATTEMPTS_AT_MOST
    assert timedelta(hours=18) < shop.clock.now() - began < timedelta(days=1)
    shop.guests[customer].balance = Decimal(2)
    shop.mark(customer)
    shop.clock.move_by(COALESCE)
    assert len(shop.claim()) == 1


def test_waiting_grows_to_an_hour() -> None:
    assert [backoff(tries).total_seconds() for tries in (0, 1, 2, 20)] == [5, 10, 20, 3600]


def test_who_comes_back_after_the_lease_records_nothing(shop: Shop) -> None:
    """Somebody else has the device in hand by now, and may fail."""
    customer = with_phone(shop, "olena")
    shop.guests[customer].balance = Decimal(1)
    shop.mark(customer)
    shop.clock.move_by(COALESCE)
    [late] = shop.claim()
    shop.clock.move_by(LEASE)
    [owed] = shop.claim()
    accept(shop, late)
    assert shop.claim() == []
    shop.clock.move_by(LEASE)
    assert [it.device for it in shop.claim()] == [owed.device]


def test_a_device_that_moved_while_it_was_pushed_is_pushed_where_it_listens_now(shop: Shop) -> None:
    customer = shop.issue("olena")
    phone = Phone(shop.client, "phone-of-olena", "aa")
    phone.add(shop.download(customer))
    shop.guests[customer].balance = Decimal(1)
    shop.mark(customer)
    shop.clock.move_by(COALESCE)
    [owed] = shop.claim()
    phone.push_token = "bb"
    phone.register(shop.row(customer).serial)
    accept(shop, owed)
    assert [it.push_token for it in shop.claim()] == ["bb"]


def test_a_phone_that_never_asks_is_pushed_no_more_until_it_does(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    for number in range(dormancy.PUSHES):
        assert change_and_push(shop, customer, number) == 1
        shop.clock.move_by(timedelta(days=3))
    shop.clock.move_by(timedelta(days=1))
    assert change_and_push(shop, customer, 100) == 0
    with shop.database.read() as connection:
        assert dormancy.count(connection, shop.clock.now()) == 1
    with shop.database.write() as connection:
        registrations.asked(connection, "phone-of-olena", shop.clock.now())
        assert dormancy.count(connection, shop.clock.now()) == 0
    assert change_and_push(shop, customer, 101) == 1


def test_a_phone_that_asks_now_and_then_never_sleeps(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    for number in range(3 * dormancy.PUSHES):
        assert change_and_push(shop, customer, number) == 1
        shop.clock.move_by(timedelta(days=5))
        if number % 7 == 0:
            with shop.database.write() as connection:
                registrations.asked(connection, "phone-of-olena", shop.clock.now())
    with shop.database.read() as connection:
        assert dormancy.count(connection, shop.clock.now()) == 0


def test_tags_of_cards_marked_together_are_one_and_rise_with_the_next(shop: Shop) -> None:
    one, other = shop.issue("olena"), shop.issue("ihor")
    for balance in (1, 2):
        shop.guests[one].balance = shop.guests[other].balance = Decimal(balance)
        shop.mark(one, other)
        assert shop.row(one).tag == shop.row(other).tag == balance


def test_more_cards_than_one_batch_are_marked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "BATCH", 2)
    guests = [shop.issue(f"guest-{number}") for number in range(5)]
    for customer in guests:
        shop.guests[customer].balance = Decimal(1)
    assert shop.mark(*guests) == guests


def test_a_customer_without_a_card_any_more_is_left_alone(shop: Shop) -> None:
    customer = shop.issue()
    before = shop.row(customer)
    del shop.guests[customer]
    assert shop.mark(customer) == []
    assert shop.row(customer) == before


def test_two_writers_at_once_mark_every_card_with_tags_in_the_order_of_commits(shop: Shop) -> None:
    """A phone that has seen a tag must never miss a card that commits later with a lower one."""
    guests = [shop.issue(f"guest-{number}") for number in range(6)]
    for customer in guests:
        shop.guests[customer].balance = Decimal(1)
    start = Barrier(3)

    def write(mine: Sequence[int]) -> None:
        start.wait(timeout=10)
        for customer in mine:
            shop.mark(customer)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, (guests[0:2], guests[2:4], guests[4:6])))
    assert sorted(shop.row(customer).tag for customer in guests) == [1, 2, 3, 4, 5, 6]


def until_somebody_waits(database: Database) -> None:
    """Return when a transaction waits for a lock."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    for _ in range(10_000):
        with database.read() as connection:
            if connection.scalar(waiting):
                return
    raise AssertionError("nobody waits")


def test_a_writer_who_waited_sees_what_the_one_before_wrote(
    postgres_database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
) -> None:
    shop = Shop(postgres_database, clock, packager, new_customer)
    one, other = shop.issue("olena"), shop.issue("ihor")
    for customer in (one, other):
        shop.guests[customer].balance = Decimal(1)
    committed = Event()

    def faces(connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        assert committed.is_set(), "the second writer read the cards before the first one was done"
        return shop.faces(connection, ids)

    def second() -> list[int]:
        with shop.database.write() as connection:
            return updates.mark(connection, [other], faces, shop.clock.now())

    with ThreadPoolExecutor(1) as pool:
        with shop.database.write() as connection:
            updates.mark(connection, [one], shop.faces, shop.clock.now())
            result = pool.submit(second)
            until_somebody_waits(postgres_database)
            committed.set()  # the next thing that happens: the block ends
        assert result.result(timeout=10) == [other]
    assert (shop.row(one).tag, shop.row(other).tag) == (1, 2)


def test_who_is_claimed_is_not_claimed_by_another_worker(
    postgres_database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
) -> None:
    shop = Shop(postgres_database, clock, packager, new_customer)
    for name in ("olena", "ihor"):
        shop.guests[customer := with_phone(shop, name)].balance = Decimal(1)
        shop.mark(customer)
    shop.clock.move_by(COALESCE)
    with shop.database.write() as one, shop.database.write() as other:
        first = owing.claim(one, shop.clock.now(), limit=1)
        second = owing.claim(other, shop.clock.now(), limit=5)
    assert {it.device for it in first} | {it.device for it in second} == {"phone-of-olena", "phone-of-ihor"}
    assert len(first) == len(second) == 1


def test_a_device_that_is_gone_takes_its_registrations_along(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    with shop.database.write() as connection:
        registrations.forget_device(connection, "phone-of-olena", shop.clock.now())
        assert connection.execute(select(DEVICE)).all() == []
    shop.guests[customer].balance = Decimal(1)
    assert shop.mark(customer) == [customer]
    shop.clock.move_by(COALESCE)
    assert shop.claim() == []


def test_a_google_object_is_due_only_if_there_is_one(shop: Shop) -> None:
    one, other = shop.issue("olena"), shop.issue("ihor")
    with shop.database.write() as connection:
        connection.execute(PASS.update().where(PASS.c.customer_id == one).values(google_object_id="1.a"))
    shop.guests[one].balance = shop.guests[other].balance = Decimal(1)
    shop.mark(one, other)
    shop.clock.move_by(COALESCE)
    with shop.database.write() as connection:
        assert [it.row.customer_id for it in due.claim(connection, shop.clock.now())] == [one]


def test_what_only_google_is_told_wakes_no_phone(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    with shop.database.write() as connection:
        connection.execute(PASS.update().values(google_object_id="1.a"))
    before = shop.row(customer)
    shop.guests[customer].name = "Олена Інша"
    assert shop.mark(customer) == [customer]
    assert shop.mark(customer) == []
    shop.clock.move_by(COALESCE)
    assert shop.claim() == []
    assert (shop.row(customer).tag, shop.row(customer).changed_at) == (before.tag, before.changed_at)
    with shop.database.write() as connection:
        assert [it.row.serial for it in due.claim(connection, shop.clock.now())] == [before.serial]


def test_after_an_upgrade_only_cards_that_show_something_new_are_marked(shop: Shop) -> None:
    shop.redesign(links=[], google={})
    same, changed = with_phone(shop, "olena"), with_phone(shop, "ihor")
    with shop.database.write() as connection:
        for customer in (same, changed):
            kept = shop.guests[customer].face(shop.design).digest_before_0005()
            connection.execute(PASS.update().where(PASS.c.customer_id == customer).values(digest=kept))
    shop.guests[changed].balance = Decimal(1)
    assert shop.mark(same, changed) == [changed]


def test_a_replaced_pass_is_void_and_its_phone_is_told_at_once(shop: Shop) -> None:
    customer = with_phone(shop, "olena")
    old = shop.row(customer)
    with shop.database.write() as connection:
        new = passes.replace(connection, customer, shop.guests[customer].face(), shop.clock.now())
    assert {new.serial, new.token} & {old.serial, old.token} == set()
    assert [owed.device for owed in shop.claim()] == ["phone-of-olena"]
    with shop.database.read() as connection:
        kept = connection.execute(select(PASS).where(PASS.c.serial == old.serial)).one()
        known = Tag(old.tag, 0)
        [listed] = registrations.changed_since(connection, "phone-of-olena", known)
    assert (kept.voided, kept.replaced_at, kept.tag) == (True, shop.clock.now(), listed.tag)
    assert (listed.serial, shop.row(customer).serial) == (old.serial, new.serial)
