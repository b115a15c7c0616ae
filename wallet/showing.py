"""A pass and what it shows, of one snapshot: its mark and its Last-Modified name this content, no other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from core.clock import Clock
from core.db import Database
from wallet import updates
from wallet.design import Face
from wallet.tables import PASS
from wallet.updates import Faces


@dataclass(frozen=True, slots=True)
class Showing:
    """The row of a pass and the card on it; None if it cannot be filled in just now."""

    row: Row[Any] = field(repr=False)
    face: Face | None


def showing(
    database: Database, serial: str, faces: Faces, clock: Clock,
    enough: Callable[[Row[Any]], bool] = lambda row: False,
) -> Showing:  # fmt: skip
    """The pass `serial` as it is now; what it shows beyond its last mark is marked first.

    Nothing is filled in where the row alone is `enough`.
    """
    with database.read() as connection:
        row = _row(connection, serial)
        face = None if enough(row) else faces(connection, [row.customer_id]).get(row.customer_id)
    if face is None or not _is_ahead(row, face):
        return Showing(row, face)
    return _marked(database, row, faces, clock)


def _marked(database: Database, before: Row[Any], faces: Faces, clock: Clock) -> Showing:
    """The card that the mark was made of is the one to show, though it may have changed again by now."""
    made: dict[int, Face] = {}

    def noted(connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        made.update(faces(connection, ids))
        return made

    with database.write() as connection:
        updates.mark(connection, [before.customer_id], noted, clock.now(), timedelta(0))
        row = _row(connection, before.serial)
    face = made.get(row.customer_id)
    return Showing(row, None if face is None or _is_ahead(row, face) else face)


def _row(connection: Connection, serial: str) -> Row[Any]:
    return connection.execute(select(PASS).where(PASS.c.serial == serial)).one()


def _is_ahead(row: Row[Any], face: Face) -> bool:
    """Whether the card shows more than was marked. A pass that was replaced shows nothing any more."""
    return row.replaced_at is None and updates.is_outdated(row, face)
