"""What one purchase does, in memory: it spends, it earns, it moves the level.

A till's receipt, a quote, a late receipt and a return that reckons anew all come this way, so that they
cannot differ.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from core.earning import Earned, Share, Silence, earn, keep
from core.fact import fact
from core.ledger.book import Book
from core.ledger.lots import Op, Refusal
from core.ledger.reading import lots_bought
from core.program import Grant, Program
from core.purchases.cart import Cart, Item, all_back, kept_of
from core.purchases.history import PURCHASE, BuyerPast
from core.purchases.spending import lay_payment, lay_points, of_kept, spendable
from core.tiers import Climb, Move, Standing

# So begin the slots of lots that were given for a step up; the buyer, the rule and the level follow.
STEP = "tier_up:"


@fact
class Bought:
    """A purchase as the ledger books it. `returned`: thousandths that came back of each line, () for none;
    `elsewhere`: those of them that another account's book has settled, for which it took the points `taken`
    (account, rule, points) and gave `given_back` of the payment; `gone`: nothing of it counts any more
    (core.purchases.cart.all_back).
    """

    external_id: str
    buyer_id: int
    cart: Cart
    program: Program
    returned: tuple[int, ...] = ()
    receipt_id: int | None = None
    live: bool = True
    gone: bool = False
    elsewhere: tuple[int, ...] = ()
    taken: tuple[tuple[str, str, int], ...] = ()
    given_back: int = 0

    @property
    def here(self) -> "Bought":
        """As if what another book has settled had never come back."""
        if not self.elsewhere:
            return self
        back = tuple(every - other for every, other in zip(self.returned, self.elsewhere, strict=True))
        some = any(back)
        gone = some and all_back(self.cart.items, back)
        return replace(self, returned=back if some else (), elsewhere=(), taken=(), given_back=0, gone=gone)

    def moved(self, earned: Sequence[Share], whole: Callable[[], Earned]) -> Sequence[Share]:
        """What this book gives: what is `earned` still, and what another one has taken, which is not taken
        twice. Of goods that came back the rules say no more what was given for them: `whole` is what they say
        of all that was bought.
        """
        if not self.taken:
            return earned
        found = {(it.account, it.rule): it for it in earned}
        known = {(it.account, it.rule): it for it in whole().shares}
        for account, rule, points in self.taken:
            key = account, rule
            share = found.get(key) or replace(known.get(key) or Share(rule, account, 0, ()), points=0)
            found[key] = replace(share, points=share.points + points)
        return [*found.values()]

    @property
    def left(self) -> tuple[int, ...]:
        """Thousandths of each line that were kept."""
        if not self.returned:
            return tuple([item.quantity for item in self.cart.items])
        return tuple(item.quantity - back for item, back in zip(self.cart.items, self.returned, strict=True))

    def kept(self, parts: Sequence[int]) -> tuple[int, ...]:
        """Of an amount on each line, what stays with the part that was kept."""
        if self.gone:
            return (0,) * len(parts)
        if not self.returned:
            return tuple(parts)
        return tuple(map(kept_of, parts, self.cart.items, self.returned))


@fact
class Effect:
    """What a purchase did. `lines` are points on each line, of `earned` those of all rules; `money` (minor
    units) is what was kept of it, `paid` the points that paid for it, also by line. `codes` are the rules
    opened by codes that gave something, `steps` what levels that it reached brought: rule, level, points.
    """

    earned: Earned
    lines: tuple[int, ...]
    paid: tuple[int, ...]
    money: int
    tier: str | None
    steps: tuple[tuple[str, str, int], ...] = ()
    codes: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """What the receipt earned, steps up left aside."""
        return sum(self.lines)


@dataclass
class Desk:
    """Books purchases of some buyers; `standings` and `pasts` are theirs just before the first of them."""

    book: Book
    climb: Climb
    standings: Mapping[int, Standing]
    pasts: Mapping[int, BuyerPast]
    # Of lots that are reckoned again by their ids, how much they have been given so far.
    amounts: Mapping[int | None, int] = field(default_factory=dict)
    # The rules and levels of steps up that were given already, by buyer: each level is rewarded once.
    _stepped: dict[int, set[str]] = field(default_factory=dict)

    def buy(self, op: Op, bought: Bought, *, owing: bool = False) -> Refusal | Effect:
        """Apply one purchase; a refused one has changed nothing and its operation is struck out."""
        program, buyer, cart = bought.program, bought.buyer_id, bought.cart
        standing, past = self.standings[buyer], self.pasts[buyer]
        self.climb.settle(program, buyer, cart.at)
        paid = self._paid_lines(bought)
        payment = sum(bought.kept(paid)) + bought.given_back
        if payment and (refusal := self._pay(op, bought.here, payment, owing=owing)):
            return refusal
        past.tier = standing.tier
        codes, earned = cart.codes, self._earned(op, bought, past)
        if codes and not op.replayed:
            codes = tuple(it for it in codes if any(share.rule == it for share in earned.shares))
        for share in bought.moved(earned.shares, lambda: earn(program, cart, past)):
            self._accrue(op, program, share, cart.at)
        money = sum(bought.kept([item.total for item in cart.items]))
        points = sum(share.points for share in earned.shares)
        before = len(standing.moves)
        if not bought.gone:
            self._extend(op, program, cart.at)
            self.climb.count(program, buyer, cart.at, money, points)
            past.add(cart.at, money, earned.shares, _kept(bought))
        steps = self._step_up(op, bought, standing, before)
        lines = lines_of(earned, len(cart.items))
        return Effect(earned, lines, bought.kept(paid), money, standing.tier, steps, codes)

    def _earned(self, op: Op, bought: Bought, past: BuyerPast) -> Earned:
        if bought.gone:
            return Earned((), ())
        if not op.replayed:
            return _with_codes_that_give(bought.program, bought.cart, past)
        if not bought.returned:
            return earn(bought.program, bought.cart, past)
        return keep(bought.program, bought.cart, past, bought.left)

    def _paid_lines(self, bought: Bought) -> tuple[int, ...]:
        cart = bought.cart
        return lay_points(cart.paid_points, cart.paid) if cart.paid_points else (0,) * len(cart.items)

    def _pay(self, op: Op, bought: Bought, payment: int, *, owing: bool) -> Refusal | None:
        limits = bought.cart.limits
        if bought.returned:
            limits = of_kept(bought.program, bought.cart, bought.kept)
        elif limits is None:
            limits = spendable(bought.program, bought.cart).limits
        return self.book.redeem(
            op, payment, limits=limits, at=bought.cart.at, owing=owing, besides=bought.external_id,
            rules=bought.program,
        )  # fmt: skip

    def _accrue(self, op: Op, program: Program, share: Share, at: datetime) -> None:
        life = program.life(at, account=share.account, starts=share.starts, lasts=share.lasts)
        self.book.accrue(
            op, share.points, reason=PURCHASE, life=life, rule=share.rule, account=share.account,
            slot=_slot(share),
        )  # fmt: skip

    def _extend(self, op: Op, program: Program, at: datetime) -> None:
        for account, life in program.extensions(at).items():
            self.book.extend(op.customer_id, account, life, at)

    def _step_up(
        self, op: Op, bought: Bought, standing: Standing, before: int
    ) -> tuple[tuple[str, str, int], ...]:
        """The grants for levels reached, each level once; imported history is granted nothing."""
        grants = bought.program.grants("tier_up") if bought.live else []
        steps = []
        for move in standing.moves[before:] if grants else ():
            for grant in grants:
                step = f"{grant.rule}:{move.tier}"
                given = self._given(bought.buyer_id)
                if step in given or not _rewarded(bought.program, grant, move):
                    continue
                given.add(step)
                life = bought.program.life(
                    move.at, account=grant.account, starts=grant.starts, lasts=grant.lasts
                )
                self.book.accrue(
                    op, grant.points, reason=grant.rule, life=life, rule=grant.rule, account=grant.account,
                    slot=f"{STEP}{bought.buyer_id}:{step}", partner=_giver(bought, grant),
                )  # fmt: skip
                steps.append((grant.rule, move.tier, grant.points))
        return tuple(steps)

    def _given(self, buyer_id: int) -> set[str]:
        if buyer_id not in self._stepped:
            self._stepped[buyer_id] = {
                lot.slot.split(":", 2)[2]
                for lot in lots_bought(self.book.connection, buyer_id, STEP)
                if self.amounts.get(lot.id, lot.amount) > 0
            }
        return self._stepped[buyer_id]


def _rewarded(program: Program, grant: Grant, move: Move) -> bool:
    """Whether a grant is for this step: up, above the lowest level, on a day of the rule."""
    # Whether a look had given a new customer the lowest level before makes no difference.
    step = move.direction == "up" and program.rank(move.tier) > 0
    meant = not grant.tiers or move.tier in grant.tiers
    day = program.day_of(move.at)
    early = grant.from_ is not None and day < grant.from_
    late = grant.until is not None and day > grant.until
    return step and meant and not early and not late


def _giver(bought: Bought, grant: Grant) -> str | None:
    """Who gives for a step up: the partner of the store (None), or the program ("") if the rule does not hold
    there. The level is the program's, wherever it is reached.
    """
    partner = bought.program.partners.get(bought.cart.partner or "")
    return None if partner is None or partner.has(grant.rule) else ""


def _with_codes_that_give(program: Program, cart: Cart, past: BuyerPast) -> Earned:
    """What a new purchase earns. A code whose rule gives nothing is as if it had not been said: it is not
    used, so what it opens must not come later when something before it changes.
    """
    earned = earn(program, cart, past)
    told: dict[str, Silence] = {}
    while cart.codes:
        silent = {it.rule: it for it in earned.silences if it.rule in cart.codes}
        if not silent:
            break
        told |= silent
        cart = replace(cart, codes=tuple(it for it in cart.codes if it not in silent))
        earned = earn(program, cart, past)
    return (
        replace(earned, silences=tuple(told.get(it.rule, it) for it in earned.silences)) if told else earned
    )


def payable(program: Program, cart: Cart) -> Cart | Refusal:
    """The cart with its payment laid on the lines; Refusal `over_the_limit` says why not so much."""
    if not cart.paid_points:
        return cart
    limit = spendable(program, cart)
    if cart.paid_points > limit.points:
        why = f": {limit.reasons[0]}" if limit.reasons else ""
        most = program.from_points(limit.points)
        return Refusal("over_the_limit", f"at most {most} bonuses may be spent on this receipt{why}")
    if cart.paid_points != (pays := program.points_that_pay(cart.paid_points)):
        less = f"spend {program.from_points(pays)} instead" if pays else "spend more, or none"
        asked = program.from_points(cart.paid_points)
        return Refusal("bad_amount", f"a part of {asked} bonuses would pay for nothing; {less}", "pay_points")
    paid = lay_payment(program, cart, cart.paid_points, limit)
    return cart.paying(paid, limit.limits)


def _slot(share: Share) -> str:
    """What is given to one account with one lifetime is one lot, whichever rules gave it."""
    if share.starts is None and share.lasts is None:
        return share.account
    own = [str(it) for it in (share.starts, share.lasts) if it is not None]
    return "/".join([share.account, *own])


def _kept(bought: Bought) -> list[Item]:
    return [item for item, left in zip(bought.cart.items, bought.left, strict=True) if left]


def lines_of(earned: Earned, count: int) -> tuple[int, ...]:
    """Points of all rules on each of so many lines."""
    shares = [share.lines for share in earned.shares if share.lines]
    if len(shares) == 1:
        return shares[0]
    return tuple(sum(line) for line in zip(*shares, strict=True)) if shares else (0,) * count
