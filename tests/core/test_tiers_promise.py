"""Levels follow from purchases, invitations and the program alone, whoever looks when and comes late."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.program import Program
from tests.conftest import FreshDatabase
from tests.core.climbing import Fact, Oracle, Till, club, kyiv

START = kyiv("2024-01-20 00:00")
LEVELS = "{name: a, from: 0}, {name: b, from: 10}, {name: c, from: 25}"
BY_COUNT = "{name: a, from: 0}, {name: b, from: 2}, {name: c, from: 4}"
PROGRAMS = {
    "rolling": club("over: 40 days, grace: 7 days", LEVELS),
    "rolling without grace": club("over: 20 days", LEVELS),
    "points": club("measure: points, over: 30 days, grace: 3 days", LEVELS),
    "purchases": club("measure: purchases, over: 30 days", BY_COUNT),
    "months": club("over: calendar month", LEVELS),
    "months with grace": club("over: calendar month, grace: 10 days", LEVELS),
    "months with a longer grace": club("over: calendar month, grace: 45 days", LEVELS),
    "quarters": club("measure: points, over: calendar quarter, grace: 5 days", LEVELS),
    "years": club("measure: purchases, over: calendar year, grace: 31 days", BY_COUNT),
    "a closed club": club("measure: invitation, over: 30 days", "{name: a}, {name: b}, {name: c}"),
}
MINUTE = timedelta(minutes=1)
# Many of them at midnight, some at one moment; clocks change on 31 March and 27 October 2024.
TIMES = st.builds(
    lambda day, hour: START + timedelta(days=day, hours=hour),
    st.integers(0, 400),
    st.sampled_from([0, 0, 1, 9, 22, 23]),
)
BOUGHT = st.tuples(
    st.just("buy"), TIMES, st.integers(0, 14), st.one_of(st.just(0), st.integers(0, 60))
)  # with how many days it comes late
INVITED = st.tuples(st.just("invite"), TIMES, st.sampled_from([None, "a", "b", "c"]), st.just(0))
LOOKED = st.tuples(st.just("look"), TIMES, st.just(0), st.just(0))


@pytest.mark.parametrize("name", PROGRAMS)
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(acts=st.lists(st.one_of(BOUGHT, BOUGHT, BOUGHT, LOOKED, INVITED), max_size=14))
def test_levels_do_not_depend_on_who_looks_when(
    fresh_database: FreshDatabase, name: str, acts: list[tuple[str, datetime, object, int]]
) -> None:
    program = PROGRAMS[name]
    end = START + timedelta(days=480)
    with fresh_database() as database:
        till = Till(database, program, "2024-01-20 00:00")
        told = enumerate(sorted(acts, key=_recorded))
        facts = [fact for number, act in told if (fact := _does(till, program, act, number))]
        till.looks(end)
        moves = Oracle(program, facts, end).run(START)
        assert till.moves() == [
            (f"{move.at.astimezone(program.zone):%Y-%m-%d %H:%M}", move.previous, move.tier) for move in moves
        ]
        assert till.tier() == (moves[-1].tier if moves else program.tier_names[0])


def _recorded(act: tuple[str, datetime, object, int]) -> tuple[datetime, str]:
    return act[1] + timedelta(days=act[3]), act[0]


def _does(till: Till, program: Program, act: tuple[str, datetime, object, int], number: int) -> Fact | None:
    kind, at, value, _ = act
    if kind == "look":
        till.looks(at + 2 * MINUTE)
        return None
    if kind == "invite":
        assert value is None or isinstance(value, str)
        till.invites(value, at + MINUTE)
        return Fact(at + MINUTE, number, invites=True, level=value)
    assert isinstance(value, int)
    till.buys(at, value, points=value)
    amounts = {"spend": program.to_money(value), "points": value, "purchases": 1, "invitation": 0}
    return Fact(at, number, amounts[program.tiers.measure])
