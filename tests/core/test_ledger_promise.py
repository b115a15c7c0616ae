"""Promise 1: the ledger always adds up, whatever happens to it, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from core.bonuses import Request, grant, redeem
from core.expiry import expire
from core.ledger import ENTRY, OPERATION, Refusal
from core.program import Program
from core.receipts import Outcome, Purchase, Recorded, record
from core.returns import take_back
from core.tiers import review
from tests.conftest import FreshDatabase
from tests.core.books import START, check_books, check_statistics, program, purchase, register

CUSTOMERS = ("anna", "bohdan")
PROGRAMS = {
    "repay": program(),
    "forgive": program(("debt: repay", "debt: forgive")),
    "slow": program(("starts: at once", "starts: after 3 days"), ("lasts: 180 days", "lasts: 5 days")),
}

people = st.sampled_from(CUSTOMERS)
amounts = st.integers(1, 400) | st.integers(1, 60_000)
# Which of what happened before: the last, the last but one, …
lately = st.integers(min_value=1, max_value=6)
moves = st.sampled_from([timedelta(0), timedelta(hours=7), timedelta(days=2), timedelta(days=40)])


class Ledger(RuleBasedStateMachine):
    """One program, three customers, and whatever can happen between them."""

    fresh: ClassVar[FreshDatabase]

    def __init__(self) -> None:
        super().__init__()
        self.door = type(self).fresh()
        self.database = self.door.__enter__()
        self.now = START
        self.made = 0
        self.program: Program = PROGRAMS["repay"]
        self.bought: list[Purchase] = []
        self.kept: list[Purchase] = []
        self.asked: list[tuple[bool, Request]] = []

    def teardown(self) -> None:
        self.door.__exit__(None, None, None)

    @initialize(name=st.sampled_from(sorted(PROGRAMS)))
    def open(self, name: str) -> None:
        self.program = PROGRAMS[name]
        register(self.database, self.program, *CUSTOMERS, live=True)

    def name(self) -> str:
        self.made += 1
        return f"k{self.made}"

    def record(self, bought: Purchase) -> Outcome:
        with self.database.write() as connection:
            return record(connection, self.program, [bought], self.now, live=True)[0]

    def bonuses(self, spend: bool, request: Request) -> Outcome:
        with self.database.write() as connection:
            act = redeem if spend else grant
            return act(connection, self.program, request, self.now, live=True)

    def available(self, customer: str) -> int:
        """What a probe of the till would be told may be spent."""
        probe = self.bonuses(True, Request("probe", customer, 10**12, self.now))
        assert isinstance(probe, Refusal)
        return int(probe.detail.split(" asked, ")[1].split(" ")[0])

    @rule(by=moves)
    def clock_moves(self, by: timedelta) -> None:
        self.now += by

    @rule(who=people, lines=st.lists(amounts, min_size=1, max_size=3),
          share=st.integers(0, 2), late=st.sampled_from([0, 0, 0, 3]))  # fmt: skip
    def buys(self, who: str, lines: list[int], share: int, late: int) -> None:
        at: datetime = self.now - timedelta(days=late)
        pay = min(sum(lines) // 2, self.available(who) * share // 2) if not late else 0
        bought = purchase(self.name(), who, at, *lines, pay=pay)
        first = self.record(bought)
        assert isinstance(first, Recorded), first
        assert self.record(bought) == Recorded(first.answer, repeated=True)
        self.bought.append(bought)
        self.kept.append(bought)

    @precondition(lambda self: self.kept)
    @rule(last=lately, spent=st.sampled_from([0, 0.5, 1]))
    def a_whole_receipt_comes_back(self, last: int, spent: float) -> None:
        """Often after a part of what it earned, or all, was spent."""
        bought = self.kept[-last:][0]
        self.kept.remove(bought)
        points = int(self.available(bought.customer) * spent)
        self.bonuses(True, Request(self.name(), bought.customer, points, self.now))
        first, again = self.returned(bought), self.returned(bought)
        assert isinstance(first, Recorded)
        assert again == Recorded(first.answer, repeated=True)

    def returned(self, bought: Purchase) -> Outcome:
        with self.database.write() as connection:
            return take_back(connection, self.program, bought.external_id, self.now, self.now, live=True)

    @precondition(lambda self: self.bought or self.asked)
    @rule(last=lately)
    def anything_again_is_the_same_operation(self, last: int) -> None:
        for bought in self.bought[-last:][:1]:
            assert isinstance(again := self.record(bought), Recorded)
            assert again.repeated
            assert _reason(self.record(replace(bought, lines=bought.lines * 2))) == "conflict"
        for spend, request in self.asked[-last:][:1]:
            assert isinstance(again := self.bonuses(spend, request), Recorded)
            assert again.repeated
            other = replace(request, points=request.points + 1)
            assert _reason(self.bonuses(spend, other)) == "conflict"

    @rule(who=people, points=amounts)
    def bonuses_are_granted(self, who: str, points: int) -> None:
        request = Request(self.name(), who, points, self.now)
        assert isinstance(self.bonuses(False, request), Recorded)
        self.asked.append((False, request))

    @rule(who=people, part=st.sampled_from([0.3, 1, 1]))
    def bonuses_are_spent(self, who: str, part: float) -> None:
        available = self.available(who)
        points = int(available * part)
        request = Request(self.name(), who, points, self.now)
        too_much = self.bonuses(True, replace(request, points=available + 1))
        assert _reason(too_much) == "insufficient_balance"
        if not points:
            return
        assert isinstance(self.bonuses(True, request), Recorded)
        assert self.available(who) == available - points
        self.asked.append((True, request))

    @rule()
    def the_night_comes(self) -> None:
        expire(self.database, self.now)
        assert expire(self.database, self.now) == 0
        with self.database.write() as connection:
            review(connection, self.program, self.now)

    @invariant()
    def the_books_add_up(self) -> None:
        with self.database.read() as connection:
            check_books(connection)
            check_statistics(connection)
            orphans = select(func.count()).select_from(ENTRY.outerjoin(OPERATION))
            assert connection.scalar(orphans.where(OPERATION.c.id.is_(None))) == 0


def _reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason


def test_the_ledger_adds_up_after_any_sequence_of_operations(fresh_database: FreshDatabase) -> None:
    chosen = settings(
        max_examples=70, stateful_step_count=30, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    ledger = type("Ledger", (Ledger,), {"fresh": staticmethod(fresh_database)})
    run_state_machine_as_test(ledger, settings=chosen)
