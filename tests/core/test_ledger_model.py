"""Promise 1 against a reference model: whatever happens, in whatever order it is told, the ledger comes out
as if the facts had been folded in the order of their own time (tests/core/reference.py).

How many sequences a run takes is said in tests/core/budget.py.
"""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from core.ledger.bonuses import Request, grant, redeem
from core.ledger.lots import Refusal
from core.ledger.transfers import Transfer, transfer
from core.purchases.holds import Basket, Held, cancel, commit, hold
from core.purchases.receipts import Line, Outcome, Purchase, Recorded, record
from core.purchases.returns import Back, Return
from tests.conftest import FreshDatabase
from tests.core.books import START, Kept, check_books, check_statistics, kept_by_the_books, read, register
from tests.core.budget import Budget
from tests.core.machine import Ask, Machine
from tests.core.reference import Goods, Receipt, Reference
from tests.core.terms import Terms
from tests.core.tills import CONFIRMER

CUSTOMERS = ("anna", "bohdan")
TERMS = {
    "repay": Terms(),
    "forgive": Terms(debt="forgive"),
    "slow": Terms(starts=3, lasts=9),
    "extended": Terms(lasts=10, extend=8, gift_lasts=20),
    "cheap": Terms(worth=Fraction(1, 2), return_grace=0),
    "points": Terms(measure="points", levels=(("bronze", 0, 10), ("silver", 20, 20), ("gold", 90, 30))),
    "purchases": Terms(measure="purchases", levels=(("bronze", 0, 10), ("silver", 3, 15), ("gold", 5, 25))),
}

# Much happens to one, so that it meets.
people = st.sampled_from(("anna", "anna", "anna", "bohdan"))
totals = st.integers(1, 300) | st.integers(1, 60_000)
lines = st.builds(
    # What costs nothing is a bag, or a gift.
    Goods,
    st.sampled_from([1000, 1000, 2000, 3500]),
    totals | totals | st.just(0),
    st.sampled_from([False] * 5 + [True]),
)
carts = st.lists(lines, min_size=1, max_size=4).map(tuple).filter(lambda it: any(part.total for part in it))
# Which of what happened before: the last, the last but one, …
lately = st.integers(min_value=1, max_value=5)
moves = st.sampled_from([*(timedelta(days=n) for n in (1, 2, 2, 4, 7, 7, 38)), timedelta(hours=7)])
# How long a receipt was on its way; the program takes none older than thirty days.
delays = st.sampled_from([timedelta(hours=3), timedelta(days=1), timedelta(days=5), timedelta(days=29)])

BUDGET = Budget(sqlite=40, postgresql=8)


class Ledger(Machine):
    """One program, two customers, and whatever can happen between them."""

    def __init__(self) -> None:
        super().__init__()
        self.receipts: list[tuple[str, Receipt]] = []
        self.asked: list[tuple[Ask, Recorded]] = []
        self.looked = False

    @initialize(name=st.sampled_from(sorted(TERMS)), first=st.lists(st.tuples(people, carts), max_size=3))
    def open(self, name: str, first: list[tuple[str, tuple[Goods, ...]]]) -> None:
        self.terms = TERMS[name]
        self.program, self.model = read(self.terms.yaml), Reference(self.terms)
        register(self.database, self.program, *CUSTOMERS)
        for who, cart in first:
            self.bonuses_are_granted(who, 5_000)
            self.buys(who, cart, 0)
            self.clock_moves(timedelta(days=3))

    def ask(self, request: Ask) -> Outcome:
        """Any request, which may be asked again."""
        answer = super().ask(request)
        if isinstance(answer, Recorded):
            self.asked.append((request, answer))
        self.looked = False
        return answer

    def has_bonuses(self) -> bool:
        """There is something to spend."""
        return any(self.model.available(who, self.now) for who in CUSTOMERS)

    # --- what can happen

    @rule(by=moves)
    def clock_moves(self, by: timedelta) -> None:
        super().clock_moves(by)
        self.looked = False

    @rule(who=people, cart=carts, share=st.sampled_from([0, 0.3, 1]))
    def buys(self, who: str, cart: tuple[Goods, ...], share: float) -> None:
        self._buys(who, cart, share, timedelta(0), offline=False)

    @rule(who=people, cart=carts, share=st.sampled_from([0, 0.5, 1]), late=delays)
    def a_receipt_comes_late(self, who: str, cart: tuple[Goods, ...], share: float, late: timedelta) -> None:
        self._buys(who, cart, share, late, offline=False)

    @rule(who=people, cart=carts, share=st.sampled_from([0.5, 1]), late=delays)
    def an_offline_till_is_heard(
        self, who: str, cart: tuple[Goods, ...], share: float, late: timedelta
    ) -> None:
        self._buys(who, cart, share, late, offline=True)

    def _buys(
        self, who: str, cart: tuple[Goods, ...], share: float, late: timedelta, *, offline: bool
    ) -> None:
        at = max(START, self.now - late)
        there = self.model.state(who, at).available(at)
        if offline:
            there = 10**6
        elif self.model.held(who, self.now):
            # A hold means to take from certain lots: what else is spent beside it is another story.
            share = 0
        pay = self.model.in_coins(min(self.model.most(cart), there) * share)
        fact, now = Receipt(self.name(), who, at, cart, pay), self.now
        bought = Purchase(fact.name, who, at, _lines(cart), pay_points=pay, offline=offline)
        answer = self.ask(lambda connection: record(connection, self.program, [bought], now, live=True)[0])
        if not self.model.may_be_bought(fact, offline=offline):
            assert _reason(answer) == "insufficient_balance"
            return
        assert isinstance(answer, Recorded), answer
        self.model.add(fact)
        self.receipts.append((fact.name, fact))

    @precondition(lambda self: self.receipts)
    @rule(last=lately, again=st.sampled_from([False] * 5 + [True]))
    def a_whole_receipt_comes_back(self, last: int, again: bool) -> None:
        open_ = [it for it in self.receipts if not it[1].gone]
        name, fact = ((not again and open_) or self.receipts)[-last:][0]
        answer = self.take_back(Return(name, self.now, external_id=self.name()))
        if not any(fact.left):
            assert _reason(answer) == "returned_already"
            return
        assert isinstance(answer, Recorded), answer
        self.model.take_back(fact, fact.left, self.now)

    @precondition(lambda self: any(not fact.gone for _, fact in self.receipts))
    @rule(last=lately, line=st.integers(1, 4), part=st.sampled_from([0.3, 0.5, 1]))
    def a_part_of_a_line_comes_back(self, last: int, line: int, part: float) -> None:
        name, fact = [it for it in self.receipts if not it[1].gone][-last:][0]
        line = min(line, len(fact.goods))
        left = fact.goods[line - 1].quantity - fact.back[line - 1]
        quantity = int(left * part)
        back = (Back(line=line, quantity=quantity),)
        answer = self.take_back(Return(name, self.now, back, self.name()))
        if not quantity:
            assert _reason(answer) == "more_than_bought"
            return
        assert isinstance(answer, Recorded), answer
        self.model.take_back(
            fact, [quantity if n == line - 1 else 0 for n in range(len(fact.goods))], self.now
        )

    @rule(who=people, points=totals)
    def bonuses_are_granted(self, who: str, points: int) -> None:
        request, now = Request(self.name(), who, points, self.now), self.now
        assert isinstance(
            self.ask(lambda connection: grant(connection, self.program, request, now, live=True)), Recorded
        )
        self.model.grant(who, points, self.now)

    @precondition(lambda self: self.has_bonuses())
    @rule(who=people, part=st.sampled_from([0.3, 1, 1, 1.1]))
    def bonuses_are_spent(self, who: str, part: float) -> None:
        available = self.model.available(who, self.now)
        held = self.model.held(who, self.now)
        points = available + 1 if held else int(available * part) + (part > 1)
        request, now = Request(self.name(), who, points, self.now), self.now
        answer = self.ask(lambda connection: redeem(connection, self.program, request, now, live=True))
        if points > available:
            assert _reason(answer) == "insufficient_balance"
        elif points:
            assert isinstance(answer, Recorded), answer
            self.model.take(who, points, self.now)

    @precondition(lambda self: self.has_bonuses())
    @rule(who=people, part=st.sampled_from([0.3, 1]))
    def bonuses_are_given_to_the_other(self, who: str, part: float) -> None:
        held = self.model.held(who, self.now)
        points = 0 if held else int(self.model.available(who, self.now) * part)
        other = next(name for name in CUSTOMERS if name != who)
        request, now = Transfer(self.name(), who, other, points), self.now
        answer = self.ask(lambda connection: transfer(connection, self.program, request, now, live=True))
        if points:
            assert isinstance(answer, Recorded), answer
            self.model.transfer(who, other, points, self.now)

    @precondition(lambda self: self.has_bonuses())
    @rule(who=people, cart=carts, share=st.sampled_from([0.4, 1]))
    def bonuses_are_held(self, who: str, cart: tuple[Goods, ...], share: float) -> None:
        if self.model.held(who, self.now):
            return
        pay = self.model.in_coins(min(self.model.most(cart), self.model.available(who, self.now)) * share)
        fact, now = Receipt(self.name(), who, self.now, cart, pay), self.now
        basket = Basket(fact.name, who, _lines(cart), pay_points=pay)
        with self.database.write() as connection:
            answer = hold(connection, self.program, basket, now, CONFIRMER)
        if isinstance(answer, Held):
            self.model.holds[fact.name] = (fact, now + timedelta(days=self.terms.hold_for))
        else:
            # One account alone may not pay for so much.
            assert answer.reason == "insufficient_balance"

    @precondition(lambda self: self.model.holds)
    @rule(committed=st.sampled_from([True, True, False]))
    def a_hold_ends(self, committed: bool) -> None:
        name, now = next(iter(self.model.holds)), self.now
        fact, until = self.model.holds[name]
        if not committed:
            assert isinstance(self.ask(lambda connection: cancel(connection, name, now)), Recorded)
            del self.model.holds[name]
            return
        program = self.program
        answer = self.ask(lambda connection: commit(connection, program, name, None, now, CONFIRMER))
        # Goods that came back, or an offline till, may have taken what was set aside: it was promised.
        if now < until:
            assert isinstance(answer, Recorded), answer
        if isinstance(answer, Recorded):
            del self.model.holds[name]
            self.model.add(fact)
            self.receipts.append((name, fact))

    @rule()
    def the_night_comes(self) -> None:
        self.review()
        self.looked = True

    @precondition(lambda self: self.asked)
    @rule(last=lately)
    def a_request_again_changes_nothing(self, last: int) -> None:
        request, answer = self.asked[-last:][0]
        with self.database.write() as connection:
            assert request(connection) == replace(answer, repeated=True)

    # --- what must hold

    @invariant()
    def the_books_add_up(self) -> None:
        with self.database.read() as connection:
            self.entries = check_books(connection, self.entries)
            check_statistics(connection)
            kept = {who: kept_by_the_books(connection, self.program, who, self.now) for who in CUSTOMERS}
        for who in CUSTOMERS:
            self.same(who, kept[who])

    def same(self, who: str, kept: Kept) -> None:
        """The books say what the model says."""
        state, now = self.model.state(who), self.now
        receipts = {name: (came.money, came.paid, came.lines) for name, came in state.came.items()}
        assert kept.receipts == receipts
        assert kept.by_rule == {name: came.by_rule for name, came in state.came.items() if came.by_rule}
        assert (kept.living, kept.debt) == (state.living(now), state.debt)
        assert kept.available == self.model.available(who, now)
        if self.looked:
            self.model.fall(state, now)
            assert (kept.tier, kept.total) == (state.tier or "bronze", state.total(now))


def _lines(cart: tuple[Goods, ...]) -> tuple[Line, ...]:
    return tuple(
        Line("goods", it.quantity, it.total, category="tobacco" if it.tobacco else None) for it in cart
    )


def _reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason


def test_the_ledger_is_a_fold_of_the_facts_in_the_order_of_their_own_time(
    fresh_database: FreshDatabase,
) -> None:
    Ledger.run(fresh_database, BUDGET)
