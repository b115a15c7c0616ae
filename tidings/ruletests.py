"""Tests of rules: the real ledger in memory, one customer, one receipt or act a case."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, func, select, update

from campaigns.ruletest import Bought, Case, RuleTest, read_rule_test
from campaigns.scenariotest import name_of
from core.customers.addresses import Addresses
from core.customers.profiles import Profile, save
from core.earning import earn
from core.errors import Problem, Problems
from core.grants.coupons import Made, Request, make_coupons
from core.grants.giving import Act, give_grants
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.writing import ENTRY, LOT
from core.program import Program
from core.purchases import receipts
from core.purchases.booking import payable
from core.purchases.cart import Cart, Item
from core.purchases.history import past_before
from core.purchases.receipts import Line, Purchase
from core.tables import Customer
from tidings.scenariotests import Mismatch, Moment, Result, empty_database

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
NAME, RECEIPT = "customer", "receipt"
ADDRESSES = Addresses(b"tests of rules")
# Told only in numbers: so long before that no level, limit or regularity of a test sees them.
LONG_BEFORE = timedelta(days=4 * 365)
THOUSAND = 1000


def read_all(
    program: Program, files: Mapping[str, str], problems: list[Problem] | None = None
) -> list[RuleTest]:
    """Read tests of rules (path → text). What is wrong is added to `problems`, or raised as Problems."""
    found: list[Problem] = []
    read = [read_rule_test(name_of(file), text, file, program, found) for file, text in sorted(files.items())]
    if problems is not None:
        problems += found
    elif found:
        raise Problems(found)
    return [test for test in read if test is not None]


def run_one(program: Program, test: RuleTest) -> Result:
    """Run one file's cases, each in a database of its own."""
    result = Result(test.name, test.document.file)
    for index, case in enumerate(test.test.cases):
        began = time.perf_counter()
        database = empty_database()
        with database.write() as connection:
            got = _Rehearsal(connection, program, case).run()
        database.close()
        line, _ = test.document.position(("cases", index))
        found = list(_compare(program, test, index, got))
        result.moments.append(Moment(case.case, line, found, time.perf_counter() - began))
    return result


@dataclass(frozen=True, slots=True)
class Got:
    """What a case brought: points and last days by rule, reasons by rule, or why it was refused."""

    points: Mapping[str, int]
    last_days: Mapping[str, date | None]
    reasons: Mapping[str, str]
    refused: str = ""


@dataclass
class _Rehearsal:
    """One case."""

    connection: Connection
    program: Program
    case: Case

    def run(self) -> Got:
        happens = self.case.receipt or self.case.act
        assert happens is not None
        self.at = self._utc(happens.at)
        self._give()
        before = self.connection.scalar(select(func.max(ENTRY.c.id))) or 0
        reasons: dict[str, str] = {}
        refused = ""
        if self.case.receipt is not None:
            refused = self._buy(self.case.receipt, reasons)
        else:
            assert self.case.act is not None
            act = Act(self.customer_id, "test", self.at)
            give_grants(self.connection, self.program, self.case.act.on, [act], self.at, live=True)
        points, last_days = self._booked(before)
        return Got(points, last_days, reasons, refused)

    def _utc(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.program.zone).astimezone(UTC)

    # --- what is given

    def _give(self) -> None:
        told = [(self._utc(it.at), it) for it in self.case.given.receipts]
        first = min([self.at, *(at for at, _ in told)]) - LONG_BEFORE
        profile = Profile(NAME, registered_at=first)
        [saved] = save(self.connection, self.program, ADDRESSES, [profile], first, live=False)
        self.customer_id = saved.customer_id
        past = [
            *self._long_before(first),
            *(self._purchase(f"before-{n}", it, at) for n, (at, it) in enumerate(told)),
        ]
        past.sort(key=lambda it: it.at)
        for outcome in receipts.record(self.connection, self.program, past, self.at, live=False):
            assert not isinstance(outcome, Refusal), outcome
        self._bonuses()
        if self.case.given.tier:
            values = {"tier": self.case.given.tier, "tier_since": self.at}
            self.connection.execute(
                update(CUSTOMER).where(CUSTOMER.c.id == self.customer_id).values(**values)
            )

    def _long_before(self, first: datetime) -> Iterator[Purchase]:
        given = self.case.given
        for number in range(given.purchases):
            total = self.program.to_money(given.spent) if number == 0 else 0
            line = Line("before", THOUSAND, total)
            yield Purchase(f"long-before-{number}", NAME, first + timedelta(hours=number), (line,))

    def _bonuses(self) -> None:
        if not self.case.given.bonuses:
            return
        book = Book(self.connection, self.program, [self.customer_id], self.at)
        at = book.moment(self.customer_id, self.at)
        op = book.operation(self.customer_id, "adjustment", "test", ["test"], at)
        points = self.program.to_points(self.case.given.bonuses)
        book.accrue(op, points, reason="test", life=self.program.life(at))
        book.close()

    # --- what happens

    def _buy(self, bought: Bought, reasons: dict[str, str]) -> str:
        codes = [*bought.codes, *(self._coupon(rule) for rule in bought.coupons)]
        purchase = self._purchase(RECEIPT, bought, self.at, tuple(codes))
        opened = [*bought.coupons, *(it.rule for it in self.program.codes() if it.code in bought.codes)]
        reasons |= self._reasons(purchase, tuple(opened))
        [outcome] = receipts.record(self.connection, self.program, [purchase], self.at, live=True)
        return f"{outcome.reason}: {outcome.detail}" if isinstance(outcome, Refusal) else ""

    def _coupon(self, rule: str) -> str:
        made = make_coupons(self.connection, self.program, Request(f"test-{rule}", rule), self.at)
        return made.codes[0] if isinstance(made, Made) else rule

    def _purchase(self, name: str, bought: Bought, at: datetime, codes: tuple[str, ...] = ()) -> Purchase:
        lines = tuple(
            Line(
                it.sku,
                int(it.quantity * THOUSAND),
                self.program.to_money(it.total),
                it.category,
                it.brand,
                it.discounted,
            )
            for it in bought.all_lines
        )
        points = self.program.to_points(bought.pay)
        return Purchase(name, NAME, at, lines, bought.store, points, codes)

    def _reasons(self, purchase: Purchase, opened: tuple[str, ...]) -> dict[str, str]:
        """Why rules are silent, asked of the same past that the ledger asks."""
        past = past_before(self.connection, self.customer_id, self.at)
        where = select(CUSTOMER.c.tier).where(CUSTOMER.c.id == self.customer_id)
        past.tier = self.connection.scalar(where)
        items = tuple(
            Item(it.sku, it.quantity, it.total, it.category, it.brand, it.discounted) for it in purchase.lines
        )
        partner = self.program.partner_of(purchase.store)
        cart = payable(
            self.program, Cart(self.at, items, purchase.store, partner, opened, purchase.pay_points)
        )
        if isinstance(cart, Refusal):
            return {}
        return {it.rule: it.reason for it in earn(self.program, cart, past).silences}

    def _booked(self, before: int) -> tuple[dict[str, int], dict[str, date | None]]:
        columns = select(ENTRY.c.rule, ENTRY.c.amount, LOT.c.expires_on).join(LOT, LOT.c.id == ENTRY.c.lot_id)
        new = columns.where(ENTRY.c.id > before, ENTRY.c.kind == "accrual", ENTRY.c.rule.is_not(None))
        points: dict[str, int] = {}
        last_days: dict[str, date | None] = {}
        for rule, amount, expires_on in self.connection.execute(new):
            points[rule] = points.get(rule, 0) + amount
            last_days[rule] = expires_on
        return points, last_days


# --- what was expected


def _compare(program: Program, test: RuleTest, index: int, got: Got) -> Iterator[Mismatch]:
    case = test.test.cases[index]
    if got.refused:
        yield Mismatch(test.place(index), case.case, "to be recorded", got.refused)
        return
    for rule, points in case.expect.items():
        if program.to_points(points) != got.points.get(rule, 0):
            yield Mismatch(
                test.place(index, "expect", rule), case.case, f"{rule}: {points}", _told(program, rule, got)
            )
    for rule, reason in case.silent.items():
        if got.reasons.get(rule) != reason:
            yield Mismatch(
                test.place(index, "silent", rule), case.case, f"{rule}: {reason}", _told(program, rule, got)
            )
    for rule, last_day in case.expires.items():
        if got.last_days.get(rule) != last_day:
            said = (
                f"{rule}: {got.last_days.get(rule) or 'never'}"
                if rule in got.last_days
                else f"{rule}: nothing"
            )
            yield Mismatch(test.place(index, "expires", rule), case.case, f"{rule}: {last_day}", said)
    in_all = sum(got.points.values())
    if case.in_all is not None and program.to_points(case.in_all) != in_all:
        by_rule = ", ".join(f"{rule} {program.from_points(points)}" for rule, points in got.points.items())
        said = f"{program.from_points(in_all)} ({by_rule or 'no rule gave anything'})"
        yield Mismatch(test.place(index, "in_all"), case.case, f"{case.in_all}", said)


def _told(program: Program, rule: str, got: Got) -> str:
    if rule in got.points:
        return f"{rule}: {program.from_points(got.points[rule])}"
    return f"{rule}: {got.reasons.get(rule, 'nothing')}"
