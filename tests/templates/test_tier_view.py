"""What messages and cards say of a customer's level."""

from datetime import date
from decimal import Decimal

from core.db import Database
from core.links import Links
from templates.context import TierView
from templates.facts import contexts
from tests.core.climbing import Till, club, kyiv

LINKS = Links("https://kavarnia.example", b"a secret of the tests")


def view(till: Till, at: str) -> TierView:
    """Anna's level."""
    with till.database.read() as connection:
        found: TierView = contexts(connection, till.program, [till.id], kyiv(at), LINKS)[till.id]["tier"]
    return found


def test_a_level_tells_the_way_up_and_what_keeps_it(database: Database) -> None:
    silver = "{name: silver, from: 1000, earn: 5%, discount: 2%}"
    levels = f"{{name: bronze, from: 0}}, {silver}, {{name: gold, from: 5000}}"
    anna = Till(database, club("over: 365 days, grace: 30 days", levels))
    anna.buys("2026-01-05 10:00", 1200)
    assert view(anna, "2026-01-06 10:00") == TierView(
        name="silver", earn=Decimal(5), next="gold", missing=Decimal(3800), since=date(2026, 1, 5),
        until=date(2027, 2, 4), to_keep=Decimal(1000), have=Decimal(1200), unit="money", kept_by="purchases",
        keep_by=date(2027, 2, 4), discount=Decimal(2),
    )  # fmt: skip


def test_purchases_are_told_as_a_number(database: Database) -> None:
    anna = Till(database, club("measure: purchases", "{name: guest, from: 0}, {name: friend, from: 5}"))
    anna.buys("2026-01-05 10:00", 1200)
    here = view(anna, "2026-01-06 10:00")
    assert (here.unit, here.have, here.missing, here.until) == ("purchases", Decimal(1), Decimal(4), None)
