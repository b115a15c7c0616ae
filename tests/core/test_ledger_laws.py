"""Laws of a ledger that is a fold over facts in the order of their own time, each told of twins."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.ledger.lots import Refusal
from core.program import Program
from core.purchases.quotes import Quote, Way, quote
from core.purchases.receipts import LINE, Line, Purchase, record
from core.purchases.returns import Back
from tests.conftest import FreshDatabase
from tests.core.books import START, accepted, program, read
from tests.core.budget import Budget
from tests.core.terms import Terms
from tests.core.twins import NOW, Twins, without

# Without the grace: then what comes back after its end is lost, as if it had never been spent.
TERMS = {
    "repay": Terms(return_grace=0),
    "forgive": Terms(return_grace=0, debt="forgive"),
    "slow": Terms(return_grace=0, starts=3, lasts=9, extend=6),
    "cheap": Terms(return_grace=0, worth=Fraction(1, 2)),
    "for sweets": Terms(return_grace=0, gift_goods="sweets", gift_share=100, lines=(1, 60)),
    "points": Terms(
        return_grace=0, measure="points", levels=(("bronze", 0, 10), ("silver", 20, 20), ("gold", 90, 30))
    ),
}
LAWS = Budget(sqlite=36, postgresql=8)
terms = st.sampled_from(sorted(TERMS)).map(lambda name: read(TERMS[name].yaml))
lines = st.builds(
    Line,
    st.just("goods"),
    st.sampled_from([1000, 1000, 2000, 3500]),
    st.integers(1, 300) | st.integers(1, 40_000),
    st.sampled_from([None, None, None, "sweets", "tobacco"]),
)


@st.composite
def histories(draw: st.DrawFn, at_least: int = 2) -> list[Purchase]:
    """Receipts in the order of their times; the tills were offline, so that each stands."""
    hours = sorted(draw(st.lists(st.integers(0, 24 * 28), min_size=at_least, max_size=7, unique=True)))
    found = []
    for number, hour in enumerate(hours):
        goods = tuple(draw(st.lists(lines, min_size=1, max_size=4)))
        payable = sum(it.total for it in goods if it.category != "tobacco")
        most = min(payable, sum(it.total for it in goods) // 2)
        # Whole coins, also where a bonus is worth half of one.
        pay = int(most * draw(st.sampled_from([0, 0, 0.5, 1]))) // 2 * 2
        at = START + timedelta(hours=hour)
        found.append(Purchase(str(number), "anna", at, goods, pay_points=pay, offline=True))
    return found


def test_receipts_in_any_order_of_arrival_come_to_the_same(fresh_database: FreshDatabase) -> None:
    @LAWS.on(fresh_database)
    @given(program=terms, history=histories(), data=st.data())
    def law(program: Program, history: list[Purchase], data: st.DataObject) -> None:
        with fresh_database() as database:
            twins = Twins(database, program)
            for bought in history:
                accepted(twins.buy("anna", bought))
            for bought in data.draw(st.permutations(history)):
                accepted(twins.buy("bohdan", bought))
            twins.are_alike()

    law()


def test_a_receipt_that_came_back_leaves_everything_as_if_it_had_not_been_bought(
    fresh_database: FreshDatabase,
) -> None:
    @LAWS.on(fresh_database)
    @given(program=terms, history=histories(), data=st.data())
    def law(program: Program, history: list[Purchase], data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(history), min_size=1, unique_by=lambda it: it.external_id))
        with fresh_database() as database:
            twins = Twins(database, program)
            for bought in data.draw(st.permutations(history)):
                accepted(twins.buy("anna", bought))
            for bought in history:
                if bought not in gone:
                    accepted(twins.buy("bohdan", bought))
            for bought in gone:
                accepted(twins.bring("anna", bought.external_id))
            names = [it.external_id for it in gone]
            assert without(twins.of("anna"), *names) == twins.of("bohdan")
            twins.look()
            assert without(twins.of("anna"), *names) == twins.of("bohdan")

    law()


def test_lines_that_come_back_one_by_one_are_lines_that_come_back_at_once(
    fresh_database: FreshDatabase,
) -> None:
    @LAWS.on(fresh_database)
    @given(program=terms, history=histories(at_least=1), data=st.data())
    def law(program: Program, history: list[Purchase], data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(history))
        back = [
            Back(line=number, quantity=part)
            for number, it in enumerate(chosen.lines, start=1)
            for part in data.draw(st.sampled_from([(), (it.quantity,), (it.quantity // 2, it.quantity // 4)]))
        ]
        with fresh_database() as database:
            twins = Twins(database, program)
            for bought in history:
                accepted(twins.buy("anna", bought))
                accepted(twins.buy("bohdan", bought))
            twins.bring_one_by_one_and_at_once(chosen.external_id, data.draw(st.permutations(back)))
            twins.are_alike()

    law()


def test_some_lines_that_come_back_take_exactly_what_was_laid_on_them(fresh_database: FreshDatabase) -> None:
    @LAWS.on(fresh_database)
    @given(goods=st.lists(lines, min_size=1, max_size=4), data=st.data())
    def law(goods: list[Line], data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(goods)))
        with fresh_database() as database:
            twins = Twins(database, program())
            accepted(twins.buy("anna", Purchase("0", "anna", START, tuple(goods))))
            laid = select(LINE.c.earned_points).order_by(LINE.c.line)
            with database.read() as connection:
                before = connection.scalars(laid).all()
            answer = accepted(twins.bring("anna", "0", Back(line=number)))
            with database.read() as connection:
                after = connection.scalars(laid).all()
        assert answer["taken_back"] == str(program().from_points(before[number - 1]))
        assert after == [0 if place == number else it for place, it in enumerate(before, start=1)]

    law()


def test_what_a_till_is_quoted_is_what_is_recorded(fresh_database: FreshDatabase) -> None:
    @LAWS.on(fresh_database)
    @given(program=terms, history=histories())
    def law(program: Program, history: list[Purchase]) -> None:
        *before, last = history
        with fresh_database() as database:
            twins = Twins(database, program)
            for bought in before:
                accepted(twins.buy("anna", bought))
            asked = replace(last, external_id="anna last", offline=False)
            with database.read() as connection:
                quoted = quote(connection, program, asked, NOW, pay=True)
            assert isinstance(quoted, Quote)
            outcome = twins.do(lambda connection: record(connection, program, [asked], NOW, live=True)[0])
            if isinstance(outcome, Refusal):
                assert isinstance(quoted.asked, Refusal)
                assert quoted.asked.reason == outcome.reason
                return
            assert isinstance(quoted.asked, Way)
            kept = twins.of("anna")
            money, paid, by_line = kept.receipts["last"]
            effect = quoted.asked.effect
            assert (effect.money, sum(effect.paid), effect.lines) == (money, paid, by_line)
            by_rule = {share.rule: share.points for share in effect.earned.shares}
            assert by_rule == kept.by_rule.get("last", {})
            assert quoted.asked.balance == kept.total

    law()
