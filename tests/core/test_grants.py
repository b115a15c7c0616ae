"""Fixed bonuses for acts: what the rules give, once, in their time and within their limits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from time import sleep
from typing import Any

import pytest
from sqlalchemy import select, text, update

from core.customers.households import Change, join, leave, pass_on
from core.customers.merging import Merge, merge
from core.customers.profiles import CUSTOMER, Profile, save
from core.db import Database
from core.events import EVENT
from core.grants.acts import Told, tell
from core.grants.giving import Act, Given, give_grants
from core.grants.granting import give_for_news, give_what_is_due
from core.grants.referrals import Friendship, name_inviter, referral_code
from core.ledger.settlement import settle
from core.ledger.writing import ACCOUNT, ENTRY, LOT
from core.program import Program
from core.program.check import read_program
from core.purchases.receipts import Recorded, record
from core.purchases.returns import Return, take_back
from tests.core.books import ADDRESSES, PROGRAM, START, accepted, check_books, program, purchase, register

DAY = timedelta(days=1)
WELCOME = "- {rule: welcome, give: 50, on: registered, lasts: 30 days}"


def rules(*more: str) -> Program:
    """The program with more rules, and no welcome."""
    return program((WELCOME, "\n    ".join(f"- {{{rule}}}" for rule in more)))


def review(
    database: Database, program: Program, occasion: str, at: datetime = START, customer_id: int = 1
) -> Given:
    """A review, told at its own time."""
    with database.write() as connection:
        [given] = give_grants(connection, program, "review", [Act(customer_id, occasion, at)], at, live=True)
    return given


def balances(database: Database) -> dict[int, int]:
    """What everybody has (points at scale), with the books checked."""
    with database.read() as connection:
        check_books(connection)
        return {row.customer_id: row.total for row in connection.execute(select(ACCOUNT)) if row.total}


def friends(database: Database, program: Program, *names: str, inviter: str = "anna") -> None:
    """New customers whom somebody brought."""
    register(database, program, *names)
    with database.write() as connection:
        for name in names:
            friend_id = connection.scalar(select(CUSTOMER.c.id).where(CUSTOMER.c.external_id == name))
            assert friend_id
            named = name_inviter(connection, friend_id, inviter, START, live=True)
            assert isinstance(named, Friendship), named


def buy(database: Database, program: Program, receipt: str, customer: str, at: datetime) -> None:
    with database.write() as connection:
        [outcome] = record(connection, program, [purchase(receipt, customer, at, 100)], at, live=True)
        accepted(outcome)


def bring_back(database: Database, program: Program, receipt: str, at: datetime) -> None:
    with database.write() as connection:
        accepted(take_back(connection, program, Return(receipt, at), at, live=True))


# --- acts


def test_an_act_is_given_for_once_and_names_its_rule(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review, lasts: 20 days")
    register(database, program, "anna")
    assert review(database, program, "r1").points == 1_000
    assert review(database, program, "r1").reason == "again"
    assert review(database, program, "r2").points == 1_000
    with database.read() as connection:
        entries = connection.execute(select(ENTRY.c.rule, ENTRY.c.amount)).all()
        lots = connection.execute(select(LOT.c.reason, LOT.c.expires_on)).all()
    assert [tuple(it) for it in entries] == [("review", 1_000)] * 2
    assert [tuple(it) for it in lots] == [("review", date(2026, 3, 21))] * 2
    assert balances(database) == {1: 2_000}


def test_a_rule_gives_from_its_first_to_its_last_day_in_the_programs_zone(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review, from: 2026-03-02, until: 2026-03-03")
    register(database, program, "anna")
    late_in_kyiv = datetime(2026, 3, 1, 21, 59, tzinfo=UTC)
    assert review(database, program, "early", late_in_kyiv).reason == "not_yet"
    assert review(database, program, "first", late_in_kyiv + timedelta(minutes=1)).reason == ""
    assert review(database, program, "last", late_in_kyiv + 2 * DAY).reason == ""
    assert review(database, program, "late", late_in_kyiv + 2 * DAY + timedelta(minutes=1)).reason == "over"


def test_a_limit_counts_calendar_days(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review, limit: 2 per 7 days")
    register(database, program, "anna", "bohdan")
    given = [review(database, program, f"r{day}", START + day * DAY) for day in (0, 0, 6, 7)]
    # The same occasion again is told apart from a limit.
    assert [it.reason for it in given] == ["", "again", "", ""]
    assert review(database, program, "r8", START + 8 * DAY).reason == "limit"
    assert review(database, program, "r8", START + 8 * DAY, customer_id=2).reason == ""
    assert review(database, program, "r13", START + 13 * DAY).reason == ""


def test_an_act_that_is_told_late_does_not_get_round_a_limit(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review, limit: 1 per 7 days")
    register(database, program, "anna")
    assert review(database, program, "later", START + 5 * DAY).reason == ""
    with database.write() as connection:
        [late] = give_grants(
            connection, program, "review", [Act(1, "earlier", START)], START + 6 * DAY, live=True
        )
    assert late.reason == "limit"


def test_who_was_erased_is_given_nothing(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review")
    register(database, program, "anna")
    with database.write() as connection:
        connection.execute(update(CUSTOMER).values(erased_at=START))
    assert review(database, program, "r1").reason == "gone"


def test_a_member_of_a_household_is_given_to_the_shared_account(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review, limit: 1 per 30 days")
    register(database, program, "anna", "bohdan")
    with database.write() as connection:
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == 2).values(household_id=1))
    assert review(database, program, "r1", customer_id=2).points == 1_000
    assert review(database, program, "r2", customer_id=2).reason == "limit"
    assert review(database, program, "r3", customer_id=1).points == 1_000
    assert balances(database) == {1: 2_000}


def test_many_customers_are_given_at_once(database: Database) -> None:
    program = rules("rule: survey, give: 5, on: survey", "rule: thanks, give: 1, on: survey")
    register(database, program, *(f"c{n}" for n in range(120)))
    acts = [Act(n, "spring", START) for n in range(1, 121)]
    for expected in ("", "again"):
        with database.write() as connection:
            given = give_grants(connection, program, "survey", acts, START, live=True)
        assert {it.reason for it in given} == {expected}
        assert len(given) == 240
    assert balances(database) == dict.fromkeys(range(1, 121), 600)


# --- what a shop tells


def tell_of(database: Database, program: Program, told: Told, at: datetime = START) -> Any:
    with database.write() as connection:
        return tell(connection, program, told, at, live=True)


def test_an_act_told_twice_is_one_act_with_one_answer(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review")
    register(database, program, "anna")
    first = tell_of(database, program, Told("a1", "anna", "review", data={"stars": 5}))
    again = tell_of(database, program, Told("a1", "anna", "review", data={"stars": 5}), START + DAY)
    assert (first.repeated, again.repeated) == (False, True)
    assert first.answer == again.answer
    assert [it["points"] for it in first.answer["given"]] == ["10"]
    assert (first.answer["balance"], first.answer["available"]) == ("10", "10")
    other = tell_of(database, program, Told("a1", "anna", "survey"))
    assert other.reason == "conflict"
    with database.read() as connection:
        [event] = connection.execute(select(EVENT.c.subject, EVENT.c.data).where(EVENT.c.kind == "review"))
    assert tuple(event) == ("a1", {"stars": 5})
    assert balances(database) == {1: 1_000}


@pytest.mark.parametrize("act", ["review", "rating", "survey"])
def test_every_act_that_a_shop_tells_may_have_its_rule(database: Database, act: str) -> None:
    program = rules(f"rule: thanks, give: 3, on: {act}")
    register(database, program, "anna")
    answer = accepted(tell_of(database, program, Told("a1", "anna", act, data={"stars": 5})))
    assert [(it["rule"], it["points"]) for it in answer["given"]] == [("thanks", "3")]


def test_an_act_that_no_rule_rewards_is_noted_all_the_same(database: Database) -> None:
    register(database, rules("rule: a, give: 1, on: survey"), "anna")
    answer = accepted(tell_of(database, rules("rule: a, give: 1, on: survey"), Told("a1", "anna", "review")))
    assert (answer["given"], answer["nothing"], answer["balance"]) == ([], [], "0")


def test_a_limit_counts_what_was_given_into_a_household_that_was_left_or_has_another_head(
    database: Database,
) -> None:
    program = rules("rule: review, give: 10, on: review, limit: 1 per 7 days")
    register(database, program, "anna", "bohdan", "clara")

    def change(act: Callable[..., Any], head: str, member: str) -> None:
        with database.write() as connection:
            accepted(act(connection, program, Change(head, member), START, live=True))

    def given(id_: str) -> int:
        return len(accepted(tell_of(database, program, Told(id_, "bohdan", "review")))["given"])

    change(join, "anna", "bohdan")
    change(join, "anna", "clara")
    assert given("a1") == 1
    change(pass_on, "anna", "clara")
    assert given("a2") == 0
    change(leave, "clara", "bohdan")
    assert given("a3") == 0


def test_a_wrong_act_is_refused_and_is_no_event(database: Database) -> None:
    program = rules("rule: review, give: 10, on: review")
    register(database, program, "anna")
    wrong = {
        "unknown_customer": Told("a", "nobody", "review"),
        "unknown_act": Told("a", "anna", "birthday"),
        "in_the_future": Told("a", "anna", "review", START + 2 * DAY),
        "unknown_friend": Told("a", "anna", "referral", friend="nobody"),
        "self_referral": Told("a", "anna", "referral", friend="anna"),
    }
    with database.read() as connection:
        before = connection.scalars(select(EVENT.c.id)).all()
    assert {reason: tell_of(database, program, told).reason for reason, told in wrong.items()} == {
        reason: reason for reason in wrong
    }
    with database.read() as connection:
        assert connection.scalars(select(EVENT.c.id)).all() == before


def test_a_program_names_the_events_of_its_own_systems(database: Database) -> None:
    program = rules("rule: a, give: 1, on: survey").model_copy(update={"events": ("cart_abandoned",)})
    register(database, program, "anna")
    accepted(tell_of(database, program, Told("c1", "anna", "cart_abandoned", data={"total": 420})))
    with database.read() as connection:
        said = connection.execute(select(EVENT.c.kind, EVENT.c.data).order_by(EVENT.c.id.desc())).first()
    assert said == ("cart_abandoned", {"total": 420})
    slip = tell_of(database, program, Told("c2", "anna", "cart_abandonned"))
    assert slip.detail == (
        "no act 'cart_abandonned'; did you mean 'cart_abandoned'? (yours are 'events' in program.yaml)"
    )


@pytest.mark.parametrize("name", ["purchase", "bonus_doubled", "Cart", "cart abandoned"])
def test_an_event_of_the_shop_is_not_called_like_one_of_the_ledger(name: str) -> None:
    problems: list[Any] = []
    read_program(f"{PROGRAM}\nevents: [{name}]\n", problems)
    assert len(problems) == 1


# --- profiles


def test_a_full_profile_is_rewarded_once_whoever_notices_it(database: Database) -> None:
    program = rules("rule: full, give: 20, on: profile, fields: [name, email, pet]")
    with database.write() as connection:
        save(connection, program, ADDRESSES, [Profile("anna", name="Anna")], START, live=True)
    told = accepted(tell_of(database, program, Told("p1", "anna", "profile")))
    assert told["nothing"] == [
        {"rule": "full", "reason": "incomplete", "detail": "still missing in the profile: email, pet"}
    ]
    assert give_for_news(database, program, START) == 0
    more = Profile("anna", email="a@example.com", attributes={"pet": "cat"})
    with database.write() as connection:
        save(connection, program, ADDRESSES, [more], START, live=True)
    assert give_for_news(database, program, START) == 1
    assert give_for_news(database, program, START) == 0
    told = accepted(tell_of(database, program, Told("p2", "anna", "profile")))
    assert [it["reason"] for it in told["nothing"]] == ["again"]
    assert balances(database) == {1: 2_000}


def test_a_rule_begins_with_what_comes_after_it(database: Database) -> None:
    none, some = (
        rules("rule: a, give: 1, on: survey"),
        rules("rule: full, give: 20, on: profile, fields: name"),
    )
    with database.write() as connection:
        save(connection, none, ADDRESSES, [Profile("anna", name="Anna")], START, live=True)
    assert give_for_news(database, none, START) == 0
    assert give_for_news(database, some, START) == 0
    with database.write() as connection:
        save(connection, some, ADDRESSES, [Profile("bohdan", name="Bohdan")], START, live=True)
    assert give_for_news(database, some, START) == 1
    assert balances(database) == {2: 2_000}


# --- birthdays


def born(database: Database, program: Program, **birthdays: date) -> None:
    with database.write() as connection:
        profiles = [Profile(name, birthday=day) for name, day in birthdays.items()]
        save(connection, program, ADDRESSES, profiles, START, live=False)


BIRTHDAY = "rule: birthday, give: 100, on: birthday, lasts: 14 days"


def test_a_birthday_is_given_for_on_its_day_once_a_year(database: Database) -> None:
    program = rules(BIRTHDAY)
    born(database, program, anna=date(1990, 3, 2), bohdan=date(1980, 3, 3))
    midnight = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
    assert give_what_is_due(database, program, midnight - timedelta(minutes=1)) == 0
    assert give_what_is_due(database, program, midnight) == 1
    assert give_what_is_due(database, program, midnight + timedelta(hours=5)) == 0
    assert balances(database) == {1: 10_000}
    assert give_what_is_due(database, program, midnight + DAY) == 1
    assert give_what_is_due(database, program, datetime(2027, 3, 2, 9, tzinfo=UTC)) == 1


def test_who_was_born_on_29_february_has_the_28th_in_common_years(database: Database) -> None:
    program = rules(BIRTHDAY)
    born(database, program, anna=date(1992, 2, 29))
    days = [(2027, 2, 27), (2027, 2, 28), (2027, 3, 1), (2028, 2, 28), (2028, 2, 29), (2028, 3, 1)]
    given = [give_what_is_due(database, program, datetime(*day, 12, tzinfo=UTC)) for day in days]
    assert given == [0, 1, 0, 0, 1, 0]


def test_looks_that_were_missed_are_made_up_for_up_to_a_week(database: Database) -> None:
    program = rules(BIRTHDAY)
    born(database, program, anna=date(1990, 3, 2), bohdan=date(1990, 3, 3), chrystyna=date(1990, 3, 10))
    assert give_what_is_due(database, program, START) == 0
    assert give_what_is_due(database, program, START + 9 * DAY) == 2
    assert set(balances(database)) == {2, 3}


def test_a_birthday_that_changes_brings_nothing_twice_a_year(database: Database) -> None:
    program = rules(BIRTHDAY)
    born(database, program, anna=date(1990, 3, 1))
    assert give_what_is_due(database, program, START) == 1
    born(database, program, anna=date(1990, 3, 2))
    assert give_what_is_due(database, program, START + DAY) == 0
    born(database, program, bohdan=date(1990, 3, 1))
    assert give_what_is_due(database, program, START + DAY) == 0
    born(database, program, bohdan=date(1990, 3, 2))
    assert give_what_is_due(database, program, START + DAY) == 1


def test_what_a_duplicate_was_given_for_is_not_given_for_again(database: Database) -> None:
    program = rules("rule: birthday, give: 100, on: birthday")
    register(database, program, "anna")
    born(database, program, anya=date(1990, 3, 1))
    assert give_what_is_due(database, program, START) == 1
    with database.write() as connection:
        accepted(merge(connection, program, Merge("anya", "anna", "maria", "one person"), START, live=True))
    assert give_what_is_due(database, program, START + timedelta(hours=1)) == 0
    assert balances(database) == {1: 10_000}


def test_who_is_gone_has_no_birthday(database: Database) -> None:
    program = rules(BIRTHDAY)
    born(database, program, anna=date(1990, 3, 1), bohdan=date(1990, 3, 1))
    with database.write() as connection:
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == 1).values(erased_at=START))
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == 2).values(merged_into=1))
    assert give_what_is_due(database, program, START) == 0


# --- friends

BOTH = ("rule: inviter, give: 100, on: referral", "rule: friend, give: 30, on: referred")


def bring(database: Database, program: Program, *names: str) -> None:
    register(database, program, "anna")
    friends(database, program, *names)


def test_a_friends_first_purchase_rewards_both(database: Database) -> None:
    program = rules(*BOTH)
    bring(database, program, "bohdan")
    assert give_for_news(database, program, START) == 0
    buy(database, program, "r1", "bohdan", START + DAY)
    assert give_for_news(database, program, START + DAY) == 2
    buy(database, program, "r2", "bohdan", START + 2 * DAY)
    assert give_for_news(database, program, START + 2 * DAY) == 0
    assert balances(database) == {1: 10_000, 2: 3_000 + 20}


def test_a_friend_may_be_rewarded_for_registering(database: Database) -> None:
    program = rules(
        "rule: inviter, give: 100, on: referral", "rule: friend, give: 30, on: referred, after: registration"
    )
    bring(database, program, "bohdan")
    assert give_for_news(database, program, START) == 1
    assert balances(database) == {2: 3_000}
    buy(database, program, "r1", "bohdan", START + DAY)
    assert give_for_news(database, program, START + DAY) == 1
    assert balances(database)[1] == 10_000


def test_a_friend_who_turns_out_to_be_known_brings_nothing_twice(database: Database) -> None:
    program = rules(*BOTH)
    bring(database, program, "dmytro")
    register(database, program, "bohdan")
    inviter, friend = 1, 3
    buy(database, program, "r1", "dmytro", START + DAY)
    give_for_news(database, program, START + DAY)
    with database.write() as connection:
        one = Merge("dmytro", "bohdan", "maria", "one and the same")
        accepted(merge(connection, program, one, START + DAY, live=True))
    before = balances(database)
    assert before == {inviter: 10_000, friend: 3_010}
    bring_back(database, program, "r1", START + 2 * DAY)
    give_for_news(database, program, START + 2 * DAY)
    assert balances(database) == {}
    buy(database, program, "r2", "bohdan", START + 3 * DAY)
    give_for_news(database, program, START + 3 * DAY)
    assert balances(database) == before


def test_what_a_friend_brings_back_counts_for_nothing(database: Database) -> None:
    program = rules(*BOTH)
    bring(database, program, "bohdan")
    buy(database, program, "r1", "bohdan", START)
    buy(database, program, "r2", "bohdan", START + DAY)
    give_for_news(database, program, START + DAY)
    bring_back(database, program, "r1", START + 2 * DAY)
    give_for_news(database, program, START + 2 * DAY)
    assert balances(database)[1] == 10_000
    bring_back(database, program, "r2", START + 3 * DAY)
    give_for_news(database, program, START + 3 * DAY)
    assert balances(database) == {}
    # As if the friend had never bought: the next purchase is the first.
    buy(database, program, "r3", "bohdan", START + 4 * DAY)
    assert give_for_news(database, program, START + 4 * DAY) == 2
    assert balances(database)[1] == 10_000


def test_what_an_inviter_was_given_is_found_after_merging(database: Database) -> None:
    program = rules(BOTH[0])
    bring(database, program, "bohdan")
    register(database, program, "olha")
    buy(database, program, "r1", "bohdan", START + DAY)
    assert give_for_news(database, program, START + DAY) == 1
    with database.write() as connection:
        one = Merge("anna", "olha", "maria", "one person")
        accepted(merge(connection, program, one, START + 2 * DAY, live=True))
    bring_back(database, program, "r1", START + 3 * DAY)
    assert give_for_news(database, program, START + 3 * DAY) == 0
    assert balances(database) == {}
    buy(database, program, "r2", "bohdan", START + 4 * DAY)
    assert give_for_news(database, program, START + 4 * DAY) == 1
    assert balances(database) == {3: 10_000, 2: 10}


def test_what_is_taken_back_while_the_inviter_joins_a_household_is_taken_where_it_went(
    database: Database,
) -> None:
    program = rules(*BOTH)
    bring(database, program, "bohdan")
    register(database, program, "olha")
    buy(database, program, "r1", "bohdan", START + DAY)
    assert give_for_news(database, program, START + DAY) == 2
    bring_back(database, program, "r1", START + 2 * DAY)
    at = START + 3 * DAY
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            accepted(join(connection, program, Change("olha", "anna"), at, live=True))
            looked = pool.submit(give_for_news, database, program, at)
            while database.dialect != "sqlite" and not _somebody_waits(database):
                sleep(0.01)
        assert looked.result() == 0
    assert balances(database) == {}


def _somebody_waits(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_a_grant_that_was_taken_back_stays_so_when_a_receipt_comes_late(database: Database) -> None:
    program = rules(*BOTH, "rule: review, give: 100, on: review, lasts: 10 days")
    bring(database, program, "bohdan")
    review(database, program, "r88")
    buy(database, program, "r1", "bohdan", START)
    give_for_news(database, program, START)
    bring_back(database, program, "r1", START + DAY)
    give_for_news(database, program, START + DAY)
    with database.write() as connection:
        late = purchase("late", "anna", START - DAY, 1_000)
        accepted(record(connection, program, [late], START + 2 * DAY, live=True)[0])
    left = select(LOT.c.reason, LOT.c.remaining).where(LOT.c.customer_id == 1, LOT.c.remaining != 0)
    with database.read() as connection:
        check_books(connection)
        assert dict(connection.execute(left).all()) == {"review": 10_000, "purchase": 100}


def test_what_the_inviter_has_spent_meanwhile_is_owed_or_forgiven(database: Database) -> None:
    from core.ledger.bonuses import Request, redeem

    program = rules(*BOTH)
    bring(database, program, "bohdan")
    buy(database, program, "r1", "bohdan", START)
    give_for_news(database, program, START)
    with database.write() as connection:
        accepted(redeem(connection, program, Request("s", "anna", 4_000, START), START, live=True))
    bring_back(database, program, "r1", START + DAY)
    give_for_news(database, program, START + DAY)
    assert balances(database) == {1: -4_000}
    with database.read() as connection:
        kinds = connection.scalars(select(EVENT.c.kind).where(EVENT.c.customer_id == 1)).all()
    assert kinds.count("bonus_redeemed") == 1
    assert kinds.count("bonus_taken_back") == 1


def test_what_a_partner_gave_and_goes_for_a_grant_that_was_spent_is_owed_to_the_program(
    database: Database,
) -> None:
    rules = program(
        (WELCOME, "- {rule: inviter, give: 20, on: referral}"),
        ("spend: {share", "partners: {Cinema: {stores: screen}}\nspend: {share"),
    )
    bring(database, rules, "bohdan")
    buy(database, rules, "r1", "bohdan", START)
    give_for_news(database, rules, START)
    at = START + DAY
    spent = purchase("spent", "anna", at, 4_000, pay=2_000)
    earned = replace(purchase("earned", "anna", at, 30_000), store="screen")
    with database.write() as connection:
        for bought in (spent, earned):
            accepted(record(connection, rules, [bought], at, live=True)[0])
    bring_back(database, rules, "r1", at)
    give_for_news(database, rules, at)
    with database.read() as connection:
        check_books(connection)
        found = settle(connection, rules, START, at + DAY)
    # What they earned where they spent goes first. The rest is Cinema's, which takes nothing back itself.
    assert {it.party: it.flows["given"] for it in found.statements}["Cinema"] == 3_000
    assert [(it.giver, it.place, it.points) for it in found.debts] == [("Cinema", "Kavarnia", 1_800)]


def test_an_inviter_is_rewarded_within_the_limit(database: Database) -> None:
    program = rules("rule: inviter, give: 100, on: referral, limit: 2 per 30 days")
    bring(database, program, "bohdan", "chrystyna", "dmytro")
    for number, name in enumerate(("bohdan", "chrystyna", "dmytro")):
        buy(database, program, f"r{number}", name, START + number * DAY)
    assert give_for_news(database, program, START + 3 * DAY) == 2
    buy(database, program, "r9", "dmytro", START + 40 * DAY)
    assert give_for_news(database, program, START + 40 * DAY) == 0


def test_nobody_brings_themselves_or_in_a_circle_or_who_has_bought(database: Database) -> None:
    program = rules(*BOTH)
    register(database, program, "anna", "bohdan", "chrystyna", "dmytro")
    buy(database, program, "r1", "dmytro", START)

    def name(friend_id: int, who: str) -> str:
        with database.write() as connection:
            named = name_inviter(connection, friend_id, who, START, live=True)
        return "" if isinstance(named, Friendship) else named.reason

    assert name(1, "anna") == "self_referral"
    assert name(2, "nobody") == "unknown_inviter"
    assert [name(2, "anna"), name(2, "anna"), name(3, "bohdan")] == ["", "", ""]
    assert name(1, "chrystyna") == "circular_referral"
    assert name(2, "chrystyna") == "circular_referral"
    assert name(3, "anna") == "already_referred"
    assert name(4, "anna") == "already_bought"


def test_an_inviter_is_known_by_their_own_code_however_it_is_typed(database: Database) -> None:
    program = rules(*BOTH)
    register(database, program, "anna", "bohdan")
    with database.write() as connection:
        code = referral_code(connection, 1)
        assert referral_code(connection, 1) == code
        typed = f"{code[:4]}-{code[4:]}".lower()
        assert name_inviter(connection, 2, typed, START, live=True) == Friendship(2, 1)


def test_a_friend_told_by_the_shop_is_a_friend(database: Database) -> None:
    program = rules(*BOTH)
    register(database, program, "anna", "bohdan")
    told = tell_of(database, program, Told("f1", "anna", "referral", friend="bohdan"))
    assert isinstance(told, Recorded)
    buy(database, program, "r1", "bohdan", START)
    assert give_for_news(database, program, START) == 2
