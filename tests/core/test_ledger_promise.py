"""Promise 1 with people who change: they are merged, share an account, leave it, are given and taken from by
hand, are erased, and their late receipts and returns still come. The ledger adds up after every step.

That what it comes to is right is shown by tests/core/test_ledger_model.py.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from core.customers.erasure import Erasure, erase
from core.purchases.receipts import Outcome, Recorded
from core.purchases.returns import Back
from tests.conftest import FreshDatabase
from tests.core.books import ADDRESSES, START, purchase, read, register
from tests.core.budget import Budget
from tests.core.machine import CUSTOMERS, Ask, People, amounts, lately, people
from tests.core.terms import Terms

TERMS = {
    "repay": Terms(),
    "forgive": Terms(debt="forgive"),
    "slow": Terms(starts=4, lasts=9, extend=12),
}
delays = st.sampled_from([0, 0, 2, 9, 29])

BUDGET = Budget(sqlite=30, postgresql=8)


class Ledger(People):
    """One program, some customers, and whatever can happen to them."""

    @initialize(name=st.sampled_from(sorted(TERMS)))
    def open(self, name: str) -> None:
        self.program = read(TERMS[name].yaml)
        register(self.database, self.program, *CUSTOMERS)
        for who in CUSTOMERS:
            self.buys(who, 30_000, 0, 0, True)
            self.bonuses_are_granted(who, 4_000)

    def ask(self, request: Ask) -> Outcome:
        """A request, and the same again: it changes nothing, and is answered as before or refused."""
        answer = super().ask(request)
        self.the_books_add_up()
        again = super().ask(request)
        if isinstance(answer, Recorded) and isinstance(again, Recorded):
            assert again.repeated
        return answer

    @rule(who=people, amount=amounts, late=delays, part=st.sampled_from([0, 0.3, 0.5]), offline=st.booleans())
    def buys(self, who: str, amount: int, late: int, part: float, offline: bool) -> None:
        at = max(START, self.now - timedelta(days=late))
        bought = purchase(self.name(), who, at, amount, 500, pay=int(amount * part))
        outcome = self.record(replace(bought, offline=offline))
        if not isinstance(outcome, Recorded):
            assert outcome.reason in ("insufficient_balance", "unknown_customer")

    @precondition(lambda self: self.bought)
    @rule(last=lately, units=st.sampled_from([None, 300, 1000]))
    def goods_come_back(self, last: int, units: int | None) -> None:
        self.bring(self.lately(last), *([Back(line=1, quantity=units)] if units else []))

    @rule(who=people, kept=st.booleans(), really=st.sampled_from([False] * 4 + [True]))
    def somebody_is_forgotten(self, who: str, kept: bool, really: bool) -> None:
        if not really:
            return
        request, now = Erasure(who, ADDRESSES, {}, "maria", keep_bonuses=kept), self.now
        self.ask(lambda connection: erase(connection, self.program, request, now))

    @invariant()
    def the_books_add_up(self) -> None:
        self.check_everything_kept()


def test_the_ledger_adds_up_whoever_people_turn_out_to_be(fresh_database: FreshDatabase) -> None:
    Ledger.run(fresh_database, BUDGET)
