"""Promo codes and coupons: who may use which, when and how often, also when eight tills come at once."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, update

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.grants.activations import Activation, activate
from core.grants.codes import LETTERS, normal
from core.grants.coupons import Made, Request, coupons, disable, disable_batch, look, make_coupons, uses_of
from core.grants.promo_codes import USE, Checked, Codes
from core.ledger.lots import Refusal
from core.ledger.writing import ACCOUNT, ENTRY
from core.program import Program
from core.purchases.quotes import Quote, quote
from core.purchases.receipts import Line, Purchase, record
from core.purchases.returns import Back, Return, take_back
from tests.core.books import START, accepted, check_books, program, register
from tests.core.test_ledger_races import together

DAY = timedelta(days=1)
WELCOME = "- {rule: welcome, give: 50, on: registered, lasts: 30 days}"


def rules(*more: str) -> Program:
    """The program with these rules beside the percentage."""
    return program((WELCOME, "\n    ".join(f"- {{{rule}}}" for rule in more)))


SPRING = rules("rule: spring, give: 40, code: SPRING-26, uses_at_most: 3, per_customer: 1, until: 2026-03-31")
FLYER = rules(
    "rule: flyer, give: 15, codes: coupons", "rule: present, give: 25, on: promo_code, codes: coupons"
)


def buy(
    database: Database, program: Program, receipt: str, *codes: str, customer: str = "anna", day: int = 0
) -> Any:
    at = START + day * DAY
    bought = Purchase(receipt, customer, at, (Line("coffee", 1000, 10_000),), codes=codes)
    with database.write() as connection:
        return record(connection, program, [bought], at, live=True)[0]


def made(database: Database, request: Request, program: Program = FLYER) -> Sequence[str]:
    with database.write() as connection:
        found = make_coupons(connection, program, request, START)
    assert isinstance(found, Made), found
    return found.codes


def asked(database: Database, program: Program, code: str, customer_id: int = 1, day: int = 0) -> str:
    """Why a code cannot be used, without using it; '' if it can."""
    at = START + day * DAY
    with database.read() as connection:
        checked = Codes(connection, program, at).check([code], customer_id, at)
    assert isinstance(checked, Checked)
    return checked.refused[code].reason if checked.refused else ""


def earned_by_rule(database: Database) -> dict[str, int]:
    with database.read() as connection:
        check_books(connection)
        rows = connection.execute(select(ENTRY.c.rule, func.sum(ENTRY.c.amount)).group_by(ENTRY.c.rule))
        return {row[0]: int(row[1]) for row in rows if row[0]}


# --- codes of the program


def test_a_code_opens_its_rule_however_it_is_typed(database: Database) -> None:
    register(database, SPRING, "anna")
    accepted(buy(database, SPRING, "r1", "spring 26"))
    assert earned_by_rule(database) == {"base": 1_000, "spring": 4_000}
    accepted(buy(database, SPRING, "r2"))
    assert earned_by_rule(database)["spring"] == 4_000


def test_a_code_is_refused_with_its_reason_and_the_receipt_is_not_booked(database: Database) -> None:
    register(database, SPRING, "anna")
    assert buy(database, SPRING, "r1", "SUMMER26").reason == "unknown_code"
    accepted(buy(database, SPRING, "r1", "SPRING26"))
    assert buy(database, SPRING, "r2", "SPRING26").reason == "code_limit"
    assert asked(database, SPRING, "SPRING26") == "code_limit"
    assert asked(database, SPRING, "SPRING26", 2) == ""
    assert asked(database, SPRING, "SPRING26", 2, day=31) == "code_over"
    later = rules("rule: spring, give: 40, code: SPRING26, per_customer: 1, from: 2026-03-05")
    assert asked(database, later, "SPRING26", 2) == "code_not_yet"


def test_a_code_is_used_so_often_in_all(database: Database) -> None:
    names = ["anna", "bohdan", "chrystyna", "dmytro"]
    register(database, SPRING, *names)
    outcomes = [buy(database, SPRING, name, "SPRING26", customer=name) for name in names]
    assert outcomes[3].reason == "code_used"
    with database.read() as connection:
        found = look(connection, SPRING, "spring-26")
        assert not isinstance(found, Refusal)
        assert found.uses == 3
        assert [row.external_id for row in uses_of(connection, "SPRING26")] == names[:3]


def test_a_limit_that_is_set_later_counts_the_uses_from_before(database: Database) -> None:
    names = ["anna", "bohdan", "chrystyna", "dmytro"]
    free = rules("rule: spring, give: 40, code: SPRING-26", "rule: flyer, give: 15, codes: coupons")
    some = rules(
        "rule: spring, give: 40, code: SPRING-26, uses_at_most: 3",
        "rule: flyer, give: 15, codes: coupons, uses_at_most: 3",
    )
    register(database, free, *names)
    coupons = made(database, Request("batch", "flyer", 4), free)
    for name, coupon in zip(names[:2], coupons, strict=False):
        accepted(buy(database, free, name, "SPRING26", coupon, customer=name))
    assert asked(database, some, "SPRING26", 3) == ""
    accepted(buy(database, some, names[2], "SPRING26", coupons[2], customer=names[2]))
    assert buy(database, some, "r", "SPRING26", customer=names[3]).reason == "code_used"
    assert buy(database, some, "r", coupons[3], customer=names[3]).reason == "code_used"


def test_a_limit_that_was_reached_before_it_was_set_is_reached(database: Database) -> None:
    free, one = (
        rules(f"rule: spring, give: 40, code: SPRING-26{more}") for more in ("", ", uses_at_most: 1")
    )
    register(database, free, "anna")
    accepted(buy(database, free, "r1", "SPRING26"))
    assert asked(database, one, "SPRING26") == "code_used"
    assert buy(database, one, "r2", "SPRING26").reason == "code_used"


def test_what_is_used_and_freed_while_a_limit_is_taken_out_counts_once_it_is_back(database: Database) -> None:
    def by(more: str) -> Program:
        return rules(
            f"rule: spring, give: 40, code: SPRING-26, code_returns: true{more}",
            f"rule: flyer, give: 15, codes: coupons, code_returns: true{more}",
        )

    three, free = by(", uses_at_most: 3"), by("")
    register(database, three, "anna", "bohdan", "chrystyna", "dmytro", "eva")
    coupons = iter(made(database, Request("batch", "flyer", 7), three))
    for name, then in (("anna", three), ("bohdan", free), ("chrystyna", free)):
        accepted(buy(database, then, name, "SPRING26", next(coupons), customer=name))
    for code in ("SPRING26", next(coupons)):
        assert buy(database, three, "r", code, customer="dmytro").reason == "code_used"
    with database.write() as connection:
        accepted(take_back(connection, free, Return("bohdan", START), START, live=True))
    accepted(buy(database, three, "eva", "SPRING26", next(coupons), customer="eva"))
    for code in ("SPRING26", next(coupons)):
        assert buy(database, three, "r", code, customer="dmytro").reason == "code_used"


def test_a_receipt_that_is_refused_for_something_else_uses_no_code(database: Database) -> None:
    register(database, SPRING, "anna")
    wrong = Purchase("r", "anna", START, (Line("coffee", 1000, 10_000),), pay_points=99, codes=("SPRING26",))
    with database.write() as connection:
        [outcome] = record(connection, SPRING, [wrong], START, live=True)
    assert isinstance(outcome, Refusal)
    with database.read() as connection:
        found = look(connection, SPRING, "SPRING26")
        assert not isinstance(found, Refusal)
        assert (found.uses, found.row.uses if found.row else 0) == (0, 0)


def test_a_code_taken_out_of_use_is_over(database: Database) -> None:
    register(database, SPRING, "anna")
    with database.write() as connection:
        disable(connection, SPRING, "SPRING26", START)
    assert asked(database, SPRING, "SPRING26") == "code_over"


# --- coupons


def test_coupons_are_hard_to_guess_and_easy_to_read(database: Database) -> None:
    codes = made(database, Request("b1", "flyer", 500))
    assert len({normal(code) for code in codes}) == 500
    assert {len(code) for code in codes} == {10}
    assert set("".join(codes)) <= set(LETTERS)
    assert not set("0O1IL2Z5S8BUV") & set(LETTERS)


def test_a_coupon_works_once(database: Database) -> None:
    register(database, FLYER, "anna", "bohdan")
    [first, second] = made(database, Request("b1", "flyer", 2))
    accepted(buy(database, FLYER, "r1", f"{first[:5]}-{first[5:]}".lower()))
    assert buy(database, FLYER, "r2", first, customer="bohdan").reason == "code_used"
    assert asked(database, FLYER, second, 2) == ""
    assert earned_by_rule(database)["flyer"] == 1_500


def test_the_same_request_makes_the_same_coupons(database: Database) -> None:
    codes = made(database, Request("b1", "flyer", 3))
    assert made(database, Request("b1", "flyer", 3)) == codes
    with database.write() as connection:
        other = make_coupons(connection, FLYER, Request("b1", "flyer", 4), START)
    assert isinstance(other, Refusal)
    assert other.reason == "conflict"


def test_a_batch_whose_coupons_are_used_less_often_is_another_request(database: Database) -> None:
    register(database, FLYER, "anna")
    made(database, Request("batch", "flyer", 2))
    with database.write() as connection:
        again = make_coupons(connection, FLYER, Request("batch", "flyer", 2, uses_at_most=5), START)
    assert isinstance(again, Refusal)
    assert again.reason == "conflict"


def test_a_coupon_may_be_of_one_customer_and_have_its_own_days(database: Database) -> None:
    register(database, FLYER, "anna", "bohdan")
    first, last = date(2026, 3, 3), date(2026, 3, 5)
    request = Request("b1", "flyer", text="vip-anna", customer_id=1, first_day=first, last_day=last)
    [code] = made(database, request)
    assert code == "VIPANNA"
    assert asked(database, FLYER, code) == "code_not_yet"
    assert asked(database, FLYER, code, day=5) == "code_over"
    assert asked(database, FLYER, code, 2, day=3) == "code_not_yours"
    assert asked(database, FLYER, code, day=3) == ""


def test_a_duplicates_coupon_is_the_survivors(database: Database) -> None:
    register(database, FLYER, "anna", "anna-again")
    [code] = made(database, Request("b1", "flyer", customer_id=2))
    assert asked(database, FLYER, code) == "code_not_yours"
    with database.write() as connection:
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == 2).values(merged_into=1))
    assert asked(database, FLYER, code) == ""


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request("b", "base"), "unknown_rule"),
        (Request("b", "flyer", 0), "bad_amount"),
        (Request("b", "flyer", length=5), "bad_code"),
        (Request("b", "flyer", text="!?"), "bad_code"),
        (Request("b", "flyer", last_day=date(2026, 2, 28)), "bad_dates"),
        (Request("b", "flyer", text="taken"), "code_taken"),
    ],
)
def test_a_wrong_request_for_coupons_is_refused(database: Database, request_: Request, reason: str) -> None:
    made(database, Request("first", "flyer", text="TAKEN"))
    with database.write() as connection:
        refusal = make_coupons(connection, FLYER, request_, START)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason


def test_coupons_are_listed_by_what_became_of_them(database: Database) -> None:
    register(database, FLYER, "anna")
    used, out, free = made(database, Request("b1", "flyer", 3))
    accepted(buy(database, FLYER, "r1", used))
    with database.write() as connection:
        disable(connection, FLYER, out, START)
    with database.read() as connection:
        listed = {state: [row.code for row in coupons(connection, state=state)]
                  for state in ("open", "used", "disabled")}  # fmt: skip
        first = coupons(connection, rule="flyer", limit=2)
        assert [row.code for row in coupons(connection, after=first[-1].id)] == [free]
    assert listed == {"open": [free], "used": [used], "disabled": [out]}
    with database.write() as connection:
        assert disable_batch(connection, "b1", START) == 2
    assert asked(database, FLYER, free) == "code_over"


def test_a_whole_return_frees_a_code_where_its_rule_says_so(database: Database) -> None:
    free = rules("rule: flyer, give: 15, codes: coupons, uses_at_most: 1, code_returns: true")
    register(database, free, "anna")
    [code, other] = made(database, Request("b1", "flyer", 2), free)

    def returned(receipt: str, *lines: Back) -> None:
        with database.write() as connection:
            wanted = Return(receipt, START + DAY, lines, f"{receipt}-{len(lines)}")
            accepted(take_back(connection, free, wanted, START + DAY, live=True))

    accepted(buy(database, free, "r1", code))
    assert asked(database, free, other) == "code_used"
    returned("r1", Back(line=1, quantity=500))
    assert asked(database, free, code) == "code_used"
    returned("r1")
    assert asked(database, free, code) == ""
    accepted(buy(database, free, "r2", code, day=2))
    with database.read() as connection:
        uses = [(it.receipt, it.freed_at is None) for it in uses_of(connection, code)]
    assert uses == [("r1", False), ("r2", True)]
    assert earned_by_rule(database)["flyer"] == 1_500


def test_eight_tills_that_use_one_coupon_at_once_use_it_once(database: Database) -> None:
    names = [f"c{number}" for number in range(8)]
    register(database, FLYER, *names)
    [code] = made(database, Request("b1", "flyer"))
    outcomes = together([partial(buy, database, FLYER, name, code, customer=name) for name in names])
    refused = [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)]
    assert refused == ["code_used"] * 7
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(USE)) == 1
    assert earned_by_rule(database)["flyer"] == 1_500


def test_eight_uses_of_three_at_once_are_three(database: Database) -> None:
    names = [f"c{number}" for number in range(8)]
    register(database, SPRING, *names)
    outcomes = together([partial(buy, database, SPRING, name, "SPRING26", customer=name) for name in names])
    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 5
    assert earned_by_rule(database)["spring"] == 12_000


# --- without a purchase


def activated(database: Database, code: str, customer: str = "anna", key: str | None = None) -> Any:
    with database.write() as connection:
        return activate(connection, FLYER, Activation(customer, code, key), START, live=True)


def test_a_code_may_bring_its_bonuses_at_once(database: Database) -> None:
    register(database, FLYER, "anna", "bohdan")
    [code] = made(database, Request("b1", "present"))
    first, again = activated(database, code), activated(database, code.lower())
    assert (first.repeated, again.repeated) == (False, True)
    assert first.answer == again.answer
    assert [(it["rule"], it["points"]) for it in first.answer["given"]] == [("present", "25")]
    assert activated(database, code, "bohdan").reason == "code_used"
    with database.read() as connection:
        check_books(connection)
        assert connection.scalar(select(ACCOUNT.c.total).where(ACCOUNT.c.customer_id == 1)) == 2_500
        assert [row.receipt for row in uses_of(connection, code)] == [None]


def test_each_kind_of_code_works_in_its_own_place(database: Database) -> None:
    register(database, FLYER, "anna")
    [at_the_till] = made(database, Request("b1", "flyer"))
    [on_the_page] = made(database, Request("b2", "present"))
    assert activated(database, at_the_till).reason == "code_not_here"
    assert buy(database, FLYER, "r1", on_the_page).reason == "code_not_here"


def test_eight_customers_who_activate_one_coupon_at_once_are_one(database: Database) -> None:
    names = [f"c{number}" for number in range(8)]
    register(database, FLYER, *names)
    [code] = made(database, Request("b1", "present"))
    outcomes = together([partial(activated, database, code, name) for name in names])
    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 7
    assert earned_by_rule(database) == {"present": 2_500}


def test_codes_that_were_taken_can_be_given_back(database: Database) -> None:
    register(database, FLYER, "anna")
    [code] = made(database, Request("b1", "flyer"))
    with database.write() as connection:
        codes = Codes(connection, FLYER, START)
        assert codes.use([code], 1, "r1", START) is None
        assert codes.names("r1") == ("flyer",)
        codes.release("r1")
        codes.close()
    assert asked(database, FLYER, code) == ""


# --- what gives nothing is not used


PICKY = rules("rule: flyer, give: 15, codes: coupons, goods: {category: cakes}")


def test_a_coupon_that_gives_nothing_is_left_out_and_stays_good(database: Database) -> None:
    register(database, PICKY, "anna")
    [code] = made(database, Request("b1", "flyer", 1), PICKY)
    answer = accepted(buy(database, PICKY, "r1", code))
    assert [(it["code"], it["why"]) for it in answer["codes_left_out"]] == [
        (code, f"the code {code!r} gives nothing here: nothing was paid for category cakes")
    ]
    assert asked(database, PICKY, code) == ""
    cake = Purchase("r2", "anna", START, (Line("cake", 1000, 10_000, category="cakes"),), codes=(code,))
    with database.write() as connection:
        answer = accepted(record(connection, PICKY, [cake], START, live=True)[0])
    assert "codes_left_out" not in answer
    assert asked(database, PICKY, code) == "code_used"
    assert earned_by_rule(database) == {"base": 2_000, "flyer": 1_500}


def test_of_two_coupons_of_one_rule_on_a_receipt_one_is_used(database: Database) -> None:
    register(database, FLYER, "anna")
    codes = made(database, Request("b1", "flyer", 2))
    answer = accepted(buy(database, FLYER, "r1", *codes))
    [left] = [it["code"] for it in answer["codes_left_out"]]
    assert earned_by_rule(database)["flyer"] == 1_500
    assert {code: asked(database, FLYER, code) for code in codes} == {
        code: "" if code == left else "code_used" for code in codes
    }


def test_an_offline_receipt_with_more_coupons_than_one_customer_may_use_stands_without_the_others(
    database: Database,
) -> None:
    once = rules("rule: flyer, give: 15, codes: coupons, per_customer: 1")
    register(database, once, "anna")
    codes = made(database, Request("batch", "flyer", 2), once)
    at = START + DAY
    bought = Purchase("r", "anna", START, (Line("coffee", 1000, 10_000),), codes=(*codes,), offline=True)
    with database.write() as connection:
        [outcome] = record(connection, once, [bought], at, live=True)
    answer = accepted(outcome)
    assert (answer["earned"], len(answer["codes_left_out"])) == ("25", 1)


def test_a_coupon_for_which_the_cap_leaves_nothing_is_not_used(database: Database) -> None:
    capped = program(
        (WELCOME, "- {rule: flyer, give: 15, codes: coupons}"),
        ("earn:\n", "earn:\n  at_most: {receipt: 10}\n"),
    )
    register(database, capped, "anna")
    [code] = made(database, Request("b1", "flyer", 1), capped)
    [left] = accepted(buy(database, capped, "r1", code))["codes_left_out"]
    assert left["code"] == code
    assert asked(database, capped, code) == ""


def test_a_quote_says_that_a_coupon_would_give_nothing(database: Database) -> None:
    register(database, PICKY, "anna")
    [code] = made(database, Request("b1", "flyer", 1), PICKY)
    cart = Purchase("cart", "anna", START, (Line("coffee", 1000, 10_000),), codes=(code,))
    with database.read() as connection:
        told = quote(connection, PICKY, cart, START)
    assert isinstance(told, Quote)
    refused = told.codes[code]
    assert refused is not None
    assert refused.reason == "code_gives_nothing"
    assert asked(database, PICKY, code) == ""
