"""Two profiles of one person become one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from core.customers.addresses import ADDRESS, address_of
from core.customers.consent import CONSENT, Choice, choose
from core.customers.double_opt_in import give as give_consent
from core.customers.households import Change, join
from core.customers.merging import Merge, duplicates, merge
from core.customers.profiles import CUSTOMER, Profile, find, save
from core.db import Database
from core.grants.referrals import Friendship, name_inviter
from core.ledger.transfers import Transfer, transfer
from core.program import Program
from core.purchases.receipts import RECEIPT, Outcome, Recorded, record
from core.purchases.returns import Return, take_back
from core.purchases.stats import STATS
from core.tiers import CHANGE
from tests.core.books import (
    ADDRESSES,
    START,
    accepted,
    check_books,
    check_statistics,
    program,
    purchase,
    register,
)
from tests.core.people import LATER, SHARING, balance, buy, events, give, id_of, lots, refused

ONE = Merge("anya", "anna", "maria", "same phone")
ASKING = program(("spend:", "consent: {double_opt_in: true}\nspend:"))
AFTER = LATER + timedelta(hours=1)
AN_HOUR_ON = START + timedelta(hours=1)


def unite(database: Database, request: Merge = ONE) -> Outcome:
    with database.write() as connection:
        outcome = merge(connection, SHARING, request, LATER, live=True)
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)
    return outcome


def profiles(database: Database, *known: Profile) -> None:
    with database.write() as connection:
        save(connection, SHARING, ADDRESSES, known, START, live=False)


def test_open_bonuses_go_over_with_their_expiry(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    give(database, "anna", 1_000)
    give(database, "anya", 500, START + timedelta(hours=20))
    assert accepted(unite(database)) == {
        "duplicate": "anya", "survivor": "anna", "points": "5", "balance": "15", "tier": "bronze",
    }  # fmt: skip
    assert lots(database, "anna") == [(1_000, date(2026, 8, 28)), (500, date(2026, 8, 29))]
    assert lots(database, "anya") == []
    assert events(database, "anya")[-1] == "customer_merged"
    assert events(database, "anna")[-1] == "customer_joined"


@pytest.mark.parametrize("rules", [SHARING, ASKING], ids=["at once", "double opt-in"])
def test_a_no_that_was_under_way_to_the_duplicate_is_the_survivors(
    database: Database, rules: Program
) -> None:
    register(database, SHARING, "anna", "anya")
    anna, anya = id_of(database, "anna"), id_of(database, "anya")
    with database.write() as connection:
        choose(connection, [Choice(anna, "sms", True, START, "form")], START, live=True)
    accepted(unite(database))
    with database.write() as connection:
        # Whoever asked who is meant before the profiles were merged says it of the duplicate.
        give_consent(connection, rules, [Choice(anya, "sms", False, AFTER, "page")], AFTER, live=True)
        rows = connection.execute(select(CONSENT.c.customer_id, CONSENT.c.granted)).all()
    assert [tuple(row) for row in rows] == [(anna, False)]
    assert events(database, "anna")[-1] == "consent_withdrawn"


def test_what_one_file_says_under_both_numbers_is_said_of_one_customer(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    accepted(unite(database))
    said = [
        Profile("anna", email="new@shop.example", city="Kyiv", attributes={"a": 1}),
        Profile("anya", email="old@shop.example", attributes={"b": 2}),
    ]
    with database.write() as connection:
        saved = save(connection, SHARING, ADDRESSES, said, AFTER, live=True)
    assert [it.effect for it in saved] == ["changed", "changed"]
    with database.read() as connection:
        row = find(connection, "anna")
        active = select(ADDRESS.c.value).where(ADDRESS.c.kind == "email", ADDRESS.c.active)
        assert connection.scalars(active).all() == ["old@shop.example"], "one, that of the profile"
    assert row is not None
    assert (row.email, row.city, row.attributes) == ("old@shop.example", "Kyiv", {"a": 1, "b": 2})
    assert events(database, "anna").count("profile_changed") == 1


def test_a_debt_goes_over_and_is_paid_from_what_is_there(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    give(database, "anna", 1_000)
    buy(database, purchase("1", "anya", START, 10_000), purchase("2", "anya", START, 2_000, pay=1_000))
    with database.write() as connection:
        accepted(take_back(connection, SHARING, Return("1", AN_HOUR_ON), AN_HOUR_ON, live=True))
    owed = balance(database, "anya")
    assert owed < 0
    assert accepted(unite(database))["points"] == str(SHARING.from_points(owed))
    assert balance(database, "anna") == 1_000 + owed


def test_numbers_of_the_duplicate_lead_to_the_survivor(database: Database) -> None:
    profiles(
        database,
        Profile("anna", phone="+380501234567", card="A 1"),
        Profile("anya", phone="+380507654321", card="B 2", email="anya@shop.example"),
    )
    unite(database)
    with database.read() as connection:
        for who in ("anya", "B 2", "+380507654321", "anya@shop.example"):
            row = find(connection, who)
            assert row is not None
            assert row.external_id == "anna"
    [answer] = buy(database, purchase("1", "anya", AFTER, 1_000))
    assert answer["balance"] == "1"
    assert balance(database, "anna") == 100


def test_a_profile_sent_under_the_old_number_changes_the_survivor(database: Database) -> None:
    profiles(database, Profile("anna", card="A 1"), Profile("anya", card="B 2"))
    unite(database)
    with database.write() as connection:
        saved = save(
            connection, SHARING, ADDRESSES, [Profile("anya", city="Lviv", card="B 2")], AFTER, live=True
        )
    assert (saved[0].effect, saved[0].customer_id) == ("changed", id_of(database, "anna"))
    with database.read() as connection:
        row = connection.execute(select(CUSTOMER).where(CUSTOMER.c.external_id == "anna")).one()
    assert (row.city, row.card) == ("Lviv", "B 2")


def test_the_survivor_keeps_their_own_words_and_takes_what_they_left_open(database: Database) -> None:
    profiles(
        database,
        Profile("anna", name="Anna K.", email="anna@shop.example", attributes={"pet": "cat"}),
        Profile(
            "anya", name="Anya", phone="+380501234567", email="old@shop.example", birthday=date(1990, 3, 14),
            attributes={"pet": "dog", "size": 38}, registered_at=datetime(2020, 1, 1, tzinfo=UTC),
        ),
    )  # fmt: skip
    unite(database)
    with database.read() as connection:
        row = connection.execute(select(CUSTOMER).where(CUSTOMER.c.external_id == "anna")).one()
        assert (row.name, row.phone, row.birthday_md) == ("Anna K.", "+380501234567", 314)
        assert row.attributes == {"pet": "cat", "size": 38}
        assert row.registered_at.year == 2020
        assert address_of(connection, row.id, "phone") == "+380501234567"
        assert address_of(connection, row.id, "email") == "anna@shop.example"
        old = connection.execute(select(CUSTOMER).where(CUSTOMER.c.external_id == "anya")).one()
        assert (old.merged_into, old.birthday_md) == (row.id, None)
        assert address_of(connection, old.id, "phone") is None


def test_an_address_that_the_survivor_gave_up_is_theirs_again_if_the_duplicate_is_reached_there(
    database: Database,
) -> None:
    profiles(database, Profile("anna", email="anna@shop.example"))
    profiles(database, Profile("anna", email=""), Profile("anya", email="anna@shop.example"))
    unite(database)
    with database.read() as connection:
        assert address_of(connection, id_of(database, "anna"), "email") == "anna@shop.example"


def test_the_later_choice_counts_and_of_one_moment_the_refusal(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    ids = id_of(database, "anna"), id_of(database, "anya")

    def said(who: int, channel: str, granted: bool, hours: int) -> Choice:
        return Choice(ids[who], channel, granted, START + timedelta(hours=hours), "form")

    choices = [
        said(0, "email", True, 1), said(1, "email", False, 2),
        said(0, "sms", False, 2), said(1, "sms", True, 1),
        said(0, "push", True, 1), said(1, "push", False, 1),
        said(1, "telegram", True, 1),
    ]  # fmt: skip
    with database.write() as connection:
        choose(connection, choices, START, live=True)
    unite(database)
    with database.read() as connection:
        rows = connection.execute(select(CONSENT)).all()
        people = connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.opted_in)).all()
    assert {row.id: row.opted_in for row in people} == {ids[0]: " telegram ", ids[1]: ""}
    assert {row.customer_id for row in rows} == {ids[0]}
    in_force = {row.channel: row.granted for row in rows}
    assert in_force == {"email": False, "sms": False, "push": False, "telegram": True}


def test_receipts_and_statistics_are_the_survivors(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    buy(database, purchase("1", "anna", START, 100), purchase("2", "anya", START, 200))
    unite(database)
    with database.read() as connection:
        buyers = set(connection.scalars(select(RECEIPT.c.customer_id)))
        kept = connection.execute(select(STATS).where(STATS.c.purchases > 0)).one()
    assert buyers == {id_of(database, "anna")}
    assert (kept.purchases, kept.spent) == (2, 300)


def test_the_level_is_the_one_that_both_together_reach(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    buy(database, purchase("1", "anna", START, 60_000), purchase("2", "anya", START, 60_000))
    assert accepted(unite(database))["tier"] == "silver"
    with database.read() as connection:
        mine = CHANGE.c.customer_id == id_of(database, "anna")
        changes = connection.scalars(select(CHANGE.c.tier).where(mine).order_by(CHANGE.c.id)).all()
    assert changes[-1] == "silver"


def test_the_level_is_at_least_the_higher_one(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    buy(database, purchase("2", "anya", START, 120_000))
    assert accepted(unite(database))["tier"] == "silver"


def test_a_level_that_the_duplicate_was_rewarded_for_is_not_rewarded_again(database: Database) -> None:
    rules = program(
        ("lasts: 30 days}\n", "lasts: 30 days}\n    - {rule: step, give: 50, on: tier_up}\n"),
        ("over: 365 days", "over: 30 days"), ("grace: 30 days", "grace: 0 days"),
    )  # fmt: skip
    register(database, rules, "anna", "anya")
    with database.write() as connection:
        first = record(connection, rules, [purchase("1", "anya", START, 100_000)], START, live=True)[0]
        assert [it["rule"] for it in accepted(first)["rules"]] == ["base", "step"]
        accepted(merge(connection, rules, ONE, LATER, live=True))
        at = LATER + timedelta(days=100)
        [again] = record(connection, rules, [purchase("2", "anna", at, 100_000)], at, live=True)
    assert [it["rule"] for it in accepted(again)["rules"]] == ["base"]


def test_a_receipt_of_the_duplicate_can_be_returned_afterwards(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    buy(database, purchase("1", "anya", START, 10_000), purchase("2", "anya", START, 4_000, pay=600))
    unite(database)
    before = balance(database, "anna")
    with database.write() as connection:
        accepted(take_back(connection, SHARING, Return("2", AFTER), AFTER, live=True))
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)
    assert balance(database, "anna") == before + 600 - 340 == 1_000


def test_what_the_survivor_spent_of_a_returned_receipt_is_owed(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    buy(database, purchase("1", "anya", START, 10_000))
    unite(database)
    buy(database, purchase("2", "anna", AFTER, 2_000, pay=1_000))
    with database.write() as connection:
        at = AFTER + timedelta(hours=1)
        accepted(take_back(connection, SHARING, Return("1", at), at, live=True))
    assert balance(database, "anna") == 100 - 1_000
    assert balance(database, "anya") == balance(database, "anna")
    assert lots(database, "anya") == []


def test_the_same_merging_again_is_one(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    give(database, "anya", 500)
    first = accepted(unite(database))
    assert unite(database) == Recorded(first, repeated=True)
    assert balance(database, "anna") == 500


def test_a_chain_of_merged_customers_leads_to_its_end(database: Database) -> None:
    register(database, SHARING, "anna", "anya", "anja")
    give(database, "anya", 500)
    accepted(unite(database))
    accepted(unite(database, replace(ONE, duplicate="anna", survivor="anja")))
    assert balance(database, "anya") == balance(database, "anja") == 500
    with database.read() as connection:
        ends = connection.scalars(select(CUSTOMER.c.merged_into).where(CUSTOMER.c.merged_into.is_not(None)))
        assert set(ends) == {id_of(database, "anja")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duplicate": "anna"}, "same_customer"),
        ({"duplicate": "nobody"}, "unknown_customer"),
        ({"author": ""}, "no_author"),
        ({"reason": " "}, "no_reason"),
        ({"duplicate": "anya", "survivor": "clara"}, "already_merged"),
        ({"duplicate": "anna", "survivor": "anya"}, "already_merged"),
    ],
)
def test_what_cannot_be_merged_is_refused(database: Database, change: dict[str, str], reason: str) -> None:
    register(database, SHARING, "anna", "anya", "clara")
    accepted(unite(database))
    assert refused(unite(database, replace(ONE, **change))) == reason


def test_the_survivor_takes_the_place_of_the_duplicate_in_a_household(database: Database) -> None:
    register(database, SHARING, "anna", "anya", "bohdan", "clara")
    give(database, "anna", 300)
    give(database, "anya", 500)
    with database.write() as connection:
        accepted(join(connection, SHARING, Change("bohdan", "anya"), LATER, live=True))
    accepted(unite(database))
    assert balance(database, "anna") == balance(database, "bohdan") == 800
    assert lots(database, "anna") == []


def test_members_of_the_duplicates_household_follow_the_survivor(database: Database) -> None:
    register(database, SHARING, "anna", "anya", "bohdan")
    give(database, "anya", 500)
    with database.write() as connection:
        accepted(join(connection, SHARING, Change("anya", "bohdan"), LATER, live=True))
        accepted(join(connection, SHARING, Change("anya", "anna"), LATER, live=True))
    accepted(unite(database))
    assert balance(database, "bohdan") == balance(database, "anna") == 500
    assert len(lots(database, "anna")) == 1


def test_two_households_are_not_mixed(database: Database) -> None:
    register(database, SHARING, "anna", "anya", "bohdan", "clara")
    with database.write() as connection:
        accepted(join(connection, SHARING, Change("bohdan", "anya"), LATER, live=True))
        accepted(join(connection, SHARING, Change("anna", "clara"), LATER, live=True))
    assert refused(unite(database)) == "two_households"


@pytest.mark.parametrize(
    ("friend_of", "inviter"),
    [
        # The duplicate brought olha, who brought the survivor.
        ({"olha": "anya", "anna": "olha"}, None),
        # The survivor brought olha, who brought petro, who brought the duplicate.
        ({"olha": "anna", "petro": "olha", "anya": "petro"}, None),
        # Where one of them came by a stranger, that stays known.
        ({"olha": "anya", "anna": "olha", "anya": "petro"}, "petro"),
        ({"anna": "anya", "anya": "petro"}, "petro"),
    ],
)
def test_nobody_is_brought_in_a_circle_by_whom_they_brought(
    database: Database, friend_of: dict[str, str], inviter: str | None
) -> None:
    profiles(database, *map(Profile, ("anna", "anya", "olha", "petro")))
    numbers = {name: id_of(database, name) for name in ("anna", "anya", "olha", "petro")}
    for friend, who in friend_of.items():
        with database.write() as connection:
            named = name_inviter(connection, numbers[friend], who, START, live=True)
            assert isinstance(named, Friendship)
    assert isinstance(unite(database), Recorded)
    with database.read() as connection:
        rows = connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.referred_by))
        by = {row.id: row.referred_by for row in rows}
    assert by[numbers["anna"]] == (numbers[inviter] if inviter else None)
    if "olha" in friend_of:
        assert by[numbers["olha"]] == numbers["anna"]


def test_candidates_share_a_phone_an_email_or_a_card(database: Database) -> None:
    profiles(
        database,
        Profile("anna", phone="+380501234567", card="KV-20 26"),
        Profile("anya", phone="+380501234567", email="Anna@shop.example"),
        Profile("anja", email="anna@shop.example", card="kv2026"),
        Profile("clara", phone="+380507654321"),
    )
    with database.read() as connection:
        found = {(it.by, it.customers) for it in duplicates(connection)}
    assert found == {("phone", ("anna", "anya")), ("email", ("anya", "anja")), ("card", ("anna", "anja"))}
    unite(database)
    with database.read() as connection:
        assert {it.by for it in duplicates(connection)} <= {"email", "card"}


def test_a_transfer_that_names_the_duplicate_reaches_the_survivor(database: Database) -> None:
    register(database, SHARING, "anna", "anya", "bohdan")
    give(database, "bohdan", 500)
    unite(database)
    with database.write() as connection:
        request = Transfer("1", "bohdan", "anya", 200)
        assert accepted(transfer(connection, SHARING, request, AFTER, live=True))["receiver"] == "anna"
    assert balance(database, "anna") == 200


def test_a_receipt_that_comes_late_for_the_duplicate_is_the_survivors(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    buy(database, purchase("1", "anya", START, 10_000))
    unite(database)
    with database.write() as connection:
        late = purchase("2", "anya", START + timedelta(hours=1), 5_000)
        accepted(record(connection, SHARING, [late], AFTER, live=True)[0])
    assert balance(database, "anna") == 1_500


def test_two_desks_that_merge_the_same_pair_both_ways_make_one_of_them(database: Database) -> None:
    register(database, SHARING, "anna", "anya")
    give(database, "anna", 1_000)
    give(database, "anya", 500)
    start = Barrier(2)

    def desk(request: Merge) -> Outcome:
        start.wait()
        with database.write() as connection:
            return merge(connection, SHARING, request, LATER, live=True)

    back = replace(ONE, duplicate="anna", survivor="anya")
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(desk, [ONE, back]))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Recorded", "Refusal"]
    assert balance(database, "anna") == balance(database, "anya") == 1_500
