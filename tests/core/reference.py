"""A small model of the ledger, as naive as can be: the facts in the order of their own time, folded anew.

It knows one program, written down in `Terms` (tests/core/terms.py), reckons in numbers of its own, and
shares nothing with the ledger. A late receipt is a fact that is sorted in, a return makes a fact smaller;
there are no corrections, because nothing is ever kept.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.core.sums import FAR, kept, laid, midnight
from tests.core.terms import Terms

# In the order of spending.
ACCOUNTS = ("gift", "base")


@dataclass(frozen=True)
class Goods:
    """A line: thousandths, hundredths of money, and whether it is tobacco: that neither earns nor is paid."""

    quantity: int
    total: int
    tobacco: bool = False


@dataclass
class Receipt:
    """A purchase; `pay` in hundredths of bonuses, `back` the thousandths that came back of each line."""

    name: str
    who: str
    at: datetime
    goods: tuple[Goods, ...]
    pay: int = 0
    back: list[int] = field(default_factory=list)
    order: int = 0

    def __post_init__(self) -> None:
        self.back = self.back or [0] * len(self.goods)

    @property
    def gone(self) -> bool:
        """Nothing was kept that had a price."""
        lines = [*zip(self.goods, self.back, strict=True)]
        return all(back >= it.quantity for it, back in [pair for pair in lines if pair[0].total] or lines)

    @property
    def left(self) -> list[int]:
        """Thousandths of each line that were kept."""
        return [it.quantity - back for it, back in zip(self.goods, self.back, strict=True)]


@dataclass
class Lot:
    """Some bonuses; `ends` is None for ever. `of` is what gave them."""

    account: str
    remaining: int
    starts: datetime
    ends: datetime | None
    of: tuple[object, ...] = ()

    def usable(self, at: datetime) -> bool:
        """It can be spent."""
        return self.remaining > 0 and self.starts <= at and (self.ends is None or at < self.ends)


@dataclass
class Given:
    """Bonuses that simply came: a grant, what a transfer brought, the grace of a return."""

    who: str
    at: datetime
    lots: tuple[Lot, ...]
    order: int = 0


@dataclass
class Taken:
    """Bonuses that simply went."""

    who: str
    at: datetime
    points: int
    order: int = 0


Fact = Receipt | Given | Taken


@dataclass
class Came:
    """What a receipt came to: points by rule and by line, points paid, money kept."""

    by_rule: dict[str, int]
    lines: tuple[int, ...]
    paid: int
    money: int


@dataclass
class State:
    """One customer. `lost` is what a shortage came to so far, owed or forgiven; `steps` were rewarded."""

    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    lost: int = 0
    tier: str | None = None
    since: datetime | None = None
    bought: list[tuple[datetime, int, int]] = field(default_factory=list)
    came: dict[str, Came] = field(default_factory=dict)
    steps: set[str] = field(default_factory=set)

    def available(self, at: datetime) -> int:
        """What may be spent."""
        return max(0, sum(it.remaining for it in self.lots if it.usable(at)) - self.debt)

    def living(self, at: datetime) -> dict[tuple[str, datetime, datetime | None], int]:
        """What has not ended, by account, start and end."""
        found: dict[tuple[str, datetime, datetime | None], int] = {}
        for lot in self.lots:
            if lot.remaining and (lot.ends is None or at < lot.ends):
                kind = (lot.account, lot.starts, lot.ends)
                found[kind] = found.get(kind, 0) + lot.remaining
        return found

    def burnt(self, at: datetime) -> Counter[tuple[str, tuple[object, ...]]]:
        """What has ended unspent, by account and what had given it."""
        ended = [it for it in self.lots if it.ends is not None and it.ends <= at]
        return Counter({(it.account, it.of): it.remaining for it in ended})

    def total(self, at: datetime) -> int:
        """What lives, less debts."""
        return sum(self.living(at).values()) - self.debt


class Reference:
    """Facts, and what they come to."""

    def __init__(self, terms: Terms) -> None:
        self.terms, self.facts = terms, list[Fact]()
        self.made = 0
        # What is set aside: the receipt to be, and until when.
        self.holds: dict[str, tuple[Receipt, datetime]] = {}

    # --- facts

    def add(self, fact: Fact) -> None:
        """One more fact; of one moment, what was told first comes first."""
        self.made += 1
        fact.order = self.made
        self.facts.append(fact)

    def state(self, who: str, upto: datetime | None = None, besides: Fact | None = None) -> State:
        """The customer after every fact (up to a time; one fact more, or changed)."""
        mine = [it for it in self.facts if it.who == who and it is not besides]
        if besides:
            mine.append(besides)
        state = State()
        for fact in sorted(mine, key=lambda it: (it.at, it.order or self.made + 1)):
            if upto is None or fact.at <= upto:
                self._apply(state, fact)
        return state

    def held(self, who: str, now: datetime, besides: str = "") -> int:
        """What open holds set aside."""
        others = [it for name, it in self.holds.items() if name != besides]
        return sum(receipt.pay for receipt, until in others if receipt.who == who and now < until)

    def available(self, who: str, now: datetime) -> int:
        """What may be spent now."""
        return max(0, self.state(who).available(now) - self.held(who, now))

    def may_be_bought(self, receipt: Receipt, *, offline: bool) -> bool:
        """Whether the bonuses that it pays with are there, and were not spent since."""
        if not receipt.pay or offline:
            return True
        before = self.state(receipt.who, receipt.at)
        left = receipt.pay
        for _, part in self._plan(before, left, self._limits(receipt.goods), receipt.at):
            left -= part
        if left or receipt.pay > before.available(receipt.at):
            return False
        known = self.state(receipt.who)
        return self.state(receipt.who, besides=receipt).lost <= known.lost

    def most(self, goods: Sequence[Goods]) -> int:
        """The most that such a receipt may be paid with."""
        payable = sum(it.total for it in goods if not it.tobacco)
        share = sum(it.total for it in goods) * self.terms.share // 100
        return int(min(payable, share) / self.terms.worth)

    def in_coins(self, points: float) -> int:
        """Of so many points those that pay for whole coins."""
        return int(int(int(points) * self.terms.worth) / self.terms.worth)

    def take_back(self, receipt: Receipt, back: Sequence[int], now: datetime) -> None:
        """So many thousandths of each line more; bonuses that would be lost by that live on for a while."""
        before = self.state(receipt.who)
        paid = self._paid(receipt)
        receipt.back = [old + new for old, new in zip(receipt.back, back, strict=True)]
        given_back = paid - self._paid(receipt)
        lost = self.state(receipt.who).burnt(now) - before.burnt(now)
        by_account = [sum(it for (own, _), it in lost.items() if own == name) for name in sorted(ACCOUNTS)]
        grace = laid(min(given_back, sum(by_account)), by_account)
        if any(grace) and self.terms.return_grace:
            ends = midnight(now, self.terms.return_grace + 1)
            lots = [Lot(name, part, now, ends) for name, part in zip(sorted(ACCOUNTS), grace, strict=True)]
            self.add(Given(receipt.who, now, tuple(it for it in lots if it.remaining)))

    def grant(self, who: str, points: int, at: datetime) -> None:
        """Bonuses as the program says."""
        self.add(Given(who, at, (self._lot("base", points, at),)))

    def take(self, who: str, points: int, at: datetime) -> None:
        """Bonuses that are spent outside a receipt."""
        self.add(Taken(who, at, points))

    def transfer(self, giver: str, taker: str, points: int, at: datetime) -> None:
        """What leaves one customer's lots comes into such lots of another's."""
        plan = self._plan(self.state(giver), points, None, at)
        self.add(Taken(giver, at, points))
        self.add(Given(taker, at, tuple(replace(lot, remaining=part) for lot, part in plan)))

    # --- what a fact does

    def _apply(self, state: State, fact: Fact) -> None:
        if isinstance(fact, Given):
            for number, lot in enumerate(fact.lots):
                self._give(state, replace(lot, of=(fact.order, number)))
        elif isinstance(fact, Taken):
            self._take(state, fact.points, None, fact.at)
        elif fact.gone:
            state.came[fact.name] = Came({}, (0,) * len(fact.goods), 0, 0)
        else:
            self._buy(state, fact)

    def _buy(self, state: State, receipt: Receipt) -> None:
        at = receipt.at
        self.fall(state, at)
        paid = self._paid(receipt)
        self._take(state, paid, self._limits(receipt.goods), at)
        by_rule = self._earn(receipt, state.tier, len(state.bought) + 1)
        made: dict[tuple[str, bool], Lot] = {}
        for rule, lines in by_rule.items():
            account, short = "gift" if rule == "lines" else "base", rule == "nth"
            lot = self._lot(account, sum(lines), at, self.terms.every_lasts if short else None)
            lot.of = (receipt.name, account, short)
            self._give(state, lot, made.get((account, short)))
            made.setdefault((account, short), lot)
        self._extend(state, at)
        money = sum(
            kept(it.total, it.quantity, back) for it, back in zip(receipt.goods, receipt.back, strict=True)
        )
        points = {rule: sum(lines) for rule, lines in by_rule.items()}
        state.bought.append((at, money, sum(points.values())))
        self._rise(state, at)
        lines = tuple(sum(line) for line in zip(*by_rule.values(), strict=True))
        state.came[receipt.name] = Came(points, lines or (0,) * len(receipt.goods), paid, money)

    def _lot(self, account: str, points: int, at: datetime, own: int | None = None) -> Lot:
        terms = self.terms
        starts, lasts = (0, terms.gift_lasts) if account == "gift" else (terms.starts, terms.lasts)
        first = midnight(at, starts) if starts else at
        return Lot(account, points, first, midnight(first, (own or lasts) + 1))

    def _give(self, state: State, lot: Lot, into: Lot | None = None) -> None:
        repaid = min(state.debt, lot.remaining)
        state.debt -= repaid
        if into:
            into.remaining += lot.remaining - repaid
        else:
            lot.remaining -= repaid
            state.lots.append(lot)

    def _plan(
        self, state: State, points: int, limits: dict[str, int] | None, at: datetime
    ) -> Iterator[tuple[Lot, int]]:
        room = dict(limits or dict.fromkeys(ACCOUNTS, points))
        usable = [lot for lot in state.lots if lot.usable(at)]
        for lot in sorted(usable, key=lambda it: (ACCOUNTS.index(it.account), it.ends or FAR, it.starts)):
            part = min(points, lot.remaining, room[lot.account])
            points -= part
            room[lot.account] -= part
            if part:
                yield lot, part

    def _take(self, state: State, points: int, limits: dict[str, int] | None, at: datetime) -> None:
        for lot, part in list(self._plan(state, points, limits, at)):
            lot.remaining -= part
            points -= part
        state.lost += points
        if self.terms.debt == "repay":
            state.debt += points

    def _extend(self, state: State, at: datetime) -> None:
        if not self.terms.extend:
            return
        ends = midnight(at, self.terms.extend + 1)
        for lot in state.lots:
            if lot.account == "base" and lot.remaining > 0 and lot.ends and lot.ends > at:
                lot.ends = max(lot.ends, ends)

    # --- paying

    def _limits(self, goods: Sequence[Goods]) -> dict[str, int]:
        payable = sum(it.total for it in goods if not it.tobacco)
        gift = min(payable, sum(it.total for it in goods) * self.terms.gift_share // 100)
        most = self.most(goods)
        return {"gift": min(most, int(gift / self.terms.worth)), "base": most}

    def _paid_money(self, receipt: Receipt) -> list[int]:
        minor = int(receipt.pay * self.terms.worth)
        return laid(minor, [0 if it.tobacco else it.total for it in receipt.goods])

    def _paid(self, receipt: Receipt) -> int:
        """The bonuses that pay for what was kept."""
        if not receipt.pay or receipt.gone:
            return 0
        money = self._paid_money(receipt)
        points = laid(receipt.pay, money) if any(money) else [receipt.pay] + [0] * (len(money) - 1)
        whole = zip(points, receipt.goods, receipt.back, strict=True)
        return sum(kept(part, it.quantity, back) for part, it, back in whole)

    # --- earning

    def _earn(self, receipt: Receipt, tier: str | None, number: int) -> dict[str, tuple[int, ...]]:
        """Points by rule and line, of what was kept."""
        terms = self.terms
        paid = self._paid_money(receipt)
        net = [0 if it.tobacco else it.total - part for it, part in zip(receipt.goods, paid, strict=True)]
        rate = next(rate for name, _, rate in terms.levels if name == (tier or terms.levels[0][0]))
        found = {"level": laid(int(sum(net) * rate / (100 * terms.worth)), net)}
        if any(receipt.back):
            net = self._kept_money(receipt, paid)
            parts = zip(found["level"], receipt.left, receipt.goods, strict=True)
            found["level"] = [points * part // it.quantity for points, part, it in parts]
        found |= self._fixed(net, number)
        return {rule: tuple(lines) for rule, lines in found.items() if any(lines)}

    def _kept_money(self, receipt: Receipt, paid: Sequence[int]) -> list[int]:
        """The price of what was kept less what bonuses paid of it."""
        lines = zip(receipt.goods, paid, receipt.back, strict=True)
        return [
            0 if it.tobacco else kept(it.total, it.quantity, back) - kept(part, it.quantity, back)
            for it, part, back in lines
        ]

    def _fixed(self, net: Sequence[int], number: int) -> dict[str, list[int]]:
        terms, found = self.terms, {}
        if sum(1 for money in net if money) >= terms.lines[0]:
            found["lines"] = terms.lines[1]
        if number % terms.every[0] == 0 and any(net):
            found["nth"] = terms.every[1]
        reached = [points for low, points in terms.bands if low * 100 <= sum(net)]
        if reached:
            found["band"] = reached[-1]
        return {rule: laid(points * 100, net) for rule, points in found.items()}

    # --- levels

    def _rank(self, tier: str | None) -> int:
        return [name for name, _, _ in self.terms.levels].index(tier) if tier else 0

    def _measured(self, state: State, start: datetime, end: datetime, *, inclusive: bool) -> int:
        inside = [
            it for it in state.bought if start <= it[0] and (it[0] < end or (inclusive and it[0] == end))
        ]
        if self.terms.measure == "purchases":
            return len(inside) * 100
        return sum(it[2] if self.terms.measure == "points" else it[1] for it in inside)

    def _level(self, amount: int) -> str:
        return [name for name, low, _ in self.terms.levels if low * 100 <= amount][-1]

    def _rise(self, state: State, at: datetime) -> None:
        level = self._level(self._measured(state, midnight(at, -self.terms.over), at, inclusive=True))
        if state.tier is not None and self._rank(level) <= self._rank(state.tier):
            return
        rewarded = self._rank(level) > 0 and level not in state.steps
        state.tier, state.since = level, at
        if rewarded:
            state.steps.add(level)
            lot = self._lot("gift", self.terms.step_up * 100, at)
            lot.of = ("step", level)
            self._give(state, lot)

    def fall(self, state: State, at: datetime) -> None:
        """Look at every midnight since the level was reached."""
        kept = self.terms.over + self.terms.grace
        while state.tier and state.since and self._rank(state.tier):
            check = midnight(state.since, kept + 1)
            while check <= at:
                level = self._level(self._measured(state, midnight(check, -kept), check, inclusive=False))
                if self._rank(level) < self._rank(state.tier):
                    state.tier, state.since = level, check
                    break
                check = midnight(check, 1)
            else:
                return
