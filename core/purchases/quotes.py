"""What a cart would cost and bring: the till's question before anybody pays. Nothing is written.

The cart is a receipt without a number; its lines stand as the till has them, before the program's discount.
The answer's lines are what the receipt should say.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection

from core.earning import earn
from core.grants.codes import normal
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.money import lay_out, share
from core.program import Program
from core.purchases.booking import Effect
from core.purchases.cart import Cart, Item
from core.purchases.goods import NOTHING_KNOWN, goods_of
from core.purchases.hints import Hint, of_rules, why_not_more
from core.purchases.proposing import Quoted
from core.purchases.rehearsal import Rehearsal, rehearse
from core.purchases.sales import Line, Purchase
from core.purchases.spending import Spendable, needs_code, spendable
from core.tiers import Climb, Standing, discount_of
from core.tiers.progress import Progress, progress_of

# A receipt cannot have this number (it holds a slash), so that no quote is taken for one.
NUMBER = "/"


@dataclass(frozen=True, slots=True)
class Discount:
    """A fraction of the prices, and the minor units that it is on each line."""

    fraction: Decimal
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pay: so many `points`, worth `money` (minor units), laid on the lines as `paid`.

    `accounts` is where the points come from, `balance` what there is afterwards.
    """

    points: int
    money: int
    paid: tuple[int, ...]
    accounts: Mapping[str, int]
    effect: Effect
    balance: int
    needs_code: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer. `without` is paying in money alone, `most` with all the bonuses that may be spent, `asked`
    as many as the cart says (None: it says nothing). A cart of nobody we know has no `customer`.
    """

    at: datetime
    customer: str | None
    cart: Cart
    discount: Discount
    limit: Spendable
    without: Way
    most: Way | None
    asked: Way | Refusal | None
    why_not_more: tuple[Hint, ...]
    codes: Mapping[str, Refusal | None]
    hints: tuple[Hint, ...]
    total: int = 0
    available: int = 0
    expiring: tuple[int, date] | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """core.purchases.cart.Past of somebody who never bought anything."""

    tier: str | None = None
    purchases: int = 0
    spent: int = 0

    def bought(self, kind: str, names: Collection[str]) -> bool:
        """Nothing."""
        return False

    def purchases_since(self, since: datetime) -> int:
        """None."""
        return 0

    def times(self, rule: str, since: datetime | None) -> int:
        """Never."""
        return 0

    def points(self, since: datetime, rule: str | None = None) -> int:
        """None."""
        return 0


def quote(
    connection: Connection, program: Program, asked: Purchase, now: datetime, *, pay: bool = False
) -> Quote | Refusal:
    """What a cart would cost and bring, in a read transaction. `customer` may be "", `external_id` is not
    looked at; with `pay`, also what `pay_points` would bring.

    Refused as a receipt would be: `unknown_customer`, `bad_amount`, `in_the_future`, `too_old`,
    `unknown_product`. Codes that cannot be used are told, and the cart goes on without them.
    """
    asked = replace(asked, external_id=NUMBER, confirmed=True)
    if not asked.customer:
        return _anonymous(connection, program, asked)
    plain = rehearse(connection, program, replace(asked, pay_points=0), now)
    if isinstance(plain, Refusal):
        return plain
    discount = _discount(connection, program, plain, asked)
    reduced = replace(asked, lines=_reduced(asked.lines, discount), pay_points=0)
    return _Quoting(connection, program, reduced, now, discount, plain.book).run(
        asked.pay_points if pay else None
    )


def _reduced(lines: tuple[Line, ...], discount: Discount) -> tuple[Line, ...]:
    return tuple(
        replace(line, total=line.total - less) for line, less in zip(lines, discount.lines, strict=True)
    )


def _discount(connection: Connection, program: Program, plain: Rehearsal, asked: Purchase) -> Discount:
    buyer = plain.buyer
    standing = Standing(buyer.tier, buyer.tier_since, buyer.invited_to)
    Climb(connection, program, {buyer.id: standing}, asked.at, (), until=asked.at).settle(
        program, buyer.id, asked.at
    )
    fraction = discount_of(program, standing.tier, plain.counts[1])
    totals = [line.total for line in asked.lines]
    if min(totals, default=0) < 0:
        return Discount(fraction, (0,) * len(totals))
    return Discount(fraction, tuple(lay_out(share(sum(totals), fraction), totals)))


class _Quoting:
    """One cart, its discount taken off, paid in several ways."""

    def __init__(
        self, connection: Connection, program: Program, purchase: Purchase, now: datetime, discount: Discount,
        book: Book,
    ) -> None:  # fmt: skip
        self.connection, self.program, self.now = connection, program, now
        self.purchase, self.discount = purchase, discount
        # The account as it stands: what the purchase earns cannot pay for it.
        self.book = book

    def run(self, pay: int | None) -> Quote | Refusal:
        """Without bonuses, with as many as may be, and with as many as were asked for."""
        rehearsal = self._rehearse(0)
        book, holder_id, at = self.book, rehearsal.buyer.holder_id, self.purchase.at
        without = self._way(rehearsal, 0)
        if isinstance(without, Refusal):
            return without
        # A cart of earlier goes by the rules of its own time, as its receipt will.
        cart, rules = rehearsal.cart, rehearsal.program
        limit = spendable(rules, cart)
        available = book.available(holder_id, at)
        there = sum(book.payable(holder_id, limit.points, limit.limits, at).values())
        # A part of a coin pays for nothing, and a payment with one is refused.
        most = rules.points_that_pay(there)
        paying = self._way(self._rehearse(most), most) if most else None
        return Quote(
            at, rehearsal.buyer.external_id, cart, self.discount, limit, without,
            None if isinstance(paying, Refusal) else paying, self._asked(pay, without, paying),
            tuple(why_not_more(rules, cart, limit, available, there, self.discount.fraction)),
            _verdicts(self.purchase, rehearsal), self._hints(rehearsal, without.effect),
            book.total(holder_id), available, _expiring(book, holder_id, at), self._progress(rehearsal),
        )  # fmt: skip

    def _rehearse(self, points: int) -> Rehearsal:
        purchase = replace(self.purchase, pay_points=points)
        rehearsal = rehearse(self.connection, self.program, purchase, self.now)
        assert isinstance(rehearsal, Rehearsal)
        return rehearsal

    def _way(self, rehearsal: Rehearsal, points: int) -> Way | Refusal:
        effect = rehearsal.run()
        if isinstance(effect, Refusal):
            return effect
        paid = rehearsal.cart.paid or (0,) * len(rehearsal.cart.items)
        balance = rehearsal.book.total(rehearsal.buyer.holder_id)
        asks = needs_code(self.program, points)
        return Way(points, sum(paid), tuple(paid), rehearsal.accounts, effect, balance, asks)

    def _asked(self, pay: int | None, without: Way, most: Way | Refusal | None) -> Way | Refusal | None:
        if pay is None:
            return None
        for known in (without, most):
            if isinstance(known, Way) and known.points == pay:
                return known
        return self._way(self._rehearse(pay), pay)

    def _progress(self, rehearsal: Rehearsal) -> Progress:
        buyer = rehearsal.buyer
        standing = Standing(buyer.tier, buyer.tier_since, buyer.invited_to)
        found = progress_of(self.connection, self.program, {buyer.id: standing}, self.purchase.at)
        return found[buyer.id]

    def _hints(self, rehearsal: Rehearsal, effect: Effect) -> tuple[Hint, ...]:
        past = rehearsal.past
        # Nothing can be added any more to a cart of the past.
        if past is None or rehearsal.program is not self.program:
            return ()
        fraction, less = self.discount.fraction, self.discount.lines
        here = Quoted(self.program, rehearsal.cart, past, effect.earned, fraction, less)
        return tuple(of_rules(here))


def _verdicts(purchase: Purchase, rehearsal: Rehearsal) -> dict[str, Refusal | None]:
    # A code that was scanned and typed stands there in two spellings, and is asked about once.
    refused = {normal(code): refusal for code, refusal in rehearsal.codes.refused.items()}
    return {code: refused.get(normal(code)) for code in dict.fromkeys(purchase.codes)}


def _expiring(book: Book, holder_id: int, at: datetime) -> tuple[int, date] | None:
    """What expires on the nearest day of expiry."""
    usable = [it for it in book.lots[holder_id] if it.usable(at) and it.expires_on]
    if not usable:
        return None
    day = min(it.expires_on for it in usable if it.expires_on)
    return sum(it.remaining for it in usable if it.expires_on == day), day


def _anonymous(connection: Connection, program: Program, asked: Purchase) -> Quote | Refusal:
    """Nobody's cart earns nothing; what it would earn with a card is told."""
    known = goods_of(connection, [asked])
    if program.products.unknown == "refuse":
        for line in asked.lines:
            if line.sku not in known:
                return Refusal(
                    "unknown_product", f"no product {line.sku!r} in the catalogue; import it first"
                )
    if any(line.total < 0 or line.quantity < 0 for line in asked.lines):
        return Refusal("bad_amount", "no line or quantity may be below zero")
    items = tuple(_item(line, known.get(line.sku, NOTHING_KNOWN)) for line in asked.lines)
    cart = Cart(asked.at, items, asked.store, program.partner_of(asked.store))
    earned = earn(program, cart, Newcomer(program.tier_names[0]))
    none = (0,) * len(items)
    effect = Effect(earned, none, none, cart.total, None)
    way = Way(0, 0, none, {}, effect, 0, needs_code=False)
    nobodys = Refusal("unknown_customer", "a code is used by a customer whom we know")
    codes = dict.fromkeys(asked.codes, nobodys)
    hint = Hint("no_card", {"points": earned.points})
    return Quote(
        asked.at, None, cart, Discount(Decimal(0), none), spendable(program, cart), way, None, None, (),
        codes, (hint,),
    )  # fmt: skip


def _item(line: Line, known: tuple[str | None, str | None]) -> Item:
    category, brand = line.category or known[0], line.brand or known[1]
    return Item(line.sku, line.quantity, line.total, category, brand, line.discounted)
