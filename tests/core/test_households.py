"""Customers who share one account."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from time import sleep

import pytest
from sqlalchemy import Connection, func, select, text

from core.customers.holders import Person
from core.customers.households import Change, dissolve, join, leave, pass_on
from core.db import Database
from core.ledger.lots import Refusal
from core.ledger.writing import ACCOUNT
from core.links import Links
from core.purchases import receipts
from core.purchases.buyers import Buyer, ask_buyers
from core.purchases.receipts import RECEIPT, Line, Outcome, Purchase, Recorded, record
from core.purchases.rehearsal import rehearse
from core.purchases.returns import Back, Return, take_back
from core.tiers import review
from templates.facts import contexts
from tests.core.books import START, accepted, check_books, check_statistics, program, purchase, register
from tests.core.people import LATER, SHARING, balance, buy, events, give, id_of, lots, refused

Act = Callable[..., Outcome]
SMALL = program(("spend: {share", "households: {at_most: 2}\nspend: {share"))
BOTH = Change("anna", "bohdan", "maria")


def change(database: Database, act: Act, wanted: Change = BOTH, rules: object = SHARING) -> Outcome:
    with database.write() as connection:
        return act(connection, rules, wanted, LATER, live=True)


@pytest.fixture
def family(database: Database) -> Database:
    """Anna with 10 bonuses, Bohdan with 5, and Clara, who has none."""
    register(database, SHARING, "anna", "bohdan", "clara")
    give(database, "anna", 1_000)
    give(database, "bohdan", 500, START + timedelta(hours=20))
    return database


def test_who_joins_brings_their_bonuses_along(family: Database) -> None:
    assert accepted(change(family, join)) == {"head": "anna", "members": ["bohdan"], "places": 4}
    assert lots(family, "anna") == [(1_000, date(2026, 8, 28)), (500, date(2026, 8, 29))]
    assert lots(family, "bohdan") == []
    assert (balance(family, "anna"), balance(family, "bohdan")) == (1_500, 1_500)
    assert events(family, "bohdan")[-1] == "household_joined"


def test_what_moves_is_no_news_of_bonuses(family: Database) -> None:
    before = events(family, "anna")
    change(family, join)
    assert events(family, "anna") == before


def test_a_member_earns_and_spends_on_the_shared_account(family: Database) -> None:
    change(family, join)
    [answer] = buy(family, purchase("1", "bohdan", LATER + timedelta(hours=1), 4_000, pay=1_200))
    assert (answer["customer"], answer["spent"]) == ("bohdan", "12")
    assert balance(family, "anna") == 1_500 - 1_200 + 280


def test_who_leaves_leaves_the_bonuses(family: Database) -> None:
    change(family, join)
    assert accepted(change(family, leave))["members"] == []
    assert (balance(family, "anna"), balance(family, "bohdan")) == (1_500, 0)
    assert events(family, "bohdan")[-1] == "household_left"
    accepted(change(family, join))


def test_who_left_is_told_their_own_balance_when_goods_come_back_at_the_households_cost(
    family: Database,
) -> None:
    change(family, join)
    at = LATER + timedelta(days=1)
    bought = purchase("r", "bohdan", LATER, 10_000)
    with family.write() as connection:
        accepted(record(connection, SHARING, [bought], bought.at, live=True)[0])
    accepted(change(family, leave))
    give(family, "bohdan", 300, LATER)
    with family.write() as connection:
        answer = accepted(take_back(connection, SHARING, Return("r", at), at, live=True))
    assert (answer["customer"], answer["taken_back"]) == ("bohdan", "10")
    assert (answer["balance"], answer["available"]) == ("3", "3")
    assert (balance(family, "anna"), balance(family, "bohdan")) == (1_500, 300)


def test_a_new_head_takes_the_account_over(family: Database) -> None:
    change(family, join)
    change(family, join, Change("anna", "clara"))
    answer = accepted(change(family, pass_on, Change("anna", "clara")))
    assert answer == {"head": "clara", "members": ["anna", "bohdan"], "places": 3}
    assert [balance(family, name) for name in ("anna", "bohdan", "clara")] == [1_500] * 3
    assert len(lots(family, "clara")) == 2
    assert lots(family, "anna") == []


def test_a_dissolved_household_leaves_the_bonuses_with_the_head(family: Database) -> None:
    change(family, join)
    with family.write() as connection:
        assert accepted(dissolve(connection, SHARING, "anna", LATER, live=True))["members"] == []
        assert dissolve(connection, SHARING, "anna", LATER, live=True).repeated  # type: ignore[union-attr]
    assert (balance(family, "anna"), balance(family, "bohdan")) == (1_500, 0)


@pytest.mark.parametrize("end", ["leaves", "is dissolved"])
def test_a_receipt_from_before_somebody_was_on_their_own_again_earns_by_the_level_of_then(
    family: Database, end: str
) -> None:
    rules = program(("over: 365 days", "over: 5 days"), ("grace: 30 days", "grace: 3 days"))
    later = LATER + timedelta(days=20)
    change(family, join)
    with family.write() as connection:
        reached = purchase("1", "bohdan", LATER, 100_000)
        accepted(record(connection, rules, [reached], LATER, live=True)[0])
    with family.write() as connection:
        review(connection, rules, later)
        if end == "leaves":
            accepted(leave(connection, rules, BOTH, later, live=True))
        else:
            accepted(dissolve(connection, rules, "anna", later, live=True))
        late = purchase("2", "bohdan", LATER + timedelta(days=1), 10_000)
        [outcome] = record(connection, rules, [late], later, live=True)
    assert accepted(outcome)["earned"] == "20"
    assert (balance(family, "anna"), balance(family, "bohdan")) == (11_500, 2_000)


def test_an_account_that_changes_hands_at_every_try_refuses_their_receipt_and_holds_up_no_other(
    family: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(connection: Connection, found: Mapping[str, Person]) -> Callable[[], dict[str, Buyer]]:
        read = ask_buyers(connection, found)
        # Whoever was asked for is somebody else's by the time that their account is held.
        return lambda: {
            name: buyer._replace(holder_id=-1) if name == "anna" else buyer for name, buyer in read().items()
        }

    monkeypatch.setattr(receipts, "ask_buyers", ask)
    both = [purchase("1", "anna", LATER, 1_000), purchase("2", "bohdan", LATER, 1_000)]
    with family.write() as connection:
        refusal, taken = record(connection, SHARING, both, LATER, live=True)
        held = rehearse(connection, SHARING, both[0], LATER, lock=True)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, held) == ("busy", refusal)
    assert accepted(taken)["earned"] == "1"


def test_the_same_wish_again_changes_nothing(family: Database) -> None:
    first = accepted(change(family, join))
    assert change(family, join) == Recorded(first, repeated=True)
    change(family, leave)
    assert change(family, leave).repeated  # type: ignore[union-attr]
    assert balance(family, "anna") == 1_500


def test_a_household_has_as_many_as_the_program_says(family: Database) -> None:
    change(family, join, rules=SMALL)
    assert refused(change(family, join, Change("anna", "clara"), SMALL)) == "household_full"


@pytest.mark.parametrize(
    ("act", "wanted", "reason"),
    [
        (join, Change("anna", "anna"), "same_customer"),
        (join, Change("bohdan", "clara"), "in_a_household"),
        (join, Change("clara", "bohdan"), "in_a_household"),
        (join, Change("clara", "anna"), "in_a_household"),
        (join, Change("anna", "nobody"), "unknown_customer"),
        (leave, Change("anna", "anna"), "is_the_head"),
        (leave, Change("clara", "bohdan"), "in_a_household"),
        (pass_on, Change("anna", "clara"), "not_a_member"),
    ],
)
def test_what_cannot_be_is_refused(family: Database, act: Act, wanted: Change, reason: str) -> None:
    change(family, join)
    assert refused(change(family, act, wanted)) == reason
    assert balance(family, "anna") == 1_500


def test_a_message_to_a_member_tells_of_the_shared_bonuses(family: Database) -> None:
    change(family, join)
    links = Links("https://shop.example", b"a secret of the tests")
    ids = [id_of(family, name) for name in ("anna", "bohdan", "clara")]
    with family.read() as connection:
        found = contexts(connection, SHARING, ids, LATER, links)
    assert [found[i]["balance"] for i in ids] == [15, 15, 0]
    assert [found[i]["expiring"].amount for i in ids] == [10, 10, 0]


def test_a_purchase_at_the_moment_of_joining_is_booked_where_the_bonuses_are(family: Database) -> None:
    def till(number: int) -> Outcome:
        [outcome] = _at_once(family, purchase(str(number), "bohdan", LATER + timedelta(hours=number), 1_000))
        return outcome

    def desk() -> Outcome:
        return change(family, join)

    start = Barrier(5)

    def together(work: Callable[[], Outcome]) -> Outcome:
        start.wait()
        return work()

    with ThreadPoolExecutor(5) as pool:
        outcomes = list(pool.map(together, [desk, *(partial(till, number) for number in range(1, 5))]))
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert balance(family, "anna") == balance(family, "bohdan") == 1_500 + 4 * 100
    assert lots(family, "bohdan") == []


def test_goods_that_come_back_while_their_buyer_joins_are_settled_where_the_bonuses_went(
    family: Database,
) -> None:
    buy(family, purchase("r", "bohdan", LATER, 10_000))
    at = LATER + timedelta(days=1)

    def desk() -> Outcome:
        with family.write() as connection:
            return take_back(connection, SHARING, Return("r", at), at, live=True)

    with ThreadPoolExecutor(1) as pool:
        with family.write() as connection:
            accepted(join(connection, SHARING, BOTH, at, live=True))
            returned = pool.submit(desk)
            while family.dialect != "sqlite" and not _somebody_waits(family):
                sleep(0.01)
        assert accepted(returned.result())["debt"] == "0"
    assert lots(family, "bohdan") == []
    assert balance(family, "anna") == 1_500


def test_what_the_household_gave_once_is_not_given_again_when_goods_from_before_it_come_back(
    family: Database,
) -> None:
    once = "- {rule: once, give: 5, limit: once, when: {total: {at_least: 500}}}"
    tea = "- {rule: tea, give: 3, when: {first_in: {category: tea}}}"
    rules = program(("lasts: 30 days}\n", f"lasts: 30 days}}\n    {once}\n    {tea}\n"))
    days = [START + timedelta(days=number) for number in range(5)]
    tea_at = [Line("green", 1000, 60_000, "tea")]

    def sold(receipt: str, at: datetime, *lines: Line) -> str:
        with family.write() as connection:
            [outcome] = record(
                connection, rules, [Purchase(receipt, "bohdan", at, tuple(lines))], at, live=True
            )
        return str(accepted(outcome)["earned"])

    sold("1", days[0], Line("cup", 1000, 1_000), Line("bag", 1000, 1_000))
    change(family, join, rules=rules)
    assert sold("2", days[1] + timedelta(hours=1), *tea_at) == "68"
    with family.write() as connection:
        accepted(leave(connection, rules, BOTH, days[2], live=True))
    assert sold("3", days[3], *tea_at) == "60"
    with family.write() as connection:
        back = Return("1", days[4], (Back(line=2),))
        assert "corrected" not in accepted(take_back(connection, rules, back, days[4], live=True))


OTHERS = Change("bohdan", "clara")
AND_BACK = {
    "a member": ([(join, BOTH)], [(leave, BOTH)]),
    "a head": ([(join, OTHERS), (pass_on, OTHERS)], [(pass_on, Change("clara", "bohdan"))]),
}


@pytest.mark.parametrize("who", AND_BACK)
@pytest.mark.parametrize("then", ["the rest comes back", "an earlier receipt comes late"])
def test_goods_that_came_back_at_the_cost_of_another_account_come_back_no_second_time(
    family: Database, who: str, then: str
) -> None:
    days = [START + timedelta(days=number) for number in range(2, 6)]
    there, back_again = AND_BACK[who]

    def brought(line: int, at: datetime) -> dict[str, object]:
        wanted = Return("r", at, (Back(line=line),), str(line))
        with family.write() as connection:
            return accepted(take_back(connection, SHARING, wanted, at, live=True))

    buy(family, purchase("r", "bohdan", days[0], 1_000, 1_000, pay=500))
    for act, wanted in there:
        change(family, act, wanted)
    half = brought(1, days[1])
    assert (half["given_back"], half["taken_back"]) == ("2.5", "0.75")
    for act, wanted in back_again:
        change(family, act, wanted)
    if then == "the rest comes back":
        brought(2, days[2])
        come_to = 0
    else:
        late = purchase("late", "bohdan", START, 1_000)
        with family.write() as connection:
            accepted(record(connection, SHARING, [late], days[3], live=True)[0])
        come_to = 100 - 250 + 75
    with family.read() as connection:
        check_books(connection)
        check_statistics(connection)
        assert connection.scalar(select(func.sum(ACCOUNT.c.total))) == 1_000 + 500 + come_to
        money = select(RECEIPT.c.total, RECEIPT.c.paid_points, RECEIPT.c.earned_points)
        kept = connection.execute(money.where(RECEIPT.c.external_id == "r")).one()
    assert kept == ((0, 0, 0) if then == "the rest comes back" else (1_000, 250, 75))


@pytest.mark.parametrize("who", AND_BACK)
def test_what_depends_on_all_that_was_bought_goes_once_wherever_its_goods_come_back(
    family: Database, who: str
) -> None:
    gives = "{rule: gift, give: 40}", "{rule: band, give: [{from: 5, points: 2}, {from: 20, points: 9}]}"
    rules = program(("lasts: 30 days}\n", f"lasts: 30 days}}\n    - {gives[0]}\n    - {gives[1]}\n"))
    days = [START + timedelta(days=number) for number in range(2, 6)]
    there, back_again = AND_BACK[who]
    with family.write() as connection:
        mine = purchase("r", "bohdan", days[0], 1_005, 1_005)
        assert accepted(record(connection, rules, [mine], days[0], live=True)[0])["earned"] == "51.01"

    def brought(line: int, quantity: int, at: datetime) -> object:
        wanted = Return("r", at, (Back(line=line, quantity=quantity),), f"{line}:{at}")
        with family.write() as connection:
            return accepted(take_back(connection, rules, wanted, at, live=True))["taken_back"]

    for act, wanted in there:
        change(family, act, wanted, rules=rules)
    taken = [brought(1, 500, days[1])]
    for act, wanted in back_again:
        change(family, act, wanted, rules=rules)
    taken += [brought(1, 500, days[2]), brought(2, 1_000, days[3])]
    assert sum(map(Decimal, map(str, taken))) == Decimal("51.01")
    with family.read() as connection:
        check_books(connection)
        assert connection.scalar(select(func.sum(ACCOUNT.c.total))) == 1_500


def test_a_level_is_rewarded_once_whichever_account_the_bonuses_go_to(family: Database) -> None:
    step = "lasts: 30 days}\n    - {rule: step, give: 50, on: tier_up}\n"
    rules = program(
        ("lasts: 30 days}\n", step), ("over: 365 days", "over: 30 days"), ("grace: 30 days", "grace: 0 days")
    )

    def given(receipt: str, at: datetime) -> list[str]:
        with family.write() as connection:
            bought = [purchase(receipt, "bohdan", at, 100_000)]
            answer = accepted(record(connection, rules, bought, at, live=True)[0])
        assert answer["tier"] == "silver"
        return [it["rule"] for it in answer["rules"]]

    assert given("1", START + timedelta(hours=1)) == ["base", "step"]
    change(family, join, rules=rules)
    assert given("2", START + timedelta(days=100)) == ["base"]
    with family.write() as connection:
        accepted(leave(connection, rules, BOTH, START + timedelta(days=101), live=True))
    assert given("3", START + timedelta(days=200)) == ["base"]
    at = START + timedelta(days=201)
    with family.write() as connection:
        accepted(take_back(connection, rules, Return("2", at), at, live=True))
    assert given("4", START + timedelta(days=300)) == ["base"]


def _somebody_waits(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def _at_once(database: Database, bought: Purchase) -> list[Outcome]:
    with database.write() as connection:
        return record(connection, SHARING, [bought], bought.at, live=True)
