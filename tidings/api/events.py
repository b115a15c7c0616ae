"""The stream of what happened, for whoever keeps another system in step: in commit order, nothing missed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from core.customers.profiles import CUSTOMER
from core.events import EVENT, START, Position, between, horizon
from core.grants.referrals import NAMED
from core.program import Program
from core.program.words import is_own_event
from tidings.api import examples
from tidings.api.access import Here, asks
from tidings.api.paging import Paged, PageWanted, cursor

routes = APIRouter(prefix="/events", tags=["Events"])
NOW = "now"
_MONEY = frozenset({"total", "returned"})
_POINTS = frozenset({"amount", "taken_back", "given_back"})
# By which the ledger finds its own lot again.
_OURS = frozenset({"slot"})


class EventOut(BaseModel):
    """Something that happened. `subject` names what it is about: a receipt, an operation, a level.

    `live` is false for imported history. Amounts in `data` are whole units; that of an act is as it was told.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EVENT]})

    event: int
    kind: str
    customer: str
    subject: str | None
    at: datetime
    recorded_at: datetime
    live: bool
    data: dict[str, Any]


class Feed(BaseModel):
    """Events in the order of their commits. `next` is always there: come again with it, sooner or later."""

    items: list[EventOut]
    next: str = Field(description="The cursor of what follows, now or once it has happened.")


@routes.get("", **asks("events:read", "wrong_cursor"))
def feed(
    here: Here,
    paged: Paged,
    kind: Annotated[list[str] | None, Query(max_length=20, description="Only of these kinds.")] = None,
) -> Feed:
    """What happened, from the beginning, or after a cursor; `after=now` answers the cursor of now.

    Nothing ever appears behind a cursor, so that a reader who keeps the last one misses nothing.
    """
    program = here.program
    with here.database.read() as connection:
        upto = horizon(connection)
        position = upto if paged.after == NOW else _position(paged)
        rows = [] if position >= upto else _rows(connection, position, upto, kind or (), paged.limit)
        names = _names(connection, rows)
    last = Position(rows[-1].transaction, rows[-1].id) if rows else position
    following = cursor("events", [last.transaction, last.event_id])
    page = paged.answer([_event(program, row, names) for row in rows], following)
    return Feed(items=page.items, next=following)


def _position(paged: PageWanted) -> Position:
    place = paged.place("events", parts=2)
    return Position(*place) if place else START


def _rows(
    connection: Connection, after: Position, upto: Position, kinds: Collection[str], most: int
) -> Sequence[Any]:
    statement = select(EVENT).where(between(after, upto))
    if kinds:
        statement = statement.where(EVENT.c.kind.in_(kinds))
    return connection.execute(statement.order_by(EVENT.c.transaction, EVENT.c.id).limit(most)).all()


def _names(connection: Connection, rows: Sequence[Any]) -> Mapping[int, str]:
    """The external ids of everybody whom these events name."""
    ids = {row.customer_id for row in rows}
    ours = [row for row in rows if not _is_told(row)]
    ids |= {value for row in ours for key, value in row.data.items() if _is_customer(key, value)}
    ids |= {int(row.subject) for row in rows if _brought(row)}
    found = select(CUSTOMER.c.id, CUSTOMER.c.external_id).where(CUSTOMER.c.id.in_(ids))
    return {number: name for number, name in connection.execute(found)}  # noqa: C416 - rows are no pairs


def _brought(row: Any) -> bool:
    """Whether the subject is a customer by our own number."""
    return row.kind == NAMED and (row.subject or "").isdigit()


def _is_told(row: Any) -> bool:
    """Whether the shop's own system told of it: `data` is theirs, and given back as it came."""
    return not is_own_event(row.kind)


def _is_customer(key: str, value: object) -> bool:
    return key.endswith("_id") and isinstance(value, int)


def _event(program: Program, row: Any, names: Mapping[int, str]) -> EventOut:
    subject = names.get(int(row.subject)) if _brought(row) else row.subject
    data = (
        row.data
        if _is_told(row)
        else dict(_shown(program, key, row.data[key], names) for key in row.data if key not in _OURS)
    )
    return EventOut(
        event=row.id, kind=row.kind, customer=names.get(row.customer_id, ""), subject=subject, at=row.at,
        recorded_at=row.recorded_at, live=row.live, data=data,
    )  # fmt: skip


def _shown(program: Program, key: str, value: Any, names: Mapping[int, str]) -> tuple[str, Any]:
    if _is_customer(key, value):
        return key.removesuffix("_id"), names.get(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if key in _MONEY:
            return key, str(program.from_money(value))
        if key in _POINTS:
            return key, str(program.from_points(value))
    return key, value
