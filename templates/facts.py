"""What is known of the customers of a batch, for their messages and cards: a handful of queries a batch."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, case, func, literal, select

from core.db import UtcDateTime
from core.links import Links
from core.program import Program
from core.tables import Customer, CustomerStats, Lot
from core.tiers import Progress, Standing, discount_of, progress_of
from templates.context import CustomerView, ExpiringView, LinksView, ProgramView, TierView

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]
# A member of a household sees the bonuses that all of them share.
HOLDER = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)

Context = dict[str, Any]
# What the amounts of a program's levels are, by its measure.
UNITS = {"spend": "money", "points": "points", "purchases": "purchases", "invitation": "money"}


def contexts(
    connection: Connection, program: Program, customer_ids: Sequence[int], at: datetime, links: Links
) -> dict[int, Context]:
    """The template context of each customer at a time, without `trigger`; templates.context has its shape."""
    ids = sorted(set(customer_ids))
    people = connection.execute(select(CUSTOMER).where(CUSTOMER.c.id.in_(ids))).all()
    balances = _balances(connection, ids, at)
    expiring = _expiring(connection, program, ids, at)
    standings = {row.id: Standing(row.tier, row.tier_since, row.invited_to) for row in people}
    progress = progress_of(connection, program, standings, at)
    spent = _spent_ever(connection, program, ids)
    found = {}
    for row in people:
        amount, day = expiring.get(row.id, (0, None))
        found[row.id] = {
            "customer": _customer(row),
            "program": _program(program, row.locale),
            "balance": program.from_points(balances.get(row.id, 0)),
            "tier": tier_view(program, progress[row.id], row.tier_since, spent.get(row.id, 0)),
            "expiring": ExpiringView(program.from_points(amount), day),
            "links": _links(links, row.id),
        }
    return found


def _balances(connection: Connection, ids: Sequence[int], at: datetime) -> dict[int, int]:
    now = literal(at, UtcDateTime)
    usable = (LOT.c.active_from <= now) & (LOT.c.expires_at.is_(None) | (LOT.c.expires_at > now))
    # Debts count against what may be spent.
    counted = case((LOT.c.remaining < 0, LOT.c.remaining), (usable, LOT.c.remaining), else_=0)
    statement = select(CUSTOMER.c.id, func.sum(counted)).join(LOT, LOT.c.customer_id == HOLDER)
    statement = statement.where(CUSTOMER.c.id.in_(ids), LOT.c.remaining != 0)
    rows = connection.execute(statement.group_by(CUSTOMER.c.id)).all()
    return {customer_id: max(0, int(balance)) for customer_id, balance in rows}


def _expiring(
    connection: Connection, program: Program, ids: Sequence[int], at: datetime
) -> dict[int, tuple[int, date]]:
    statement = (
        select(CUSTOMER.c.id, LOT.c.expires_on, func.sum(LOT.c.remaining))
        .join(LOT, LOT.c.customer_id == HOLDER)
        # Said twice: the index of a customer's open lots serves only what asks for its very condition.
        .where(CUSTOMER.c.id.in_(ids), LOT.c.remaining != 0, LOT.c.remaining > 0)
        .where(LOT.c.expires_on >= program.day_of(at))
        .where(LOT.c.active_from <= literal(at, UtcDateTime))
        .group_by(CUSTOMER.c.id, LOT.c.expires_on)
        .order_by(LOT.c.expires_on.desc())
    )
    # The nearest day comes last and stays.
    return {customer_id: (int(amount), day) for customer_id, day, amount in connection.execute(statement)}


def _spent_ever(connection: Connection, program: Program, ids: Sequence[int]) -> dict[int, int]:
    """Minor units of a whole life, where a discount depends on them."""
    if not program.discount_steps:
        return {}
    statement = select(STATS.c.customer_id, STATS.c.spent).where(STATS.c.customer_id.in_(ids))
    return {row.customer_id: row.spent for row in connection.execute(statement)}


def tier_view(program: Program, progress: Progress, since: datetime | None, spent_ever: int = 0) -> TierView:
    """A tier with the way to the next one; `spent_ever` in minor units."""

    def whole(amount: int | None) -> Decimal | None:
        return None if amount is None else program.in_whole(amount)

    return TierView(
        name=progress.level,
        earn=program.level(progress.level).earn * 100,
        next=progress.following,
        missing=whole(progress.missing),
        since=program.day_of(since) if since else None,
        until=progress.until,
        to_keep=whole(progress.to_keep),
        have=program.in_whole(progress.have),
        unit=UNITS[program.tiers.measure],
        kept_by=progress.kept_by,
        discount=discount_of(program, progress.level, spent_ever) * 100,
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
