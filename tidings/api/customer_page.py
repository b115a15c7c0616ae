"""`GET /customers/{id}/page`: all that the customer's own page shows, in one answer.

It reads open lots, kept statistics and the last few operations: the history's length does not matter.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, select

from core.customers.profiles import CUSTOMER
from core.ledger.reading import OPEN
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.program import Program
from core.purchases.stats import Stats
from core.purchases.stored import RECEIPT
from core.tiers import Standing, progress_of
from tidings.api.access import Here, asks
from tidings.api.answers import Tier
from tidings.api.lookup import CustomerPath, known
from tidings.api.services import Services
from tidings.api.speaking import Speaker, speaker
from tidings.api.tier_shown import tier_shown
from tidings.api.till.assistant import money_hints, offers_shown
from tidings.api.till.examples import TIER
from tidings.api.till.models import OfferOut
from tidings.api.till.quote import level_hints
from tidings.balances import Balance, balances, holder_of, not_over

routes = APIRouter(prefix="/customers", tags=["Customers"])
OPERATIONS, LOTS, MEMBERS = 10, 20, 50
EFFECTIVE = func.coalesce(ENTRY.c.corrects, ENTRY.c.operation_id)

EXAMPLE: Mapping[str, Any] = {
    "customer": "10042", "name": "Олена Коваль", "card": "KV20261234", "locale": "uk", "tier": TIER,
    "balance": "55.1", "available": "55.1", "pending": "0", "held": "0", "debt": "0",
    "expiring": [{"amount": "50", "on": "2026-03-31", "text": "31 березня згорить 50 бонусів"}],
    "lots": [{"remaining": "50", "account": "base", "starts_at": "2026-03-01T08:00:00Z",
              "expires_on": "2026-03-31"}],
    "operations": [{"at": "2026-03-01T08:15:00Z", "kind": "purchase", "text": "Покупка: kyiv-1",
                    "points": "5.1", "receipt": "R-2026-000173", "total": "170"}],
    "offers": [], "household": [], "messages": ["До рівня silver: 4 830 ₴"],
    "links": {"card": "https://loyalty.example/c/…", "preferences": "https://loyalty.example/p/…",
              "history": "/api/v1/customers/10042/history", "lots": "/api/v1/customers/10042/lots"},
}  # fmt: skip


class ExpiringOut(BaseModel):
    """What expires on a day, also in words."""

    amount: str
    on: date
    text: str


class PageLot(BaseModel):
    """Open bonuses of one account that start and expire together."""

    remaining: str
    account: str
    starts_at: datetime
    expires_on: date | None


class PageOperation(BaseModel):
    """One thing that happened: `points` more or less, later corrections included."""

    at: datetime
    kind: str
    text: str
    points: str
    receipt: str | None
    total: str | None = Field(description="Of a purchase: what was bought for, less returns.")


class Member(BaseModel):
    """Somebody who shares the bonuses."""

    customer: str
    name: str | None
    head: bool


class PageLinks(BaseModel):
    """The customer's own pages, and the lists that go on where this answer ends."""

    card: str
    preferences: str
    history: str
    lots: str


class PageOut(BaseModel):
    """The customer's page, in their language. Members of a household see what they share."""

    model_config = ConfigDict(json_schema_extra={"examples": [dict(EXAMPLE)]})

    customer: str
    name: str | None
    card: str | None
    locale: str | None
    tier: Tier
    balance: str
    available: str
    pending: str
    held: str
    debt: str
    expiring: list[ExpiringOut]
    lots: list[PageLot]
    operations: list[PageOperation]
    offers: list[OfferOut]
    household: list[Member]
    messages: list[str]
    links: PageLinks


@routes.get("/{external_id}/page", **asks("customers:read", "unknown_customer"))
def page(here: Here, external_id: CustomerPath) -> PageOut:
    """What the customer's page shows: bonuses, level, the last operations in words, offers, links."""
    with here.database.read() as connection:
        return _Page(here, connection, known(connection, external_id)).out()


class _Page:
    """One customer, looked up once."""

    def __init__(self, here: Services, connection: Connection, row: Any) -> None:
        self.here, self.connection, self.row = here, connection, row
        self.program: Program = here.program
        self.now, self.holder_id = here.now(), holder_of(row)
        self.speaks: Speaker = speaker(self.program, [row.locale], self.now)
        self.balance: Balance = balances(connection, [self.holder_id], self.now)[self.holder_id]

    def out(self) -> PageOut:
        """The answer."""
        row, balance, program = self.row, self.balance, self.program
        standing = Standing(row.tier, row.tier_since, row.invited_to)
        progress = progress_of(self.connection, program, {row.id: standing}, self.now)[row.id]
        spent = Stats(self.connection, [row.id]).spent(row.id)
        return PageOut(
            customer=row.external_id, name=row.name, card=row.card, locale=row.locale,
            tier=tier_shown(program, progress, spent), balance=self.points(balance.total),
            available=self.points(balance.available), pending=self.points(balance.pending),
            held=self.points(balance.held), debt=self.points(balance.debt), expiring=self.expiring(),
            lots=self.lots(), operations=self.operations(),
            offers=offers_shown(self.connection, program, row.id, progress.level, self.now, self.speaks),
            household=self.household(), links=self.links(),
            messages=money_hints(self.speaks, balance) + level_hints(program, self.speaks, progress),
        )  # fmt: skip

    def points(self, points: int) -> str:
        """Whole bonuses."""
        return str(self.program.from_points(points))

    def expiring(self) -> list[ExpiringOut]:
        """The next days of expiry."""
        days = sorted(self.balance.expiring.items())[:3]
        return [
            ExpiringOut(
                amount=self.points(amount), on=day,
                text=self.speaks.say("expiring", {"points": amount, "day": day}),
            )
            for day, amount in days
        ]  # fmt: skip

    def lots(self) -> list[PageLot]:
        """What is open, the first to expire first."""
        columns = (LOT.c.account, LOT.c.active_from, LOT.c.expires_on)
        open_ = select(*columns, func.sum(LOT.c.remaining).label("remaining")).where(
            LOT.c.customer_id == self.holder_id, *OPEN, not_over(self.now)
        )
        order = (LOT.c.expires_on.is_(None), LOT.c.expires_on, LOT.c.active_from, LOT.c.account)
        rows = self.connection.execute(open_.group_by(*columns).order_by(*order).limit(LOTS))
        return [
            PageLot(
                remaining=self.points(int(row.remaining)), account=row.account, starts_at=row.active_from,
                expires_on=row.expires_on,
            )
            for row in rows
        ]  # fmt: skip

    def operations(self) -> list[PageOperation]:
        """The last ones that were recorded, each with what it did in the end."""
        mine = select(OPERATION).where(OPERATION.c.customer_id == self.holder_id)
        rows = self.connection.execute(mine.order_by(OPERATION.c.id.desc()).limit(OPERATIONS)).all()
        points = self._net([row.id for row in rows])
        receipts = self._receipts([row.result.get("receipt") for row in rows])
        return [
            PageOperation(
                at=row.at, kind=row.kind, text=self._words(row, receipts), points=self.points(points[row.id]),
                receipt=row.result.get("receipt"), total=self._total(row, receipts),
            )
            for row in rows
        ]  # fmt: skip

    def _net(self, ids: Sequence[int]) -> Mapping[int, int]:
        found = dict.fromkeys(ids, 0)
        own = (ENTRY.c.operation_id.in_(ids) & ENTRY.c.corrects.is_(None), ENTRY.c.corrects.in_(ids))
        for which in own:
            sums = select(EFFECTIVE, func.sum(ENTRY.c.amount)).where(which).group_by(EFFECTIVE)
            for operation_id, amount in self.connection.execute(sums):
                found[operation_id] += int(amount)
        return found

    def _receipts(self, names: Sequence[str | None]) -> Mapping[str, Any]:
        wanted = select(RECEIPT.c.external_id, RECEIPT.c.store, RECEIPT.c.total)
        rows = self.connection.execute(wanted.where(RECEIPT.c.external_id.in_([it for it in names if it])))
        return {row.external_id: row for row in rows}

    def _words(self, row: Any, receipts: Mapping[str, Any]) -> str:
        kind = f"op_{row.kind}"
        what = self.speaks.say(kind if self.speaks.knows(kind) else "op_other", {})
        receipt = receipts.get(row.result.get("receipt") or "")
        store = receipt.store if receipt else None
        return self.speaks.say("op_at", {"what": what, "store": store}) if store else what

    def _total(self, row: Any, receipts: Mapping[str, Any]) -> str | None:
        receipt = receipts.get(row.result.get("receipt") or "")
        return str(self.program.from_money(receipt.total)) if receipt and row.kind == "purchase" else None

    def household(self) -> list[Member]:
        """Who shares the bonuses; nobody if they are the customer's alone."""
        shared = (CUSTOMER.c.household_id == self.holder_id) | (CUSTOMER.c.id == self.holder_id)
        rows = select(CUSTOMER.c.id, CUSTOMER.c.external_id, CUSTOMER.c.name).where(
            shared, CUSTOMER.c.erased_at.is_(None), CUSTOMER.c.merged_into.is_(None)
        )
        found = self.connection.execute(rows.order_by(CUSTOMER.c.id).limit(MEMBERS)).all()
        if len(found) < 2:
            return []
        return [
            Member(customer=row.external_id, name=row.name, head=row.id == self.holder_id) for row in found
        ]

    def links(self) -> PageLinks:
        """Where to go on."""
        links, own = self.here.links, f"/api/v1/customers/{quote(self.row.external_id, safe='')}"
        return PageLinks(
            card=links.card(self.row.id), preferences=links.preferences(self.row.id),
            history=f"{own}/history", lots=f"{own}/lots",
        )  # fmt: skip
