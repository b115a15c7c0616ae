"""Promise 1: the ledger always adds up, whatever happens to it, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
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

CUSTOMERS = ("anna", "bohdan", "chrystyna")
PROGRAMS = {
    "repay": program(),
    "forgive": program(("debt: repay", "debt: forgive")),
    "slow": program(("starts: at once", "starts: after 3 days"), ("lasts: 180 days", "lasts: 5 days")),
}

people = st.sampled_from(CUSTOMERS)
amounts = st.integers(min_value=1, max_value=60_000)
moves = st.sampled_from([timedelta(0), timedelta(hours=7), timedelta(days=2), timedelta(days=40)])


class Ledger(RuleBasedStateMachine):
    """One program, three customers, and whatever can happen between them."""

    fresh: ClassVar[FreshDatabase]
    purchases = Bundle("purchases")
    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.door = type(self).fresh()
        self.database = self.door.__enter__()
        self.now = START
        self.made = 0
        self.program: Program = PROGRAMS["repay"]

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

    @rule(target=purchases, who=people, lines=st.lists(amounts, min_size=1, max_size=3),
          share=st.integers(0, 2), late=st.sampled_from([0, 0, 0, 3]))  # fmt: skip
    def buys(self, who: str, lines: list[int], share: int, late: int) -> object:
        at: datetime = self.now - timedelta(days=late)
        pay = min(sum(lines) // 2, self.available(who) * share // 2) if not late else 0
        bought = purchase(self.name(), who, at, *lines, pay=pay)
        first = self.record(bought)
        assert isinstance(first, Recorded), first
        assert self.record(bought) == Recorded(first.answer, repeated=True)
        return bought

    @rule(bought=purchases)
    def the_same_receipt_again_is_no_new_one(self, bought: Purchase) -> None:
        assert isinstance(again := self.record(bought), Recorded)
        assert again.repeated

    @rule(bought=purchases)
    def another_receipt_under_the_same_number_is_refused(self, bought: Purchase) -> None:
        other = self.record(replace(bought, lines=bought.lines * 2))
        assert isinstance(other, Refusal)
        assert other.reason == "conflict"

    @rule(bought=purchases)
    def the_whole_receipt_comes_back(self, bought: Purchase) -> None:
        with self.database.write() as connection:
            first = take_back(connection, self.program, bought.external_id, self.now, self.now, live=True)
        with self.database.write() as connection:
            again = take_back(connection, self.program, bought.external_id, self.now, self.now, live=True)
        assert isinstance(first, Recorded)
        assert again == Recorded(first.answer, repeated=True)

    @rule(target=requests, who=people, points=amounts, spend=st.booleans())
    def bonuses_are_granted_or_spent(self, who: str, points: int, spend: bool) -> object:
        available = self.available(who)
        request = Request(self.name(), who, points, self.now)
        outcome = self.bonuses(spend, request)
        if spend and points > available:
            assert isinstance(outcome, Refusal)
            assert outcome.reason == "insufficient_balance"
            return multiple()
        assert isinstance(outcome, Recorded)
        if spend:
            assert self.available(who) == available - points
        return spend, request

    @rule(made=requests)
    def a_request_again_is_the_same_operation(self, made: tuple[bool, Request]) -> None:
        spend, request = made
        assert isinstance(again := self.bonuses(spend, request), Recorded)
        assert again.repeated
        other = self.bonuses(spend, replace(request, points=request.points + 1))
        assert isinstance(other, Refusal)
        assert other.reason == "conflict"

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


def test_the_ledger_adds_up_after_any_sequence_of_operations(fresh_database: FreshDatabase) -> None:
    chosen = settings(
        max_examples=40, stateful_step_count=25, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    ledger = type("Ledger", (Ledger,), {"fresh": staticmethod(fresh_database)})
    run_state_machine_as_test(ledger, settings=chosen)
