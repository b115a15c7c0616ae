"""Levels go down only at the nightly look, when the period and its grace no longer carry them."""

from datetime import timedelta

from sqlalchemy import select

from core.customers import CUSTOMER
from core.db import Database
from core.events import EVENT
from core.receipts import Purchase, record
from core.tables import TierChange
from core.tiers import review
from tests.core.books import START, program, purchase, register

CHANGE = TierChange.__table__  # type: ignore[attr-defined]


def buy(database: Database, *purchases: Purchase, live: bool = True) -> None:
    """Receipts, each at its own time."""
    with database.write() as connection:
        for bought in purchases:
            record(connection, program(), [bought], bought.at, live=live)


def look(database: Database, days: int) -> int:
    """The nightly look so many days later."""
    with database.write() as connection:
        return review(connection, program(), START + timedelta(days=days))


def tier(database: Database) -> str | None:
    """Anna's."""
    with database.read() as connection:
        return connection.scalar(select(CUSTOMER.c.tier).where(CUSTOMER.c.external_id == "anna"))


def test_a_level_is_kept_for_its_period_and_grace_and_then_lost(database: Database) -> None:
    register(database, program(), "anna", "bohdan")
    buy(database, purchase("1", "anna", START, 100_000))
    assert look(database, 394) == 0
    assert look(database, 395) == 1
    assert look(database, 396) == 0
    assert tier(database) == "bronze"
    with database.read() as connection:
        moves = connection.execute(select(CHANGE.c.previous, CHANGE.c.tier, CHANGE.c.direction)).all()
        last = connection.execute(select(EVENT).where(EVENT.c.kind == "tier_changed")).all()[-1]
    assert [tuple(move) for move in moves] == [("bronze", "silver", "up"), ("silver", "bronze", "down")]
    assert (last.data["direction"], last.live) == ("down", True)


def test_a_level_falls_as_far_as_the_spend_says(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 500_000))
    buy(database, purchase("2", "anna", START + timedelta(days=200), 100_000))
    assert tier(database) == "gold"
    look(database, 395)
    assert tier(database) == "silver"


def test_a_level_that_is_still_carried_is_kept(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 100_000))
    buy(database, purchase("2", "anna", START + timedelta(days=100), 100_000))
    assert look(database, 400) == 0
    assert tier(database) == "silver"


def test_a_look_at_some_customers_leaves_the_others(database: Database) -> None:
    register(database, program(), "anna", "bohdan")
    buy(database, purchase("1", "anna", START, 100_000), purchase("2", "bohdan", START, 100_000))
    with database.write() as connection:
        moved = review(connection, program(), START + timedelta(days=500), among=[2], live=False)
        happened = connection.execute(select(EVENT).where(EVENT.c.kind == "tier_changed")).all()[-1]
    assert moved == 1
    assert (happened.customer_id, happened.live) == (2, False)
    assert tier(database) == "silver"
