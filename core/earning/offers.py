"""What one rule of purchases would give by itself, before rules are combined."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from core.earning.when import THOUSANDTHS, Case, counted
from core.fact import fact
from core.money import lay_out
from core.program import Program, Rule


@fact
class Offer:
    """Points on each line (at the program's scale), and why so many. `laid` is before the rule's own cap,
    `rate` the percentage or the factor.
    """

    rule: Rule
    lines: tuple[int, ...]
    laid: tuple[int, ...]
    note: str
    rate: Decimal | None = None

    @property
    def points(self) -> int:
        """All of it."""
        return sum(self.lines)


def rate_of(case: Case, rule: Rule, money: Sequence[int]) -> Decimal:
    """The fraction that a percentage comes to here."""
    if rule.by:
        return case.program.level(case.past.tier).earn
    if isinstance(rule.earn, Decimal):
        return rule.earn
    paid = case.program.from_money(sum(money))
    return next((it.percent for it in reversed(rule.earn or ()) if it.from_ <= paid), Decimal(0))


def percentage(case: Case, rule: Rule, money: Sequence[int], laid: Sequence[int] | None = None) -> Offer:
    """A percentage of the money, rounded once, laid on the lines; `laid` if that is known already."""
    rate, paid, program = rate_of(case, rule, money), sum(money), case.program
    if laid is None:
        laid = lay_out(program.rounded(program.money_in_points(paid * rate)), money)
    who = f"{program.level(case.past.tier).name}: " if rule.by else ""
    note = f"{who}{percent(rate)} of {Decimal(paid).scaleb(-program.money_scale)}"
    return capped(program, Offer(rule, tuple(laid), tuple(laid), note, rate), money)


def fixed(case: Case, rule: Rule, money: Sequence[int]) -> Offer:
    """A number of bonuses: for the receipt (perhaps by what was paid), for each line, or each whole unit."""
    program, what = case.program, counted(case.basis, money)
    if isinstance(rule.give, tuple):
        paid = program.from_money(what.money)
        band = next((it for it in reversed(rule.give) if it.from_ <= paid), None)
        points = program.to_points(band.points) if band else 0
        note = f"{program.from_points(points)} from {band.from_} {program.currency}" if band else ""
    else:
        count = {"receipt": 1, "line": what.lines, "unit": what.quantity // THOUSANDTHS}[rule.per]
        points = program.to_points(rule.give or 0) * count
        note = f"{rule.give} for {'the receipt' if rule.per == 'receipt' else _each(rule.per, count)}"
        note += f": {program.from_points(points)}" if rule.per != "receipt" and count else ""
    laid = tuple(lay_out(points, money))
    return capped(program, Offer(rule, laid, laid, note), money)


def _each(noun: str, count: int) -> str:
    return f"each of {count} {noun}" if count == 1 else f"each of {count} {noun}s"


def multiple(case: Case, rule: Rule, points: Sequence[int], laid: Sequence[int] | None = None) -> Offer:
    """What comes on top of the `points` that percentages gave on its lines."""
    program, factor = case.program, rule.multiply or Decimal(1)
    if laid is None:
        laid = lay_out(program.rounded(sum(points) * (factor - 1)), points)
    note = f"×{factor.normalize():f} of {program.from_points(sum(points))}"
    return capped(program, Offer(rule, tuple(laid), tuple(laid), note, factor), points)


def capped(program: Program, offer: Offer, weights: Sequence[int]) -> Offer:
    """No more than the rule's own `at_most`."""
    most = offer.rule.at_most
    if most is None or offer.points <= program.to_points(most):
        return offer
    lines = tuple(lay_out(program.to_points(most), weights))
    return replace(offer, lines=lines, note=f"{offer.note}, at most {most}")


def percent(fraction: Decimal) -> str:
    """A fraction as people write it."""
    return f"{(fraction * 100).normalize():f}%"
