"""What a purchase earns, rule by rule, and how rules combine.

The order is the same for every purchase: percentages, each rounded once; multiples of them; fixed gives; of
each group the best; what is excluded by others; the most of a receipt and of a day. A rule's own `at_most`
holds from the beginning: groups compare, and multiples multiply, what it leaves. Nothing here reads a
database: the same cart, past and program give the same bonuses whenever they are reckoned.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from core.earning.basis import Basis, basis_of, kept_basis, kept_part
from core.earning.earned import Earned, Share, Silence
from core.earning.offers import Offer, fixed, multiple, percentage, rate_of
from core.earning.when import Case, why_not
from core.money import ROUNDINGS, lay_out
from core.program import Program, Rule
from core.purchases.cart import Cart, Past

__all__ = ["Earned", "Share", "Silence", "earn", "keep"]

Offers = dict[str, Offer]


def earn(program: Program, cart: Cart, past: Past) -> Earned:
    """What a purchase earns."""
    return _Reckoning(program, basis_of(program, cart), past).run()


def keep(program: Program, cart: Cart, past: Past, left: Sequence[int]) -> Earned:
    """What remains earned when only `left` thousandths of each line were kept.

    It depends on `left` alone, not on how often or in which order things came back. A percentage that is
    still the same keeps what it laid on each line, in proportion (rounded down); all else is reckoned
    again on what was kept.
    """
    whole = basis_of(program, cart)
    if not any(left):
        return Earned((), ())
    if tuple(left) == whole.quantity:
        return _Reckoning(program, whole, past).run()
    before = _Reckoning(program, whole, past)
    before.run()
    return _Reckoning(program, kept_basis(whole, left), past, before).run()


@dataclass
class _Reckoning:
    """One purchase, or what was kept of it; `before` is that of all of it."""

    program: Program
    basis: Basis
    past: Past
    before: "_Reckoning | None" = None
    percentages: Offers = field(default_factory=dict)
    multiples: Offers = field(default_factory=dict)
    fixed: Offers = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)

    def run(self) -> Earned:
        rules = self.program.purchase_rules
        self.case = Case(self.program, self.basis, self.past)
        self.percentages = self._offers(rules.percentages, self._percentage)
        self.fixed = self._offers(rules.fixed, lambda rule, money: fixed(self.case, rule, money))
        if rules.grouped:
            self._best_of_groups(self.percentages, self.fixed)
        if rules.multipliers:
            self.multiples = self._alone(rules.multipliers)
        if rules.grouped:
            self._best_of_groups(self.multiples)
        self._exclude_and_multiply(rules.excluding)
        shares = self._within_caps(
            [
                _share(it)
                for offers in (self.percentages, self.multiples, self.fixed)
                for it in offers.values()
            ]
        )
        silences = tuple(self.silences[name] for name in rules.order if name in self.silences)
        return Earned(tuple(shares), silences)

    def _silent(self, rule: str, reason: str, detail: str) -> None:
        self.silences[rule] = Silence(rule, reason, detail)

    # --- each by itself

    def _offers(self, rules: Iterable[Rule], offer: Callable[[Rule, Sequence[int]], Offer]) -> Offers:
        found = {}
        for rule in rules:
            money = self.basis.of(rule.goods)
            if reason := why_not(self.case, rule, money):
                self._silent(rule.rule, *reason)
                continue
            made = offer(rule, money)
            if made.points:
                found[rule.rule] = made
            else:
                self._silent(rule.rule, "too_little", f"{made.note} comes to no bonus")
        return found

    def _percentage(self, rule: Rule, money: Sequence[int]) -> Offer:
        known = self.before.percentages.get(rule.rule) if self.before else None
        if known is None or known.rate != rate_of(self.case, rule, money):
            return percentage(self.case, rule, money)
        return percentage(self.case, rule, money, self._kept(known.laid))

    def _kept(self, laid: Sequence[int]) -> tuple[int, ...]:
        assert self.before is not None
        return tuple(map(kept_part, laid, self.basis.quantity, self.before.basis.quantity))

    # --- multiples

    def _alone(self, rules: Iterable[Rule]) -> Offers:
        """What each multiple would bring if there were no other."""
        found = {}
        points = self._percentage_points()
        for rule in rules:
            money = self.basis.of(rule.goods)
            if reason := why_not(self.case, rule, money):
                self._silent(rule.rule, *reason)
                continue
            offer = multiple(self.case, rule, _where(points, money))
            if offer.points:
                found[rule.rule] = offer
            else:
                self._silent(rule.rule, "nothing_to_multiply", "no percentage gave anything on its goods")
        return found

    def _together(self, offers: Offers) -> Offers:
        """One upon the other, in the order of the file."""
        points = self._percentage_points()
        found = {}
        unchanged = self._unchanged(offers)
        for name, offer in offers.items():
            there = _where(points, self.basis.of(offer.rule.goods))
            laid = self._kept(self.before.multiples[name].laid) if unchanged and self.before else None
            made = multiple(self.case, offer.rule, there, laid)
            if made.points:
                found[name] = made
                points = [a + b for a, b in zip(points, made.lines, strict=True)]
            else:
                self._silent(name, "nothing_to_multiply", "no percentage gave anything on its goods")
        return found

    def _unchanged(self, offers: Offers) -> bool:
        """Whether the same multiples stand upon the same percentages as for the whole purchase."""
        if self.before is None or list(offers) != list(self.before.multiples):
            return False
        both = (self.percentages, self.before.percentages)
        now, then = ([(name, it.rate, it.lines == it.laid) for name, it in part.items()] for part in both)
        return now == then

    def _percentage_points(self) -> list[int]:
        lines = [offer.lines for offer in self.percentages.values()]
        return [sum(line) for line in zip(*lines, strict=True)] if lines else [0] * len(self.basis.money)

    # --- one against the other

    def _best_of_groups(self, *kinds: Offers) -> None:
        best: dict[str, Offer] = {}
        everybody = [offer for offers in kinds for offer in offers.values()]
        for offer in sorted(everybody, key=lambda it: self.program.purchase_rules.order.index(it.rule.rule)):
            group = offer.rule.group
            if group and (group not in best or offer.points > best[group].points):
                best[group] = offer
        for offers in kinds:
            for name in [name for name, it in offers.items() if it.rule.group]:
                winner = best[offers[name].rule.group or ""].rule.rule
                if winner != name:
                    del offers[name]
                    self._silent(name, "best_of_group", f"'{winner}' gives more")

    def _exclude_and_multiply(self, excluding: Iterable[Rule]) -> None:
        """Exclusions, and multiples of what they leave. One for which they leave nothing gives nothing, so it
        excludes nobody: everything is as if it were not there.
        """
        percentages, multiples, fixed = dict(self.percentages), dict(self.multiples), dict(self.fixed)
        silences = dict(self.silences)
        self._exclude(excluding)
        if not self.multiples:
            return
        self.multiples = self._together(left := self.multiples)
        idle = [it for it in excluding if it.rule in left and it.rule not in self.multiples]
        if not idle:
            return
        # One that excludes what it would multiply goes first: others may then have something.
        first = min(idle, key=lambda it: percentages.keys().isdisjoint(it.excludes)).rule
        del multiples[first]
        self.percentages, self.multiples, self.fixed = percentages, multiples, fixed
        self.silences = {**silences, first: self.silences[first]}
        self._exclude_and_multiply(excluding)

    def _exclude(self, excluding: Iterable[Rule]) -> None:
        kinds = (self.percentages, self.multiples, self.fixed)
        for rule in excluding:
            if not any(rule.rule in offers for offers in kinds):
                continue
            for name in rule.excludes:
                for offers in kinds:
                    if offers.pop(name, None):
                        self._silent(name, "excluded_by", f"'{rule.rule}' excludes it")

    # --- the most of all

    def _within_caps(self, shares: Sequence[Share]) -> list[Share]:
        room, what = self._room()
        if room is None:
            return list(shares)
        found = []
        for share in shares:
            part = min(share.points, max(0, room))
            room -= part
            if part == share.points:
                found.append(share)
            elif part:
                left = self.program.from_points(part)
                lines = tuple(lay_out(part, share.lines))
                found.append(
                    replace(share, points=part, lines=lines, note=f"{share.note}, {what} leaves {left}")
                )
            else:
                self._silent(share.rule, "cap", f"{what} was reached")
        return found

    def _room(self) -> tuple[int | None, str]:
        """How many points may be earned, and what says so."""
        caps, program = self.program.earn.at_most, self.program
        rooms = []
        if caps.receipt is not None and caps.receipt.share is not None:
            points = program.money_in_points(Decimal(self.basis.paid) * caps.receipt.share)
            rooms.append((int(points.to_integral_value(ROUNDINGS["down"])), "the most of a receipt"))
        elif caps.receipt is not None:
            rooms.append((program.to_points(caps.receipt.points or 0), "the most of a receipt"))
        if caps.day is not None:
            today = self.past.points(self.case.since(1))
            rooms.append((program.to_points(caps.day) - today, "the most of a day"))
        return min(rooms) if rooms else (None, "")


def _where(points: Sequence[int], money: Sequence[int]) -> list[int]:
    return [part if paid else 0 for part, paid in zip(points, money, strict=True)]


def _share(offer: Offer) -> Share:
    rule = offer.rule
    return Share(rule.rule, rule.account, offer.points, offer.lines, rule.starts, rule.lasts, offer.note)
