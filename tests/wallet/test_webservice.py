"""The life of a card on an iPhone, call by call."""

from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest
from sqlalchemy import func, select

from core.clock import MovableClock
from core.db import Database
from core.events import EVENT
from tests.wallet.conftest import PASS_TYPE, NewCustomer
from tests.wallet.phone import Phone
from tests.wallet.shop import Shop
from wallet import passes
from wallet.apple.package import Packager
from wallet.apple.webservice import BODY_AT_MOST, LOG_LINE_LENGTH, LOG_LINES_A_CALL, LOG_LINES_A_MINUTE
from wallet.tables import DEVICE, LOG, REGISTRATION

V1 = "/wallet/apple/v1"


@pytest.fixture
def shop(database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer) -> Shop:
    return Shop(database, clock, packager, new_customer)


@pytest.fixture
def phone(shop: Shop) -> Phone:
    return Phone(shop.client)


def test_a_card_is_added_changes_is_fetched_and_removed(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    serial = shop.row(customer).serial
    assert phone.add(shop.download(customer)).status_code == 201
    assert phone.woken() == []

    shop.clock.move_by(timedelta(hours=1))
    shop.guests[customer].balance = Decimal(1300)
    shop.guests[customer].tier = "gold"
    assert shop.mark(customer) == [customer]
    shop.clock.move_by(timedelta(minutes=1))
    assert [owed.push_token for owed in shop.claim()] == ["aa11"]
    assert phone.woken() == ["Тепер у вас 1\u00a0300", "Ваш рівень: Gold"]
    assert phone.passes[serial]["backgroundColor"] == "rgb(107, 79, 29)"

    assert phone.woken() == []
    assert phone.fetch(serial) == []
    assert phone.requests == [200, 200, 304]
    assert phone.remove(serial).status_code == 200
    with shop.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(DEVICE)) == 0


def test_registering_again_answers_200_and_takes_the_new_push_token(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    phone.push_token = "bb22"
    assert phone.register(shop.row(customer).serial).status_code == 200
    with shop.database.read() as connection:
        assert connection.scalars(select(DEVICE.c.push_token)).all() == ["bb22"]


def test_adding_and_removing_a_card_are_events_told_once(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    phone.register(shop.row(customer).serial)
    phone.remove(shop.row(customer).serial)
    with shop.database.read() as connection:
        told = connection.execute(
            select(EVENT.c.kind, EVENT.c.customer_id, EVENT.c.data).order_by(EVENT.c.id)
        ).all()
    assert [tuple(row) for row in told] == [
        ("card_added", customer, {"wallet": "apple"}),
        ("card_removed", customer, {"wallet": "apple"}),
    ]


def test_removing_what_is_already_gone_is_fine(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    row = shop.row(customer)
    path = f"{V1}/devices/nobody/registrations/{PASS_TYPE}/{row.serial}"
    answer = shop.client.delete(path, headers={"Authorization": f"ApplePass {row.token}"})
    assert answer.status_code == 200


def test_a_device_with_two_cards_keeps_the_other(shop: Shop, phone: Phone) -> None:
    one, other = shop.issue("olena"), shop.issue("ihor")
    phone.add(shop.download(one))
    phone.add(shop.download(other))
    phone.remove(shop.row(one).serial)
    with shop.database.read() as connection:
        assert connection.scalars(select(REGISTRATION.c.customer_id)).all() == [other]
        assert connection.scalar(select(func.count()).select_from(DEVICE)) == 1


@pytest.mark.parametrize(
    "header", ["", "ApplePass", "ApplePass wrong", "ApplePass ключ", "Bearer {token}", "{token}"]
)
@pytest.mark.parametrize("call", ["register", "unregister", "fetch"])
def test_without_the_passs_own_token_nothing_is_told(
    shop: Shop, phone: Phone, header: str, call: str
) -> None:
    row = shop.row(shop.issue())
    registration = f"{V1}/devices/d/registrations/{PASS_TYPE}/{row.serial}"
    method, path = {
        "register": ("POST", registration),
        "unregister": ("DELETE", registration),
        "fetch": ("GET", f"{V1}/passes/{PASS_TYPE}/{row.serial}"),
    }[call]
    headers = [(b"authorization", header.format(token=row.token).encode())]
    answer = shop.client.request(method, path, headers=headers, content='{"pushToken": "aa"}')
    assert answer.status_code == 401
    assert answer.content == b""


def test_an_unknown_serial_and_another_pass_type_answer_like_a_wrong_token(shop: Shop) -> None:
    row = shop.row(shop.issue())
    headers = {"Authorization": f"ApplePass {row.token}"}
    assert shop.client.get(f"{V1}/passes/{PASS_TYPE}/unknown", headers=headers).status_code == 401
    assert shop.client.get(f"{V1}/passes/pass.other/{row.serial}", headers=headers).status_code == 401


def test_the_scheme_may_be_spelled_in_any_case(shop: Shop) -> None:
    row = shop.row(shop.issue())
    path = f"{V1}/passes/{PASS_TYPE}/{row.serial}"
    assert shop.client.get(path, headers={"Authorization": f"applepass {row.token}"}).status_code == 200


@pytest.mark.parametrize(
    "body", ["", "hello", "[]", "{}", '{"pushToken": 5}', '{"pushToken": "../x"}', "[" * 9999]
)
def test_a_registration_without_a_push_token_is_refused(shop: Shop, body: str) -> None:
    row = shop.row(shop.issue())
    path = f"{V1}/devices/d/registrations/{PASS_TYPE}/{row.serial}"
    answer = shop.client.post(path, headers={"Authorization": f"ApplePass {row.token}"}, content=body)
    assert answer.status_code == 400


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_the_content_type_does_not_matter(shop: Shop, kind: str) -> None:
    row = shop.row(shop.issue())
    path = f"{V1}/devices/d/registrations/{PASS_TYPE}/{row.serial}"
    headers = {"Authorization": f"ApplePass {row.token}", "Content-Type": kind}
    assert shop.client.post(path, headers=headers, content='{"pushToken": "aa"}').status_code == 201


def test_only_what_changed_after_the_tag_is_listed(shop: Shop, phone: Phone) -> None:
    one, other = shop.issue("olena"), shop.issue("ihor")
    phone.add(shop.download(one))
    phone.add(shop.download(other))
    path = f"{V1}/devices/{phone.device}/registrations/{PASS_TYPE}"
    everything = shop.client.get(path).json()
    assert set(everything["serialNumbers"]) == {shop.row(one).serial, shop.row(other).serial}
    assert isinstance(everything["lastUpdated"], str)

    shop.guests[other].balance = Decimal(1)
    shop.mark(one, other)
    changed = shop.client.get(path, params={"passesUpdatedSince": everything["lastUpdated"]})
    assert changed.json()["serialNumbers"] == [shop.row(other).serial]
    again = shop.client.get(path, params={"passesUpdatedSince": changed.json()["lastUpdated"]})
    assert (again.status_code, again.content) == (204, b"")


@pytest.mark.parametrize("tag", ["", "yesterday", "-5", "1e3", "٣", "9" * 40])
def test_a_tag_that_is_not_ours_lists_everything(shop: Shop, phone: Phone, tag: str) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    path = f"{V1}/devices/{phone.device}/registrations/{PASS_TYPE}"
    answer = shop.client.get(path, params={"passesUpdatedSince": tag})
    assert answer.json()["serialNumbers"] == [shop.row(customer).serial]


def test_an_unknown_device_and_another_pass_type_have_nothing_to_fetch(shop: Shop, phone: Phone) -> None:
    phone.add(shop.download(shop.issue()))
    assert shop.client.get(f"{V1}/devices/nobody/registrations/{PASS_TYPE}").status_code == 204
    assert shop.client.get(f"{V1}/devices/{phone.device}/registrations/pass.other").status_code == 204


def test_two_changes_within_one_second_are_two_times_for_the_phone(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    seen = []
    for balance in (1, 2, 3):
        shop.guests[customer].balance = Decimal(balance)
        shop.mark(customer)
        assert phone.woken() == [f"Тепер у вас {balance}"]
        seen.append(parsedate_to_datetime(phone.modified[shop.row(customer).serial]))
    assert seen == sorted(set(seen))


def test_last_modified_stays_while_the_card_does(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    serial = shop.row(customer).serial
    phone.fetch(serial)
    before = phone.modified[serial]
    shop.clock.move_by(timedelta(days=1))
    assert shop.mark(customer) == []
    phone.modified.clear()
    phone.fetch(serial)
    assert phone.modified[serial] == before


@pytest.mark.parametrize(
    "since", ["soon", "Sun, 99 Mar 2026 08:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT", "1"]
)
def test_a_condition_that_is_old_or_unreadable_gets_the_pass(shop: Shop, since: str) -> None:
    row = shop.row(shop.issue())
    headers = {"Authorization": f"ApplePass {row.token}", "If-Modified-Since": since}
    assert shop.client.get(f"{V1}/passes/{PASS_TYPE}/{row.serial}", headers=headers).status_code == 200


def test_a_pass_that_changed_between_download_and_registration_is_pushed(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    content = shop.download(customer)
    shop.clock.move_by(timedelta(minutes=5))
    shop.guests[customer].balance = Decimal(9)
    shop.mark(customer)
    assert shop.claim() == []
    phone.add(content)
    assert [owed.device for owed in shop.claim()] == [phone.device]
    assert phone.woken() == ["Тепер у вас 9"]


def test_a_message_on_the_card_reaches_the_lock_screen(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    phone.woken()
    with shop.database.write() as connection:
        passes.announce(connection, customer, "Завтра кава за наш рахунок")
    plain = shop.guests[customer].face
    shop.guests[customer].face = lambda *_: plain().with_news("Новини", "Завтра кава за наш рахунок")  # type: ignore[method-assign]
    shop.mark(customer)
    assert "Завтра кава за наш рахунок" in phone.woken()


def test_a_voided_pass_is_marked_and_says_so(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    with shop.database.write() as connection:
        passes.void(connection, [customer])
    assert shop.mark(customer) == [customer]
    phone.woken()
    assert phone.passes[shop.row(customer).serial]["voided"] is True


def test_complaints_of_devices_are_kept_and_capped(shop: Shop) -> None:
    long = "x" * (LOG_LINE_LENGTH * 2)
    assert shop.client.post(f"{V1}/log", json={"logs": ["one", long, 5, "  ", "nul\0"]}).status_code == 200
    with shop.database.read() as connection:
        kept = connection.scalars(select(LOG.c.text).order_by(LOG.c.id)).all()
    assert kept == ["one", "x" * LOG_LINE_LENGTH, "nul"]


def test_a_device_that_complains_without_end_is_not_listened_to(shop: Shop) -> None:
    def kept() -> int | None:
        with shop.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(LOG))

    many = {"logs": ["again"] * (LOG_LINES_A_CALL + 5)}
    for _ in range(LOG_LINES_A_MINUTE // LOG_LINES_A_CALL + 3):
        assert shop.client.post(f"{V1}/log", json=many).status_code == 200
    assert kept() == LOG_LINES_A_MINUTE
    shop.clock.move_by(timedelta(minutes=2))
    shop.client.post(f"{V1}/log", json=many)
    assert kept() == LOG_LINES_A_MINUTE + LOG_LINES_A_CALL


@pytest.mark.parametrize("body", ["", "hello", "[]", '{"logs": "x"}', '{"logs": [[]]}'])
def test_a_complaint_that_cannot_be_read_is_no_fault(shop: Shop, body: str) -> None:
    assert shop.client.post(f"{V1}/log", content=body).status_code == 200


def test_a_body_without_end_is_cut_off(shop: Shop) -> None:
    assert shop.client.post(f"{V1}/log", content="x" * (BODY_AT_MOST + 1)).status_code == 413


def test_issuing_twice_gives_the_same_pass(shop: Shop) -> None:
    customer = shop.issue()
    row = shop.row(customer)
    with shop.database.write() as connection:
        again = passes.issue(connection, customer, shop.guests[customer].face(), shop.clock.now())
    assert (again.serial, again.token) == (row.serial, row.token)
    assert len(row.token) >= 16
