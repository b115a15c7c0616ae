"""Bonuses are neither made nor lost by goods that come back, whoever's account they are settled in.

Where nothing expires, nothing is forgiven and no level is rewarded, all accounts together hold what was
given, and what receipts earned, less what paid for them: after every step, whoever was merged, shared an
account or left it meanwhile, and by whichever version of the program.
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
from sqlalchemy import Connection, func, select

from core.customers.households import Change, dissolve, join, leave, pass_on
from core.customers.merging import Merge, merge
from core.ledger.adjustments import Adjustment, adjust
from core.ledger.bonuses import Request, grant, redeem
from core.ledger.settlement import settle
from core.ledger.transfers import Transfer, transfer
from core.ledger.writing import ACCOUNT
from core.program import Program
from core.purchases.holds import Basket, Held, cancel, commit, hold
from core.purchases.receipts import RECEIPT, Line, Outcome, Purchase, Recorded, record
from core.purchases.returns import Back, Return, take_back
from core.tiers import review
from tests.conftest import FreshDatabase
from tests.core.books import (
    START,
    Entries,
    check_books,
    check_statistics,
    check_what_operations_came_to,
    read,
    register,
)
from tests.core.budget import Budget
from tests.core.terms import Terms
from tests.core.tills import CONFIRMER

CUSTOMERS = ("anna", "bohdan", "clara", "oksana")
LONG = Terms(lasts=3000, gift_lasts=3000, every_lasts=3000, return_grace=0)
SHOPS = ("main street", "screen", "shelf")
CODE = "SPRING26"
# What of the rules depends on what was bought before, on other rules, and on codes.
RULES = (
    "{rule: spring, give: 40, code: SPRING-26, uses_at_most: 3, per_customer: 1}",
    "{rule: once, give: 5, limit: once, when: {lines: {at_least: 2}}, account: gift}",
    "{rule: twice, multiply: 2, when: {store: shelf}}",
    "{rule: sweet, earn: 7%, goods: {category: sweets}, excludes: [band]}",
)


def _program(terms: Terms, *rules: str) -> Program:
    """Partners, more rules, and nothing given for a level."""
    text = terms.yaml
    [step] = [line for line in text.splitlines() if "rule: step" in line]
    partners = "partners: {Cinema: {stores: screen}, Books: {stores: shelf}}\n"
    return read(text.replace(step, "\n".join(f"    - {rule}" for rule in rules)) + partners)


VERSIONS = [
    _program(it, *RULES)
    for it in (
        LONG,
        replace(LONG, levels=(("bronze", 0, 30), ("silver", 100, 5), ("gold", 200, 10)), every=(2, 9)),
        replace(LONG, gift_goods="sweets", gift_share=100, lines=(1, 60), share=80),
        replace(LONG, measure="points", levels=(("bronze", 0, 10), ("silver", 20, 20), ("gold", 90, 30))),
        replace(LONG, starts=5, extend=2990),
    )
]

people = st.sampled_from(CUSTOMERS)
amounts = st.integers(1, 300) | st.integers(1, 60_000)
lines = st.builds(
    Line,
    st.just("goods"),
    st.sampled_from([1000, 1000, 2000, 3500]),
    amounts | amounts | st.just(0),
    st.sampled_from([None, None, "sweets", "tobacco"]),
)
carts = st.lists(lines, min_size=1, max_size=3).map(tuple).filter(lambda cart: any(it.total for it in cart))
delays = st.sampled_from([0, 0, 0, 2, 9, 29])
lately = st.integers(min_value=1, max_value=5)

BUDGET = Budget(sqlite=16, postgresql=4)


class Ledger(RuleBasedStateMachine):
    """Four customers who may turn out to be one, and the goods that go and come back."""

    fresh: ClassVar[FreshDatabase]

    def __init__(self) -> None:
        super().__init__()
        self.door = type(self).fresh()
        self.database = self.door.__enter__()
        self.now, self.made, self.given = START, 0, 0
        self.program = VERSIONS[0]
        self.bought: list[str] = []
        self.held: list[str] = []
        self.entries: Entries = {}

    def teardown(self) -> None:
        self.door.__exit__(None, None, None)

    @initialize()
    def open(self) -> None:
        register(self.database, self.program, *CUSTOMERS)
        for who in CUSTOMERS[:2]:
            self.bonuses_are_granted(who, 5_000)

    def name(self) -> str:
        self.made += 1
        return f"k{self.made}"

    def ask(self, request: Callable[[Connection], Outcome]) -> bool:
        """Whether it was done."""
        with self.database.write() as connection:
            return isinstance(request(connection), Recorded)

    @rule(days=st.sampled_from([1, 1, 3, 8, 35]))
    def clock_moves(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(version=st.sampled_from(VERSIONS))
    def the_program_changes(self, version: Program) -> None:
        self.program = version

    @rule(
        who=people, cart=carts, late=delays, part=st.sampled_from([0, 0.2, 0.5]), offline=st.booleans(),
        shop=st.sampled_from(SHOPS), codes=st.sampled_from([(), (), (CODE,)]),
    )  # fmt: skip
    def buys(
        self, who: str, cart: tuple[Line, ...], late: int, part: float, offline: bool, shop: str,
        codes: tuple[str, ...],
    ) -> None:  # fmt: skip
        name, now = self.name(), self.now
        at = max(START, now - timedelta(days=late))
        pay = int(sum(it.total for it in cart if it.category != "tobacco") * part)
        mine = Purchase(name, who, at, cart, shop, pay, codes, offline)
        if self.ask(lambda connection: record(connection, self.program, [mine], now, live=True)[0]):
            self.bought.append(name)

    @precondition(lambda self: self.bought)
    @rule(last=lately)
    def a_receipt_comes_back(self, last: int) -> None:
        self._comes_back(self.bought[-last:][0])

    @precondition(lambda self: self.bought)
    @rule(last=lately, line=st.integers(1, 3), units=st.sampled_from([100, 300, 500, 1000]))
    def a_part_comes_back(self, last: int, line: int, units: int) -> None:
        self._comes_back(self.bought[-last:][0], Back(line=line, quantity=units))

    def _comes_back(self, receipt: str, *back: Back) -> None:
        wanted, now = Return(receipt, self.now, back, self.name()), self.now
        self.ask(lambda connection: take_back(connection, self.program, wanted, now, live=True))

    @rule(who=people, points=amounts)
    def bonuses_are_granted(self, who: str, points: int) -> None:
        request, now = Request(self.name(), who, points, self.now), self.now
        if self.ask(lambda connection: grant(connection, self.program, request, now, live=True)):
            self.given += points

    @rule(who=people, points=st.integers(1, 3_000))
    def bonuses_are_spent(self, who: str, points: int) -> None:
        request, now = Request(self.name(), who, points, self.now), self.now
        if self.ask(lambda connection: redeem(connection, self.program, request, now, live=True)):
            self.given -= points

    @rule(who=people, points=st.integers(-9_000, 9_000), account=st.sampled_from([None, "gift"]))
    def somebody_adjusts(self, who: str, points: int, account: str | None) -> None:
        request = Adjustment(self.name(), who, points, "maria", "goodwill", account, owing=True)
        now = self.now
        if self.ask(lambda connection: adjust(connection, self.program, request, now, live=True)):
            self.given += points

    @rule(giver=people, taker=people, points=st.integers(1, 3_000))
    def bonuses_are_transferred(self, giver: str, taker: str, points: int) -> None:
        request, now = Transfer(self.name(), giver, taker, points), self.now
        self.ask(lambda connection: transfer(connection, self.program, request, now, live=True))

    @rule(who=people, points=st.integers(1, 3_000))
    def bonuses_are_held(self, who: str, points: int) -> None:
        name, now = self.name(), self.now
        basket = Basket(name, who, (Line("goods", 1000, points * 2),), pay_points=points)
        with self.database.write() as connection:
            if isinstance(hold(connection, self.program, basket, now, CONFIRMER), Held):
                self.held.append(name)

    @precondition(lambda self: self.held)
    @rule(paid=st.booleans())
    def a_hold_ends(self, paid: bool) -> None:
        name, now = self.held.pop(), self.now
        if not paid:
            self.ask(lambda connection: cancel(connection, name, now))
        elif self.ask(lambda connection: commit(connection, self.program, name, None, now, CONFIRMER)):
            self.bought.append(name)

    @rule(head=people, member=people, what=st.sampled_from([join, join, leave, pass_on]))
    def a_household_changes(self, head: str, member: str, what: Callable[..., Outcome]) -> None:
        change, now = Change(head, member), self.now
        self.ask(lambda connection: what(connection, self.program, change, now, live=True))

    @rule(head=people)
    def a_household_is_dissolved(self, head: str) -> None:
        now = self.now
        self.ask(lambda connection: dissolve(connection, self.program, head, now, live=True))

    @rule(duplicate=people, survivor=people, really=st.sampled_from([False, True]))
    def duplicates_are_merged(self, duplicate: str, survivor: str, really: bool) -> None:
        request, now = Merge(duplicate, survivor, "maria", "the same phone"), self.now
        if really:
            self.ask(lambda connection: merge(connection, self.program, request, now, live=True))

    @rule()
    def the_night_comes(self) -> None:
        with self.database.write() as connection:
            review(connection, self.program, self.now)

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        with self.database.read() as connection:
            self.entries = check_books(connection, self.entries)
            check_statistics(connection)
            check_what_operations_came_to(connection)
            there = connection.scalar(select(func.sum(ACCOUNT.c.total))) or 0
            moved = func.sum(RECEIPT.c.earned_points - RECEIPT.c.paid_points)
            assert there == self.given + (connection.scalar(select(moved)) or 0)
            found = settle(connection, self.program, START, self.now + timedelta(days=1))
            assert sum(it.closing for it in found.statements) == there
            assert not sum(it.flows["moved"] for it in found.statements)


def test_goods_that_go_and_come_back_make_and_lose_no_bonuses(fresh_database: FreshDatabase) -> None:
    ledger = type("Ledger", (Ledger,), {"fresh": staticmethod(fresh_database)})
    run_state_machine_as_test(ledger, settings=BUDGET.on(fresh_database))
