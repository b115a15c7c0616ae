"""What tills and pages say of offers and of days."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from core.customers.holders import people
from core.customers.profiles import Profile, save
from core.db import Database
from core.purchases.offers import offers
from core.tiers import Progress
from tests.core.books import ADDRESSES
from tests.core.carts import program
from tests.core.climbing import club
from tidings.api.speaking import speaker
from tidings.api.till.quote import level_hints

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RULES = """
{rule: milk, give: 2, per: unit, goods: {category: milk}}
{rule: third, give: 33, when: {purchase: 3}}
{rule: tenth, give: 5, when: {purchase: {every: 10}}}
{rule: much, give: 50, when: {spent: {reaches: 10000}}}
{rule: often, give: 4, when: {regular: {purchases: 3, in: 4 weeks}}}
{rule: film, multiply: 3, when: {partner: cinema}}
"""
TWO = "{name: one, from: 0}, {name: two, from: 2}"
PROGRAM = program(RULES, tail="partners: {cinema: {stores: c1}}")


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", [
            "2 points: per piece; milk", "33 points: purchase number 3", "5 points: every 10 purchases",
            "50 points: when UAH 10,000 are spent in all", "4 points: 3 purchases in 28 days",
            "bonuses ×3: at cinema",
        ]),
        ("uk", [
            "2 points: за штуку; milk", "33 points: за покупку № 3", "5 points: за кожні 10 покупок",
            "50 points: коли витрачено всього 10 000 ₴", "4 points: 3 покупки за 28 дн.",
            "бонуси ×3: у cinema",
        ]),
        ("ru", [
            "2 points: за штуку; milk", "33 points: за покупку № 3", "5 points: за каждые 10 покупок",
            "50 points: когда потрачено всего 10 000 ₴", "4 points: 3 покупки за 28 дн.",
            "бонусы ×3: в cinema",
        ]),
    ],
)  # fmt: skip
def test_an_offer_says_what_it_asks_for(database: Database, locale: str, said: list[str]) -> None:
    with database.write() as connection:
        save(connection, PROGRAM, ADDRESSES, [Profile("anna")], NOW, live=False)
        anna = people(connection, ["anna"])["anna"].id
        found = offers(connection, PROGRAM, anna, None, NOW)
    speaks = speaker(PROGRAM, [locale], NOW)
    assert [speaks.offer(it).replace("\xa0", " ") for it in found] == said


def test_an_offer_for_two_purchases_on_a_day_is_said_in_the_singular(database: Database) -> None:
    rules = program("{rule: twice, give: 4, when: {regular: {purchases: 2, in: 1 day}}}")
    with database.write() as connection:
        save(connection, rules, ADDRESSES, [Profile("anna")], NOW, live=False)
        anna = people(connection, ["anna"])["anna"].id
        [found] = offers(connection, rules, anna, None, NOW)
    said = [speaker(rules, [locale], NOW).offer(found) for locale in ("en", "uk")]
    assert said == ["4 points: 2 purchases in 1 day", "4 points: 2 покупки за 1 дн."]


def test_a_day_of_another_year_is_told_with_its_year() -> None:
    speaks = speaker(PROGRAM, ["en"], NOW)
    facts = {"amount": "1", "tier": "gold"}
    days = (date(2026, 12, 22), date(2027, 12, 22))
    assert [speaks.say("to_keep", {**facts, "day": it}) for it in days] == [
        "1 by December 22 keeps gold",
        "1 by December 22, 2027 keeps gold",
    ]


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "1 purchase by April 30 keeps two"), ("uk", "Щоб зберегти рівень two: 1 покупка до 30 квітня"),
     ("ru", "Чтобы сохранить уровень two: 1 покупка до 30 апреля")],
)  # fmt: skip
def test_what_keeps_a_level_is_told_with_the_day_by_which_it_does(locale: str, said: str) -> None:
    rules = club("measure: purchases, over: calendar month, grace: 5 days", TWO)
    speaks = speaker(rules, [locale], datetime(2026, 4, 20, 12, tzinfo=UTC))
    here = Progress("two", "purchases", 1, until=date(2026, 5, 5), to_keep=1, keep_by=date(2026, 4, 30))
    assert level_hints(rules, speaks, here) == [said]
    assert level_hints(rules, speaks, here, 1) == [], "this purchase keeps it"
    assert level_hints(rules, speaks, replace(here, keep_by=None)) == [], "April has not begun"
