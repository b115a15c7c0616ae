"""`GET /till/customer`: all that a seller needs of who stands at the till, in one answer."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection, select

from campaigns.running import Running
from core.customers.consent import CONSENT, MARKETING
from core.customers.double_opt_in import pending
from core.program import Program
from core.purchases.favourites import favourite_category
from core.purchases.offers import offers
from core.purchases.stats import STATS
from core.tiers import Standing, progress_of
from tidings.api.access import Here, asks
from tidings.api.answers import Expiring
from tidings.api.lookup import identified, known, phone_in
from tidings.api.problems import refuse
from tidings.api.speaking import Speaker, speaker
from tidings.api.tier_shown import tier_shown
from tidings.api.till.models import ConsentAsked, Messages, OfferOut, SellerView
from tidings.api.till.quote import MESSAGES_AT_MOST, level_hints
from tidings.balances import Balance, balances, holder_of

routes = APIRouter()
Text = Annotated[str | None, Query(min_length=1, max_length=254)]
BIRTHDAY_SOON = timedelta(days=14)


@routes.get("/customer", **asks("customers:read", "unknown_customer", "ambiguous_customer"))
def customer(
    here: Here,
    id: Annotated[str | None, Query(max_length=200, examples=["10042"])] = None,  # noqa: A002 - its name
    card: Text = None, phone: Text = None, barcode: Text = None,
    store: Annotated[str | None, Query(max_length=100)] = None,
    locale: Annotated[str | None, Query(max_length=20, description="The cashier's language.")] = None,
) -> SellerView:  # fmt: skip
    """Who stands at the till: name, level, bonuses, offers, and what to say. Name them in one way.

    It takes as long for a customer of ten years as for one of today.
    """
    running, now = here.running, here.now()
    with here.database.read() as connection:
        row = _who(connection, running.program, {"id": id, "card": card, "phone": phone, "barcode": barcode})
        return _View(connection, running, row, now, store, locale).out()


def _who(connection: Connection, program: Program, named: dict[str, str | None]) -> Any:
    given = {name: text for name, text in named.items() if text}
    if len(given) != 1:
        raise refuse("invalid", "name the customer by one of id, card, phone and barcode")
    [(name, text)] = given.items()
    if name == "id":
        return known(connection, text)
    if name == "phone" and phone_in(program, text) is None:
        raise refuse("unknown_customer", "nobody has this phone; register them first", "phone")
    return identified(connection, program, text)


class _View:
    """One customer, looked up once."""

    def __init__(
        self, connection: Connection, running: Running, row: Any, now: datetime, store: str | None,
        locale: str | None,
    ) -> None:  # fmt: skip
        self.connection, self.running, self.row, self.now = connection, running, row, now
        self.program, self.store = running.program, store
        self.cashier = speaker(self.program, [locale], now)
        self.theirs = speaker(self.program, [row.locale], now)
        self.balance: Balance = balances(connection, [holder_of(row)], now)[holder_of(row)]
        standing = Standing(row.tier, row.tier_since, row.invited_to)
        self.progress = progress_of(connection, self.program, {row.id: standing}, now)[row.id]
        self.stats = connection.execute(select(STATS).where(STATS.c.customer_id == row.id)).first()
        self.birthday = birthday_soon(row.birthday, self.program.day_of(now))
        self.consents = consents_of(connection, running, row.id)

    def out(self) -> SellerView:
        """The answer."""
        row, stats, balance = self.row, self.stats, self.balance
        day, amount = balance.nearest
        return SellerView(
            customer=row.external_id, name=row.name, card=row.card, locale=row.locale,
            tier=tier_shown(self.program, self.progress, stats.spent if stats else 0),
            balance=self.points(balance.total), available=self.points(balance.available),
            pending=self.points(balance.pending), expiring=Expiring(amount=self.points(amount), on=day),
            birthday_in_days=self.birthday, last_visit_at=stats.last_purchase_at if stats else None,
            purchases=stats.purchases if stats else 0,
            favourite_category=favourite_category(self.connection, row.id, self.now),
            offers=offers_shown(
                self.connection, self.program, row.id, self.progress.level, self.now, self.cashier, self.store
            ),
            consents=self.consents,
            messages=Messages(cashier=self.to_cashier(), customer=money_hints(self.theirs, balance)
                              + level_hints(self.program, self.theirs, self.progress)),
        )  # fmt: skip

    def points(self, points: int) -> str:
        """Whole bonuses."""
        return str(self.program.from_points(points))

    def to_cashier(self) -> list[str]:
        """What to say or to ask."""
        said = []
        if self.birthday is not None:
            day = self.program.day_of(self.now) + timedelta(days=self.birthday)
            said.append(self.cashier.say("birthday" if self.birthday else "birthday_today", {"day": day}))
        unasked = ", ".join(it.channel for it in self.consents if it.state == "unasked")
        said += [self.cashier.say("consent", {"channels": unasked})] if unasked else []
        said += money_hints(self.cashier, self.balance)
        return (said + level_hints(self.program, self.cashier, self.progress))[:MESSAGES_AT_MOST]


def money_hints(speaks: Speaker, balance: Balance) -> list[str]:
    """What expires, and what is still to come."""
    day, amount = balance.nearest
    said = [speaks.say("expiring", {"points": amount, "day": day})] if day else []
    return said + ([speaks.say("pending", {"points": balance.pending})] if balance.pending else [])


def offers_shown(
    connection: Connection, program: Program, customer_id: int, tier: str, now: datetime, speaks: Speaker,
    store: str | None = None,
) -> list[OfferOut]:  # fmt: skip
    """What the customer, who has this level, may be offered, in words."""
    return [
        OfferOut(
            rule=it.rule, text=speaks.offer(it), code=it.code, coupon=it.coupon, until=it.until, now=it.now
        )
        for it in offers(connection, program, customer_id, tier, now, store)
    ]


def consents_of(connection: Connection, running: Running, customer_id: int) -> list[ConsentAsked]:
    """Of the channels that the program uses: whether we may write there."""
    known_kinds = list(running.kinds)
    used: Sequence[str] = [it for it in known_kinds if it in running.program.channels] or known_kinds
    mine = select(CONSENT.c.channel, CONSENT.c.granted).where(
        CONSENT.c.customer_id == customer_id, CONSENT.c.purpose == MARKETING
    )
    said = {row.channel: "granted" if row.granted else "refused" for row in connection.execute(mine)}
    asked = pending(connection, [customer_id])
    said |= {channel: "pending" for _, channel, purpose in asked if purpose == MARKETING}
    return [ConsentAsked(channel=it, state=said.get(it, "unasked")) for it in used]


def birthday_soon(birthday: date | None, today: date) -> int | None:
    """In how many days it is, if within two weeks."""
    if birthday is None:
        return None
    for year in (today.year, today.year + 1):
        try:
            day = birthday.replace(year=year)
        except ValueError:  # 29 February
            day = date(year, 2, 28)
        if today <= day <= today + BIRTHDAY_SOON:
            return (day - today).days
    return None
