"""Levels through time as the database keeps them: written, read as of a time, and rewritten by a replay."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.db import allocate
from core.db.bulk import insert_rows, set_columns
from core.events import Happening
from core.ledger.book import CHUNK
from core.program import Program
from core.tables import Customer, TierChange
from core.tiers import invitations
from core.tiers.standing import Move, Standing, direction

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
CHANGE = TierChange.__table__  # type: ignore[attr-defined]
COLUMNS = ("id", "customer_id", "previous", "tier", "direction", "at", "recorded_at")


def write(
    connection: Connection, standings: Mapping[int, Standing], recorded_at: datetime | None = None
) -> list[Happening]:
    """Store what moved, recorded at a time (None: as it happened); returns the events of it.

    Entering the program is no event, and neither is a level's taking the place of one that was removed.
    """
    moved = {i: standing for i, standing in sorted(standings.items()) if standing.moves}
    if not moved:
        return []
    _keep(connection, {i: (it.tier, it.since) for i, it in moved.items()})
    moves = [(i, move) for i, standing in moved.items() for move in standing.moves]
    _insert(connection, moves, recorded_at)
    return [
        _event(i, move) for i, move in moves if move.previous is not None and move.direction != "replaced"
    ]


def standing_at(
    connection: Connection, _: Program, customer_ids: Sequence[int], at: datetime
) -> dict[int, Standing]:
    """The standings of customers as of a time, moves of that very time included."""
    invited = invitations.all_of(connection, customer_ids)
    found = {}
    for start in range(0, len(customer_ids), CHUNK):
        chunk = customer_ids[start : start + CHUNK]
        changes = _changes(connection, chunk)
        columns = (
            CUSTOMER.c.id,
            CUSTOMER.c.tier,
            CUSTOMER.c.tier_since,
            CUSTOMER.c.registered_at,
            CUSTOMER.c.invited_to,
        )
        for row in connection.execute(select(*columns).where(CUSTOMER.c.id.in_(chunk))):
            tier, since = _held(row, changes.get(row.id, []), at)
            floor = invitations.held_at(invited.get(row.id, []), at, row.invited_to)
            found[row.id] = Standing(tier, since, floor)
    return found


def rewrite(
    connection: Connection, program: Program, customer_id: int, after: datetime, moves: Sequence[Move],
    recorded_at: datetime,
) -> list[Happening]:  # fmt: skip
    """Put `moves`, all that a replay found after a time, in the place of what was recorded of it.

    What stays as it was is left alone, the rest is voided. The event, if the level that holds in the end is
    another one.
    """
    changes = _changes(connection, [customer_id]).get(customer_id, [])
    here = CUSTOMER.c.tier, CUSTOMER.c.tier_since, CUSTOMER.c.registered_at
    customer = connection.execute(select(*here).where(CUSTOMER.c.id == customer_id)).one()
    recorded = [row for row in changes if row.at > after]
    same = _alike(recorded, moves)
    if same == len(recorded) == len(moves):
        return []
    voided = [row.id for row in recorded[same:]]
    if voided:
        connection.execute(update(CHANGE).where(CHANGE.c.id.in_(voided)).values(voided_at=recorded_at))
    _insert(connection, [(customer_id, move) for move in moves[same:]], recorded_at)
    tier, since = (moves[-1].tier, moves[-1].at) if moves else _held(customer, changes, after)
    _keep(connection, {customer_id: (tier, since)})
    return _news(program, customer_id, customer.tier, tier, recorded_at)


def _news(
    program: Program, customer_id: int, before: str | None, tier: str | None, at: datetime
) -> list[Happening]:
    if tier is None or before is None or tier == before:
        return []
    way = direction(program, before, tier)
    return [] if way == "replaced" else [_event(customer_id, Move(before, tier, way, at))]


def _event(customer_id: int, move: Move) -> Happening:
    data = {"tier": move.tier, "previous": move.previous, "direction": move.direction}
    return Happening(customer_id, "tier_changed", move.at, move.tier, data)


def _alike(recorded: Sequence[Row[Any]], moves: Sequence[Move]) -> int:
    """How many of them are the same, from the first one."""
    for place, (row, move) in enumerate(zip(recorded, moves, strict=False)):
        if (row.previous, row.tier, row.at) != (move.previous, move.tier, move.at):
            return place
    return min(len(recorded), len(moves))


def _held(customer: Any, changes: Sequence[Row[Any]], at: datetime) -> tuple[str | None, datetime | None]:
    """The level and since when. Before the first change they had what it changed; without any, what they
    have.
    """
    before = [row for row in changes if row.at <= at]
    if before:
        return before[-1].tier, before[-1].at
    if changes:
        return changes[0].previous, customer.registered_at
    return customer.tier, customer.tier_since


def _changes(connection: Connection, customer_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    rows = select(CHANGE).where(CHANGE.c.customer_id.in_(customer_ids), CHANGE.c.voided_at.is_(None))
    found: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(rows.order_by(CHANGE.c.at, CHANGE.c.id)):
        found.setdefault(row.customer_id, []).append(row)
    return found


def _keep(connection: Connection, held: Mapping[int, tuple[str | None, datetime | None]]) -> None:
    rows = [(i, tier, since) for i, (tier, since) in sorted(held.items())]
    set_columns(connection, CUSTOMER, "id", ("tier", "tier_since"), rows)


def _insert(connection: Connection, moves: Sequence[tuple[int, Move]], recorded_at: datetime | None) -> None:
    ids = allocate(connection, CHANGE, len(moves))
    rows = [
        (row_id, i, move.previous, move.tier, move.direction, move.at, recorded_at or move.at)
        for row_id, (i, move) in zip(ids, moves, strict=True)
    ]
    insert_rows(connection, CHANGE, COLUMNS, rows)
