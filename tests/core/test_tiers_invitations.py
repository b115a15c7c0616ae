"""Levels given by hand: the closed club, and a floor under what purchases reach."""

from typing import Any

import pytest
from sqlalchemy import select

from core.db import Database
from core.events import EVENT
from core.ledger.lots import Refusal
from core.tiers import invite
from tests.core.climbing import Till, club, kyiv

CLUB = "measure: invitation"
ROOMS = "{name: guest}, {name: member, earn: 5%}, {name: patron, earn: 10%}"


def closed(database: Database) -> Till:
    """A customer of a club where levels are given by hand."""
    anna = Till(database, club(CLUB, ROOMS))
    anna.buys("2026-01-05 10:00", 100_000)
    return anna


def test_nothing_that_is_bought_opens_a_closed_club(database: Database) -> None:
    assert closed(database).tier() == "guest"


def test_who_is_invited_is_in_until_the_invitation_is_taken_back(database: Database) -> None:
    anna = closed(database)
    outcome = anna.invites("patron", "2026-02-01 12:00")
    assert outcome.answer == {"customer": "anna", "invited_to": "patron", "tier": "patron"}
    anna.looks("2036-01-01 00:00")
    assert anna.tier() == "patron"
    anna.invites("member", "2036-02-01 12:00")
    assert anna.tier() == "member"
    anna.invites(None, "2036-03-01 12:00")
    assert anna.moves() == [
        ("2026-02-01 12:00", "guest", "patron"),
        ("2036-02-01 12:00", "patron", "member"),
        ("2036-03-01 12:00", "member", "guest"),
    ]


def test_an_invitation_keeps_its_author_and_reason(database: Database) -> None:
    anna = closed(database)
    anna.invites("member", "2026-02-01 12:00")
    with database.read() as connection:
        event = connection.execute(select(EVENT).where(EVENT.c.kind == "invited")).one()
    assert event.data == {"level": "member", "previous": None, "author": "maria", "reason": "a friend"}


def test_the_same_invitation_again_changes_nothing(database: Database) -> None:
    anna = closed(database)
    anna.invites("member", "2026-02-01 12:00")
    assert anna.invites("member", "2026-02-02 12:00").repeated
    assert len(anna.moves()) == 1


@pytest.mark.parametrize(
    ("changed", "reason", "detail"),
    [
        ({"level": "patrom"}, "unknown_level", "the program has no level 'patrom'; did you mean 'patron'?"),
        ({"author": " "}, "no_author", "say who invites the customer"),
        ({"reason": ""}, "no_reason", "say why the customer is invited"),
        ({"customer": "bohdan"}, "unknown_customer", "no customer 'bohdan'; register or import them first"),
    ],
)
def test_what_cannot_be_is_refused(
    database: Database, changed: dict[str, Any], reason: str, detail: str
) -> None:
    anna = closed(database)
    request = {"customer": "anna", "level": "patron", "author": "maria", "reason": "a friend"} | changed
    with database.write() as connection:
        outcome = invite(connection, anna.program, **request, at=kyiv("2026-02-01 12:00"), live=True)
    assert outcome == Refusal(reason, detail)
    assert anna.moves() == []


def test_an_invited_customer_never_stands_below_their_level(database: Database) -> None:
    anna = Till(database, club())
    anna.invites("silver", "2025-01-01 12:00")
    anna.buys("2025-02-01 12:00", 6000)
    assert anna.tier() == "gold"
    anna.looks("2030-01-01 00:00")
    assert anna.moves()[-1] == ("2026-03-04 00:00", "gold", "silver")


def test_taking_an_invitation_back_leaves_what_was_bought(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-01-15 12:00", 1000)
    anna.invites("gold", "2025-02-01 12:00")
    anna.invites(None, "2025-06-01 12:00")
    assert anna.moves()[-1] == ("2025-06-01 12:00", "gold", "silver")


def test_taking_back_an_invitation_that_was_outgrown_takes_nothing(database: Database) -> None:
    anna = Till(database, club())
    anna.invites("silver", "2025-01-01 12:00")
    anna.buys("2025-02-01 12:00", 6000)
    anna.invites(None, "2025-06-01 12:00")
    assert anna.tier() == "gold"


def test_a_receipt_from_before_an_invitation_does_not_know_it(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-01-15 12:00", 600)
    anna.invites("gold", "2025-02-01 12:00")
    anna.buys("2025-01-20 12:00", 600)
    assert anna.moves() == [
        ("2025-01-20 12:00", "bronze", "silver"),
        ("2025-02-01 12:00", "silver", "gold"),
    ]
    assert anna.events() == [("gold", "up")], "the level that holds in the end was told already"


def test_an_invitation_to_a_level_that_was_removed_holds_nobody(database: Database) -> None:
    anna = Till(database, club())
    anna.invites("gold", "2025-01-01 12:00")
    anna.program = club(levels="{name: bronze, from: 0}, {name: silver, from: 1000}")
    anna.looks("2025-01-10 03:00")
    assert anna.tier() == "bronze"
