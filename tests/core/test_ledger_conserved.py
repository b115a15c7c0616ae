"""Bonuses are neither made nor lost by goods that come back, whoever's account they are settled in.

Where nothing expires, nothing is forgiven and no level is rewarded, all accounts together hold what was
given, and what receipts earned, less what paid for them: after every step, whoever was merged, shared an
account or left it meanwhile, and by whichever version of the program. So goods that come back in parts, some
of them while their buyer was in a household, cost it and the buyer together what they had earned, once; and
the statements of partners close at what there is.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import func, select

from core.customers.households import Change, join
from core.ledger.settlement import settle
from core.ledger.writing import ACCOUNT
from core.program import Program
from core.purchases.receipts import RECEIPT, Line, Purchase
from core.purchases.returns import Back
from tests.conftest import FreshDatabase
from tests.core.books import START, read, register
from tests.core.budget import Budget
from tests.core.machine import CUSTOMERS, People, Way, amounts, ends, lately, people
from tests.core.terms import Terms

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

lines = st.builds(
    Line,
    st.just("goods"),
    st.sampled_from([1000, 1000, 2000, 3500]),
    amounts | amounts | st.just(0),
    st.sampled_from([None, None, "sweets", "tobacco"]),
)
carts = st.lists(lines, min_size=1, max_size=3).map(tuple).filter(lambda cart: any(it.total for it in cart))
parts = st.builds(
    lambda line, quantity: Back(line=line, quantity=quantity),
    st.sampled_from([1, 1, 1, 2, 3]),
    st.sampled_from([100, 300, 500, 1000]),
)
delays = st.sampled_from([0, 0, 0, 2, 9, 29])

BUDGET = Budget(sqlite=16, postgresql=4)


class Ledger(People):
    """Four customers who may turn out to be one, and the goods that go and come back."""

    @initialize(first=st.lists(st.tuples(people, carts), min_size=1, max_size=3))
    def open(self, first: list[tuple[str, tuple[Line, ...]]]) -> None:
        self.program = VERSIONS[0]
        register(self.database, self.program, *CUSTOMERS)
        for who in CUSTOMERS[:2]:
            self.bonuses_are_granted(who, 5_000)
        for who, cart in first:
            self.buys(who, cart, 0, 0.2, True, "main street", ())

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
        at = max(START, self.now - timedelta(days=late))
        pay = int(sum(it.total for it in cart if it.category != "tobacco") * part)
        self.record(Purchase(self.name(), who, at, cart, shop, pay, codes, offline))

    @precondition(lambda self: self.bought)
    @rule(last=lately)
    def all_of_it_comes_back(self, last: int) -> None:
        receipt = self.lately(last)
        self.bring(receipt)
        # Nothing more can come back of it.
        del self.bought[receipt]

    @precondition(lambda self: self.bought)
    @rule(last=lately, part=parts)
    def a_part_comes_back(self, last: int, part: Back) -> None:
        self.bring(self.lately(last), part)

    @precondition(lambda self: self.bought)
    @rule(last=lately, part=parts, head=people, end=ends)
    def a_part_comes_back_to_a_household(self, last: int, part: Back, head: str, end: Way) -> None:
        """Whoever bought it joins one before, and leaves it after: another account settles it than theirs."""
        receipt = self.lately(last)
        there = Change(head, self.bought[receipt])
        self.change(join, there)
        self.bring(receipt, part)
        self.change(end, there)

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        self.check_everything_kept()
        with self.database.read() as connection:
            there = connection.scalar(select(func.sum(ACCOUNT.c.total))) or 0
            moved = func.sum(RECEIPT.c.earned_points - RECEIPT.c.paid_points)
            assert there == self.given + (connection.scalar(select(moved)) or 0)
            found = settle(connection, self.program, START, self.now + timedelta(days=1))
            assert sum(it.closing for it in found.statements) == there
            assert not sum(it.flows["moved"] for it in found.statements)


def test_goods_that_go_and_come_back_make_and_lose_no_bonuses(fresh_database: FreshDatabase) -> None:
    Ledger.run(fresh_database, BUDGET)
