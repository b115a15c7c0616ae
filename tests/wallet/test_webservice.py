"""The life of a card on an iPhone, call by call."""

from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from core.clock import MovableClock
from core.db import Database
from core.events import EVENT
from tests.wallet.acts import announce, void
from tests.wallet.conftest import PASS_TYPE, NewCustomer
from tests.wallet.phone import Phone
from tests.wallet.shop import Shop
from wallet import passes
from wallet.apple.complaints import LINE_LENGTH, LINES_A_CALL, LINES_A_MINUTE
from wallet.apple.package import Packager
from wallet.requests import BODY_AT_MOST
from wallet.tables import DEVICE, LOG, REGISTRATION

V1 = "/wallet/apple/v1"


@pytest.fixture
def shop(database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer) -> Shop:
    return Shop(database, clock, packager, new_customer)


@pytest.fixture
def phone(shop: Shop) -> Phone:
    return Phone(shop.client)


def authorised(shop: Shop, customer: int, **headers: str) -> dict[str, str]:
    return {"Authorization": f"ApplePass {shop.row(customer).token}", **headers}


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
    assert phone.woken() == ["Тепер у вас 1\u00a0300", "Ваш рівень: Золото"]
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


def test_without_the_passs_own_token_nothing_is_told(shop: Shop) -> None:
    row = shop.row(shop.issue())
    registration = f"{V1}/devices/d/registrations/{PASS_TYPE}/{row.serial}"
    path_of_pass = f"{V1}/passes/{PASS_TYPE}/{row.serial}"
    calls = [("POST", registration), ("DELETE", registration), ("GET", path_of_pass)]
    given = ["", "ApplePass", "ApplePass wrong", "ApplePass ключ", f"Bearer {row.token}", row.token]
    for number, (method, path) in enumerate(calls):
        client = TestClient(shop.app, client=(f"198.51.100.{number}", 1))
        for header in given:
            headers = [(b"authorization", header.encode())]
            answer = client.request(method, path, headers=headers, content='{"pushToken": "aa"}')
            assert (answer.status_code, answer.content) == (401, b""), header
            assert answer.headers["www-authenticate"] == "ApplePass"


def test_only_the_serial_its_type_and_its_token_together_open_a_pass(shop: Shop) -> None:
    row = shop.row(shop.issue())
    headers = {"Authorization": f"ApplePass {row.token}"}
    assert shop.client.get(f"{V1}/passes/{PASS_TYPE}/unknown", headers=headers).status_code == 401
    assert shop.client.get(f"{V1}/passes/pass.other/{row.serial}", headers=headers).status_code == 401
    headers = {"Authorization": f"applepass {row.token}"}
    assert shop.client.get(f"{V1}/passes/{PASS_TYPE}/{row.serial}", headers=headers).status_code == 200


def test_a_registration_without_a_push_token_is_refused(shop: Shop) -> None:
    customer = shop.issue()
    path = f"{V1}/devices/d/registrations/{PASS_TYPE}/{shop.row(customer).serial}"
    for body in ("", "hello", "[]", "{}", '{"pushToken": 5}', '{"pushToken": "../x"}', "[" * 9999):
        answer = shop.client.post(path, headers=authorised(shop, customer), content=body)
        assert answer.status_code == 400, body


def test_the_content_type_does_not_matter(shop: Shop) -> None:
    customer = shop.issue()
    for number, kind in enumerate(
        ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
    ):
        path = f"{V1}/devices/d{number}/registrations/{PASS_TYPE}/{shop.row(customer).serial}"
        headers = authorised(shop, customer, **{"Content-Type": kind})
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


def test_a_tag_that_is_not_ours_lists_everything(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    path = f"{V1}/devices/{phone.device}/registrations/{PASS_TYPE}"
    for tag in ("", "yesterday", "-5", "1e3", "٣", "9" * 40, "5-", "-", "5-5-5", "0-0 "):
        answer = shop.client.get(path, params={"passesUpdatedSince": tag})
        assert answer.json()["serialNumbers"] == [shop.row(customer).serial], tag


def test_an_unknown_device_and_another_pass_type_have_nothing_to_fetch(shop: Shop, phone: Phone) -> None:
    phone.add(shop.download(shop.issue()))
    assert shop.client.get(f"{V1}/devices/nobody/registrations/{PASS_TYPE}").status_code == 204
    assert shop.client.get(f"{V1}/devices/{phone.device}/registrations/pass.other").status_code == 204


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


def test_a_condition_that_is_old_or_unreadable_gets_the_pass(shop: Shop) -> None:
    customer = shop.issue()
    path = f"{V1}/passes/{PASS_TYPE}/{shop.row(customer).serial}"
    for since in ("soon", "Sun, 99 Mar 2026 08:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT", "1"):
        headers = authorised(shop, customer, **{"If-Modified-Since": since})
        assert shop.client.get(path, headers=headers).status_code == 200, since


def test_a_message_on_the_card_reaches_the_lock_screen(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    phone.woken()
    with shop.database.write() as connection:
        announce(connection, customer, "Завтра кава за наш рахунок", now=shop.clock.now())
    plain = shop.guests[customer].face
    shop.guests[customer].face = lambda *_: plain().with_news("Новини", "Завтра кава за наш рахунок")  # type: ignore[method-assign]
    shop.mark(customer)
    assert "Завтра кава за наш рахунок" in phone.woken()


def test_a_voided_pass_is_marked_and_says_so(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    with shop.database.write() as connection:
        void(connection, [customer])
    assert shop.mark(customer) == [customer]
    phone.woken()
    assert phone.passes[shop.row(customer).serial]["voided"] is True


def test_complaints_of_devices_are_kept_and_capped(shop: Shop) -> None:
    long = "x" * (LINE_LENGTH * 2)
    assert shop.client.post(f"{V1}/log", json={"logs": ["one", long, 5, "  ", "nul\0"]}).status_code == 200
    with shop.database.read() as connection:
        kept = connection.scalars(select(LOG.c.text).order_by(LOG.c.id)).all()
    assert kept == ["one", "x" * LINE_LENGTH, "nul"]


def test_devices_that_complain_without_end_are_not_listened_to(shop: Shop) -> None:
    def kept() -> int | None:
        with shop.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(LOG))

    many = {"logs": ["again"] * (LINES_A_CALL + 5)}
    for number in range(LINES_A_MINUTE // LINES_A_CALL + 3):
        client = TestClient(shop.app, client=(f"198.51.100.{number}", 1))
        assert client.post(f"{V1}/log", json=many).status_code == 200
    assert kept() == LINES_A_MINUTE
    shop.clock.move_by(timedelta(minutes=2))
    shop.client.post(f"{V1}/log", json=many)
    assert kept() == LINES_A_MINUTE + LINES_A_CALL


def test_a_complaint_that_cannot_be_read_is_no_fault(shop: Shop) -> None:
    for body in ("", "hello", "[]", '{"logs": "x"}', '{"logs": [[]]}', '{"logs": ["half \\ud83d"]}'):
        assert shop.client.post(f"{V1}/log", content=body).status_code == 200, body


def test_a_body_without_end_is_cut_off(shop: Shop) -> None:
    answer = shop.client.post(f"{V1}/log", content="x" * (BODY_AT_MOST + 1))
    assert (answer.status_code, "64 KiB at most" in answer.text) == (413, True)


def test_issuing_twice_gives_the_same_pass(shop: Shop) -> None:
    customer = shop.issue()
    row = shop.row(customer)
    with shop.database.write() as connection:
        again = passes.issue(connection, customer, shop.guests[customer].face(), shop.clock.now())
    assert (again.serial, again.token) == (row.serial, row.token)
    assert len(row.token) >= 16


# --- what proxies, old phones and strangers make of the protocol


def test_a_device_may_have_any_identifier(shop: Shop) -> None:
    customer = shop.issue()
    serial, headers = shop.row(customer).serial, authorised(shop, customer)
    for device in ("a%2Fb", "%D1%82%D0%B5%D0%BB", "a%20b%3Fc%23d", "x" * 100):
        path = f"{V1}/devices/{device}/registrations/{PASS_TYPE}"
        body = '{"pushToken": "aa"}'
        assert shop.client.post(f"{path}/{serial}", headers=headers, content=body).status_code == 201
        assert shop.client.get(path).json()["serialNumbers"] == [serial]
        assert shop.client.delete(f"{path}/{serial}", headers=headers).status_code == 200
        assert shop.client.get(path).status_code == 204


def test_an_identifier_that_cannot_be_kept_is_nobodys(shop: Shop) -> None:
    customer = shop.issue()
    headers = authorised(shop, customer)
    for device in ("x" * 101, "x" * 5_000, "%00", "%20%00"):
        path = f"{V1}/devices/{device}/registrations/{PASS_TYPE}"
        one = f"{path}/{shop.row(customer).serial}"
        assert shop.client.post(one, headers=headers, content='{"pushToken": "aa"}').status_code == 400
        assert shop.client.get(path).status_code == 204
        assert shop.client.delete(one, headers=headers).status_code == 200


def test_a_serial_that_cannot_be_is_an_unknown_one(shop: Shop) -> None:
    headers = {"Authorization": "ApplePass 0123456789abcdef0123456789abcdef"}
    for serial in ("%00", "x" * 5_000, "%D1%82", "a%00b"):
        assert shop.client.get(f"{V1}/passes/{PASS_TYPE}/{serial}", headers=headers).status_code == 401


def test_a_slash_at_the_end_does_not_matter(shop: Shop) -> None:
    customer = shop.issue()
    headers, serial = authorised(shop, customer), shop.row(customer).serial
    devices = f"{V1}/devices/d/registrations/{PASS_TYPE}"
    asks = [
        ("POST", f"{devices}/{serial}/", 201),
        ("GET", f"{devices}/", 200),
        ("GET", f"{V1}/passes/{PASS_TYPE}/{serial}/", 200),
        ("POST", f"{V1}/log/", 200),
        ("DELETE", f"{devices}/{serial}/", 200),
    ]
    for method, path, status in asks:
        body = '{"pushToken": "aa"}' if method == "POST" else None
        answer = shop.client.request(method, path, headers=headers, content=body, follow_redirects=False)
        assert answer.status_code == status, path


def test_a_head_is_answered_like_a_get_without_its_body(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    phone.add(shop.download(customer))
    before = shop.row(customer)
    path, headers = f"{V1}/passes/{PASS_TYPE}/{before.serial}", authorised(shop, customer)
    shop.clock.move_by(timedelta(minutes=1))
    head, listed = shop.client.head(path, headers=headers), f"{V1}/devices/d/registrations/{PASS_TYPE}"
    assert shop.row(customer).fetched_at == before.fetched_at
    got = shop.client.get(path, headers=headers)
    assert (head.status_code, head.headers["last-modified"]) == (200, got.headers["last-modified"])
    assert head.headers["content-length"] == got.headers["content-length"]
    assert shop.client.head(path).status_code == 401
    assert shop.client.head(listed).status_code == 204


def test_a_pass_is_not_sent_again_to_who_has_it(shop: Shop) -> None:
    customer = shop.issue()
    path = f"{V1}/passes/{PASS_TYPE}/{shop.row(customer).serial}"
    shop.clock.move_by(timedelta(seconds=5))
    modified = shop.client.get(path, headers=authorised(shop, customer)).headers["last-modified"]
    at = parsedate_to_datetime(modified)
    same = [modified, f"{at:%A, %d-%b-%y %H:%M:%S GMT}", f"{at:%a %b} {at.day:2} {at:%H:%M:%S %Y}"]
    later = f"{at + timedelta(seconds=5):%a, %d %b %Y %H:%M:%S GMT}"
    for since in [*same, modified.replace(" GMT", ".750 GMT"), later]:
        answer = shop.client.get(path, headers=authorised(shop, customer, **{"If-Modified-Since": since}))
        assert (answer.status_code, answer.content) == (304, b""), since
        assert answer.headers["last-modified"] == modified
        assert "content-type" not in answer.headers


def test_a_time_that_is_still_to_come_is_none_that_we_gave(shop: Shop) -> None:
    customer = shop.issue()
    path = f"{V1}/passes/{PASS_TYPE}/{shop.row(customer).serial}"
    for ahead in (timedelta(seconds=1), timedelta(days=400)):
        since = f"{shop.clock.now() + ahead:%a, %d %b %Y %H:%M:%S GMT}"
        headers = authorised(shop, customer, **{"If-Modified-Since": since})
        assert shop.client.get(path, headers=headers).status_code == 200


def test_changes_of_one_second_are_told_apart_by_who_fetches_between_them(shop: Shop, phone: Phone) -> None:
    customer = shop.issue()
    serial = shop.row(customer).serial
    phone.add(shop.download(customer))
    for balance in (1, 2, 3, 4):
        shop.guests[customer].balance = Decimal(balance)
        shop.mark(customer)
        assert phone.fetch(serial) == [f"Тепер у вас {balance}"]
        assert phone.fetch(serial) == []
    assert phone.requests == [200, 304] * 4


def test_a_card_is_never_newer_than_its_last_modified(shop: Shop, phone: Phone) -> None:
    """The till was quicker than the beat that marks cards: the phone that fetches now marks it."""
    customer = shop.issue()
    serial = shop.row(customer).serial
    phone.add(shop.download(customer))
    other = Phone(TestClient(shop.app), "other", "bb")
    other.add(shop.download(customer))
    other.woken()
    phone.fetch(serial)
    shop.clock.move_by(timedelta(minutes=1))
    shop.guests[customer].balance = Decimal(7)
    assert phone.fetch(serial) == []
    phone.modified.clear()
    assert phone.fetch(serial) == ["Тепер у вас 7"]
    assert shop.mark(customer) == []
    assert phone.fetch(serial) == []
    assert {owed.device for owed in shop.claim()} == {"device-1", "other"}
    assert other.woken() == ["Тепер у вас 7"]
    times = {modified: pkpass for _, modified, pkpass in (*phone.seen, *other.seen)}
    assert len(times) == 2


def test_a_card_that_cannot_be_filled_in_is_asked_for_again_and_the_others_go_on(shop: Shop) -> None:
    broken, good = shop.issue("olena"), shop.issue("ihor")
    guest = shop.guests.pop(broken)
    path = f"{V1}/passes/{PASS_TYPE}"
    answer = shop.client.get(f"{path}/{shop.row(broken).serial}", headers=authorised(shop, broken))
    assert (answer.status_code, answer.content) == (503, b"")
    assert int(answer.headers["retry-after"]) > 0
    fine = shop.client.get(f"{path}/{shop.row(good).serial}", headers=authorised(shop, good))
    assert fine.status_code == 200
    shop.guests[broken] = guest
    mended = shop.client.get(f"{path}/{shop.row(broken).serial}", headers=authorised(shop, broken))
    assert mended.status_code == 200
