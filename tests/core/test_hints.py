"""A hint comes true: the cart that it proposes brings what it said."""

from dataclasses import replace
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.customers.profiles import Profile, save
from core.db import Database
from core.earning import earn
from core.money import lay_out
from core.program import Program
from core.purchases.cart import Cart, Item
from core.purchases.hints import Hint, of_rules, why_not_more
from core.purchases.proposing import Quoted
from core.purchases.quotes import Quote, quote
from core.purchases.receipts import Line, Purchase
from core.purchases.spending import spendable
from tests.core.books import ADDRESSES, START
from tests.core.carts import Before, cart, program
from tidings.api.speaking import speaker


def hints(rules: Program, bought: Cart, past: Before | None = None) -> list[Hint]:
    """What is said of a cart without a discount."""
    past = past or Before()
    return of_rules(Quoted(rules, bought, past, earn(rules, bought, past)))


def said(found: list[Hint]) -> list[tuple[str | None, str, dict[str, Any]]]:
    return [(it.rule, it.kind, dict(it.facts)) for it in found]


def test_what_another_rule_would_exclude_is_not_promised() -> None:
    rules = "{rule: much, give: 20, excludes: more}\n{rule: more, give: 10, when: {lines: {at_least: 3}}}"
    assert said(hints(program(rules), cart(5_000))) == []
    assert said(hints(program(rules.replace("excludes: more", "per: line")), cart(5_000, 5_000))) == [
        ("more", "missing", {"lines": 1, "points": 1_000})
    ]


def test_what_the_cap_of_a_receipt_would_cut_is_not_promised() -> None:
    rules = "{rule: base, earn: 5%}\n{rule: five, give: 10, when: {lines: {at_least: 5}}}"
    capped = program(rules, more="  at_most: {receipt: 15%}")
    four = cart(500, 500, 500, 500)
    assert said(hints(capped, four)) == []
    promised = [("five", "missing", {"lines": 1, "points": 1_000})]
    assert said(hints(program(rules), four)) == promised
    assert said(hints(capped, cart(5_000, 5_000, 5_000, 5_000))) == promised


def test_of_a_group_only_what_is_more_than_the_best_is_promised() -> None:
    rules = """{rule: three, give: 20, group: g, when: {lines: {at_least: 3}}}
    {rule: now, give: 15, group: g}"""
    assert said(hints(program(rules), cart(5_000, 5_000))) == [
        ("three", "missing", {"lines": 1, "points": 500})
    ]
    assert said(hints(program(rules.replace("15", "20")), cart(5_000, 5_000))) == []


def test_money_that_must_have_been_spent_before_is_not_asked_of_this_cart() -> None:
    trusted = program("{rule: trusted, give: 5, when: {spent: {at_least: 200}}}")
    assert said(hints(trusted, cart(5_000), Before(spent=10_000))) == []


def test_what_a_rule_gives_for_each_piece_is_promised_for_all_of_them() -> None:
    rules = program(
        "{rule: pieces, give: 2, per: unit, goods: {category: tea}, when: {units: {at_least: 3}}}"
    )
    tea = Item("tea", 2_000, 10_000, "tea")
    [hint] = hints(rules, cart(tea, 5_000))
    assert (hint.facts["units"], hint.facts["points"]) == (1, 600)
    assert speaker(rules, ["en"], START).hint(hint) == "1 more pc. (tea) and 6 points more"


@pytest.mark.parametrize(
    ("locale", "on_top", "instead"),
    [
        ("en", "UAH 100 more and 1% back on top", "UAH 100 more and it is 5% back"),
        ("uk", "Ще 100 ₴ – і ще 1% бонусами", "Ще 100 ₴ – і буде 5% бонусами"),
        ("ru", "Ещё 100 ₴ – и ещё 1 % бонусами", "Ещё 100 ₴ – и будет 5 % бонусами"),
    ],
)
def test_a_percentage_that_comes_on_top_is_told_so(locale: str, on_top: str, instead: str) -> None:
    base = "{rule: base, earn: 2%, group: g}\n"
    for more, sentence in (
        ("{rule: more, earn: 1%, when: {total: {at_least: 300}}}", on_top),
        ("{rule: more, earn: 5%, group: g, when: {total: {at_least: 300}}}", instead),
    ):
        rules = program(base + more)
        [hint] = hints(rules, cart(20_000))
        assert speaker(rules, [locale], START).hint(hint).replace("\xa0", " ") == sentence


def test_a_percentage_is_on_top_of_another_also_where_a_gift_falls_away() -> None:
    rules = program("""{rule: base, earn: 2%}
    {rule: more, earn: 1%, when: {total: {at_least: 300}}}
    {rule: gift, give: 1, when: {total: {less_than: 300}}}""")
    assert [it.kind for it in hints(rules, cart(5_000))] == ["missing_on_top"]


def test_what_is_asked_for_is_told_by_the_price_before_the_discount(database: Database) -> None:
    rules = "{rule: base, earn: 2%}\n{rule: big, give: 25, when: {total: {at_least: 500}}}"
    cheaper = _with_discount(program(rules))
    with database.write() as connection:
        save(connection, cheaper, ADDRESSES, [Profile("anna")], START, live=False)
        before = _quoted(connection, cheaper, 40_000)
        [big] = [it for it in before.hints if it.rule == "big"]
        assert big.facts["money"] > 50_000 - before.cart.total
        after = _quoted(connection, cheaper, 40_000 + big.facts["money"])
        assert [it.points for it in after.without.effect.earned.shares if it.rule == "big"] == [2_500]
        almost = _quoted(connection, cheaper, 40_000 + big.facts["money"] - 1)
        assert [it.rule for it in almost.without.effect.earned.shares] == ["base"]


def _with_discount(rules: Program) -> Program:
    levels = tuple(it.model_copy(update={"discount": Decimal("0.07")}) for it in rules.tiers.levels)
    return rules.model_copy(update={"tiers": rules.tiers.model_copy(update={"levels": levels})})


def _quoted(connection: Any, rules: Program, total: int) -> Quote:
    found = quote(connection, rules, Purchase("", "anna", START, (Line("tea", 1000, total),)), START)
    assert isinstance(found, Quote)
    return found


def test_that_more_could_be_paid_with_bonuses_is_said_only_where_it_could() -> None:
    spend = "spend: {receipt_at_least: 100, exclude: {sku: sku-1}}"
    rules = program("{rule: base, earn: 2%}", tail=spend)

    def why(bought: Cart, available: int) -> list[tuple[str, dict[str, Any]]]:
        found = why_not_more(rules, bought, spendable(rules, bought), available, 0)
        return [(it.kind, dict(it.facts)) for it in found]

    assert why(cart(4_000), 500) == [("spend_from", {"money": 6_000, "least": 10_000})]
    assert why(cart(4_000), 0) == [("spend_balance", {"points": 0})]
    only_excluded = replace(cart(4_000), items=(Item("sku-1", 1000, 4_000),))
    assert why(only_excluded, 500) == [("spend_goods", {"goods": "sku-1"})]


def test_a_rest_that_is_less_than_one_bonus_is_told_as_that() -> None:
    whole = program("{rule: base, earn: 2%}", tail="spend: {share_at_most: 50%}")
    whole = whole.model_copy(update={"points": whole.points.model_copy(update={"scale": 0})})

    def why(total: int, most: int) -> list[tuple[str, dict[str, Any]]]:
        limit = spendable(whole, cart(total))
        return [(it.kind, dict(it.facts)) for it in why_not_more(whole, cart(total), limit, 500, most)]

    # Half of it is 80 coins, and a bonus pays for 100.
    assert why(160, 0) == [("spend_rest", {"money": 100})]
    assert [kind for kind, _ in why(360, 1)] == ["spend_share"]
    everything = whole.model_copy(
        update={"spend": whole.spend.model_copy(update={"share_at_most": Decimal(1)})}
    )
    limit = spendable(everything, cart(360))
    found = why_not_more(everything, cart(360), limit, 500, 3)
    assert [(it.kind, dict(it.facts)) for it in found] == [("spend_rest", {"money": 100})]
    limit = spendable(everything, cart(300))
    assert why_not_more(everything, cart(300), limit, 500, 3) == []


RULES = st.lists(
    st.sampled_from([
        "{rule: NAME, earn: 3%, when: {total: {at_least: 60}}}",
        "{rule: NAME, earn: [{from: 50, percent: 2%}, {from: 90, percent: 4%}], group: g}",
        "{rule: NAME, give: 7, when: {lines: {at_least: 3}}, group: g}",
        "{rule: NAME, give: 5, when: {units: {more_than: 3}}}",
        "{rule: NAME, give: 9, goods: {sku: sku-0}, when: {total: {at_least: 45}}, excludes: other}",
        "{rule: NAME, give: [{from: 30, points: 2}, {from: 80, points: 9}], group: g}",
        "{rule: NAME, multiply: 2, when: {lines: {at_least: 2}}}",
        "{rule: NAME, give: 4, when: {lines: {at_least: 2}, total: {at_least: 70}}, at_most: 3}",
    ]),
    min_size=1, max_size=5, unique=True,
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(RULES, st.lists(st.integers(1, 6_000), min_size=1, max_size=4), st.sampled_from(["", "8%", "40%"]))
def test_every_hint_comes_true(names: list[str], totals: list[int], cap: str) -> None:
    asked = [it.replace("NAME", f"r{number}") for number, it in enumerate(names)]
    rules = program(
        "\n".join(["{rule: base, earn: 1%}", "{rule: other, earn: 2%, group: g}", *asked]),
        more=f"  at_most: {{receipt: {cap}}}" if cap else "",
    )
    bought = cart(*totals)
    now = earn(rules, bought, Before())
    for hint in hints(rules, bought):
        then = earn(rules, _with_more(bought, hint.facts), Before())
        rule = {it.rule: it.points for it in then.shares}
        assert rule.get(hint.rule or "", 0) > 0
        assert then.points - now.points >= hint.facts.get("points", 1)


def _with_more(bought: Cart, facts: Any) -> Cart:
    """What a customer may add: goods of the greatest line, a little of each."""
    place = max(range(len(bought.items)), key=lambda it: (bought.items[it].total, -it))
    if "goods" in facts:
        place = 0
    like, money = bought.items[place], facts.get("money", 0)
    count, units = int(facts.get("lines", 0)), ceil(facts.get("units", 0) * 1000)
    if not count:
        more = like._replace(quantity=like.quantity + units, total=like.total + max(1, money))
        return replace(bought, items=(*bought.items[:place], more, *bought.items[place + 1 :]))
    parts = lay_out(max(count, money), [1] * count)
    quantities = lay_out(max(units, 1000 * count), [1] * count)
    added = (like._replace(quantity=q, total=part) for q, part in zip(quantities, parts, strict=True))
    return replace(bought, items=(*bought.items, *added))
