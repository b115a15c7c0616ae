"""A customer's row says on which channels they agreed to marketing: what `consent` says, whoever wrote it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from core.customers.consent import CONSENT, Choice, choose
from core.customers.opted_in import fill
from core.db import Database
from core.tables import Customer
from tests.core.books import START, program, register

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
Fresh = Callable[[], AbstractContextManager[Database]]
NAMES = ("anna", "boris", "vera")
CHOICES = st.lists(
    st.builds(
        lambda who, channel, purpose, granted, days: Choice(
            who, channel, granted, START + timedelta(days=days), "form", purpose
        ),
        st.integers(1, len(NAMES)), st.sampled_from(("email", "sms", "web_push", "webhook")),
        st.sampled_from(("marketing", "surveys")), st.booleans(), st.integers(0, 5),
    ),
    max_size=12,
)  # fmt: skip


def say(database: Database, *choices: Choice, at: datetime = START) -> None:
    """One transaction."""
    with database.write() as connection:
        choose(connection, choices, at, live=True)


def on_rows(database: Database) -> dict[int, str | None]:
    """What the rows of customers say."""
    with database.read() as connection:
        rows = connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.opted_in)).all()
    return {row.id: row.opted_in for row in rows}


def as_agreed(database: Database) -> dict[int, str]:
    """What the consents say."""
    said: dict[int, list[str]] = {}
    with database.read() as connection:
        for row in connection.execute(select(CONSENT).where(CONSENT.c.granted)).all():
            if row.purpose == "marketing":
                said.setdefault(row.customer_id, []).append(row.channel)
        ids = connection.scalars(select(CUSTOMER.c.id)).all()
    return {it: f" {' '.join(sorted(said[it]))} " if it in said else "" for it in ids}


def emptied(database: Database, where: Any = None) -> None:
    """As a database of before is found after its upgrade."""
    with database.write() as connection:
        statement = CUSTOMER.update().values(opted_in=None)
        connection.execute(statement if where is None else statement.where(where))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=CHOICES, second=CHOICES)
def test_it_says_what_was_chosen_in_whatever_order(
    fresh_database: Fresh, first: list[Choice], second: list[Choice]
) -> None:
    with fresh_database() as database:
        register(database, program(), *NAMES)
        for choices in (first, second):
            say(database, *choices)
            assert on_rows(database) == as_agreed(database)
        with database.write() as connection:
            connection.execute(CONSENT.delete().where(CONSENT.c.customer_id == 1))
        assert on_rows(database) == as_agreed(database)
        assert on_rows(database)[1] == ""


def test_it_is_written_by_the_database_itself(database: Database) -> None:
    register(database, program(), *NAMES)
    row = "(:who, 'sms', 'marketing', :yes, :at)"
    by_hand = text(f"INSERT INTO consent (customer_id, channel, purpose, granted, at) VALUES {row}")
    with database.write() as connection:
        connection.execute(
            by_hand, [{"who": who, "yes": who != 2, "at": START.isoformat()} for who in (1, 2)]
        )
    assert on_rows(database) == {1: " sms ", 2: "", 3: ""}
    with database.write() as connection:
        connection.execute(text("UPDATE consent SET granted = NOT granted"))
    assert on_rows(database) == {1: "", 2: " sms ", 3: ""}


def test_customers_of_before_it_was_kept_are_filled_in_part_by_part(postgres_database: Database) -> None:
    register(postgres_database, program(), *NAMES)
    say(postgres_database, Choice(1, "sms", True, START, "form"), Choice(1, "email", True, START, "form"))
    say(postgres_database, Choice(2, "sms", False, START, "form"), Choice(3, "web_push", True, START, "form"))
    emptied(postgres_database)
    assert fill(postgres_database, part=1) == 3
    assert (
        on_rows(postgres_database)
        == as_agreed(postgres_database)
        == {1: " email sms ", 2: "", 3: " web_push "}
    )
    # Broken off after the first part, it goes on.
    emptied(postgres_database, CUSTOMER.c.id > 1)
    assert fill(postgres_database, part=2) == 2
    assert on_rows(postgres_database) == as_agreed(postgres_database)
    assert fill(postgres_database) == 0
