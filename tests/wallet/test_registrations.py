"""Registrations that meet: changes, other registrations, removals and pushes of the same moment."""

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from core.clock import MovableClock
from core.db import Database
from core.events import EVENT
from tests.support.statements import heard
from tests.wallet.conftest import PASS_TYPE, NewCustomer
from tests.wallet.crowd import gather
from tests.wallet.phone import Phone
from tests.wallet.shop import Shop
from wallet import copies, passes, registrations, updates
from wallet.apple.owing import Settling
from wallet.apple.package import Packager
from wallet.registrations import Tag
from wallet.tables import DEVICE, REGISTRATION

NewShop = Callable[[Database], Shop]


@pytest.fixture
def new_shop(clock: MovableClock, packager: Packager, new_customer: NewCustomer) -> NewShop:
    return lambda database: Shop(database, clock, packager, new_customer)


@pytest.fixture
def shop(database: Database, new_shop: NewShop) -> Shop:
    return new_shop(database)


def change(shop: Shop, customer: int, balance: int, connection: Connection | None = None) -> None:
    """An accrual, marked; in a transaction of its own or in one that is still open."""
    shop.guests[customer].balance = Decimal(balance)
    if connection is None:
        shop.mark(customer)
    else:
        updates.mark(connection, [customer], shop.faces, shop.clock.now())


def push(shop: Shop, customer: int, balance: int) -> None:
    """An accrual, pushed; Apple takes it."""
    change(shop, customer, balance)
    shop.clock.move_by(updates.COALESCE)
    pushed_to(shop)


def pushed_to(shop: Shop) -> list[str]:
    """Push what is due; the tokens where Apple took it."""
    owed = shop.claim()
    with shop.database.write() as connection:
        settling = Settling(connection, shop.clock.now())
        settling.accepted(owed, settling.held(owed))
    return [it.push_token for it in owed]


def tag_of(phone: Phone) -> Tag:
    return Tag.read(phone.tag)


# --- two transactions at once, on PostgreSQL


class Meanwhile:
    """Something that another client does while a transaction is open; it waits for it, or not."""

    def __init__(self, database: Database) -> None:
        self._database, self._pool = database, ThreadPoolExecutor(1)
        self.result: Future[Any] | None = None

    def begin(self, work: Callable[[], Any], *, waits: bool) -> None:
        """Start it. Comes back when it waits for a lock, or has ended."""
        self.result = self._pool.submit(work)
        if waits:
            self._until_it_waits()
        else:
            self.result.result(timeout=10)

    def ended(self) -> Any:
        assert self.result is not None
        try:
            return self.result.result(timeout=10)
        finally:
            self._pool.shutdown()

    def _until_it_waits(self) -> None:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        assert self.result is not None
        for _ in range(10_000):
            assert not self.result.done(), f"it should have waited: {self.result.result()}"
            with self._database.read() as connection:
                if connection.scalar(waiting):
                    return
        raise AssertionError("nobody waits")


def test_marks_that_commit_out_of_order_are_listed_once_each_and_none_is_missed(
    postgres_database: Database, new_shop: NewShop
) -> None:
    shop = new_shop(postgres_database)
    one, other = shop.issue("olena"), shop.issue("ihor")
    phone, meanwhile = Phone(shop.client), Meanwhile(postgres_database)
    for customer in (one, other):
        phone.add(shop.download(customer))
    phone.woken()
    with shop.database.write() as connection:
        change(shop, one, 1, connection)
        # The second begins before the first is committed, and would be committed before it.
        meanwhile.begin(lambda: change(shop, other, 2), waits=True)
        assert phone.woken() == []
    meanwhile.ended()
    before = tag_of(phone)
    assert sorted(phone.woken()) == ["Тепер у вас 1", "Тепер у вас 2"]
    assert [len(it.serials) for it in phone.diary] == [2, 0, 2]
    assert tag_of(phone).mark == before.mark + 2
    assert phone.woken() == []


def test_a_change_that_is_committed_while_a_phone_registers_is_told(
    postgres_database: Database, new_shop: NewShop
) -> None:
    shop = new_shop(postgres_database)
    customer, phone, meanwhile = shop.issue(), Phone(shop.client), Meanwhile(postgres_database)
    shop.clock.move_by(timedelta(minutes=1))
    content = shop.download(customer)
    with shop.database.write() as connection:
        change(shop, customer, 9, connection)
        meanwhile.begin(lambda: phone.add(content), waits=True)
    assert meanwhile.ended().status_code == 201
    assert [owed.device for owed in shop.claim()] == [phone.device]
    assert phone.woken() == ["Тепер у вас 9"]


def test_a_change_that_waits_for_a_registration_pushes_to_it(
    postgres_database: Database, new_shop: NewShop
) -> None:
    shop = new_shop(postgres_database)
    customer, meanwhile = shop.issue(), Meanwhile(postgres_database)
    serial, now = shop.row(customer).serial, shop.clock.now()
    with shop.database.write() as connection:
        registrations.register(connection, serial, "phone", "aa", now)
        meanwhile.begin(lambda: change(shop, customer, 9), waits=True)
    meanwhile.ended()
    shop.clock.move_by(updates.COALESCE)
    assert [owed.device for owed in shop.claim()] == ["phone"]


def test_a_card_that_is_added_while_another_is_removed_from_the_phone_stays(
    postgres_database: Database, new_shop: NewShop
) -> None:
    shop = new_shop(postgres_database)
    one, other = shop.issue("olena"), shop.issue("ihor")
    phone, meanwhile = Phone(shop.client), Meanwhile(postgres_database)
    phone.add(shop.download(one))
    with shop.database.write() as connection:
        serial = shop.row(other).serial
        registrations.register(connection, serial, phone.device, "aa", shop.clock.now())
        meanwhile.begin(lambda: phone.remove(shop.row(one).serial), waits=True)
    assert meanwhile.ended().status_code == 200
    with shop.database.read() as connection:
        assert connection.scalars(select(REGISTRATION.c.serial)).all() == [serial]


def test_a_phone_that_registers_anew_while_its_old_token_is_found_dead_is_not_forgotten(
    postgres_database: Database, new_shop: NewShop
) -> None:
    shop = new_shop(postgres_database)
    one, other = shop.issue("olena"), shop.issue("ihor")
    phone, meanwhile = Phone(shop.client, push_token="dead"), Meanwhile(postgres_database)
    phone.add(shop.download(one))
    now = shop.clock.now()

    def forget() -> bool:
        with shop.database.write() as connection:
            return registrations.forget_device(connection, phone.device, now, "dead")

    with shop.database.write() as connection:
        registrations.register(connection, shop.row(other).serial, phone.device, "alive", now)
        meanwhile.begin(forget, waits=True)
    assert meanwhile.ended() is False
    with shop.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(REGISTRATION)) == 2


def test_of_two_phones_at_one_moment_one_adds_the_card_and_one_removes_it(shop: Shop) -> None:
    serial = shop.row(customer := shop.issue()).serial
    content = shop.download(customer)
    phones = [Phone(shop.client, f"phone-{number}", f"aa{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert [it.status_code for it in pool.map(lambda phone: phone.add(content), phones)] == [201] * 4
        assert [it.status_code for it in pool.map(lambda phone: phone.remove(serial), phones)] == [200] * 4
    with shop.database.read() as connection:
        assert connection.scalars(select(EVENT.c.kind).order_by(EVENT.c.id)).all() == [
            "card_added",
            "card_removed",
        ]
        assert connection.scalar(select(func.count()).select_from(DEVICE)) == 0


# --- what a phone came with


def test_a_phone_that_came_with_an_old_copy_is_told_though_its_tag_is_newer(shop: Shop) -> None:
    one, other = shop.issue("olena"), shop.issue("ihor")
    old = shop.download(other)
    phone = Phone(shop.client)
    phone.add(shop.download(one))
    change(shop, other, 7)
    change(shop, one, 8)
    for _ in range(2):
        phone.woken()
    assert phone.named == ()
    phone.add(old)
    shop.clock.move_by(updates.COALESCE)
    assert [owed.device for owed in shop.claim()] == [phone.device]
    assert phone.woken() == ["Тепер у вас 7"]
    phone.woken()
    assert phone.named == ()


def test_a_letter_of_last_month_opened_on_a_second_phone_is_brought_up_to_date(shop: Shop) -> None:
    customer = shop.issue()
    letter = shop.download(customer)
    first, second = Phone(shop.client, "first", "aa"), Phone(shop.client, "second", "bb")
    first.add(letter)
    shop.clock.move_by(timedelta(days=30))
    change(shop, customer, 5)
    first.woken()
    second.add(letter)
    assert "second" in {owed.device for owed in shop.claim()}
    assert second.woken() == ["Тепер у вас 5"]


def test_a_fresh_copy_is_not_named_to_the_phone_that_came_with_it(shop: Shop) -> None:
    one, other = shop.issue("olena"), shop.issue("ihor")
    phone = Phone(shop.client)
    phone.add(shop.download(one))
    phone.woken()
    change(shop, other, 7)
    phone.add(shop.download(other))
    assert shop.claim() == []
    phone.woken()
    assert phone.named == ()
    change(shop, one, 8)
    phone.woken()
    assert phone.named == (shop.row(one).serial,)


def test_two_copies_of_different_age_leave_a_doubt_that_is_told(shop: Shop) -> None:
    customer = shop.issue()
    old = shop.download(customer)
    change(shop, customer, 7)
    shop.download(customer)
    phone = Phone(shop.client)
    phone.add(old)
    assert [owed.device for owed in shop.claim()] == [phone.device]
    shop.clock.move_by(copies.LASTS)
    fresh = Phone(shop.client, "fresh", "bb")
    fresh.add(shop.download(customer))
    assert "fresh" not in {owed.device for owed in shop.claim()}


def test_updates_switched_off_and_on_again_bring_what_was_missed(shop: Shop) -> None:
    customer, phone = shop.issue(), Phone(shop.client)
    phone.add(shop.download(customer))
    phone.woken()
    serial = shop.row(customer).serial
    phone.unregister(serial)
    change(shop, customer, 7)
    phone.register(serial)
    assert phone.woken() == ["Тепер у вас 7"]


def test_after_a_backup_was_restored_a_phone_that_knows_more_is_told_everything(shop: Shop) -> None:
    customer, phone = shop.issue(), Phone(shop.client)
    phone.add(shop.download(customer))
    change(shop, customer, 7)
    phone.tag = "1500-0"
    assert phone.woken() == ["Тепер у вас 7"]
    phone.woken()
    assert (phone.tag, phone.named) == ("1-0", ())


# --- push tokens


def test_a_new_push_token_is_pushed_what_the_old_one_may_not_have_heard(shop: Shop) -> None:
    customer, phone = shop.issue(), Phone(shop.client)
    phone.add(shop.download(customer))
    push(shop, customer, 7)
    phone.push_token = "bb22"
    phone.register(shop.row(customer).serial)
    assert pushed_to(shop) == ["bb22"]
    push(shop, customer, 8)
    shop.clock.move_by(timedelta(hours=1))
    phone.woken()
    phone.push_token = "cc33"
    phone.register(shop.row(customer).serial)
    assert pushed_to(shop) == []


def test_questions_are_noted_once_a_minute_and_the_first_after_a_push_always(shop: Shop) -> None:
    customer, phone = shop.issue(), Phone(shop.client)
    phone.add(shop.download(customer))

    def writes() -> int:
        with heard(shop.database) as statements:
            phone.woken()
        return sum(statement.startswith("UPDATE wallet_device") for statement in statements)

    assert [writes(), writes()] == [1, 0]
    shop.clock.move_by(timedelta(seconds=20))
    push(shop, customer, 7)
    shop.clock.move_by(timedelta(seconds=1.5))
    assert [writes(), writes()] == [1, 0]
    with shop.database.read() as connection:
        [device] = connection.execute(select(DEVICE)).all()
    assert (device.asked_at, device.answered_seconds) == (shop.clock.now(), 1.5)
    shop.clock.move_by(timedelta(minutes=1))
    assert [writes(), writes()] == [1, 0]
    shop.client.get(f"/wallet/apple/v1/devices/nobody/registrations/{PASS_TYPE}")
    with shop.database.read() as connection:
        assert connection.scalars(select(DEVICE.c.device)).all() == [phone.device]


# --- a pass that another one took the place of


def test_a_phone_with_a_replaced_pass_learns_that_it_is_void_and_empty(shop: Shop) -> None:
    customer, phone = shop.issue(), Phone(shop.client)
    phone.add(shop.download(customer))
    phone.woken()
    lost = shop.row(customer).serial
    with shop.database.write() as connection:
        passes.replace(connection, customer, shop.guests[customer].face(), shop.clock.now())
    assert [owed.device for owed in shop.claim()] == [phone.device]
    phone.woken()
    assert phone.passes[lost]["voided"] is True
    assert phone.shows(lost) == {}
    assert "barcodes" not in phone.passes[lost]
    change(shop, customer, 7)
    assert phone.woken() == []
    assert phone.fetch(lost) == []
    assert phone.requests[-1] == 304
    assert phone.remove(lost).status_code == 200


# --- a million devices


def plan(connection: Connection, statement: Any) -> str:
    """How the database would find it."""
    asked = statement.params(device="phone-17", mark=16, late=0)
    explained = str(asked.compile(connection.engine, compile_kwargs={"literal_binds": True}))
    how = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    return "\n".join(str(row[-1]) for row in connection.execute(text(f"{how}{explained}")))


def test_the_passes_of_a_device_are_looked_up_and_never_searched_for(database: Database) -> None:
    gather(database, 3_000)
    with database.read() as connection:
        for statement in registrations.QUESTION:
            found = plan(connection, statement)
            assert found.upper().count(" USING ") == 2, found
            assert not re.search(r"SEQ SCAN|BITMAP|^SCAN", found.upper(), re.MULTILINE), found
        changed = registrations.changed_since(connection, "phone-17", Tag(16, 0))
        assert [it.serial for it in changed] == ["pass-17"]
        assert registrations.changed_since(connection, "phone-17", Tag(17, 0)) == []
