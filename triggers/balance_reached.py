"""A balance that has reached an amount."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)

from core.db import UtcDateTime, facts, looked_up
from core.ledger.reading import OPEN
from core.tables import Account, Entry, Lot, Operation
from triggers.base import (
    CUSTOMER,
    PRESENT,
    Due,
    Fact,
    Kind,
    Look,
    Parameters,
    Trigger,
    utc_text,
    whole_number,
)
from triggers.marks import Points

ACCOUNT = Account.__table__  # type: ignore[attr-defined]
ENTRY = Entry.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
OPERATION = Operation.__table__  # type: ignore[attr-defined]


class BalanceReachedParameters(Parameters):
    """How much the customer must have to spend."""

    at_least: Points = Field(gt=0, description="bonuses that can be spent, whole units")


class BalanceReached(Trigger[BalanceReachedParameters]):
    """What the customer can spend has risen to an amount or above it, and is still there.

    A crossing is found in the ledger, not by comparing two looks: every entry moves the balance once, when it
    became known (imported history: when it happened), but not before its bonuses start; and bonuses end with
    their day. What moved at one time is one move. The last move that led from below the amount to it is the
    crossing, and its time is the occasion. Moves never change afterwards, so a receipt that arrives late is a
    move of the day on which it arrived and makes no crossing of the past anew; and whoever crosses, falls
    below and crosses again between two looks is due once, for the crossing that still holds.

    The bonuses of a household are their holder's, who alone is due.
    """

    name: ClassVar[str] = "balance_reached"
    kind: ClassVar[Kind] = "state"
    Parameters = BalanceReachedParameters
    facts = {
        "balance": Fact("points", "how much can be spent now"),
        "at_least": Fact("points", "the amount that was reached"),
        "reached_on": Fact("local_date", "the day on which it was reached"),
    }

    def candidates(self, parameters: BalanceReachedParameters, look: Look) -> Select[Any]:
        """Of those for whom anything moved since they entered, and who have enough by their open lots: the
        last crossing of each by their entries.
        """
        limit = look.program.to_points(parameters.at_least)
        # Found once: their entries are asked for, and their open lots.
        moved = _who_moved(limit, look).cte("moved").prefix_with("MATERIALIZED")
        crossed = _crossed(limit, look, select(moved.c.customer_id))
        return (
            select(
                crossed.c.customer_id, utc_text(crossed.c.at).label("occasion"),
                utc_text(crossed.c.at).label("subject"), look.zones.c.fired_at.label("at"),
                _facts(crossed, limit).label("facts"),
            )
            .join(CUSTOMER, and_(CUSTOMER.c.id == crossed.c.customer_id, PRESENT))
            .join(look.zones, look.zone_of(CUSTOMER))
            .where(look.is_new(crossed.c.customer_id, utc_text(crossed.c.at)))
        )  # fmt: skip

    def perhaps(self, parameters: BalanceReachedParameters, look: Look) -> Sequence[Select[Any]]:
        """Whoever's kept total is as large."""
        return (select(ACCOUNT.c.customer_id).where(_ample(look.program.to_points(parameters.at_least))),)

    def still_true(self, parameters: BalanceReachedParameters, look: Look, due: Due) -> Select[Any]:
        """The balance has not been below the amount since that crossing."""
        limit = look.program.to_points(parameters.at_least)
        crossed = _crossed(limit, look, select(due.c.customer_id))
        same = and_(crossed.c.customer_id == due.c.customer_id, utc_text(crossed.c.at) == due.c.subject)
        return (
            select(due.c.id, _facts(crossed, limit).label("facts"))
            .join(crossed, same)
            .join(CUSTOMER, and_(CUSTOMER.c.id == due.c.customer_id, PRESENT))
        )


def _ample(limit: int) -> ColumnElement[bool]:
    """The kept total is as large: debts are taken off it, and what cannot be spent yet is in it."""
    ample: ColumnElement[bool] = ACCOUNT.c.total >= limit
    return ample


def _who_moved(limit: int, look: Look) -> Select[Any]:
    """Who can spend so much by their open lots, of those for whom anything moved since they entered."""
    now = literal(look.at, UtcDateTime)
    usable = and_(LOT.c.active_from <= now, or_(LOT.c.expires_at.is_(None), LOT.c.expires_at > now))
    balance = func.sum(case((LOT.c.remaining < 0, LOT.c.remaining), (usable, LOT.c.remaining), else_=0))
    theirs = and_(LOT.c.customer_id == ACCOUNT.c.customer_id, LOT.c.remaining != 0)
    rows = select(ACCOUNT.c.customer_id).join(LOT, and_(theirs, look.about(LOT.c.customer_id)))
    rows = rows.where(_ample(limit), look.about(ACCOUNT.c.customer_id), ~_settled(limit, look))
    return rows.group_by(ACCOUNT.c.customer_id).having(balance >= limit)


def _settled(limit: int, look: Look) -> ColumnElement[bool]:
    """They entered for this amount, and nothing has moved their balance since: the crossing is the same."""
    entered = look.entered
    if entered is None:
        return false()
    return looked_up(
        entered.c.customer_id == ACCOUNT.c.customer_id, whole_number(entered.c.facts, "at_least") == limit,
        entered.c.at > ACCOUNT.c.moved_at,
    )  # fmt: skip


def _crossed(limit: int, look: Look, customers: Select[Any]) -> FromClause:
    """Of those who are at the limit or above: the balance, and since when (customer_id, balance, at)."""
    moves = _moves(look, customers)
    change = func.sum(moves.c.points)
    by_time = select(moves.c.customer_id, moves.c.at, change.label("points")).where(
        moves.c.at <= literal(look.at, UtcDateTime)
    ).group_by(moves.c.customer_id, moves.c.at).subquery("by_time")  # fmt: skip
    balance = func.sum(by_time.c.points).over(partition_by=by_time.c.customer_id, order_by=by_time.c.at)
    running = select(
        by_time.c.customer_id, by_time.c.at, by_time.c.points, balance.label("balance")
    ).subquery("running")  # fmt: skip
    here, before = running.c.balance, running.c.balance - running.c.points
    last = func.max(case((and_(here >= limit, before < limit), running.c.at)))
    now = func.sum(running.c.points)
    return (
        select(running.c.customer_id, now.label("balance"), last.label("at"))
        .group_by(running.c.customer_id)
        .having(now >= limit)
        .subquery("crossed")
    )


def _moves(look: Look, customers: Select[Any]) -> FromClause:
    """What moved the balance of some customers, and when (customer_id, at, points)."""
    entry = _entries(customers)
    known = case((entry.c.live, entry.c.recorded_at), else_=entry.c.at)
    # An expiry is written down later than it happened; what it is a correction of happened when it was found.
    own_expiry = and_(entry.c.kind == "expiry", entry.c.corrects.is_(None))
    at = case((own_expiry, entry.c.at), else_=known)
    # A lot that is used up has started.
    starts = func.coalesce(entry.c.active_from, at)
    booked = select(
        entry.c.customer_id, case((starts > at, starts), else_=at).label("at"), entry.c.amount.label("points")
    ).where(known <= literal(look.at, UtcDateTime))  # fmt: skip
    # Over, and not written down yet.
    over = select(LOT.c.customer_id, LOT.c.expires_at, -LOT.c.remaining).where(
        LOT.c.customer_id.in_(customers), *OPEN,
        LOT.c.expires_at <= literal(look.at, UtcDateTime),
    )  # fmt: skip
    return union_all(booked, over).subquery("moves")


def _entries(customers: Select[Any]) -> FromClause:
    """Their entries; of each, whether its operation was live, and from when its lot is active."""
    # Looked up one by one, and once: joined, a planner that expects many of them reads everybody's.
    live = select(OPERATION.c.live).where(OPERATION.c.id == ENTRY.c.operation_id).scalar_subquery()
    active_from = select(LOT.c.active_from).where(LOT.c.id == ENTRY.c.lot_id).scalar_subquery()
    rows = select(ENTRY, live.label("live"), active_from.label("active_from"))
    return rows.where(ENTRY.c.customer_id.in_(customers)).cte("entries").prefix_with("MATERIALIZED")


def _facts(crossed: FromClause, limit: int) -> ColumnElement[Any]:
    return facts(balance=crossed.c.balance, at_least=literal(limit), reached_on=utc_text(crossed.c.at))


TRIGGER = BalanceReached()
