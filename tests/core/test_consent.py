"""Consent: the latest choice by its own time is in force, and its history is in the events."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.customers.consent import CONSENT, Choice, choose
from core.db import Database
from core.errors import Problem
from core.events import EVENT
from core.program.check import read_program
from tests.core.books import PROGRAM, START, program, register

YES = Choice(1, "sms", True, START, "registration form")
LATER = START + timedelta(days=3)


def say(database: Database, *choices: Choice) -> list[str]:
    """What a customer says, one transaction."""
    with database.write() as connection:
        return choose(connection, choices, LATER, live=True)


def in_force(database: Database) -> list[tuple[str, str, bool]]:
    """Channel, purpose, granted."""
    with database.read() as connection:
        rows = connection.execute(select(CONSENT).order_by(CONSENT.c.channel, CONSENT.c.purpose)).all()
    return [(row.channel, row.purpose, row.granted) for row in rows]


def told(database: Database) -> list[str]:
    """The history."""
    with database.read() as connection:
        kinds = select(EVENT.c.kind).where(EVENT.c.subject == "sms").order_by(EVENT.c.at, EVENT.c.id)
        return list(connection.scalars(kinds))


def test_a_withdrawal_acts_and_is_remembered(database: Database) -> None:
    register(database, program(), "anna")
    assert say(database, YES) == ["created"]
    assert say(database, Choice(1, "sms", False, LATER, "STOP")) == ["changed"]
    assert in_force(database) == [("sms", "marketing", False)]
    assert told(database) == ["consent_given", "consent_withdrawn"]


def test_a_choice_that_arrives_late_does_not_undo_a_later_one(database: Database) -> None:
    register(database, program(), "anna")
    say(database, Choice(1, "sms", False, LATER, "STOP"))
    assert say(database, YES) == ["changed"]
    assert in_force(database) == [("sms", "marketing", False)]
    assert told(database) == ["consent_given", "consent_withdrawn"]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("granted", [(True, False), (False, True)])
def test_of_two_choices_of_one_moment_in_a_file_the_refusal_counts(
    database: Database, granted: tuple[bool, bool], together: bool
) -> None:
    register(database, program(), "anna")
    choices = [replace(YES, granted=it) for it in granted]
    for part in [choices] if together else [[it] for it in choices]:
        with database.write() as connection:
            choose(connection, part, LATER, live=False)
    assert in_force(database) == [("sms", "marketing", False)]
    assert sorted(told(database)) == ["consent_given", "consent_withdrawn"]


def test_a_choice_told_again_changes_nothing(database: Database) -> None:
    register(database, program(), "anna")
    say(database, YES, Choice(1, "sms", False, LATER, "STOP"))
    assert say(database, YES, Choice(1, "sms", False, LATER, "STOP"), YES) == ["unchanged"] * 3
    assert told(database) == ["consent_given", "consent_withdrawn"]


def test_channels_and_purposes_are_chosen_apart(database: Database) -> None:
    register(database, program(), "anna")
    say(
        database,
        YES,
        Choice(1, "email", False, START, "form"),
        Choice(1, "sms", False, START, "form", "survey"),
    )
    assert in_force(database) == [
        ("email", "marketing", False), ("sms", "marketing", True), ("sms", "survey", False),
    ]  # fmt: skip


def test_nothing_said_is_nothing_recorded(database: Database) -> None:
    assert say(database) == []
    assert in_force(database) == []


def test_what_shows_that_it_was_said_is_kept_with_the_choice_and_in_its_history(database: Database) -> None:
    register(database, program(), "anna")
    proof = {"form": "checkout", "ip": "192.0.2.7"}
    say(database, replace(YES, wording="2026-03", proof=proof))
    with database.read() as connection:
        row = connection.execute(select(CONSENT)).one()
        event = connection.execute(select(EVENT).where(EVENT.c.kind == "consent_given")).one()
    assert (row.wording, row.proof) == ("2026-03", proof)
    assert event.data == {
        "purpose": "marketing", "source": "registration form", "wording": "2026-03", "proof": proof,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("{text: We may write.}", "the wording has no version"),
        ("{version: 2026-03}", "there is no wording of this version"),
        ("{version: 1, text: {uk: Можна.}}", "no text in 'en'"),
        ("{purposes: {surveys: {uk: Опитування}}}", "no text in 'en'"),
    ],
)
def test_a_wording_that_proves_nothing_is_refused(written: str, complaint: str) -> None:
    problems: list[Problem] = []
    assert read_program(f"{PROGRAM}consent: {written}\n", problems) is None
    assert [problem.what for problem in problems] == [complaint]
