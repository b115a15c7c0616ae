"""What a purchase earns: one rule at a time, and how rules combine."""

import pytest

from core.earning import earn
from core.purchases.cart import Cart, Item
from tests.core.carts import MONDAY, Before, cart, gave, kyiv, program, silent

SILVER = Before("silver", purchases=3, spent=100_000)


def test_the_level_gives_its_percentage_and_says_so() -> None:
    [share] = earn(program(""), cart(34_000), SILVER).shares
    assert (share.points, share.account, share.note) == (1_700, "base", "silver: 5% of 340.00")
    assert silent(earn(program(""), cart(34_000), Before("bronze"))) == {"tier": "too_little"}


def test_a_percentage_is_rounded_once_and_laid_on_lines_by_largest_remainder() -> None:
    [share] = earn(program(""), cart(333, 333, 334), SILVER).shares
    assert (share.points, share.lines) == (50, (17, 16, 17))


@pytest.mark.parametrize(("rounding", "points"), [("down", 16), ("up", 17), ("half_even", 17)])
def test_rounding_is_the_programs(rounding: str, points: int) -> None:
    assert earn(program("", points=f"  rounding: {rounding}"), cart(333), SILVER).points == points


def test_bonuses_worth_less_than_money_are_given_more_of() -> None:
    assert earn(program("", points="  worth: 0.10"), cart(10_000), SILVER).points == 5_000


def test_what_bonuses_pay_for_earns_nothing() -> None:
    paid = cart(10_000, 30_000, paid_points=10_000, paid=(2_500, 7_500))
    [share] = earn(program(""), paid, SILVER).shares
    assert (share.points, share.lines) == (1_500, (375, 1_125))
    assert earn(program(""), cart(10_000, 30_000, paid_points=10_000), SILVER).shares == (share,)


def test_excluded_goods_earn_nothing() -> None:
    rules = program("", more="  exclude: {category: tobacco, brand: Acme, sku: gift, discounted: true}")
    items = [
        Item("a", 1000, 1_000, category="tobacco"), Item("b", 1000, 1_000, brand="Acme"),
        Item("gift", 1000, 1_000),
        Item("c", 1000, 1_000, discounted=True), Item("d", 1000, 1_000, category="coffee", brand="Other"),
    ]  # fmt: skip
    [share] = earn(rules, cart(*items), SILVER).shares
    assert share.lines == (0, 0, 0, 0, 50)
    assert silent(earn(rules, cart(*items[:4]), SILVER)) == {"tier": "no_goods"}


# --- one rule


COFFEE = Item("latte", 2000, 10_000, category="coffee", brand="Own")
CAKE = Item("cake", 1000, 5_000, category="cakes")


@pytest.mark.parametrize(
    ("rule", "points"),
    [
        ("earn: 10%", 1_500),
        ("earn: [{from: 0, percent: 2%}, {from: 150, percent: 4%}]", 600),
        ("earn: [{from: 0, percent: 2%}, {from: 150.01, percent: 4%}]", 300),
        ("give: 20", 2_000),
        ("give: [{from: 100, points: 25}, {from: 150, points: 70}]", 7_000),
        ("give: [{from: 100, points: 25}, {from: 150.01, points: 70}]", 2_500),
        ("give: 3, per: unit", 900),
        ("give: 3, per: line", 600),
        ("give: 3, per: unit, goods: {category: coffee}", 600),
        ("earn: 10%, goods: {category: coffee, brand: Own}", 1_000),
        ("earn: 10%, at_most: 12.5", 1_250),
        ("give: 5, account: gift", 500),
    ],
)
def test_a_rule_gives(rule: str, points: int) -> None:
    found = program(f"{{rule: r, {rule}}}", points="  accounts: {gift: {lasts: 30 days}}")
    assert gave(earn(found, cart(COFFEE, CAKE), Before()))["r"] == points


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("give: [{from: 150.01, points: 5}]", "too_small"),
        ("give: 5, goods: {category: tea}", "no_goods"),
        ("give: 5, goods: {category: coffee, brand: Other}", "no_goods"),
        ("give: 5, when: {lines: {at_least: 3}}", "too_small"),
        ("give: 5, when: {units: {at_least: 4}}", "too_small"),
        ("give: 5, when: {units: {more_than: 3}}", "too_small"),
        ("give: 5, when: {units: {at_most: 2.5}}", "too_much"),
        ("give: 5, when: {total: {at_least: 150.01}}", "too_small"),
        ("give: 5, when: {total: {less_than: 150}}", "too_much"),
        ("give: 5, goods: {category: cakes}, when: {units: {at_least: 2}}", "too_small"),
        ("give: 5, per: unit, goods: {sku: tea}", "no_goods"),
        ("give: 5, when: {store: [s1, s2]}", "store"),
        ("give: 5, when: {tier: [silver, gold]}", "tier"),
        ("give: 5, code: SPRING, per_customer: 1", "code"),
        ("give: 5, codes: coupons", "code"),
        ("earn: 0.001%", "too_little"),
    ],
)
def test_a_rule_is_silent_for_a_reason(rule: str, reason: str) -> None:
    found = program(f"{{rule: r, {rule}}}")
    assert silent(earn(found, cart(COFFEE, CAKE, store="k1"), Before()))["r"] == reason


def test_what_is_paid_with_bonuses_does_not_carry_over_a_threshold() -> None:
    found = program("{rule: r, give: 5, when: {total: {at_least: 100}}}")
    assert "r" in gave(earn(found, cart(10_000), Before()))
    assert silent(earn(found, cart(10_000, paid_points=1, paid=(1,)), Before()))["r"] == "too_small"


def test_a_code_opens_its_rule_alone() -> None:
    found = program(
        "{rule: spring, give: 5, code: SPRING, per_customer: 1}\n{rule: letter, give: 7, codes: coupons}"
    )
    assert gave(earn(found, cart(100, codes=("letter",)), Before())) == {"letter": 700}
    assert gave(earn(found, cart(100, codes=("letter", "spring")), Before())) == {
        "letter": 700,
        "spring": 500,
    }


# --- dates, hours, places


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-02-28 23:59:59", "not_yet"), ("2026-03-01 00:00", ""), ("2026-03-31 23:59:59", ""),
        ("2026-04-01 00:00", "over"),
    ],
)  # fmt: skip
def test_dates_are_whole_days_of_the_program(at: str, expected: str) -> None:
    found = program("{rule: r, give: 5, from: 2026-03-01, until: 2026-03-31}")
    assert silent(earn(found, cart(100, at=at), Before())).get("r", "") == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02 06:59:59", "hours"), ("2026-03-02 07:00", ""), ("2026-03-02 08:59:59", ""),
        ("2026-03-02 09:00", "hours"), ("2026-03-07 08:00", "weekday"), ("2026-03-30 07:00", ""),
    ],
)  # fmt: skip
def test_happy_hours_begin_and_end_to_the_second_on_the_programs_clock(at: str, expected: str) -> None:
    found = program("{rule: r, multiply: 2, when: {weekday: [mon, tue, wed, thu, fri], time: 07:00-09:00}}")
    assert silent(earn(found, cart(10_000, at=at), SILVER)).get("r", "") == expected


@pytest.mark.parametrize(
    ("at", "open_"), [("2026-03-02 23:30", True), ("2026-03-03 01:59", True), ("2026-03-03 02:00", False)]
)
def test_hours_may_go_over_midnight(at: str, open_: bool) -> None:
    found = program("{rule: r, give: 5, when: {time: [21:00-02:00, 05:00-06:00]}}")
    assert ("r" in gave(earn(found, cart(100, at=at), Before()))) is open_


def test_rules_hold_at_partners_as_both_say() -> None:
    found = program(
        "{rule: all, give: 1}\n{rule: film, give: 2, when: {partner: cinema}}",
        tail="""
partners:
  cinema: {stores: c1, earn: [film]}
  gym: {stores: g1}
  bank: {stores: b1, earn: false}
""",
    )
    at = {name: earn(found, cart(100, partner=name), SILVER) for name in (None, "cinema", "gym", "bank")}
    assert {name: gave(it) for name, it in at.items()} == {
        None: {"tier": 5, "all": 100}, "cinema": {"film": 200}, "gym": {"tier": 5, "all": 100}, "bank": {},
    }  # fmt: skip
    assert silent(at["bank"]) == {"tier": "partner", "all": "partner", "film": "partner"}


# --- what was before


@pytest.mark.parametrize(
    ("before", "gives"), [(1, False), (2, True), (3, False), (8, False), (9, True), (19, True)]
)
def test_the_nth_purchase(before: int, gives: bool) -> None:
    found = program(
        "{rule: third, give: 5, when: {purchase: 3}}\n{rule: tenth, give: 5, when: {purchase: {every: 10}}}"
    )
    assert bool(gave(earn(found, cart(100), Before(purchases=before)))) is gives


@pytest.mark.parametrize(
    ("spent", "gives"), [(989_999, False), (990_000, True), (999_999, True), (1_000_000, False)]
)
def test_a_sum_is_reached_once(spent: int, gives: bool) -> None:
    found = program("{rule: r, give: 5, when: {spent: {reaches: 10000}}}")
    assert ("r" in gave(earn(found, cart(10_000), Before(spent=spent)))) is gives


def test_a_sum_may_have_been_spent_before() -> None:
    found = program("{rule: r, give: 5, when: {spent: {at_least: 100}}}")
    assert silent(earn(found, cart(10_000), Before(spent=9_999)))["r"] == "history"
    assert "r" in gave(earn(found, cart(1), Before(spent=10_000)))


def test_the_first_purchase_in_a_category() -> None:
    found = program("{rule: r, give: 5, when: {first_in: {category: [coffee, tea]}}}")
    assert "r" in gave(earn(found, cart(COFFEE), Before(goods={"category": {"cakes"}})))
    assert silent(earn(found, cart(COFFEE), Before(goods={"category": {"tea"}})))["r"] == "history"
    assert silent(earn(found, cart(CAKE), Before()))["r"] == "no_goods"


@pytest.mark.parametrize(("first", "gives"), [("2026-02-03 00:00", True), ("2026-02-02 23:59", False)])
def test_who_comes_often_within_calendar_days(first: str, gives: bool) -> None:
    found = program("{rule: r, give: 5, when: {regular: {purchases: 3, in: 4 weeks}}, limit: 1 per 4 weeks}")
    past = Before(receipts=(kyiv(first), kyiv("2026-02-20 10:00")))
    assert ("r" in gave(earn(found, cart(100), past))) is gives


@pytest.mark.parametrize(
    ("limit", "last", "gives"),
    [
        ("once", "2020-01-01 10:00", False),
        ("1 per day", "2026-03-02 00:00", False),
        ("1 per day", "2026-03-01 23:59", True),
        ("1 per 30 days", "2026-02-01 00:00", False),
        ("1 per 30 days", "2026-01-31 23:59", True),
        ("2 per 30 days", "2026-03-02 10:00", True),
    ],
)
def test_a_limit_counts_calendar_days(limit: str, last: str, gives: bool) -> None:
    found = program(f"{{rule: r, give: 5, limit: {limit}}}")
    earned = earn(found, cart(100), Before(gave={"r": (kyiv(last),)}))
    assert ("r" in gave(earned)) is gives
    assert gives or silent(earned)["r"] == "limit"


# --- together


def test_percentages_add_up_then_multiples_multiply_then_fixed_gives_are_added() -> None:
    found = program(
        "{rule: three, multiply: 3}\n{rule: more, earn: 1%}\n{rule: two, multiply: 2}\n{rule: gift, give: 1}"
    )
    earned = earn(found, cart(10_000), SILVER)
    assert gave(earned) == {"tier": 500, "more": 100, "three": 1_200, "two": 1_800, "gift": 100}
    assert [it.rule for it in earned.shares] == ["tier", "more", "three", "two", "gift"]
    assert {it.rule: it.note for it in earned.shares}["two"] == "×2 of 18"


def test_a_multiple_of_some_goods_leaves_the_others() -> None:
    found = program("{rule: coffee, multiply: 2, goods: {category: coffee}}")
    assert gave(earn(found, cart(COFFEE, CAKE), SILVER)) == {"tier": 750, "coffee": 500}
    assert silent(earn(found, cart(COFFEE), Before("bronze")))["coffee"] == "nothing_to_multiply"


def test_of_a_group_the_best_for_the_customer_stands() -> None:
    found = program(
        "{rule: ten, earn: 10%, group: g}\n{rule: five, give: 5, group: g}\n{rule: free, give: 1}"
    )
    small, large = earn(found, cart(4_000), Before()), earn(found, cart(6_000), Before())
    assert gave(small) == {"five": 500, "free": 100}
    assert gave(large) == {"ten": 600, "free": 100}
    assert silent(small)["ten"] == silent(large)["five"] == "best_of_group"
    assert gave(earn(found, cart(5_000), Before())) == {"ten": 500, "free": 100}, "of equals the first"


def test_of_a_group_of_multiples_the_best_stands() -> None:
    found = program("{rule: two, multiply: 2, group: g}\n{rule: three, multiply: 3, group: g}")
    assert gave(earn(found, cart(10_000), SILVER)) == {"tier": 500, "three": 1_000}


def test_a_rule_excludes_others_only_where_it_gives() -> None:
    found = program(
        "{rule: promo, earn: 10%, goods: {category: coffee}, excludes: [tier, gift]}\n{rule: gift, give: 1}"
    )
    assert gave(earn(found, cart(COFFEE), SILVER)) == {"promo": 1_000}
    assert silent(earn(found, cart(COFFEE), SILVER)) == {"tier": "excluded_by", "gift": "excluded_by"}
    assert gave(earn(found, cart(CAKE), SILVER)) == {"tier": 250, "gift": 100}


def test_what_is_excluded_excludes_nobody_and_is_not_multiplied() -> None:
    found = program(
        """
        {rule: a, give: 1, excludes: b}
        {rule: b, earn: 10%, excludes: c}
        {rule: c, give: 3}
        {rule: two, multiply: 2}
        """
    )
    assert gave(earn(found, cart(10_000), SILVER)) == {"tier": 500, "two": 500, "a": 100, "c": 300}


def test_a_multiple_for_which_exclusions_leave_nothing_excludes_nobody() -> None:
    found = program(
        """
        {rule: a, give: 1, excludes: tier}
        {rule: two, multiply: 2, excludes: c}
        {rule: c, give: 3}
        """
    )
    earned = earn(found, cart(10_000), SILVER)
    assert gave(earned) == {"a": 100, "c": 300}
    assert silent(earned) == {"tier": "excluded_by", "two": "nothing_to_multiply"}


def test_a_multiple_does_not_exclude_all_that_it_multiplies() -> None:
    found = program(
        """
        {rule: two, multiply: 2, excludes: c}
        {rule: three, multiply: 3, excludes: tier}
        {rule: c, give: 3}
        """
    )
    earned = earn(found, cart(10_000), SILVER)
    assert gave(earned) == {"tier": 500, "two": 500}
    assert silent(earned) == {"three": "nothing_to_multiply", "c": "excluded_by"}
    more = program("{rule: three, multiply: 3, excludes: tier}\n{rule: more, earn: 1%}")
    assert gave(earn(more, cart(10_000), SILVER)) == {"more": 100, "three": 200}


@pytest.mark.parametrize(
    ("cap", "expected"),
    [
        ("receipt: 10%", {"tier": 500, "two": 500}),
        ("receipt: 11", {"tier": 500, "two": 500, "gift": 100}),
        ("receipt: 7.5", {"tier": 500, "two": 250}),
        ("day: 8", {"tier": 300}),
        ("receipt: 100, day: 30", {"tier": 500, "two": 500, "gift": 500}),
        ("day: 1", {}),
    ],
)
def test_the_most_of_a_receipt_and_of_a_day_cut_from_the_last(cap: str, expected: dict[str, int]) -> None:
    found = program("{rule: two, multiply: 2}\n{rule: gift, give: 5}", more=f"  at_most: {{{cap}}}")
    past = Before("silver", earned=((kyiv("2026-03-02 00:00"), 500), (kyiv("2026-03-01 23:59"), 5_000)))
    earned = earn(found, cart(7_000, 3_000), past)
    assert gave(earned) == expected
    assert {rule for rule, reason in silent(earned).items() if reason == "cap"} == {
        "tier",
        "two",
        "gift",
    } - set(expected)


def test_a_share_carries_the_account_and_the_life_of_its_rule() -> None:
    found = program(
        "{rule: r, give: 5, account: gift, lasts: 7 days, starts: after 1 day}",
        points="  accounts: {gift: {}}",
    )
    share = earn(found, cart(100), Before()).shares[-1]
    assert (share.account, str(share.lasts), str(share.starts)) == ("gift", "7 days", "after 1 day")


def test_every_rule_of_purchases_is_answered_and_acts_are_not() -> None:
    found = program(
        "{rule: a, give: 5, when: {store: s}}\n{rule: w, give: 50, on: registered}\n{rule: b, multiply: 2}"
    )
    earned = earn(found, cart(100), SILVER)
    assert {*gave(earned), *silent(earned)} == {"tier", "a", "b"}


@pytest.mark.parametrize(
    ("rule", "note"),
    [
        ("give: 2, per: unit", "2 for each of 7 units: 14"),
        ("give: 2, per: unit, at_most: 10", "2 for each of 7 units: 14, at most 10"),
        ("give: 1, per: line", "1 for each of 1 line: 1"),
        ("give: 5", "5 for the receipt"),
        ("give: [{from: 10, points: 3}]", "3 from 10 UAH"),
    ],
)
def test_a_fixed_give_says_how_it_is_counted(rule: str, note: str) -> None:
    bought = Cart(kyiv(MONDAY), (Item("tea", 7_000, 70_000),))
    earned = earn(program(f"{{rule: it, {rule}}}"), bought, Before("bronze"))
    assert {it.rule: it.note for it in earned.shares}["it"] == note


def test_groups_compare_and_multiples_multiply_what_a_rules_own_most_leaves() -> None:
    found = program(
        "{rule: capped, earn: 10%, at_most: 5, group: best}\n{rule: plain, earn: 6%, group: best}\n"
        "{rule: two, multiply: 2}"
    )
    assert gave(earn(found, cart(10_000), Before())) == {"plain": 600, "two": 600}
    alone = program("{rule: capped, earn: 10%, at_most: 5}\n{rule: two, multiply: 2}")
    assert gave(earn(alone, cart(10_000), Before())) == {"capped": 500, "two": 500}


def test_whole_units_are_those_of_all_lines_together() -> None:
    found = program("{rule: each, give: 1, per: unit}")
    halves = [Item(f"cheese-{n}", 1_500, 1_000) for n in range(3)]
    assert gave(earn(found, cart(*halves), Before())) == {"each": 400}
