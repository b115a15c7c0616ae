"""Customers, consents, products and stores from files."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.customers.addresses import ADDRESS
from core.customers.consent import CONSENT
from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT
from core.imports.kinds.stores import STORE
from core.ledger.writing import ACCOUNT
from core.purchases.goods import PRODUCT
from tests.core.files import CUSTOMERS, bring_in, counts, csv, jsonl, parquet, rejects


@pytest.mark.parametrize(("write", "name"), [(csv, "c.csv"), (jsonl, "c.jsonl"), (parquet, "c.parquet")])
def test_customers_are_registered_in_their_normal_form(
    database: Database, tmp_path: Path, write: Any, name: str
) -> None:
    file = write(tmp_path / name, CUSTOMERS)
    assert counts(bring_in(database, "customers", file)) == (2, 0, 0, 0)
    assert counts(bring_in(database, "customers", file)) == (0, 0, 2, 0)
    with database.read() as connection:
        anna, bohdan = connection.execute(select(CUSTOMER).order_by(CUSTOMER.c.id)).all()
        assert (anna.name, anna.phone, anna.attributes) == ("Анна", "+380501234567", {"milk": "oat"})
        assert (bohdan.email, bohdan.birthday) == ("Bohdan@example.com", date(1990, 2, 28))
        reached = connection.scalars(
            select(ADDRESS.c.value).where(ADDRESS.c.active).order_by(ADDRESS.c.id)
        ).all()
        assert sorted(reached) == ["+380501234567", "Bohdan@example.com"]
        assert connection.scalars(select(ACCOUNT.c.total)).all() == [0, 0]
        assert connection.scalars(select(EVENT.c.live)).all() == [False, False]


def test_a_changed_customer_keeps_what_the_file_leaves_empty(database: Database, tmp_path: Path) -> None:
    bring_in(database, "customers", csv(tmp_path / "c.csv", CUSTOMERS))
    rows = [{"customer": "anna", "name": "", "city": "Львів", "attributes.size": "L"}]
    assert counts(bring_in(database, "customers", csv(tmp_path / "d.csv", rows))) == (0, 1, 0, 0)
    with database.read() as connection:
        anna = connection.execute(select(CUSTOMER).where(CUSTOMER.c.external_id == "anna")).one()
    assert (anna.name, anna.city, anna.attributes) == ("Анна", "Львів", {"milk": "oat", "size": "L"})


def test_a_customer_who_is_in_the_file_twice_is_one_customer(database: Database, tmp_path: Path) -> None:
    rows = [{"customer": "anna", "name": "Anna"}, {"customer": "anna", "city": "Lviv"}]
    bring_in(database, "customers", jsonl(tmp_path / "c.jsonl", rows))
    with database.read() as connection:
        anna = connection.execute(select(CUSTOMER)).one()
    assert (anna.name, anna.city) == ("Anna", "Lviv")


def test_live_customers_get_the_welcome_bonus(database: Database, tmp_path: Path) -> None:
    bring_in(database, "customers", csv(tmp_path / "c.csv", CUSTOMERS), live=True)
    with database.read() as connection:
        assert connection.scalars(select(ACCOUNT.c.total)).all() == [5_000, 5_000]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"customer": ""}, "'customer' is empty"),
        ({"phone": "0501234567"}, "the phone must be in international form, for example +380501234567"),
        ({"email": "anna at home"}, "the email is not an address of the form name@domain.tld"),
        ({"birthday": "31.12.1990"}, "'birthday' is no date; write for example '1990-03-15'"),
        ({"gender": "yes"}, "the gender must be one of female, male, other, or left out"),
        (
            {"attributes.size": 10**400},
            "'attributes.size' is a whole number beyond 64 bits; write it as text",
        ),
        ({"registered_at": "2030-01-01"}, "'registered_at' has not come yet"),
        ({"card": "77"}, "the card of customer 'zoe' belongs to customer 'owner'"),
    ],
)
def test_a_customer_who_cannot_be_registered_is_set_aside(
    database: Database, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    rows = [{"customer": "owner", "card": "77"}, {"customer": "zoe", **change}]
    report = bring_in(database, "customers", jsonl(tmp_path / "c.jsonl", rows))
    assert counts(report) == (1, 0, 0, 1)
    assert rejects(report)[0]["reason"] == reason


CONSENTS = [
    {"customer": "anna", "channel": "sms", "granted": "no", "at": "2026-03-05T10:00:00Z", "source": "STOP"},
    {"customer": "anna", "channel": "sms", "granted": "yes", "at": "2026-03-01T10:00:00Z", "source": "form"},
    {"customer": "anna", "channel": "email", "granted": "true", "at": "2026-03-01T10:00:00Z"},
]


def test_the_latest_choice_is_in_force_whatever_the_order_of_the_file(
    database: Database, tmp_path: Path
) -> None:
    bring_in(database, "customers", csv(tmp_path / "c.csv", CUSTOMERS))
    file = csv(tmp_path / "consents.csv", CONSENTS)
    assert counts(bring_in(database, "consents", file)) == (2, 1, 0, 0)
    assert counts(bring_in(database, "consents", file)) == (0, 0, 3, 0)
    with database.read() as connection:
        told = connection.execute(select(CONSENT).order_by(CONSENT.c.channel)).all()
        history = connection.scalars(select(EVENT.c.kind).where(EVENT.c.kind.like("consent%"))).all()
    assert [(it.channel, it.granted, it.source, it.purpose) for it in told] == [
        ("email", True, "import", "marketing"), ("sms", False, "STOP", "marketing"),
    ]  # fmt: skip
    assert told[1].at == datetime(2026, 3, 5, 10, 0, tzinfo=UTC)
    assert sorted(history) == ["consent_given", "consent_given", "consent_withdrawn"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"customer": "zoe"}, "no customer 'zoe'; import customers first"),
        ({"channel": "emial"}, "'channel' is none of program.yaml; did you mean 'email'?"),
        ({"purpose": "Marketing"}, "'purpose' is none of program.yaml; did you mean 'marketing'?"),
        ({"granted": "maybe"}, "'granted' is neither yes nor no"),
        ({"granted": ""}, "'granted' is empty"),
        ({"at": "2030-01-01T00:00:00Z"}, "'at' has not come yet"),
    ],
)
def test_a_choice_that_cannot_be_understood_is_set_aside(
    database: Database, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    bring_in(database, "customers", csv(tmp_path / "c.csv", CUSTOMERS))
    report = bring_in(
        database, "consents", jsonl(tmp_path / "x.jsonl", [{**CONSENTS[0], **change}, CONSENTS[2]])
    )
    assert counts(report) == (1, 0, 0, 1)
    assert rejects(report)[0]["reason"] == reason


def test_products_are_described_and_brought_up_to_date(database: Database, tmp_path: Path) -> None:
    first = [{"sku": "1", "name": "Milk", "category": "dairy"}, {"sku": "2", "name": "Rye", "category": ""}]
    then = [
        {"sku": "1", "name": "", "category": "milk"},
        {"sku": "2", "name": "Rye"},
        {"sku": "3", "name": "Tea"},
    ]
    assert counts(bring_in(database, "products", csv(tmp_path / "p.csv", first))) == (2, 0, 0, 0)
    assert counts(bring_in(database, "products", csv(tmp_path / "q.csv", then))) == (1, 1, 1, 0)
    with database.read() as connection:
        rows = connection.execute(
            select(PRODUCT.c.sku, PRODUCT.c.name, PRODUCT.c.category).order_by("sku")
        ).all()
    assert [tuple(row) for row in rows] == [("1", "Milk", "milk"), ("2", "Rye", None), ("3", "Tea", None)]


def test_stores_have_their_place(database: Database, tmp_path: Path) -> None:
    rows = [
        {"code": "lviv-1", "name": "Rynok", "latitude": "49.8419", "longitude": "24.0315"},
        {"code": "lviv-2", "name": "Opera", "latitude": "149", "longitude": "24"},
    ]
    report = bring_in(database, "stores", csv(tmp_path / "s.csv", rows))
    assert counts(report) == (1, 0, 0, 1)
    assert rejects(report)[0]["reason"] == "'latitude' is not between -90 and 90"
    with database.read() as connection:
        assert tuple(connection.execute(select(STORE)).one()) == ("lviv-1", "Rynok", None, 49.8419, 24.0315)


@pytest.mark.parametrize(
    ("latitude", "wrong"),
    [
        ("49,8419", "'latitude' has a comma; write '49.8419' with a point"),
        ("5\uff10.45", "'latitude': '5\uff10.45' is not a plain number, such as 49.8419"),
        ("4e1", "'latitude': '4e1' is not a plain number, such as 49.8419"),
        ("4_9", "'latitude': '4_9' is not a plain number, such as 49.8419"),
        ("49\u00b050\u2032", "'latitude': '49\u00b050\u2032' is not a plain number, such as 49.8419"),
        (True, "'latitude' is no number"),
    ],
)
def test_a_store_lies_where_plain_digits_say(
    sqlite_database: Database, tmp_path: Path, latitude: Any, wrong: str
) -> None:
    rows = [{"code": "lviv-1", "latitude": latitude}, {"code": "lviv-2", "latitude": " -49.8419 "}]
    report = bring_in(sqlite_database, "stores", jsonl(tmp_path / "s.jsonl", rows))
    assert [it["reason"] for it in rejects(report)] == [wrong]
