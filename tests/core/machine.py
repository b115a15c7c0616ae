"""What the state machines of the ledger share: a database of their own, a clock, and what people do who may
share an account, or turn out to be one.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection

from core.customers.households import Change, dissolve, join, leave, pass_on
from core.customers.merging import Merge, merge
from core.ledger.adjustments import Adjustment, adjust
from core.ledger.bonuses import Request, grant, redeem
from core.ledger.expiry import expire
from core.ledger.transfers import Transfer, transfer
from core.program import Program
from core.purchases.holds import Basket, Held, cancel, commit, hold
from core.purchases.receipts import Line, Outcome, Purchase, Recorded, record
from core.purchases.returns import Back, Return, take_back
from core.tiers import review
from tests.conftest import FreshDatabase
from tests.core.books import START, Entries, check_books, check_statistics, check_what_operations_came_to
from tests.core.budget import Budget
from tests.core.movements import check_movement
from tests.core.tills import CONFIRMER

Ask = Callable[[Connection], Outcome]
# What becomes of a household.
Way = Callable[..., Outcome]

# Much happens to one, so that it meets.
CUSTOMERS = ("anna", "bohdan", "clara", "oksana")
people = st.sampled_from(("anna", "anna", "bohdan", "bohdan", "bohdan", "clara", "oksana"))
# Seldom somebody and themselves.
_two = st.tuples(people, people)
pairs = _two.filter(lambda pair: pair[0] != pair[1]) | _two
ends = st.sampled_from([leave, leave, pass_on])
amounts = st.integers(1, 300) | st.integers(1, 60_000)
# Which of what happened before: the last, the last but one, …
lately = st.integers(min_value=1, max_value=4)


class Machine(RuleBasedStateMachine):
    """An empty database, names that nothing has yet, and a clock that goes on."""

    fresh: ClassVar[FreshDatabase]
    program: Program

    def __init__(self) -> None:
        super().__init__()
        self.door = type(self).fresh()
        self.database = self.door.__enter__()
        self.now, self.made = START, 0
        self.entries: Entries = {}

    def teardown(self) -> None:
        try:
            self.check_movement()
        finally:
            self.door.__exit__(None, None, None)

    def check_movement(self) -> None:
        """Of any part of what happened, by the program that there is now."""
        end = self.now + timedelta(days=1)
        with self.database.read() as connection:
            check_movement(connection, self.program, START, end)
            check_movement(connection, self.program, START + (end - START) / 3, START + (end - START) / 2)

    @classmethod
    def run(cls, fresh: FreshDatabase, budget: Budget) -> None:
        """Search for a sequence after which something does not hold."""
        there = type(cls.__name__, (cls,), {"fresh": staticmethod(fresh)})
        run_state_machine_as_test(there, settings=budget.on(fresh))

    def name(self) -> str:
        """Another one each time."""
        self.made += 1
        return f"k{self.made}"

    def ask(self, request: Ask) -> Outcome:
        """Any request, in a transaction of its own."""
        with self.database.write() as connection:
            return request(connection)

    @rule(by=st.sampled_from([timedelta(days=days) for days in (1, 1, 3, 8, 35)]))
    def clock_moves(self, by: timedelta) -> None:
        self.now += by

    def take_back(self, wanted: Return) -> Outcome:
        now = self.now
        return self.ask(lambda connection: take_back(connection, self.program, wanted, now, live=True))

    def review(self) -> None:
        """What the night does: nothing more is to do at once after it."""
        expire(self.database, self.program, self.now)
        assert expire(self.database, self.program, self.now) == 0
        with self.database.write() as connection:
            review(connection, self.program, self.now)


class People(Machine):
    """Bonuses by hand, holds, transfers, households and duplicates, of whoever `people` are."""

    def __init__(self) -> None:
        super().__init__()
        # What was given by hand, less what was taken by hand.
        self.given = 0
        # Who has bought what, and who has it set aside, by the receipt.
        self.bought: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.joined: list[Change] = []

    def done(self, request: Ask) -> bool:
        """Whether it was not refused."""
        return isinstance(self.ask(request), Recorded)

    def record(self, bought: Purchase) -> Outcome:
        """A receipt, which may come back later if it was taken."""
        now = self.now
        outcome = self.ask(lambda connection: record(connection, self.program, [bought], now, live=True)[0])
        if isinstance(outcome, Recorded):
            self.bought[bought.external_id] = bought.customer
        return outcome

    def lately(self, last: int) -> str:
        """One of the last receipts."""
        return list(self.bought)[-last:][0]

    def bring(self, receipt: str, *back: Back) -> Outcome:
        """Goods come back; all that is left of the receipt, if nothing else is said."""
        return self.take_back(Return(receipt, self.now, back, self.name()))

    @rule(who=people, points=amounts)
    def bonuses_are_granted(self, who: str, points: int) -> None:
        request, now = Request(self.name(), who, points, self.now), self.now
        if self.done(lambda connection: grant(connection, self.program, request, now, live=True)):
            self.given += points

    @rule(who=people, points=st.integers(1, 3_000))
    def bonuses_are_spent(self, who: str, points: int) -> None:
        request, now = Request(self.name(), who, points, self.now), self.now
        if self.done(lambda connection: redeem(connection, self.program, request, now, live=True)):
            self.given -= points

    @rule(
        who=people, points=st.integers(-9_000, 9_000), account=st.sampled_from([None, "gift"]),
        owing=st.booleans(),
    )  # fmt: skip
    def somebody_adjusts(self, who: str, points: int, account: str | None, owing: bool) -> None:
        request = Adjustment(self.name(), who, points, "maria", "goodwill", account, owing=owing)
        now = self.now
        if self.done(lambda connection: adjust(connection, self.program, request, now, live=True)):
            self.given += points

    @rule(pair=pairs, points=st.integers(1, 3_000))
    def bonuses_are_transferred(self, pair: tuple[str, str], points: int) -> None:
        request, now = Transfer(self.name(), *pair, points), self.now
        self.ask(lambda connection: transfer(connection, self.program, request, now, live=True))

    @rule(who=people, points=st.integers(1, 3_000))
    def bonuses_are_held(self, who: str, points: int) -> None:
        name, now = self.name(), self.now
        basket = Basket(name, who, (Line("goods", 1000, points * 2),), pay_points=points)
        with self.database.write() as connection:
            if isinstance(hold(connection, self.program, basket, now, CONFIRMER), Held):
                self.held[name] = who

    @precondition(lambda self: self.held)
    @rule(paid=st.booleans())
    def a_hold_ends(self, paid: bool) -> None:
        (name, who), now = self.held.popitem(), self.now
        if not paid:
            self.ask(lambda connection: cancel(connection, name, now))
        elif self.done(lambda connection: commit(connection, self.program, name, None, now, CONFIRMER)):
            self.bought[name] = who

    @rule(pair=pairs, what=st.sampled_from([join, join, leave, pass_on]))
    def a_household_changes(self, pair: tuple[str, str], what: Way) -> None:
        if self.change(what, Change(*pair)) and what is join:
            self.joined.append(Change(*pair))

    def change(self, what: Way, change: Change) -> bool:
        """Whether a household has changed so."""
        now = self.now
        return self.done(lambda connection: what(connection, self.program, change, now, live=True))

    @precondition(lambda self: self.joined)
    @rule(
        what=st.sampled_from([leave, leave, leave, pass_on]),
        all_of_them=st.sampled_from([False, False, True]),
    )
    def a_household_ends(self, what: Way, all_of_them: bool) -> None:
        change, now = self.joined.pop(), self.now
        if all_of_them:
            self.ask(lambda connection: dissolve(connection, self.program, change.head, now, live=True))
        else:
            self.change(what, change)

    @rule(pair=pairs)
    def duplicates_are_merged(self, pair: tuple[str, str]) -> None:
        request, now = Merge(*pair, "maria", "the same phone"), self.now
        self.ask(lambda connection: merge(connection, self.program, request, now, live=True))

    @rule()
    def the_night_comes(self) -> None:
        self.review()

    def check_everything_kept(self) -> None:
        """The books, the statistics, and what each operation came to in the end."""
        with self.database.read() as connection:
            self.entries = check_books(connection, self.entries)
            check_statistics(connection)
            check_what_operations_came_to(connection)
