"""What bonuses may pay of a cart, and how a payment is laid on its lines."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger.limits import Room
from core.program import Program
from core.purchases.cart import Cart, Item
from core.purchases.spending import lay_payment, lay_points, needs_code, spendable
from tests.core.carts import MONDAY, cart, kyiv, program

COFFEE = Item("latte", 1000, 10_000, category="coffee")
TOBACCO = Item("smoke", 1000, 10_000, category="tobacco")
OPEN = program("")
STRICT = program(
    "",
    tail="""
spend: {share_at_most: 50%, line_share_at_most: 80%, receipt_at_least: 50, exclude: {category: tobacco}}
""",
)


def test_a_whole_receipt_may_be_paid_unless_the_program_says_otherwise() -> None:
    limit = spendable(OPEN, cart(333, 667))
    assert (limit.points, limit.lines, limit.reasons) == (1_000, (333, 667), ())


def test_half_of_a_receipt_may_be_paid_and_nothing_of_a_small_one() -> None:
    assert spendable(STRICT, cart(10_001)).points == 5_000
    small = spendable(STRICT, cart(4_999))
    assert (small.points, small.limits.each, small.lines) == (0, {"base": 0}, (0,))
    assert small.reasons == ("the receipt is below 50 UAH",)


def test_goods_that_bonuses_may_not_pay_for_are_left_out_and_named() -> None:
    limit = spendable(STRICT, cart(COFFEE, TOBACCO))
    assert (limit.points, limit.lines) == (8_000, (8_000, 0))
    assert limit.reasons == ("bonuses may not pay for smoke", "at most 80% of a line is paid with bonuses")


def test_bonuses_may_be_for_some_goods_only() -> None:
    found = program("", tail="spend: {only: {category: [coffee]}}")
    assert spendable(found, cart(COFFEE, TOBACCO)).lines == (10_000, 0)


def test_bonuses_worth_less_than_money_pay_less() -> None:
    found = program("", points="  worth: 0.30")
    limit = spendable(found, cart(100))
    assert limit.points == 333
    assert found.points_in_money(limit.points) == 99


def test_an_account_has_its_own_share_and_goods() -> None:
    points = "  accounts: {gift: {share_at_most: 25%}, coffee: {goods: {category: coffee}}}"
    found = program("", points=points, tail="spend: {share_at_most: 60%}")
    limit = spendable(found, cart(COFFEE, TOBACCO))
    assert limit.limits.each == {"gift": 5_000, "coffee": 10_000, "base": 12_000}
    assert spendable(found, cart(TOBACCO)).limits.each["coffee"] == 0


def pay(rules: Program, items: Sequence[Item], owned: dict[str, int]) -> dict[str, int]:
    """What each account pays for these lines, in the order in which they are spent."""
    limit = spendable(rules, Cart(kyiv(MONDAY), tuple(items)))
    room, taken = Room(limit.limits), dict.fromkeys(owned, 0)
    for name, there in owned.items():
        taken[name] = room.take(name, min(there, limit.points - sum(taken.values())))
    return taken


def test_accounts_for_the_same_goods_pay_no_more_than_these_together() -> None:
    points = """  accounts:
    gift: {goods: {category: coffee}}
    coffee: {goods: {category: coffee}}
    cup: {goods: {category: cups}}
    breakfast: {goods: {category: [coffee, cups]}}
"""
    found = program("", points=points)
    cart = [COFFEE, Item("cup", 1000, 4_000, category="cups"), TOBACCO]
    some = {"gift": 7_000, "coffee": 7_000, "cup": 1_000, "breakfast": 7_000, "base": 50_000}
    assert pay(found, cart, some) == {
        "gift": 7_000, "coffee": 3_000, "cup": 1_000, "breakfast": 3_000, "base": 10_000
    }  # fmt: skip
    # Who may pay for something else makes room.
    breakfast_first = {"breakfast": 4_000, "gift": 10_000, "cup": 1_000}
    assert pay(found, cart, breakfast_first) == {"breakfast": 4_000, "gift": 10_000, "cup": 0}


def test_no_part_of_a_bonus_pays_for_goods_that_accounts_share() -> None:
    points = """  worth: 0.30
  accounts: {a: {goods: {sku: ["0", "1"]}}, b: {goods: {sku: ["1"]}}}
"""
    found, cart = program("", points=points), [Item("0", 1000, 1), Item("1", 1000, 100), Item("2", 1000, 100)]
    assert pay(found, cart, {"a": 200, "b": 10_000}) == {"a": 200, "b": 136}
    assert pay(found, cart, {"b": 10_000, "a": 10_000}) == {"b": 333, "a": 3}


def test_many_accounts_may_be_for_goods_that_overlap() -> None:
    owned = {f"a{n}": 3 for n in range(24)}
    accounts = ", ".join(f"{name}: {{goods: {{sku: ['all', '{name}']}}}}" for name in owned)
    cart = [Item("all", 1000, 20), *(Item(name, 1000, 2) for name in owned)]
    assert sum(pay(program("", points=f"  accounts: {{{accounts}}}"), cart, owned).values()) == 20 + 48


def fits(owned: dict[str, int], covers: dict[str, set[int]], lines: Sequence[int]) -> int:
    """The most that accounts can pay, by trying: each unit of money looks for a line, moving others on."""
    places: dict[int, list[str]] = {n: [] for n in range(len(lines))}

    def seat(account: str, seen: set[int]) -> bool:
        for line in covers[account] - seen:
            seen.add(line)
            if len(places[line]) < lines[line]:
                places[line].append(account)
                return True
            for other in set(places[line]):
                if seat(other, seen):
                    places[line].remove(other)
                    places[line].append(account)
                    return True
        return False

    return sum(seat(account, set()) for account, points in owned.items() for _ in range(points))


def limited(**goods: str) -> tuple[Program, dict[str, set[int]]]:
    """A program with accounts for some of four articles each, and these by account."""
    accounts = ", ".join(f"{name}: {{goods: {{sku: {list(skus)!r}}}}}" for name, skus in goods.items())
    found = program("", points=f"  accounts: {{{accounts}}}")
    return found, {name: set(map(int, skus)) for name, skus in goods.items()}


@pytest.mark.parametrize(
    ("rules", "covers"),
    [limited(a="0", b="01", c="12", d="23"), limited(a="01", b="01", c="2", d="0123"), limited(a="0", b="1")],
)
@settings(deadline=None, derandomize=True, max_examples=60)
@given(totals=st.lists(st.integers(1, 6), min_size=4, max_size=4), points=st.tuples(*[st.integers(0, 8)] * 4))
def test_accounts_pay_as_much_as_fits_on_the_lines_that_they_are_for(
    rules: Program, covers: dict[str, set[int]], totals: list[int], points: tuple[int, ...]
) -> None:
    items = tuple(Item(str(n), 1000, total) for n, total in enumerate(totals))
    lines = spendable(rules, Cart(kyiv(MONDAY), items)).lines
    owned = dict(zip(covers, points, strict=False))
    assert sum(pay(rules, items, owned).values()) == fits(owned, covers, lines)


def test_partners_take_bonuses_by_their_own_terms_or_not_at_all() -> None:
    found = program(
        "",
        tail="""
partners: {cinema: {stores: c1}, bank: {stores: b1, spend: false}, gym: {stores: g1}}
spend: {share_at_most: 50%, partners: {cinema: {share_at_most: 20%}}}
""",
    )
    limits = {name: spendable(found, cart(10_000, partner=name)) for name in (None, "cinema", "bank", "gym")}
    assert {name: it.points for name, it in limits.items()} == {
        None: 5_000,
        "cinema": 2_000,
        "bank": 0,
        "gym": 5_000,
    }
    assert limits["bank"].reasons == ("bonuses are not spent at bank",)


def test_a_code_confirms_what_is_above_the_amount() -> None:
    found = program("", tail="spend: {confirm_above: 1000}")
    assert [needs_code(found, points) for points in (100_000, 100_001)] == [False, True]
    assert not needs_code(OPEN, 10**12)


@pytest.mark.parametrize(("points", "laid"), [(100, (34, 33, 33)), (1, (1, 0, 0)), (0, (0, 0, 0))])
def test_a_payment_is_laid_to_the_last_coin(points: int, laid: tuple[int, ...]) -> None:
    assert lay_payment(OPEN, cart(1_000, 1_000, 1_000), points) == laid


def test_points_lie_where_their_money_lies() -> None:
    assert lay_points(1_000, (99, 0, 1)) == (990, 0, 10)
    assert lay_points(3, (0, 0)) == (3, 0)
    assert lay_points(0, (0, 0)) == (0, 0)


def test_a_payment_of_other_terms_is_laid_on_all_lines() -> None:
    assert lay_payment(STRICT, cart(COFFEE, TOBACCO), 20_000) == (10_000, 10_000)


totals = st.lists(
    st.tuples(st.integers(0, 100_000), st.sampled_from([None, "coffee", "tobacco"])), min_size=1, max_size=6
)


@pytest.mark.parametrize("rules", [OPEN, STRICT, program("", points="  worth: 0.37")])
@settings(deadline=None, derandomize=True)
@given(totals, st.floats(0, 1))
def test_a_payment_stays_within_each_lines_limit(
    rules: Program, totals: list[tuple[int, str | None]], part: float
) -> None:
    items = tuple(Item(f"{n}", 1000, total, category) for n, (total, category) in enumerate(totals))
    found = Cart(kyiv(MONDAY), items)
    limit = spendable(rules, found)
    points = int(limit.points * part)
    paid = lay_payment(rules, found, points)
    assert sum(paid) == rules.points_in_money(points) <= sum(limit.lines)
    assert all(
        0 <= money <= most <= item.total for money, most, item in zip(paid, limit.lines, items, strict=True)
    )
    assert sum(lay_points(points, paid)) == points
    assert max(limit.limits.each.values()) <= limit.points
