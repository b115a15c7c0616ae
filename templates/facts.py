"""What is known of the customers of a batch, for their messages and cards: a handful of queries a batch."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, case, func, literal, select

from core.db import UtcDateTime
from core.links import Links
from core.program import Program
from core.tables import Customer, Lot, Receipt
from templates.context import CustomerView, ExpiringView, LinksView, ProgramView, TierView

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]

Context = dict[str, Any]


def contexts(
    connection: Connection, program: Program, customer_ids: Sequence[int], at: datetime, links: Links
) -> dict[int, Context]:
    """The template context of each customer at a time, without `trigger`; templates.context has its shape."""
    ids = sorted(set(customer_ids))
    people = connection.execute(select(CUSTOMER).where(CUSTOMER.c.id.in_(ids))).all()
    balances = _balances(connection, ids, at)
    expiring = _expiring(connection, program, ids, at)
    spends = _spends(connection, program, ids, at)
    found = {}
    for row in people:
        amount, day = expiring.get(row.id, (0, None))
        found[row.id] = {
            "customer": _customer(row),
            "program": _program(program, row.locale),
            "balance": program.from_points(balances.get(row.id, 0)),
            "tier": tier_view(program, row.tier, row.tier_since, spends.get(row.id, 0)),
            "expiring": ExpiringView(program.from_points(amount), day),
            "links": _links(links, row.id),
        }
    return found


def _balances(connection: Connection, ids: Sequence[int], at: datetime) -> dict[int, int]:
    now = literal(at, UtcDateTime)
    usable = (LOT.c.active_from <= now) & (LOT.c.expires_at.is_(None) | (LOT.c.expires_at > now))
    # Debts count against what may be spent.
    counted = case((LOT.c.remaining < 0, LOT.c.remaining), (usable, LOT.c.remaining), else_=0)
    statement = select(LOT.c.customer_id, func.sum(counted)).where(
        LOT.c.customer_id.in_(ids), LOT.c.remaining != 0
    )
    rows = connection.execute(statement.group_by(LOT.c.customer_id)).all()
    return {customer_id: max(0, int(balance)) for customer_id, balance in rows}


def _expiring(
    connection: Connection, program: Program, ids: Sequence[int], at: datetime
) -> dict[int, tuple[int, date]]:
    statement = (
        select(LOT.c.customer_id, LOT.c.expires_on, func.sum(LOT.c.remaining))
        .where(LOT.c.customer_id.in_(ids), LOT.c.remaining > 0, LOT.c.expires_on >= program.day_of(at))
        .where(LOT.c.active_from <= literal(at, UtcDateTime))
        .group_by(LOT.c.customer_id, LOT.c.expires_on)
        .order_by(LOT.c.expires_on.desc())
    )
    # The nearest day comes last and stays.
    return {customer_id: (int(amount), day) for customer_id, day, amount in connection.execute(statement)}


def _spends(connection: Connection, program: Program, ids: Sequence[int], at: datetime) -> dict[int, int]:
    statement = (
        select(RECEIPT.c.customer_id, func.sum(RECEIPT.c.total))
        .where(RECEIPT.c.customer_id.in_(ids), RECEIPT.c.returned_at.is_(None))
        .where(
            RECEIPT.c.at > literal(at - program.tier_window, UtcDateTime),
            RECEIPT.c.at <= literal(at, UtcDateTime),
        )
        .group_by(RECEIPT.c.customer_id)
    )
    return {customer_id: int(total) for customer_id, total in connection.execute(statement)}


def tier_view(program: Program, tier: str | None, since: datetime | None, spend: int) -> TierView:
    """A tier with the way to the next one; `spend` in minor units over the program's period."""
    level = program.level(tier)
    following = program.next_level(level.name)
    missing = max(Decimal(0), following.from_ - program.from_money(spend)) if following else None
    return TierView(
        name=level.name,
        earn=level.earn * 100,
        next=following.name if following else None,
        missing=missing,
        since=program.day_of(since) if since else None,
    )


def _customer(row: Any) -> CustomerView:
    first_name = row.name.split()[0] if row.name else None
    return CustomerView(
        external_id=row.external_id,
        name=row.name,
        first_name=first_name,
        phone=row.phone,
        email=row.email,
        birthday=row.birthday,
        gender=row.gender,
        city=row.city,
        locale=row.locale,
        time_zone=row.time_zone,
        card=row.card or row.external_id,
        registered_at=row.registered_at,
        attributes=row.attributes,
    )


def _program(program: Program, locale: str | None) -> ProgramView:
    terms = program.terms_in((locale or program.locale).split("-")[0])
    return ProgramView(name=program.name, currency=program.currency, terms=terms, url=program.url)


def _links(links: Links, customer_id: int) -> LinksView:
    return LinksView(
        unsubscribe=links.unsubscribe(customer_id, "email"),
        preferences=links.preferences(customer_id),
        card=links.card(customer_id),
    )


def with_trigger(context: Context, facts: Mapping[str, Any]) -> Context:
    """The context of one message: the customer's, and the facts of the trigger."""
    return {**context, "trigger": facts}
