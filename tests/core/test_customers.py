"""Customers: registered once, changed field by field, found by what they show at the till."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core.customers.addresses import ADDRESS, address_of
from core.customers.profiles import CUSTOMER, ZONE, Profile, Saved, checked, find, known_zone, save
from core.db import Database
from core.events import EVENT
from core.ledger.writing import LOT
from core.program import Program
from tests.core.books import ADDRESSES, START, check_books, program

TODAY = date(2026, 3, 1)


def keep(
    database: Database, *profiles: Profile, live: bool = True, program: Program | None = None
) -> list[Saved]:
    """Checked and saved, as the doors do."""
    right = [checked(profile, TODAY) for profile in profiles]
    with database.write() as connection:
        return save(connection, program or PROGRAM, ADDRESSES, right, START, live=live)


PROGRAM = program()


def kept(database: Database, who: str) -> Any:
    """The customer whom a till means."""
    with database.read() as connection:
        return find(connection, who)


def test_a_registration_gives_the_welcome_bonus_and_the_lowest_level(database: Database) -> None:
    assert [it.effect for it in keep(database, Profile("anna", birthday=date(1992, 2, 29)))] == ["created"]
    with database.read() as connection:
        lot = connection.execute(select(LOT)).one()
        kinds = connection.scalars(select(EVENT.c.kind).order_by(EVENT.c.id)).all()
        check_books(connection)
    assert (lot.reason, lot.remaining, lot.expires_on) == ("welcome", 5_000, date(2026, 3, 31))
    assert kinds == ["registered", "bonus_accrued"]
    anna = kept(database, "anna")
    assert (anna.tier, anna.tier_since, anna.birthday_md) == ("bronze", START, 229)


def test_a_welcome_bonus_that_starts_later_lasts_from_its_start(database: Database) -> None:
    slow = program(("starts: at once", "starts: after 14 days"))
    keep(database, Profile("anna"), program=slow)
    with database.read() as connection:
        lot = connection.execute(select(LOT)).one()
    assert (lot.active_from.date(), lot.expires_on) == (date(2026, 3, 14), date(2026, 4, 14))


@pytest.mark.parametrize(("before", "after"), [(1, True), (False, 0), ([1, 2], [True, 2])])
def test_a_yes_in_the_place_of_a_one_is_a_change(database: Database, before: Any, after: Any) -> None:
    keep(database, Profile("anna", attributes={"vip": before, "size": 38}))
    assert keep(database, Profile("anna", attributes={"vip": after}))[0].effect == "changed"
    found = kept(database, "anna").attributes
    assert repr(found["vip"]) == repr(after)
    assert keep(database, Profile("anna", attributes={"vip": after, "size": 38.0}))[0].effect == "unchanged"


def test_what_is_not_said_stays_and_what_is_empty_goes(database: Database) -> None:
    keep(database, Profile("anna", name="Anna", phone="+380 50 123-45-67", attributes={"milk": "oat"}))
    assert keep(database, Profile("anna"))[0].effect == "unchanged"
    assert keep(database, Profile("anna", phone="", attributes={"size": "L"}))[0].effect == "changed"
    anna = kept(database, "anna")
    assert (anna.name, anna.phone, anna.attributes) == ("Anna", None, {"milk": "oat", "size": "L"})
    with database.read() as connection:
        assert address_of(connection, anna.id, "phone") is None
        assert connection.scalars(select(EVENT.c.kind).order_by(EVENT.c.id)).all()[-1] == "profile_changed"


@pytest.mark.parametrize("odd", ["Anna\tLee", "Anna\r\n Lee", "Anna\u2028Lee ", "An\x07na \x9fLee\x7f"])
def test_a_name_is_one_line(database: Database, odd: str) -> None:
    keep(database, Profile("anna", name=odd, city=odd))
    assert (kept(database, "anna").name, kept(database, "anna").city) == ("Anna Lee", "Anna Lee")
    assert keep(database, Profile("anna", name=odd))[0].effect == "unchanged"


@pytest.mark.parametrize(
    "pasted", ["\ufeffAnna@Example.com", "\u202aAnna@example.com.\u202c", "Anna@exam\xadple.com\x7f"]
)
def test_an_email_keeps_nothing_that_nobody_sees(database: Database, pasted: str) -> None:
    keep(database, Profile("anna", email=pasted))
    with database.read() as connection:
        assert connection.scalar(select(ADDRESS.c.value)) == "Anna@example.com"


def test_a_new_phone_takes_the_place_of_the_old_one(database: Database) -> None:
    for phone in ("+380501234567", "+380671234567", "+380501234567"):
        keep(database, Profile("anna", phone=phone))
    with database.read() as connection:
        rows = connection.execute(select(ADDRESS.c.value, ADDRESS.c.active).order_by(ADDRESS.c.value)).all()
        assert address_of(connection, 1, "phone") == "+380501234567"
    assert [tuple(row) for row in rows] == [("+380501234567", True), ("+380671234567", False)]


def test_many_customers_change_in_different_ways_at_once(database: Database) -> None:
    keep(database, *[Profile(f"c{n}", name="x") for n in range(30)])
    changes = [
        Profile(f"c{n}", city=f"city {n}") if n % 3 else Profile(f"c{n}", name=f"name {n}") for n in range(30)
    ]
    assert {it.effect for it in keep(database, *changes)} == {"changed"}
    assert (kept(database, "c3").name, kept(database, "c4").city) == ("name 3", "city 4")
    assert (kept(database, "c4").name, kept(database, "c3").city) == ("x", None)


def test_a_card_is_one_customers(database: Database) -> None:
    keep(database, Profile("anna", card="77"))
    refused, other = keep(database, Profile("bohdan", card="77"), Profile("chrystyna", card="78"))
    assert refused.refusal
    assert (refused.effect, refused.refusal.reason, other.effect) == ("refused", "card_taken", "created")
    assert kept(database, "bohdan") is None
    assert [it.effect for it in keep(database, Profile("d", card="9"), Profile("e", card="9"))] == [
        "created", "refused",
    ]  # fmt: skip


def test_an_erased_person_is_not_taken_up_again(database: Database) -> None:
    keep(database, Profile("anna"))
    with database.write() as connection:
        connection.execute(update(CUSTOMER).values(erased_at=START))
    saved = keep(database, Profile("anna", name="Anna"))[0]
    assert saved.refusal
    assert saved.refusal.reason == "erased"


def test_an_external_id_outranks_a_card_and_a_card_a_phone(database: Database) -> None:
    keep(database, Profile("1", phone="+380501234567"), Profile("2", card="+380501234567"))
    keep(database, Profile("3"), Profile("4", card="3"))
    assert kept(database, "+380501234567").external_id == "2"
    assert kept(database, "3").external_id == "3"
    assert kept(database, "nobody") is None


@pytest.mark.parametrize("number", ["№\u200b", "\u202eК-1", "🙂", "字", "#", "0"])
def test_a_number_of_which_anything_is_seen_is_one(number: str) -> None:
    assert checked(Profile(number, card=number), TODAY).external_id == number


def test_time_zones_of_customers_are_listed(database: Database) -> None:
    keep(database, Profile("anna", time_zone="Europe/Kyiv"), Profile("bohdan", time_zone="Mars/Olympus"))
    keep(database, Profile("chrystyna", time_zone="Europe/Kyiv"))
    with database.read() as connection:
        zones = connection.scalars(select(ZONE.c.name).order_by(ZONE.c.name)).all()
    assert [(zone, known_zone(zone)) for zone in zones] == [("Europe/Kyiv", True), ("Mars/Olympus", False)]


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        (Profile(""), "an external id of 1 to 200 characters"),
        (Profile("\u202e"), "the external id has nothing in it that can be seen"),
        (Profile("\u200b\ufe0f\u3164"), "the external id has nothing in it that can be seen"),
        (Profile("1", card="\u200d"), "the card has nothing in it that can be seen"),
        (Profile("1", phone="123"), "the phone must be in international form"),
        (Profile("1", phone="+38050"), "too few or too many digits"),
        (Profile("1", email="a@b"), "not an address of the form"),
        (Profile("1", birthday=TODAY + timedelta(days=1)), "is not between 1900 and today"),
        (Profile("1", gender="x"), "must be one of female, male, other"),
        (Profile("1", locale="Ukrainian"), "must look like uk or uk-UA"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_in_a_sentence(profile: Profile, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        checked(profile, TODAY)
