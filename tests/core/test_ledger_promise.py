"""Promise 1 with people who change: they are merged, share an account, leave it, are given and taken from by
hand, are erased, and their late receipts and returns still come. The ledger adds up after every step.

That what it comes to is right is shown by tests/core/test_ledger_model.py.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection

from core.customers.erasure import Erasure, erase
from core.customers.households import Change, join, leave, pass_on
from core.customers.merging import Merge, merge
from core.ledger.adjustments import Adjustment, adjust
from core.ledger.bonuses import Request, grant, redeem
from core.ledger.expiry import expire
from core.ledger.transfers import Transfer, transfer
from core.purchases.holds import Basket, Held, cancel, commit, hold
from core.purchases.receipts import Outcome, Recorded, record
from core.purchases.returns import Back, Return, take_back
from core.tiers import review
from tests.conftest import FreshDatabase
from tests.core.books import (
    ADDRESSES,
    START,
    Entries,
    check_books,
    check_statistics,
    check_what_operations_came_to,
    purchase,
    read,
    register,
)
from tests.core.budget import Budget
from tests.core.terms import Terms
from tests.core.tills import CONFIRMER

CUSTOMERS = ("anna", "bohdan", "oksana")
TERMS = {
    "repay": Terms(),
    "forgive": Terms(debt="forgive"),
    "slow": Terms(starts=4, lasts=9, extend=12),
}
people = st.sampled_from(CUSTOMERS)
amounts = st.integers(1, 60_000)
delays = st.sampled_from([0, 0, 2, 9, 29])
lately = st.integers(min_value=1, max_value=4)

BUDGET = Budget(sqlite=30, postgresql=8)


class Ledger(RuleBasedStateMachine):
    """One program, three customers, and whatever can happen to them."""

    fresh: ClassVar[FreshDatabase]

    def __init__(self) -> None:
        super().__init__()
        self.door = type(self).fresh()
        self.database = self.door.__enter__()
        self.now, self.made = START, 0
        self.bought: list[str] = []
        self.held: list[str] = []
        self.entries: Entries = {}

    def teardown(self) -> None:
        self.door.__exit__(None, None, None)

    @initialize(name=st.sampled_from(sorted(TERMS)))
    def open(self, name: str) -> None:
        self.program = read(TERMS[name].yaml)
        register(self.database, self.program, *CUSTOMERS)
        for who in CUSTOMERS:
            self.buys(who, 30_000, 0, 0, True)
            self.bonuses_are_granted(who, 4_000)

    def name(self) -> str:
        self.made += 1
        return f"k{self.made}"

    def ask(self, request: Callable[[Connection], Outcome]) -> Outcome:
        """A request, and the same again: it changes nothing, and is answered as before or refused."""
        with self.database.write() as connection:
            answer = request(connection)
        self.the_books_add_up()
        with self.database.write() as connection:
            again = request(connection)
        if isinstance(answer, Recorded) and isinstance(again, Recorded):
            assert again.repeated
        return answer

    @rule(days=st.sampled_from([1, 1, 3, 8, 35]))
    def clock_moves(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(who=people, amount=amounts, late=delays, part=st.sampled_from([0, 0.3, 0.5]), offline=st.booleans())
    def buys(self, who: str, amount: int, late: int, part: float, offline: bool) -> None:
        name, now = self.name(), self.now
        bought = purchase(
            name, who, max(START, now - timedelta(days=late)), amount, 500, pay=int(amount * part)
        )
        mine = replace(bought, offline=offline)
        outcome = self.ask(lambda connection: record(connection, self.program, [mine], now, live=True)[0])
        if isinstance(outcome, Recorded):
            self.bought.append(name)
        else:
            assert outcome.reason in ("insufficient_balance", "unknown_customer")

    @precondition(lambda self: self.bought)
    @rule(last=lately, units=st.sampled_from([None, 300, 1000]))
    def goods_come_back(self, last: int, units: int | None) -> None:
        back = (Back(line=1, quantity=units),) if units else ()
        wanted, now = Return(self.bought[-last:][0], self.now, back, self.name()), self.now
        self.ask(lambda connection: take_back(connection, self.program, wanted, now, live=True))

    @rule(who=people, points=amounts)
    def bonuses_are_granted(self, who: str, points: int) -> None:
        request, now = Request(self.name(), who, points, self.now), self.now
        self.ask(lambda connection: grant(connection, self.program, request, now, live=True))

    @rule(who=people, points=st.integers(1, 3_000))
    def bonuses_are_spent(self, who: str, points: int) -> None:
        request, now = Request(self.name(), who, points, self.now), self.now
        self.ask(lambda connection: redeem(connection, self.program, request, now, live=True))

    @rule(who=people, points=st.integers(-9_000, 9_000), owing=st.booleans())
    def somebody_adjusts(self, who: str, points: int, owing: bool) -> None:
        request = Adjustment(self.name(), who, points, "maria", "goodwill", owing=owing)
        now = self.now
        self.ask(lambda connection: adjust(connection, self.program, request, now, live=True))

    @rule(giver=people, taker=people, points=st.integers(1, 3_000))
    def bonuses_are_transferred(self, giver: str, taker: str, points: int) -> None:
        request, now = Transfer(self.name(), giver, taker, points), self.now
        self.ask(lambda connection: transfer(connection, self.program, request, now, live=True))

    @rule(who=people, points=st.integers(1, 3_000))
    def bonuses_are_held(self, who: str, points: int) -> None:
        name, now = self.name(), self.now
        basket = Basket(name, who, purchase(name, who, now, points * 2).lines, pay_points=points)
        with self.database.write() as connection:
            if isinstance(hold(connection, self.program, basket, now, CONFIRMER), Held):
                self.held.append(name)

    @precondition(lambda self: self.held)
    @rule(paid=st.booleans())
    def a_hold_ends(self, paid: bool) -> None:
        name, now = self.held.pop(), self.now
        if paid:
            self.ask(lambda connection: commit(connection, self.program, name, None, now, CONFIRMER))
        else:
            self.ask(lambda connection: cancel(connection, name, now))

    @rule(head=people, member=people, what=st.sampled_from([join, join, leave, pass_on]))
    def a_household_changes(self, head: str, member: str, what: Callable[..., Outcome]) -> None:
        change, now = Change(head, member), self.now
        self.ask(lambda connection: what(connection, self.program, change, now, live=True))

    @rule(duplicate=people, survivor=people)
    def duplicates_are_merged(self, duplicate: str, survivor: str) -> None:
        request, now = Merge(duplicate, survivor, "maria", "the same phone"), self.now
        self.ask(lambda connection: merge(connection, self.program, request, now, live=True))

    @rule(who=people, kept=st.booleans(), really=st.sampled_from([False] * 4 + [True]))
    def somebody_is_forgotten(self, who: str, kept: bool, really: bool) -> None:
        if not really:
            return
        request, now = Erasure(who, ADDRESSES, {}, "maria", keep_bonuses=kept), self.now
        self.ask(lambda connection: erase(connection, self.program, request, now))

    @rule()
    def the_night_comes(self) -> None:
        expire(self.database, self.program, self.now)
        assert expire(self.database, self.program, self.now) == 0
        with self.database.write() as connection:
            review(connection, self.program, self.now)

    @invariant()
    def the_books_add_up(self) -> None:
        with self.database.read() as connection:
            self.entries = check_books(connection, self.entries)
            check_statistics(connection)
            check_what_operations_came_to(connection)


def test_the_ledger_adds_up_whoever_people_turn_out_to_be(fresh_database: FreshDatabase) -> None:
    ledger = type("Ledger", (Ledger,), {"fresh": staticmethod(fresh_database)})
    run_state_machine_as_test(ledger, settings=BUDGET.on(fresh_database))
