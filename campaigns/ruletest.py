"""The model of a test of rules in tests/*.yaml: a customer, a receipt or an act, and what it brings.

Its first key is `rule` (or `rules`): what is tested. Local times are the program's zone, amounts are whole
units. Positions are kept, so that a failed expectation is printed with its line.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from core.earning.earned import REASONS
from core.errors import Problem
from core.explain import suggest
from core.money import to_units
from core.program import Program
from core.program.check_words import too_fine
from core.program.earn import Act
from core.source import Document, KeyPath, Model, load
from core.units import Amount, Day, Listed, Series, Some, WallTime

QUANTITY_SCALE = 3
# Without it a file is no test of rules, and need not be parsed to know.
FIRST_KEY = re.compile(r"^(rules?|[\"']rules?[\"'])\s*:", re.MULTILINE)


class Line(Model):
    """One line of a receipt: what it costs in all, and what it is."""

    total: Amount = Field(examples=[120])
    quantity: Amount = Decimal(1)
    sku: str = "goods"
    category: str | None = None
    brand: str | None = None
    discounted: bool = False


class Bought(Model):
    """A receipt: its lines, or one line of so much; `pay` are bonuses that pay for a part of it.

    `codes` are promo codes of the program, `coupons` the rules that a coupon is given for.
    """

    at: WallTime = Field(examples=["2026-03-02 08:30"])
    store: str | None = None
    total: Amount | None = None
    lines: Listed[Line] = ()
    pay: Amount = Decimal(0)
    codes: Series[str] = ()
    coupons: Series[str] = ()

    @property
    def all_lines(self) -> tuple[Line, ...]:
        """The lines, also of a receipt of which only the total is told."""
        return self.lines if self.total is None else (Line(total=self.total),)


class Buyer(Model):
    """A customer as they are just before.

    `purchases` and `spent` are long before, `receipts` are told one by one; `bonuses` may be spent.
    """

    tier: str | None = None
    purchases: int = Field(0, ge=0, le=1000)
    spent: Amount = Decimal(0)
    receipts: Listed[Bought] = ()
    bonuses: Amount = Decimal(0)


class Deed(Model):
    """Something that a customer does besides buying."""

    on: Act = Field(examples=["birthday"])
    at: WallTime = Field(examples=["2026-03-02 08:30"])


class Case(Model):
    """One receipt or one act, the points of each rule, those in all, and why rules are silent.

    `expires` is the last day of what a rule gives.
    """

    case: str = Field(min_length=1, examples=["a Monday morning"])
    given: Buyer = Buyer()
    receipt: Bought | None = None
    act: Deed | None = None
    expect: dict[str, Amount] = Field(default_factory=dict)
    in_all: Amount | None = None
    silent: dict[str, str] = Field(default_factory=dict)
    expires: dict[str, Day] = Field(default_factory=dict)


class RuleTestFile(Model):
    """What stands in the file."""

    rule: str | None = Field(None, examples=["base"])
    rules: Series[str] = ()
    about: str = ""
    cases: Some[Case] = Field(
        examples=["[{case: a hundred, receipt: {at: 2026-03-02 12:00, total: 100}, expect: {base: 3}}]"]
    )

    @property
    def tested(self) -> tuple[str, ...]:
        """The rules that the file tests."""
        return (self.rule, *self.rules) if self.rule else self.rules


@dataclass(frozen=True)
class RuleTest:
    """One test file, and where each expectation stands in it."""

    name: str
    test: RuleTestFile
    document: Document

    def place(self, case: int, *path: str) -> str:
        """`tests/happy-hours.yaml:11:7`: of an expectation, or of its case."""
        line, col = self.document.position(("cases", case, *path))
        return f"{self.document.file}:{line}:{col}"


def is_rule_test(text: str) -> bool:
    """Whether a file of tests/ tests rules, and no scenario."""
    if not FIRST_KEY.search(text):
        return False
    document = load(text, "", [])
    return document is not None and not {"rule", "rules"}.isdisjoint(document.data)


def read_rule_test(
    name: str, text: str, file: str, program: Program, problems: list[Problem]
) -> RuleTest | None:
    """Read one test file; None, and every finding in `problems`, when it is not right."""
    document = load(text, file, problems)
    test = document and document.validate(RuleTestFile, problems)
    if not document or not test:
        return None
    found = list(_findings(test, document, program))
    problems.extend(found)
    return None if found else RuleTest(name, test, document)


def rules_named(text: str) -> tuple[str, ...]:
    """The rules that a test of rules is about, whatever else is wrong in it."""
    document = load(text, "", [])
    said = [document.data.get(key) for key in ("rule", "rules")] if document else []
    names = [name for given in said for name in (given if isinstance(given, list) else [given])]
    return tuple(name for name in names if isinstance(name, str))


def untested(program: Program, document: Document, tested: Collection[str]) -> Iterator[Problem]:
    """Warnings of the program's rules that are not among those `tested`."""
    for index, rule in enumerate(program.earn.rules):
        if rule.rule not in tested:
            what, fix = f"no test names the rule '{rule.rule}'", f"write tests/{rule.rule}.yaml"
            yield document.problem(("earn", "rules", index, "rule"), what, fix, "warning")


def _findings(test: RuleTestFile, document: Document, program: Program) -> Iterator[Problem]:
    rules = [rule.rule for rule in program.earn.rules]
    yield from _unknown(document, ("rules",) if test.rules else ("rule",), "rule", test.tested, rules)
    for index, case in enumerate(test.cases):
        path: KeyPath = ("cases", index)
        yield from _case(case, document, path)
        yield from _amounts(case, document, path, program)
        tiers = [case.given.tier] if case.given.tier else []
        yield from _unknown(document, (*path, "given", "tier"), "level", tiers, program.tier_names)
        for key in ("expect", "silent", "expires"):
            for name in getattr(case, key):
                yield from _unknown(document, (*path, key, name), "rule", [name], rules)
        for name, reason in case.silent.items():
            yield from _unknown(document, (*path, "silent", name), "reason", [reason], list(REASONS))
    said = {name for case in test.cases for name in (*case.expect, *case.silent)}
    for name in test.tested:
        if name in rules and name not in said:
            what = f"no case says what '{name}' gives"
            yield document.problem(("cases",), what, f"write for example 'expect: {{{name}: 5}}'")


def _case(case: Case, document: Document, path: KeyPath) -> Iterator[Problem]:
    if (case.receipt is None) == (case.act is None):
        yield document.problem(path, "says not one thing that happens", "write 'receipt' or 'act'")
    if not case.expect and not case.silent and case.in_all is None:
        yield document.problem(path, "expects nothing", "write 'expect', 'in_all' or 'silent'")
    if case.act is not None and case.silent:
        yield document.problem((*path, "silent"), "is about receipts", "write 'expect' with 0")
    if case.given.spent and not case.given.purchases:
        yield document.problem((*path, "given", "spent"), "without purchases", "add 'purchases: 1'")
    for where, bought in _receipts(case, path):
        if (bought.total is None) == (not bought.lines):
            yield document.problem(where, "says not what was bought", "write 'total' or 'lines'")


def _receipts(case: Case, path: KeyPath) -> list[tuple[KeyPath, Bought]]:
    told: list[tuple[KeyPath, Bought]] = [
        ((*path, "given", "receipts", n), it) for n, it in enumerate(case.given.receipts)
    ]
    return [*told, ((*path, "receipt"), case.receipt)] if case.receipt is not None else told


def _amounts(case: Case, document: Document, path: KeyPath, program: Program) -> Iterator[Problem]:
    """Amounts with more decimals than the ledger keeps."""
    points = {(*path, "expect", rule): amount for rule, amount in case.expect.items()}
    points |= {(*path, "given", "bonuses"): case.given.bonuses}
    points |= {(*path, "in_all"): case.in_all} if case.in_all is not None else {}
    money: dict[KeyPath, Decimal | None] = {(*path, "given", "spent"): case.given.spent}
    for where, bought in _receipts(case, path):
        points[*where, "pay"] = bought.pay
        money[*where, "total"] = bought.total
        for number, line in enumerate(bought.lines):
            own = (*where, "lines", number)
            money[*own, "total"] = line.total
            yield from too_fine(document, (*own, "quantity"), line.quantity, QUANTITY_SCALE, _thousandths)
    for place, bonuses in points.items():
        yield from too_fine(document, place, bonuses, program.points.scale, program.to_points)
    for place, paid in money.items():
        yield from too_fine(document, place, paid, program.money_scale, program.to_money)


def _thousandths(quantity: Decimal) -> int:
    return to_units(quantity, QUANTITY_SCALE)


def _unknown(
    document: Document, path: KeyPath, noun: str, names: Iterable[str], known: Iterable[str]
) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            yield document.problem(path, f"no such {noun}: '{name}'", suggest(name, list(known)))
