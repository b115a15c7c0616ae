"""`POST /till/quote`: what a cart would cost and bring, and the sentences about it."""

from fastapi import APIRouter
from sqlalchemy import Connection, select

from core.customers.profiles import CUSTOMER
from core.ledger.lots import Refusal
from core.program import Program
from core.purchases.answers import rules_of
from core.purchases.quotes import Quote, Way, quote
from core.purchases.receipts import Purchase
from core.purchases.stats import Stats
from core.tiers import Progress
from tidings.api.access import Here, Who, asks
from tidings.api.answers import Expiring, GaveOut, level_bonus
from tidings.api.carts import FIELDS, REFUSALS, check_currency, check_store, lines_of, points_of
from tidings.api.problems import refused
from tidings.api.speaking import Speaker, speaker
from tidings.api.tier_shown import plain, tier_shown
from tidings.api.till.models import (
    AccountPoints,
    CartIn,
    CodeOut,
    MessageOut,
    Messages,
    QuotedLine,
    QuoteOut,
    SilentOut,
    WayOut,
)

routes = APIRouter()
MESSAGES_AT_MOST = 6


@routes.post("/quote", **asks("checkout:write", *REFUSALS))
def post(here: Here, who: Who, body: CartIn) -> QuoteOut:
    """What a cart costs and brings, with the reason of each, and what to say to cashier and customer.

    Changes nothing; the receipt with these lines brings exactly this. A code that cannot be used is told and
    left out.
    """
    program, now = here.program, here.now()
    check_store(who, body.store)
    check_currency(program, body.currency)
    pay = None if body.pay_points is None else points_of(program, body.pay_points)
    asked = Purchase(
        "", body.customer or "", body.at or now, lines_of(program, body.lines), body.store, pay or 0,
        tuple(body.codes),
    )  # fmt: skip
    with here.database.read() as connection:
        found = quote(connection, program, asked, now, pay=pay is not None)
        if isinstance(found, Refusal):
            raise refused(found, FIELDS)
        return _Shown(connection, program, found, body.locale).out()


class _Shown:
    """A quote as decimals and sentences."""

    def __init__(self, connection: Connection, program: Program, found: Quote, locale: str | None) -> None:
        self.program, self.found = program, found
        mine = select(CUSTOMER.c.id, CUSTOMER.c.locale).where(
            CUSTOMER.c.external_id == (found.customer or "")
        )
        row = connection.execute(mine).first()
        self.spent = Stats(connection, [row.id]).spent(row.id) if row else 0
        self.cashier = speaker(program, [locale], found.cart.at)
        self.customer = speaker(program, [row.locale if row else locale], found.cart.at)

    def out(self) -> QuoteOut:
        """The answer."""
        found, progress = self.found, self.found.progress
        discount, asked = sum(found.discount.lines), found.asked
        amount, day = found.expiring or (0, None)
        return QuoteOut(
            customer=found.customer, at=found.at, currency=self.program.currency,
            price=self.money(found.cart.total + discount), discount=self.money(discount),
            discount_percent=plain(found.discount.fraction * 100) or "0", total=self.money(found.cart.total),
            lines=self.lines(), balance=self.points(found.total), available=self.points(found.available),
            expiring=Expiring(amount=self.points(amount), on=day),
            tier=progress and tier_shown(self.program, progress, self.spent),
            without_bonuses=self.way(found.without), most=found.most and self.way(found.most),
            why_not_more=[
                MessageOut(code=it.kind, message=self.cashier.hint(it)) for it in found.why_not_more
            ],
            asked=self.way(asked) if isinstance(asked, Way) else None,
            asked_problem=_problem(asked), codes=self.codes(),
            messages=Messages(cashier=self.to_cashier(), customer=self.to_customer()),
        )  # fmt: skip

    def money(self, minor: int) -> str:
        """Whole units."""
        return str(self.program.from_money(minor))

    def points(self, points: int) -> str:
        """Whole bonuses."""
        return str(self.program.from_points(points))

    def lines(self) -> list[QuotedLine]:
        """Line by line."""
        found = self.found
        return [
            QuotedLine(
                line=number, sku=item.sku, price=self.money(item.total + less), discount=self.money(less),
                total=self.money(item.total), spend_at_most=self.money(most),
            )
            for number, (item, less, most) in enumerate(
                zip(found.cart.items, found.discount.lines, found.limit.lines, strict=True), start=1
            )
        ]  # fmt: skip

    def way(self, way: Way) -> WayOut:
        """One way to pay."""
        effect, earned = way.effect, self.points(way.effect.points)
        rules = [GaveOut.model_validate(it) for it in rules_of(self.program, effect)]
        return WayOut(
            points=self.points(way.points), paid=self.money(way.money),
            to_pay=self.money(self.found.cart.total - way.money), lines=[self.money(it) for it in way.paid],
            accounts=[
                AccountPoints(account=name, points=self.points(it)) for name, it in way.accounts.items()
            ],
            needs_code=way.needs_code, earned=earned, balance=self.points(way.balance),
            tier=effect.tier, level_bonus=level_bonus(rules, earned), rules=rules,
            silent=[
                SilentOut(rule=it.rule, reason=it.reason, why=it.detail) for it in effect.earned.silences
            ],
        )  # fmt: skip

    def codes(self) -> list[CodeOut]:
        """Each promo code."""
        return [
            CodeOut(
                code=code, accepted=refusal is None, reason=refusal and refusal.reason,
                detail=refusal and refusal.detail,
            )
            for code, refusal in self.found.codes.items()
        ]  # fmt: skip

    def to_cashier(self) -> list[str]:
        """What helps to sell, and what stands in the way."""
        found, say = self.found, self.cashier.say
        said = [say("code_refused", {"code": code}) for code, refusal in found.codes.items() if refusal]
        if found.most:
            said.append(say("pay", {"points": found.most.points, "money": found.most.money}))
            said += [say("confirm", {})] if found.most.needs_code else []
        said += [self.cashier.hint(it) for it in found.why_not_more if it.kind == "spend_from"]
        said += [self.cashier.hint(it) for it in found.hints]
        return (said + self._level(self.cashier))[:MESSAGES_AT_MOST]

    def to_customer(self) -> list[str]:
        """What they get, may use, and may lose."""
        found, say = self.found, self.customer.say
        said = []
        if found.discount.fraction:
            less = {"percent": found.discount.fraction, "money": sum(found.discount.lines)}
            said.append(say("discount", less))
        if found.without.effect.points:
            said.append(say("earn", {"earned": found.without.effect.points}))
        if found.most:
            said.append(say("pay", {"points": found.most.points, "money": found.most.money}))
        if found.expiring:
            said.append(say("expiring", {"points": found.expiring[0], "day": found.expiring[1]}))
        said += self._level(self.customer) + [self.customer.hint(it) for it in found.hints]
        return said[:MESSAGES_AT_MOST]

    def _level(self, speaks: Speaker) -> list[str]:
        progress, after = self.found.progress, self.found.without.effect.tier
        if progress is None:
            return []
        if after is not None and self.program.rank(after) > self.program.rank(progress.level):
            return [speaks.say("reaches", {"tier": after})]
        counts = {"spend": self.found.cart.total, "points": self.found.without.effect.points, "purchases": 1}
        return level_hints(self.program, speaks, progress, counts.get(self.program.tiers.measure, 0))


def level_hints(program: Program, speaks: Speaker, progress: Progress, more: int = 0) -> list[str]:
    """The way to the next level, and what keeps this one; `more` of the measure is counted already."""
    said = []
    if progress.following and progress.missing is not None and progress.missing > more:
        left = amount_of(program, speaks, progress.missing - more)
        said.append(speaks.say("to_next", {"amount": left, "tier": progress.following}))
    if progress.keep_by and progress.to_keep is not None and progress.to_keep > more:
        left = amount_of(program, speaks, progress.to_keep - more)
        facts = {"amount": left, "day": progress.keep_by, "tier": progress.level}
        said.append(speaks.say("to_keep", facts))
    return said


def amount_of(program: Program, speaks: Speaker, amount: int) -> str:
    """An amount of the levels' measure."""
    if program.tiers.measure == "points":
        return speaks.points(amount)
    return speaks.count("purchases", amount) if program.tiers.measure == "purchases" else speaks.money(amount)


def _problem(asked: Way | Refusal | None) -> MessageOut | None:
    return MessageOut(code=asked.reason, message=asked.detail) if isinstance(asked, Refusal) else None
