"""Tiers by spend: up at once, down when the rolling period and its grace no longer carry them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from core.db import Database, allocate, insert_many
from core.events import START, Happening, Position, append, cursor, move_cursor
from core.ledger import CHUNK, Book
from core.program import Program
from core.tables import Customer, Receipt, TierChange

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
CHANGE = TierChange.__table__  # type: ignore[attr-defined]
# The cursor that remembers the day of the last review.
REVIEWED = "tiers:day"


@dataclass(frozen=True, slots=True)
class Move:
    """One change of tier."""

    previous: str | None
    tier: str
    direction: str
    at: datetime


@dataclass(slots=True)
class Standing:
    """A customer's tier in memory, and how it moved."""

    tier: str | None
    since: datetime | None
    moves: list[Move] = field(default_factory=list)

    def rise(self, program: Program, spend: int, at: datetime) -> None:
        """Move up if `spend` (minor units in the period) reaches a higher level; never down."""
        level = program.tier_for(spend)
        if self.tier is None or program.rank(level.name) > program.rank(self.tier):
            self.move(program, level.name, at)

    def move(self, program: Program, tier: str, at: datetime) -> None:
        """Change the tier, keeping what it was."""
        if tier == self.tier:
            return
        up = self.tier is None or program.rank(tier) > program.rank(self.tier)
        self.moves.append(Move(self.tier, tier, "up" if up else "down", at))
        self.tier, self.since = tier, at


def write(connection: Connection, standings: dict[int, Standing]) -> list[Happening]:
    """Store what moved; returns the events of it. Entering the lowest tier is no event."""
    moved = {i: standing for i, standing in sorted(standings.items()) if standing.moves}
    if not moved:
        return []
    statement = update(CUSTOMER).where(CUSTOMER.c.id == bindparam("id_"))
    values = [{"id_": i, "tier_": standing.tier, "since_": standing.since} for i, standing in moved.items()]
    connection.execute(statement.values(tier=bindparam("tier_"), tier_since=bindparam("since_")), values)
    moves = [(i, move) for i, standing in moved.items() for move in standing.moves]
    rows = []
    happenings = []
    for (customer_id, move), row_id in zip(moves, allocate(connection, CHANGE, len(moves)), strict=True):
        rows.append({"id": row_id, "customer_id": customer_id, "previous": move.previous, "tier": move.tier,
                     "direction": move.direction, "at": move.at})  # fmt: skip
        if move.previous is not None:
            data = {"tier": move.tier, "previous": move.previous, "direction": move.direction}
            happenings.append(Happening(customer_id, "tier_changed", move.at, move.tier, data))
    insert_many(connection, CHANGE, rows)
    return happenings


def review_of_the_day(database: Database, program: Program, at: datetime) -> int | None:
    """`review`, once a day of the program, whoever asks how often; None if it was done today."""
    today = Position(0, program.day_of(at).toordinal())
    with database.read() as connection:
        if (cursor(connection, REVIEWED) or START) >= today:
            return None
    with database.write() as connection:
        moved = review(connection, program, at)
        move_cursor(connection, REVIEWED, today)
    return moved


def review(
    connection: Connection, program: Program, at: datetime,
    *, among: Sequence[int] | None = None, live: bool = True,
) -> int:  # fmt: skip
    """Move down everyone whose spend over the period and its grace no longer reaches their level.

    The nightly look; returns how many moved. Who seems due is looked at again under the account's lock,
    so that a purchase of the same moment is not overlooked. An import looks `among` its own customers
    (at most 5,000), and its history is not `live`.
    """
    due = sorted(row.id for row in _fallen(connection, program, at, among))
    standings = {}
    for start in range(0, len(due), CHUNK):
        chunk = due[start : start + CHUNK]
        Book(connection, chunk, at)
        for row in _fallen(connection, program, at, chunk):
            standings[row.id] = Standing(row.tier, row.tier_since)
            standings[row.id].move(program, program.tier_for(int(row.spend)).name, at)
    append(connection, write(connection, standings), at, live=live)
    return len(standings)


def _fallen(
    connection: Connection, program: Program, at: datetime, among: Sequence[int] | None
) -> list[Row[Any]]:
    since = at - program.tier_window - program.tier_grace
    spend = func.coalesce(func.sum(RECEIPT.c.total), 0).label("spend")
    recent = (
        (RECEIPT.c.customer_id == CUSTOMER.c.id) & (RECEIPT.c.at > since) & RECEIPT.c.returned_at.is_(None)
    )
    due = [
        CUSTOMER.c.tier.is_not(None),
        CUSTOMER.c.tier != program.tier_for(0).name,
        CUSTOMER.c.tier_since <= since,
    ]
    if among is not None:
        due.append(CUSTOMER.c.id.in_(among))
    statement = (
        select(CUSTOMER.c.id, CUSTOMER.c.tier, CUSTOMER.c.tier_since, spend)
        .select_from(CUSTOMER.outerjoin(RECEIPT, recent))
        .where(*due)
        .group_by(CUSTOMER.c.id, CUSTOMER.c.tier, CUSTOMER.c.tier_since)
    )
    rows = connection.execute(statement).all()
    return [
        row for row in rows if program.rank(program.tier_for(int(row.spend)).name) < program.rank(row.tier)
    ]
