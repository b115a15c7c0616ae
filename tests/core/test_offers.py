"""What a customer may be offered: only what they can still get, and whether it holds now."""

from datetime import timedelta
from decimal import Decimal

from core.customers.holders import people
from core.customers.profiles import Profile, save
from core.db import Database
from core.program import Program
from core.purchases.offers import offers
from core.purchases.receipts import Line, Purchase, record
from tests.core.books import ADDRESSES, START, accepted
from tests.core.carts import program
from tidings.api.speaking import speaker

DAY = timedelta(days=1)
RULES = """
{rule: third, give: 3, when: {purchase: 3}}
{rule: each-third, give: 3, when: {purchase: {every: 3}}}
{rule: thousand, give: 50, when: {spent: {reaches: 300}}}
{rule: trusted, give: 5, when: {spent: {at_least: 200}}}
{rule: often, give: 4, when: {regular: {purchases: 3, in: 10 days}}}
"""
PROGRAM = program(RULES)


def offered(database: Database, day: int, rules: Program = PROGRAM) -> dict[str, bool]:
    """On a day: whether each offer holds now."""
    with database.read() as connection:
        customer_id = people(connection, ["anna"])["anna"].id
        found = offers(connection, rules, customer_id, None, START + day * DAY)
    return {it.rule: it.now for it in found}


def buy(database: Database, day: int, rules: Program = PROGRAM) -> None:
    """A purchase for 100."""
    bought = Purchase(f"R{day}", "anna", START + day * DAY, (Line("tea", 1000, 10_000),))
    with database.write() as connection:
        [outcome] = record(connection, rules, [bought], bought.at, live=True)
        accepted(outcome)


def test_offers_for_purchases_and_money_spent_follow_the_customer(database: Database) -> None:
    with database.write() as connection:
        save(connection, PROGRAM, ADDRESSES, [Profile("anna")], START, live=False)
    first = {"third": False, "each-third": False, "thousand": True, "trusted": False, "often": False}
    assert offered(database, 0) == first
    buy(database, 1)
    buy(database, 2)
    assert offered(database, 3) == dict.fromkeys(first, True)
    assert offered(database, 20)["often"] is False
    buy(database, 3)
    assert offered(database, 4) == {"each-third": False, "trusted": True, "often": True}


USED_UP = program("""
{rule: welcome, give: 5, limit: once}
{rule: weekly, give: 2, limit: 1 per 7 days}
{rule: first-tea, give: 3, when: {first_in: {sku: tea}}}
{rule: first-cake, give: 3, when: {first_in: {sku: cake}}}
""")


def test_what_a_customer_has_used_up_is_offered_no_more_or_not_for_now(database: Database) -> None:
    with database.write() as connection:
        save(connection, USED_UP, ADDRESSES, [Profile("anna")], START, live=False)
    assert offered(database, 0, USED_UP) == {
        "welcome": True, "weekly": True, "first-tea": True, "first-cake": True,
    }  # fmt: skip
    buy(database, 1, USED_UP)
    assert offered(database, 2, USED_UP) == {"weekly": False, "first-cake": True}
    assert offered(database, 9, USED_UP) == {"weekly": True, "first-cake": True}


def test_a_percentage_by_how_much_is_paid_is_offered_from_its_first_step(database: Database) -> None:
    rules = program("""
{rule: base, earn: 1%}
{rule: much, earn: [{from: 300, percent: 3%}, {from: 900, percent: 5%}]}
{rule: more, earn: [{from: 0, percent: 1%}, {from: 500, percent: 2%}]}
{rule: all, earn: [{from: 0, percent: 1%}]}
""")
    with database.write() as connection:
        save(connection, rules, ADDRESSES, [Profile("anna")], START, live=False)
        found = offers(connection, rules, people(connection, ["anna"])["anna"].id, None, START)
    assert {it.rule: dict(it.facts) for it in found} == {
        "much": {"percent": Decimal("0.03"), "money": 30_000},
        "more": {"percent": Decimal("0.02"), "money": 50_000},
    }
    assert speaker(rules, ["en"], START).offer(found[0]).replace("\xa0", " ") == "3% back: from UAH 300"
