"""The movement of bonuses: what became of them month by month, by which rule, and what is outstanding.

That all of it agrees with the books whatever happens is asked at the end of every sequence of the ledger's
state machines (tests/core/movements.py).
"""

from datetime import UTC, datetime, timedelta

from core.db import Database
from core.ledger.expiry import expire
from core.ledger.flows import Balance
from core.ledger.movement import Ending, Given, Movement, movement
from core.purchases.receipts import Line, Purchase, record
from core.purchases.returns import Return, take_back
from tests.core.books import START, accepted, program, register
from tests.core.movements import check_movement

GIFT = "  accounts: {gift: {lasts: 20 days}}\n  debt: repay"
RULES = program(
    ("worth: 1\n", "worth: 0.5\n"),
    ("  debt: repay", GIFT),
    ("give: 50, on: registered, lasts: 30 days", "give: 50, on: registered, account: gift"),
)
DAY = timedelta(days=1)
# The first of April and of May by Kyiv's clocks, in its summer.
APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) - timedelta(hours=3) for month in (4, 5))


def buy(database: Database, receipt: str, who: str, at: datetime, total: int, pay: int = 0) -> None:
    bought = Purchase(receipt, who, at, (Line("coffee", 1000, total),), pay_points=pay)
    with database.write() as connection:
        accepted(record(connection, RULES, [bought], at, live=True)[0])


def bring(database: Database, receipt: str, at: datetime) -> None:
    with database.write() as connection:
        accepted(take_back(connection, RULES, Return(receipt, at), at, live=True))


def moved(database: Database, since: datetime, until: datetime, now: datetime | None = None) -> Movement:
    with database.read() as connection:
        check_movement(connection, RULES, since, until)
        return movement(connection, RULES, since, until, now or until)


def said(balance: Balance) -> dict[str, int]:
    """Its figures without what is nothing."""
    return {name: points for name, points in balance.flows.items() if points}


def test_each_month_of_the_programs_zone_begins_with_what_the_last_one_left(database: Database) -> None:
    register(database, RULES, "anna")
    # The last minute of March by Kyiv's clocks is an hour of UTC's March too.
    buy(database, "1", "anna", APRIL - timedelta(minutes=1), 10_000)
    buy(database, "2", "anna", APRIL, 1_000, pay=400)
    found = moved(database, START, MAY)
    assert list(found.edges) == [START, APRIL, MAY]
    march, april = found.accounts["base"]
    assert (march.opening, said(march), march.closing) == (0, {"given": 2_000}, 2_000)
    # A tenth of the 8.00 that were paid in money, in bonuses at 0.50.
    assert (april.opening, said(april), april.closing) == (2_000, {"given": 160, "spent": -400}, 1_760)


def test_what_comes_back_after_a_month_is_over_does_not_change_it(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "anna", START, 10_000)
    before = moved(database, START, APRIL)
    bring(database, "1", APRIL + DAY)
    assert moved(database, START, APRIL) == before
    [april] = moved(database, APRIL, MAY).accounts["base"]
    assert (april.opening, said(april), april.closing) == (2_000, {"given": -2_000}, 0)


def test_accounts_stand_apart_and_rules_say_what_they_gave_to_how_many(database: Database) -> None:
    for who in ("anna", "bohdan"):
        register(database, RULES, who, live=True)
    buy(database, "1", "anna", START, 10_000)
    buy(database, "2", "anna", START + DAY, 2_000)
    bring(database, "2", START + 2 * DAY)
    found = moved(database, START, APRIL)
    assert found.given == [Given("welcome", "gift", 10_000, 2), Given("base", "base", 2_000, 1)]
    assert [*found.accounts] == ["gift", "base"]
    [gift] = found.accounts["gift"]
    assert (said(gift), said(found.months[0])) == ({"given": 10_000}, {"given": 12_000})


def test_what_is_outstanding_is_told_by_when_it_ends_and_what_it_is_worth(database: Database) -> None:
    register(database, RULES, "anna", live=True)
    register(database, RULES, "bohdan")
    buy(database, "1", "anna", START, 10_000)
    buy(database, "2", "bohdan", START, 10_000)
    buy(database, "3", "bohdan", START + DAY, 2_000, pay=1_000)
    bring(database, "2", START + 2 * DAY)
    found = moved(database, START, APRIL).outstanding
    # The welcome's twenty days are over, and nobody has looked yet; who spent what came back owes it.
    assert list(found.endings) == [
        Ending("over", 5_000, 2_500), Ending("2026-08", 2_000, 1_000), Ending("owed", -700, -350),
    ]  # fmt: skip
    assert (found.customers, found.points, found.money) == (1, 6_300, 3_150)
    expire(database, RULES, APRIL)
    assert [it.when for it in moved(database, START, MAY).outstanding.endings] == ["2026-08", "owed"]


def test_a_period_that_is_not_over_tells_what_is_there_now(database: Database) -> None:
    register(database, RULES, "anna", live=True)
    now = START + 5 * DAY
    assert [it.when for it in moved(database, START, MAY, now).outstanding.endings] == ["2026-03"]
    assert moved(database, START, MAY, now).outstanding.at == now


def test_of_empty_books_there_is_a_period_of_nothing(database: Database) -> None:
    found = moved(database, START, MAY)
    assert (list(found.edges), found.given, found.outstanding.endings) == ([START, MAY], [], [])
    assert [(it.opening, it.closing) for it in found.months] == [(0, 0)]
