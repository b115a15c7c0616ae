"""Suppressions: brought in from another sender, listed, taken back by somebody who answers for it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.customers.addresses import LIFTED, SUPPRESSION, Answerable, suppress
from core.customers.erasure import Erasure, erase
from core.customers.suppressions import Which, count, lift_many, lift_one, of_nobody, suppressed
from core.db import Database
from core.ledger.lots import Refusal
from tests.core.books import ADDRESSES
from tests.core.files import CUSTOMERS, NOW, PROGRAM, bring_in, counts, csv, rejects

KINDS = {"email": "email", "sms": "phone"}
MARIA = Answerable("maria", "the provider's mistake")
BOHDAN = ADDRESSES.digest("email", "bohdan@example.com")
LIST = (
    {
        "channel": "email",
        "address": "BOHDAN@example.com",
        "reason": "complained",
        "at": "2025-11-20T09:00:00Z",
    },
    {"channel": "sms", "address": "+380 50 123 45 67", "reason": "", "at": ""},
    {"channel": "email", "address": "stranger@example.com", "reason": "Bounced", "at": ""},
)


def listed(database: Database, **which: Any) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        rows = suppressed(connection, KINDS, Which(**which), limit=10)
    return [(row.external_id, row.channel, row.reason) for row in rows]


def brought(database: Database, folder: Path) -> None:
    bring_in(database, "customers", csv(folder / "c.csv", CUSTOMERS))
    assert counts(bring_in(database, "suppressions", csv(folder / "s.csv", LIST), kinds=KINDS)) == (
        3,
        0,
        0,
        0,
    )


def test_a_list_of_another_sender_is_brought_in_once(database: Database, tmp_path: Path) -> None:
    brought(database, tmp_path)
    assert listed(database) == [("anna", "sms", "imported"), ("bohdan", "email", "complained")]
    again = bring_in(database, "suppressions", csv(tmp_path / "s.csv", LIST), kinds=KINDS)
    assert counts(again) == (0, 0, 3, 0)
    with database.read() as connection:
        assert of_nobody(connection, KINDS, Which()) == 1, "whoever has this address later is left alone, too"
        since = connection.scalar(select(SUPPRESSION.c.at).where(SUPPRESSION.c.digest == BOHDAN))
    assert str(since) == "2025-11-20 09:00:00+00:00"


@pytest.mark.parametrize(
    "pasted", ["\u200bbohdan@example.com", "bohdan@example.com\u202c", "bohdan@example.com."]
)
def test_a_suppressed_address_stays_so_with_what_was_pasted_along_with_it(
    database: Database, tmp_path: Path, pasted: str
) -> None:
    brought(database, tmp_path)
    bring_in(database, "customers", csv(tmp_path / "d.csv", [{"customer": "new", "email": pasted}]))
    assert ("new", "email", "complained") in listed(database)


def test_a_trial_counts_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    bring_in(database, "customers", csv(tmp_path / "c.csv", CUSTOMERS))
    file = csv(tmp_path / "s.csv", (*LIST, LIST[0]))
    assert counts(bring_in(database, "suppressions", file, kinds=KINDS, trial=True, chunk=1)) == (3, 0, 1, 0)
    assert listed(database) == []


def test_bad_lines_are_set_aside_with_their_numbers(database: Database, tmp_path: Path) -> None:
    rows = (
        {"channel": "push", "address": "a@example.com", "reason": "", "at": ""},
        {"channel": "email", "address": "nobody", "reason": "", "at": ""},
        {"channel": "email", "address": "a@example.com", "reason": "complaint", "at": ""},
        {"channel": "email", "address": "a@example.com", "reason": "", "at": "2100-01-01"},
    )
    report = bring_in(database, "suppressions", csv(tmp_path / "s.csv", rows), kinds=KINDS)
    assert counts(report) == (0, 0, 0, 4)
    said = {it["line"]: it["reason"] for it in rejects(report)}
    assert said[2].startswith("'channel' has no addresses to suppress")
    assert said[3] == "the email is not an address of the form name@domain.tld"
    assert "'complained'" in said[4]
    assert said[5] == "'at' has not come yet"


def test_what_is_lifted_keeps_who_did_it_when_and_why(database: Database, tmp_path: Path) -> None:
    brought(database, tmp_path)
    with database.write() as connection:
        assert lift_one(connection, ADDRESSES, KINDS, "email", "bohdan", MARIA, NOW) == 1
        assert lift_one(connection, ADDRESSES, KINDS, "sms", "+380501234567", MARIA, NOW) == 1
        nothing = lift_one(connection, ADDRESSES, KINDS, "sms", "anna", MARIA, NOW)
        nobody = lift_one(connection, ADDRESSES, KINDS, "sms", "zoe", MARIA, NOW)
        unsaid = lift_one(connection, ADDRESSES, KINDS, "sms", "anna", Answerable("maria", " "), NOW)
        kept = connection.execute(select(LIFTED).where(LIFTED.c.channel == "email")).one()
    refusals = [it.reason for it in (nothing, nobody, unsaid) if isinstance(it, Refusal)]
    assert refusals == ["not_suppressed", "unknown_customer", "no_reason"]
    assert listed(database) == []
    assert (kept.digest, kept.reason, kept.at.isoformat()) == (
        BOHDAN,
        "complained",
        "2025-11-20T09:00:00+00:00",
    )
    assert (kept.author, kept.why, kept.lifted_at) == ("maria", "the provider's mistake", NOW)


def test_a_mass_mistake_is_undone_by_its_reason_and_time(database: Database, tmp_path: Path) -> None:
    brought(database, tmp_path)
    hour = timedelta(hours=1)
    with database.write() as connection:
        for number in range(3):
            suppress(connection, "email", f"digest-{number}", "mailbox_unknown", NOW + number * hour)
        suppress(connection, "email", "digest-9", "erased", NOW + hour)
        which = Which("email", since=NOW + hour)
        assert count(connection, KINDS, which) == 2
        assert lift_many(connection, KINDS, which, MARIA, NOW + 9 * hour) == 2
        left = set(connection.scalars(select(SUPPRESSION.c.digest).where(SUPPRESSION.c.reason != "imported")))
        assert {"digest-0", "digest-9"} <= left, "earlier, or of somebody who asked to be forgotten"
        assert connection.scalars(select(LIFTED.c.author)).all() == ["maria", "maria"]


def test_who_was_erased_stays_left_alone_whatever_their_address_was_left_alone_for(
    database: Database, tmp_path: Path
) -> None:
    brought(database, tmp_path)
    with database.write() as connection:
        erase(connection, PROGRAM, Erasure("bohdan", ADDRESSES, KINDS), NOW)
        assert count(connection, KINDS, Which("email", "complained")) == 0
        assert lift_many(connection, KINDS, Which("email", "complained"), MARIA, NOW) == 0
        [kept] = connection.execute(select(SUPPRESSION).where(SUPPRESSION.c.digest == BOHDAN)).all()
    assert (kept.channel, kept.reason) == ("email", "erased")


def test_a_list_goes_on_where_it_ended(database: Database, tmp_path: Path) -> None:
    brought(database, tmp_path)
    with database.read() as connection:
        [first] = suppressed(connection, KINDS, Which(), limit=1)
        after = (first.address_id, first.channel)
        [second] = suppressed(connection, KINDS, Which(), limit=5, after=after)
    assert {first.external_id, second.external_id} == {"anna", "bohdan"}
    assert listed(database, reason="complained") == [("bohdan", "email", "complained")]


def test_what_was_said_of_somebody_goes_with_them(database: Database, tmp_path: Path) -> None:
    brought(database, tmp_path)
    with database.write() as connection:
        lift_one(connection, ADDRESSES, KINDS, "email", "bohdan", Answerable("maria", "Bohdan called"), NOW)
        erase(connection, PROGRAM, Erasure("bohdan", ADDRESSES, KINDS), NOW)
        [kept] = connection.execute(select(LIFTED)).all()
    assert (kept.author, kept.why) == ("maria", "")
