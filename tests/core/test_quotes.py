"""What a till is told of a cart before anybody pays."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select
from sqlmodel import SQLModel

from core.db import Database
from core.ledger.lots import Refusal
from core.program.versions import begin
from core.purchases.quotes import Quote, Way, quote
from core.purchases.receipts import Line, Purchase, record
from tests.core.books import START, accepted, program
from tests.core.tills import HOUR, TILL, give, join, reason

NOW = START + HOUR


def cart(*hundredths: int, name: str = "anna", pay: int = 0, codes: tuple[str, ...] = ()) -> Purchase:
    """A cart with a line for each amount."""
    lines = tuple(Line("coffee", 1000, amount) for amount in hundredths or (40_000,))
    return Purchase("", name, NOW, lines, pay_points=pay, codes=codes)


def told(database: Database, asked: Purchase, *, pay: bool = False) -> Quote:
    """The quote, which must have come about."""
    with database.read() as connection:
        found = quote(connection, TILL, asked, NOW, pay=pay)
    assert isinstance(found, Quote), found
    return found


def kinds(found: Quote) -> list[str]:
    return [it.kind for it in found.why_not_more]


def test_a_cart_is_told_what_it_earns_and_how_much_may_be_spent(database: Database) -> None:
    join(database, "anna")
    give(database, "anna", 5_000)
    found = told(database, cart())
    assert found.most is not None
    assert (found.without.effect.points, found.most.points, found.most.effect.points) == (4_000, 5_000, 3_500)
    assert (found.most.money, found.most.paid, found.available) == (5_000, (5_000,), 5_000)
    assert (found.without.balance, found.most.balance) == (9_000, 3_500)
    assert kinds(found) == ["spend_balance"]


def test_a_balance_that_is_no_whole_number_of_coins_may_be_spent_to_the_last_coin(database: Database) -> None:
    rules = program(("worth: 1", "worth: 0.1"))
    join(database, "anna")
    give(database, "anna", 3_703)
    with database.write() as connection:
        found = quote(connection, rules, cart(), NOW)
        assert isinstance(found, Quote)
        assert found.most is not None
        assert (found.most.points, found.most.money, found.available) == (3_700, 370, 3_703)
        assert [(it.kind, it.facts) for it in found.why_not_more] == [("spend_balance", {"points": 3_703})]
        receipt = replace(cart(), external_id="R1", pay_points=found.most.points)
        [bought] = record(connection, rules, [receipt], NOW, live=True)
    assert accepted(bought)["spent"] == "37"


def test_what_limits_spending_is_named(database: Database) -> None:
    join(database, "anna")
    give(database, "anna", 50_000)
    smoke = Purchase("", "anna", NOW, (Line("coffee", 1000, 10_000), Line("cigarettes", 1000, 10_000)))
    found = told(database, smoke)
    assert found.most is not None
    assert (found.most.points, found.most.paid) == (10_000, (10_000, 0))
    assert kinds(found) == ["spend_share", "spend_goods"]
    assert found.most.needs_code is False


@pytest.mark.parametrize(("before", "after"), [(50, 20), (20, 50)])
def test_how_much_pays_for_a_cart_of_before_a_change_is_told_by_the_rules_of_then(
    database: Database, before: int, after: int
) -> None:
    join(database, "anna")
    give(database, "anna", 30_000)
    earlier, rules = (
        program(("share_at_most: 50%", f"share_at_most: {share}%")) for share in (before, after)
    )
    with database.write() as connection:
        begin(connection, earlier, START)
        begin(connection, rules, NOW + HOUR)
        late = quote(connection, rules, cart(), NOW + 2 * HOUR)
        assert isinstance(late, Quote)
        assert late.most is not None
        assert late.most.points == 400 * before
        paid = replace(cart(pay=late.most.points), external_id="R1")
        [outcome] = record(connection, rules, [paid], NOW + 2 * HOUR, live=True)
    assert accepted(outcome)["spent"] == f"{4 * before}"


def test_bonuses_of_an_account_for_coffee_do_not_pay_for_tea(database: Database) -> None:
    join(database, "anna")
    give(database, "anna", 5_000, account="coffee")
    tea = Purchase("", "anna", NOW, (Line("tea", 1000, 20_000),))
    found = told(database, tea)
    assert found.most is None
    assert kinds(found) == ["spend_accounts"]


def test_two_accounts_for_coffee_pay_no_more_than_the_coffee_costs(database: Database) -> None:
    accounts = "  accounts: {cup: {goods: {sku: coffee}}, coffee: {goods: {sku: coffee}}}\n"
    rules = program(("  debt: repay\n", f"  debt: repay\n{accounts}"), ("50%}", "100%}"))
    join(database, "anna")
    give(database, "anna", 8_000, account="cup")
    give(database, "anna", 8_000, account="coffee")
    lines = (Line("coffee", 1000, 10_000), Line("tea", 1000, 10_000))
    with database.read() as connection:
        found = quote(connection, rules, Purchase("", "anna", NOW, lines), NOW)
    assert isinstance(found, Quote)
    assert found.most is not None
    assert (found.most.points, found.most.accounts) == (10_000, {"cup": 8_000, "coffee": 2_000})
    assert kinds(found) == ["spend_accounts"]
    paid = Purchase("R1", "anna", NOW, lines, pay_points=10_001)
    with database.write() as connection:
        [refused, bought] = record(
            connection, rules, [paid, replace(paid, external_id="R2", pay_points=10_000)], NOW, live=True
        )
    assert refused == Refusal("insufficient_balance", "100 bonuses are available for this")
    assert accepted(bought)["balance"] == "70"


def test_the_discount_of_a_level_is_laid_on_the_lines_to_the_last_coin(database: Database) -> None:
    join(database, "anna")
    with database.write() as connection:
        record(connection, TILL, [replace(cart(100_000), external_id="R1")], NOW, live=True)
    found = told(database, cart(3_333, 3_333, 3_334))
    assert (found.discount.lines, sum(found.discount.lines)) == ((167, 166, 167), 500)
    assert [item.total for item in found.cart.items] == [3_166, 3_167, 3_167]
    assert found.progress is not None
    assert (found.progress.level, found.progress.following) == ("silver", "gold")


def test_a_quote_after_midnight_tells_the_level_by_which_it_was_reckoned(database: Database) -> None:
    join(database, "anna")
    with database.write() as connection:
        record(connection, TILL, [replace(cart(100_000), external_id="R1")], NOW, live=True)
    # The 396th day begins: the period and its grace are over, and the night's look has not been.
    at = TILL.start_of(TILL.day_of(NOW) + timedelta(days=396)) + timedelta(minutes=1)
    with database.read() as connection:
        found = quote(connection, TILL, replace(cart(), at=at), at)
    assert isinstance(found, Quote)
    assert found.progress is not None
    assert (found.discount.fraction, found.without.effect.tier) == (0, "bronze")
    assert (found.progress.level, found.progress.until) == ("bronze", None)


def test_hints_say_what_is_missing_for_more(database: Database) -> None:
    join(database, "anna")
    found = told(database, cart(40_000, 1_000))
    hints = [(it.rule, dict(it.facts)) for it in found.hints]
    assert ("big", {"money": 9_000, "points": 2_500}) in hints
    assert ("three-lines", {"lines": 1, "points": 2_000}) in hints
    assert ("fifth", {"purchases": 4, "points": 1_500}) in hints
    higher = told(database, cart(60_000))
    assert ("big", {"money": 40_000, "points": 4_500}) in [(it.rule, dict(it.facts)) for it in higher.hints]


def test_promo_codes_are_judged_one_by_one_and_the_cart_goes_on(database: Database) -> None:
    join(database, "anna")
    found = told(database, cart(codes=("spring", "autumn")))
    verdicts = {code: it and it.reason for code, it in found.codes.items()}
    assert verdicts == {"spring": None, "autumn": "unknown_code"}
    assert found.without.effect.points == 7_000


def test_a_code_that_was_scanned_and_typed_is_told_alike_in_both_spellings(database: Database) -> None:
    join(database, "anna")
    for codes, said in ((("AUTUMN-1", "autumn1"), "unknown_code"), (("SPRING", "spring"), None)):
        found = told(database, cart(codes=codes))
        assert {code: it and it.reason for code, it in found.codes.items()} == dict.fromkeys(codes, said)
    assert told(database, cart(codes=("SPRING", "spring"))).without.effect.points == 7_000


def test_nobodys_cart_is_told_what_a_card_would_bring(database: Database) -> None:
    found = told(database, cart(name=""))
    assert (found.customer, found.most, found.without.effect.points) == (None, None, 0)
    assert [(it.kind, it.facts) for it in found.hints] == [("no_card", {"points": 4_000})]


def test_a_payment_that_is_asked_for_is_worked_out_or_refused(database: Database) -> None:
    join(database, "anna")
    give(database, "anna", 5_000)
    asked = told(database, cart(pay=1_000), pay=True).asked
    assert isinstance(asked, Way)
    assert (asked.points, asked.effect.points) == (1_000, 3_900)
    assert reason(told(database, cart(pay=6_000), pay=True).asked) == "insufficient_balance"


def test_a_cart_that_no_receipt_could_have_is_refused(database: Database) -> None:
    join(database, "anna")
    strict = program(("spend: {share", "products: {unknown: refuse}\nspend: {share"))
    year = timedelta(days=366)
    with database.read() as connection:
        refusals = {
            reason(quote(connection, rules, asked, NOW))
            for rules, asked in (
                (TILL, cart(name="nobody")),
                (TILL, cart(-1)),
                (TILL, replace(cart(), at=NOW + year)),
                (TILL, replace(cart(), at=NOW - year)),
                (strict, cart()),
                (strict, cart(name="")),
            )
        }
    assert refusals == {"unknown_customer", "bad_amount", "in_the_future", "too_old", "unknown_product"}


Fresh = Callable[[], AbstractContextManager[Database]]
amounts = st.lists(st.integers(0, 150_000), min_size=1, max_size=5).filter(any)
chains = st.lists(st.tuples(amounts, st.integers(0, 60), st.booleans()), min_size=1, max_size=4)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(chains, st.integers(0, 80_000))
def test_a_receipt_brings_what_its_quote_told_and_a_quote_writes_nothing(
    fresh_database: Fresh, chain: list[tuple[list[int], int, bool]], gift: int
) -> None:
    with fresh_database() as database:
        join(database, "anna")
        give(database, "anna", gift)
        at = NOW
        for number, (hundredths, days, spend) in enumerate(chain):
            at += timedelta(days=days, minutes=1)
            asked = replace(cart(*hundredths), at=at, codes=("spring",) if number == 1 else ())
            with database.write() as connection:
                before = rows(connection)
                found = quote(connection, TILL, asked, at)
                assert rows(connection) == before
            assert isinstance(found, Quote), found
            way = found.most if spend and found.most else found.without
            totals = [item.total for item in found.cart.items]
            codes = tuple(code for code, refusal in found.codes.items() if refusal is None)
            receipt = replace(
                asked, external_id=f"R{number}", pay_points=way.points, codes=codes, confirmed=True,
                lines=tuple(Line("coffee", 1000, total) for total in totals),
            )  # fmt: skip
            with database.write() as connection:
                [outcome] = record(connection, TILL, [receipt], at, live=True)
            assert not isinstance(outcome, Refusal)
            answer = accepted(outcome)
            said = [TILL.from_points(it) for it in (way.effect.points, way.points, way.balance)]
            assert [answer["earned"], answer["spent"], answer["balance"]] == [str(it) for it in said]
            assert answer["tier"] == way.effect.tier


def rows(connection: Connection) -> dict[str, int]:
    """How many rows every table has."""
    tables = SQLModel.metadata.sorted_tables
    return {it.name: connection.scalar(select(func.count()).select_from(it)) or 0 for it in tables}
