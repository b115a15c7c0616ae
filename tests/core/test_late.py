"""Late receipts and returns: what they correct, what they may not, and what they leave alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.customers.households import Change, join, leave
from core.db import Database
from core.errors import UserError
from core.ledger.bonuses import Request, grant, redeem
from core.ledger.lots import Refusal
from core.ledger.writing import LOT
from core.program.versions import begin
from core.purchases.quotes import Quote, quote
from core.purchases.receipts import Outcome, Purchase, Recorded, record
from core.purchases.returns import Back
from tests.core.books import (
    START,
    accepted,
    check_books,
    check_statistics,
    program,
    purchase,
    read,
    register,
)
from tests.core.terms import Terms
from tests.core.twins import DAY, NOW, Twins, without

HOUR = timedelta(hours=1)


@pytest.fixture
def twins(database: Database) -> Twins:
    return Twins(database, program())


def told(twins: Twins, *purchases: Purchase, now: datetime = NOW) -> list[dict[str, object]]:
    """Receipts of anna's, in the order in which they arrive."""
    return [accepted(twins.buy("anna", it, now)) for it in purchases]


def spends(twins: Twins, points: int, at: datetime) -> Outcome:
    """Anna spends outside a receipt."""
    request = Request(f"spent {at}", "anna", points, at)
    return twins.do(lambda connection: redeem(connection, twins.program, request, at, live=True))


def test_a_till_is_told_what_its_late_receipt_corrected(twins: Twins) -> None:
    first, second = purchase("1", "anna", START, 100_000), purchase("2", "anna", START + DAY, 10_000)
    assert told(twins, second)[0]["earned"] == "10"
    late = told(twins, first)[0]
    # The second one was bought on silver after all, and earned a tenth more.
    assert (late["earned"], late["corrected"]) == ("100", [{"operation": "receipt:anna 2", "points": "10"}])
    assert (late["tier"], late["balance"]) == ("silver", "120")


def test_what_a_late_receipt_brought_for_a_level_is_told_with_that_level(database: Database) -> None:
    rules = "    - {rule: base, by: tier}\n"
    twins = Twins(database, program((rules, rules + "    - {rule: step, give: 50, on: tier_up}\n")))
    told(twins, purchase("2", "anna", START + DAY, 450_000))
    late = purchase("1", "anna", START, 100_000)
    with database.read() as connection:
        quoted = quote(connection, twins.program, replace(late, external_id=""), NOW)
    [said] = told(twins, late)
    # It reached silver; the later one takes her from there to gold, where she stands now.
    assert {"rule": "step", "points": "50", "why": "for reaching silver"} in said["rules"]  # type: ignore[operator]
    assert said["tier"] == "gold"
    assert isinstance(quoted, Quote)
    assert (quoted.without.effect.tier, str(twins.program.from_points(quoted.without.balance))) == (
        said["tier"], said["balance"],
    )  # fmt: skip


def test_bonuses_that_were_spent_since_pay_for_no_late_receipt(twins: Twins) -> None:
    told(twins, purchase("1", "anna", START, 100_000))
    accepted(spends(twins, 8_000, START + 2 * DAY))
    late = purchase("2", "anna", START + DAY, 6_000, pay=3_000)
    before = twins.of("anna")
    outcome = twins.buy("anna", late)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "insufficient_balance"
    assert twins.of("anna") == before
    assert accepted(twins.buy("anna", replace(late, pay_points=2_000)))["spent"] == "20"


def test_an_offline_tills_receipt_stands_and_what_was_spent_twice_is_owed(twins: Twins) -> None:
    told(twins, purchase("1", "anna", START, 100_000))
    accepted(spends(twins, 10_000, START + 2 * DAY))
    late = replace(purchase("2", "anna", START + DAY, 20_000, pay=3_000), offline=True)
    # The receipt itself earned 34 on silver, which pay for what it took away from the later one.
    assert accepted(twins.buy("anna", late))["balance"] == "4"
    later = replace(purchase("3", "anna", START + DAY, 20_000, pay=10_000), offline=True)
    assert accepted(twins.buy("anna", later))["balance"] == "-76"


def test_of_several_late_receipts_one_that_cannot_be_paid_holds_up_no_other(twins: Twins) -> None:
    told(twins, purchase("1", "anna", START, 100_000))
    accepted(spends(twins, 8_000, START + 5 * DAY))
    late = [
        purchase(f"anna {n}", "anna", START + n * DAY, 2_000, pay=pay)
        for n, pay in ((2, 900), (3, 800), (4, 0))
    ]
    at_once: list[Outcome] = []

    def batch(connection: object) -> Outcome:
        at_once.extend(record(connection, twins.program, late, NOW, live=True))  # type: ignore[arg-type]
        return at_once[0]

    twins.do(batch)
    assert [isinstance(it, Recorded) for it in at_once] == [True, True, True]
    more = [
        purchase("anna 5", "anna", START + 2 * DAY, 4_000, pay=1_900),
        purchase("anna 6", "anna", START + 2 * DAY, 1_000),
    ]
    with twins.database.write() as connection:
        refused, stands = record(connection, twins.program, more, NOW, live=True)
    assert isinstance(refused, Refusal)
    assert accepted(stands)["earned"] == "2"
    with twins.database.read() as connection:
        check_books(connection)
        check_statistics(connection)


def test_a_return_does_not_bring_back_a_level_that_was_lost_since(twins: Twins) -> None:
    long_ago = START - 390 * DAY
    told(twins, purchase("1", "anna", long_ago, 120_000), now=long_ago)
    told(twins, purchase("2", "anna", long_ago + DAY, 1_000), now=long_ago + DAY)
    now = START + 30 * DAY
    twins.look(now)
    assert twins.of("anna", now).tier == "bronze"
    assert accepted(twins.bring("anna", "2", now=now))["tier"] == "bronze"
    assert twins.of("anna", now).tier == "bronze"


def test_a_receipt_that_came_back_prolongs_nothing_whatever_is_reckoned_later(database: Database) -> None:
    twins = Twins(database, read(Terms(lasts=10, extend=8).yaml))
    for who in ("anna", "bohdan"):
        twins.buy(who, purchase("1", who, START, 10_000))
        if who == "anna":
            twins.buy(who, purchase("2", who, START + 8 * DAY, 1_000))
        twins.buy(who, purchase("3", who, START + 9 * DAY, 1_000))
    twins.bring("anna", "2")
    for who in ("anna", "bohdan"):
        twins.bring(who, "3")
    assert without(twins.of("anna", START), "2") == twins.of("bohdan", START)


def test_what_has_not_started_yet_is_prolonged_too_however_the_receipt_came(database: Database) -> None:
    twins = Twins(database, read(Terms(starts=5, lasts=3, extend=12).yaml))
    first, second = purchase("1", "anna", START, 10_000), purchase("2", "anna", START + DAY, 10_000)
    for who, history in (("anna", (first, second)), ("bohdan", (second, first))):
        for bought in history:
            twins.buy(who, bought)
    assert twins.of("anna", START + DAY) == twins.of("bohdan", START + DAY)


def test_imported_history_prolongs_as_a_tills_receipts_do(database: Database) -> None:
    twins = Twins(database, read(Terms(lasts=10, extend=8).yaml))
    first, second = purchase("1", "anna", START, 10_000), purchase("2", "anna", START + 9 * DAY, 10_000)
    for who, live in (("anna", True), ("bohdan", False)):
        for bought in (first, second):
            mine = replace(bought, external_id=f"{who} {bought.external_id}", customer=who)
            with database.write() as connection:
                accepted(record(connection, twins.program, [mine], NOW, live=live)[0])
    assert twins.of("anna", START + 9 * DAY) == twins.of("bohdan", START + 9 * DAY)


def test_a_late_receipt_finds_what_went_to_a_household_since(database: Database) -> None:
    slow = read(Terms(starts=5).yaml)
    twins = Twins(database, slow)
    told(twins, purchase("1", "anna", START, 10_000))
    change = Change("bohdan", "anna")
    # What has not started goes along, and nobody owes it when the member is on their own again.
    twins.do(lambda connection: join(connection, slow, change, START + 2 * DAY, live=True))
    twins.do(lambda connection: leave(connection, slow, change, START + 3 * DAY, live=True))
    told(twins, purchase("2", "anna", START + DAY, 10_000))
    anna, bohdan = twins.of("anna", START + DAY), twins.of("bohdan", START + DAY)
    assert (anna.total, anna.debt, bohdan.total) == (1_200, 0, 1_200)


def test_the_first_receipt_that_reaches_a_level_at_once_is_a_step_up_looked_at_or_not(
    database: Database,
) -> None:
    twins = Twins(database, read(Terms().yaml))
    twins.buy("anna", purchase("1", "anna", START, 50_000), START)
    twins.look(START)
    twins.buy("bohdan", purchase("1", "bohdan", START, 50_000), START)
    assert twins.of("anna") == twins.of("bohdan")
    with database.read() as connection:
        given = connection.scalars(select(LOT.c.amount).where(LOT.c.reason == "step")).all()
    assert list(given) == [1_200, 1_200]


def test_a_grace_that_repays_a_debt_is_in_the_books_on_both_sides(database: Database) -> None:
    graceful = read(Terms(lasts=4).yaml)
    twins = Twins(database, graceful)
    with database.write() as connection:
        request = Request("gift", "anna", 5_000, START)
        accepted(grant(connection, graceful, request, START, live=True))
    told(twins, replace(purchase("1", "anna", START, 20_000, pay=5_000), offline=True), now=START)
    owed = replace(purchase("2", "anna", START + 9 * DAY, 20_000, pay=9_000), offline=True)
    told(twins, owed, now=START + 9 * DAY)
    assert twins.of("anna", START + 9 * DAY).debt > 0
    answer = accepted(twins.bring("anna", "1", now=START + 10 * DAY))
    assert answer["given_back"] == "50"


def test_points_that_lie_on_other_lines_now_are_told_line_by_line(database: Database) -> None:
    twins = Twins(database, read(Terms(return_grace=0).yaml))
    told(twins, purchase("1", "anna", START, 2, 1, 1, 1))
    assert twins.of("anna").receipts["1"] == (5, 0, (280, 140, 140, 140))
    accepted(twins.bring("anna", "1", Back(line=1, quantity=500)))
    # Of the first line one coin is left of two; what four lines earn is laid on them by that.
    assert twins.of("anna").receipts["1"] == (4, 0, (175, 175, 175, 175))


def test_a_program_that_comes_back_does_not_count_for_the_time_between(database: Database) -> None:
    first, second = program(), program(("from: 0, earn: 10%", "from: 0, earn: 40%"))
    register(database, first, "anna")
    hour = timedelta(hours=1)
    with database.write() as connection:
        for number, rules in enumerate((first, second, first)):
            begin(connection, rules, START + number * hour)
        now = START + 3 * hour
        late = purchase("r", "anna", START + hour + timedelta(minutes=30), 10_000)
        [outcome] = record(connection, first, [late], now, live=True)
    assert accepted(outcome)["earned"] == "40"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("scale: 2", "scale: 0"), "points.scale"),
        (("currency: UAH", "currency: JPY"), "decimal places of JPY"),
    ],
)
def test_a_program_keeps_the_units_that_the_books_are_kept_in(
    database: Database, change: tuple[str, str], what: str
) -> None:
    before, after = program(), program(change)
    register(database, before, "anna")
    with database.write() as connection:
        # Before anything is booked a slip is mended.
        for rules in (after, before):
            begin(connection, rules, START)
        accepted(record(connection, before, [purchase("r", "anna", START, 10_000)], START, live=True)[0])
        begin(connection, program(("worth: 1", "worth: 2")), START + DAY)
        with pytest.raises(UserError, match=what):
            begin(connection, after, START + DAY)


def test_an_offline_receipt_is_recorded_without_a_code_that_cannot_be_used(database: Database) -> None:
    register(database, program(), "anna")
    with database.write() as connection:
        bought = replace(purchase("r", "anna", START, 10_000), codes=("NOPE",), offline=True)
        [outcome] = record(connection, program(), [bought], START, live=True)
        [refused] = record(
            connection, program(), [replace(bought, external_id="q", offline=False)], START, live=True
        )
    assert accepted(outcome)["earned"] == "10"
    assert isinstance(refused, Refusal)
    assert refused.reason == "unknown_code"


def test_nothing_is_spent_for_nothing_and_nothing_is_no_purchase(database: Database) -> None:
    cheap = program(("worth: 1", "worth: 0.5"))
    register(database, cheap, "anna", live=True)
    with database.write() as connection:
        paid, nothing = purchase("r", "anna", START, 10_000, pay=1_001), purchase("z", "anna", START, 0)
        outcomes = record(connection, cheap, [paid, nothing], START, live=True)
    assert [(it.reason, it.detail) for it in outcomes if isinstance(it, Refusal)] == [
        ("bad_amount", "a part of 10.01 bonuses would pay for nothing; spend 10 instead"),
        ("bad_amount", "nothing was bought: the lines come to zero"),
    ]


def test_a_receipt_from_before_a_fall_that_another_late_one_worked_out_earns_by_the_level_of_then(
    database: Database,
) -> None:
    short = program(("over: 365 days", "over: 5 days"), ("grace: 30 days", "grace: 3 days"))
    twins = Twins(database, short)
    totals = ((0, 100), (5, 100_000), (7, 100))
    first, silver, last = (purchase(str(n), "anna", START + n * DAY, total) for n, total in totals)
    for bought in (first, silver, last):
        accepted(twins.buy("anna", bought))
    for bought in (silver, first, last):
        accepted(twins.buy("bohdan", bought))
    twins.look()
    assert twins.of("anna").receipts["7"][2] == (20,)
    twins.are_alike()


@pytest.mark.parametrize(
    ("life", "back_at"),
    [("lasts: 9 days", START), ("lasts: 5 days\n  extend: 8 days", START + DAY + HOUR)],
    ids=["as given", "extended"],
)
def test_bonuses_end_when_they_did_though_the_programs_days_begin_at_another_hour_now(
    twins: Twins, life: str, back_at: datetime
) -> None:
    """What was spent on the last evening stays paid when goods come back and all is reckoned again."""
    east = program(("lasts: 180 days", life))
    twins.program = west = program(("lasts: 180 days", life), ("Europe/Kyiv", "America/New_York"))
    # The last day is the tenth: over at four by UTC. In Kyiv it would have been over six hours before.
    spent = purchase("3", "", START.replace(day=11, hour=2), 10_000, pay=5_000)
    for who in ("anna", "bohdan"):
        bought = [purchase("1", "", START + DAY, 100), spent]
        if who == "anna":
            bought.append(purchase("back", "", back_at, 100))
        given = Request(who, who, 5_000, START + HOUR)
        for it in sorted(bought, key=lambda it: it.at):
            if it.at > given.at:
                twins.do(lambda connection, it=given: grant(connection, west, it, it.at, live=True))
            accepted(twins.buy(who, it, it.at))
    twins.program = east
    with twins.database.write() as connection:
        begin(connection, east, START + 12 * DAY)
    accepted(twins.bring("anna", "back"))
    twins.look()
    assert without(twins.of("anna"), "back") == twins.of("bohdan")
    assert twins.of("anna").debt == 0
