"""What remains earned when part of a purchase came back: a function of what was kept, whatever the rules."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.earning import earn, keep
from core.earning.earned import Earned
from core.program import Program
from core.purchases.cart import Cart, Item
from tests.core.carts import MONDAY, Before, cart, gave, kyiv, program, silent

SILVER = Before("silver", purchases=9, spent=90_000)
PLAIN = program("{rule: more, earn: 3%, goods: {category: coffee}}")
MULTIPLIED = program("{rule: half, multiply: 1.5}\n{rule: two, multiply: 2, goods: {category: coffee}}")
EVERYTHING = program(
    """
    {rule: bands, earn: [{from: 0, percent: 1%}, {from: 100, percent: 4%}], at_most: 40}
    {rule: coffee, earn: 10%, goods: {category: coffee}, group: best}
    {rule: any, earn: 2%, group: best, excludes: gift}
    {rule: two, multiply: 2, when: {units: {at_least: 3}}}
    {rule: few, give: 7, when: {units: {at_most: 2}}}
    {rule: gift, give: [{from: 50, points: 5}, {from: 200, points: 30}]}
    {rule: each, give: 1, per: unit, goods: {brand: Own}}
    {rule: tenth, give: 9, when: {purchase: {every: 10}}}
    {rule: reach, give: 9, when: {spent: {reaches: 1000}}}
    """,
    more="  exclude: {discounted: true}\n  at_most: {receipt: 30%, day: 100}",
)
PROGRAMS = (PLAIN, MULTIPLIED, EVERYTHING)

items = st.builds(
    Item,
    sku=st.sampled_from(["latte", "cake", "beans"]),
    quantity=st.sampled_from([1, 250, 1000, 1500, 3000]),
    total=st.integers(0, 60_000),
    category=st.sampled_from([None, "coffee", "cakes"]),
    brand=st.sampled_from([None, "Own"]),
    discounted=st.booleans(),
)
carts = st.lists(items, min_size=1, max_size=5).flatmap(
    lambda found: st.builds(
        lambda points: Cart(kyiv(MONDAY), tuple(found), paid_points=points),
        st.integers(0, sum(it.total for it in found) // 2),
    )
)


@st.composite
def kept(draw: st.DrawFn) -> tuple[Cart, tuple[int, ...]]:
    """A cart, and how much of each line was kept."""
    found = draw(carts)
    return found, tuple(draw(st.integers(0, item.quantity)) for item in found.items)


def check(earned: Earned, rules: Program, lines: int) -> None:
    gave(earned)
    assert all(len(share.lines) == lines for share in earned.shares)
    if earned.shares or earned.silences:
        answered = [share.rule for share in earned.shares] + [it.rule for it in earned.silences]
        assert sorted(answered) == sorted(rules.purchase_rules.order)


@pytest.mark.parametrize("rules", PROGRAMS)
@settings(deadline=None, derandomize=True)
@given(kept())
def test_points_are_those_of_the_lines_and_every_rule_is_answered(
    rules: Program, kept: tuple[Cart, tuple[int, ...]]
) -> None:
    found, left = kept
    check(earn(rules, found, SILVER), rules, len(left))
    check(keep(rules, found, SILVER, left), rules, len(left))


@pytest.mark.parametrize("rules", PROGRAMS)
@settings(deadline=None, derandomize=True)
@given(carts)
def test_who_keeps_all_keeps_all_and_who_keeps_nothing_keeps_nothing(rules: Program, found: Cart) -> None:
    everything = [item.quantity for item in found.items]
    assert keep(rules, found, SILVER, everything) == earn(rules, found, SILVER)
    assert keep(rules, found, SILVER, [0] * len(everything)) == Earned((), ())


@pytest.mark.parametrize("rules", [PLAIN, MULTIPLIED])
@settings(deadline=None, derandomize=True)
@given(kept(), st.data())
def test_of_percentages_less_is_kept_of_less(
    rules: Program, kept: tuple[Cart, tuple[int, ...]], data: st.DataObject
) -> None:
    found, left = kept
    less = [data.draw(st.integers(0, part)) for part in left]
    assert keep(rules, found, SILVER, less).points <= keep(rules, found, SILVER, left).points
    assert keep(rules, found, SILVER, left).points <= earn(rules, found, SILVER).points


@settings(deadline=None, derandomize=True)
@given(kept())
def test_a_percentage_keeps_each_lines_share_in_proportion(kept: tuple[Cart, tuple[int, ...]]) -> None:
    found, left = kept
    whole = {share.rule: share.lines for share in earn(MULTIPLIED, found, SILVER).shares}
    for share in keep(MULTIPLIED, found, SILVER, left).shares:
        if share.rule != "tier":
            continue
        assert share.lines == tuple(
            points * part // item.quantity
            for points, part, item in zip(whole["tier"], left, found.items, strict=True)
        )


def back(rules: Program, found: Cart, left: Sequence[int]) -> dict[str, int]:
    return gave(keep(rules, found, SILVER, left))


def test_a_line_that_comes_back_takes_exactly_its_share() -> None:
    found = cart(333, 333, 334)
    assert back(PLAIN, found, [0, 1000, 1000]) == {"tier": 33}
    assert back(PLAIN, found, [1000, 0, 1000]) == {"tier": 34}


def test_a_rule_that_no_longer_holds_gives_nothing_and_says_why() -> None:
    rules = program(
        """
        {rule: five, give: 20, when: {lines: {at_least: 2}}}
        {rule: two, multiply: 2, when: {units: {at_least: 2}}}
        """
    )
    found = cart(10_000, 10_000)
    assert back(rules, found, [1000, 1000]) == {"tier": 1_000, "two": 1_000, "five": 2_000}
    left = keep(rules, found, SILVER, [1000, 0])
    assert gave(left) == {"tier": 500}
    assert silent(left) == {"five": "too_small", "two": "too_small"}


def test_a_band_that_is_left_is_reckoned_again_on_what_was_kept() -> None:
    rules = program("{rule: bands, earn: [{from: 0, percent: 1%}, {from: 200, percent: 4%}]}")
    assert back(rules, cart(10_000, 10_000), [1000, 1000])["bands"] == 800
    assert back(rules, cart(10_000, 10_000), [1000, 999])["bands"] == 199


def test_a_fixed_give_for_each_unit_is_counted_again() -> None:
    rules = program("{rule: each, give: 1, per: unit}")
    assert back(rules, cart(Item("a", 3000, 900), Item("b", 1000, 100)), [1500, 1000])["each"] == 200


def test_a_rule_that_was_excluded_comes_back_when_the_other_goes() -> None:
    rules = program(
        "{rule: big, give: 5, when: {total: {at_least: 200}}, excludes: small}\n{rule: small, give: 1}"
    )
    assert back(rules, cart(10_000, 10_000), [1000, 1000]) == {"tier": 1_000, "big": 500}
    assert back(rules, cart(10_000, 10_000), [1000, 0]) == {"tier": 500, "small": 100}


def test_what_a_cap_left_out_comes_back_as_far_as_the_cap_allows() -> None:
    rules = program("{rule: more, earn: 10%, at_most: 10}")
    assert back(rules, cart(20_000), [500])["more"] == 1_000
    assert back(rules, cart(20_000), [250])["more"] == 500


def test_the_cap_of_a_receipt_is_a_share_of_the_money_paid_for_what_was_kept() -> None:
    rules = program(
        "{rule: more, earn: 90%}",
        more="  at_most: {receipt: 15%}",
        tail="spend: {exclude: {category: [tobacco]}}",
    )
    # Bonuses pay 40.00 of the tea and the bread alone: of these 51.30 was paid in money.
    found = cart(6_130, Item("cig", 3000, 10_000, "tobacco"), 3_000, paid_points=4_000)
    assert sum(back(rules, found, [1000, 3000, 1000]).values()) == 2_269
    assert sum(back(rules, found, [1000, 0, 1000]).values()) == 769


def test_rules_see_of_what_was_kept_the_money_that_the_receipt_shows() -> None:
    rules = program("{rule: gift, give: [{from: 200, points: 15}]}")
    assert gave(earn(rules, cart(Item("fish", 2000, 20_000)), SILVER))["gift"] == 1_500
    # Two of three units at 299.99: the receipt says that 200.00 was kept.
    assert back(rules, cart(Item("fish", 3000, 29_999)), [2000])["gift"] == 1_500
    assert "gift" not in back(rules, cart(Item("fish", 3000, 29_998)), [2000])
