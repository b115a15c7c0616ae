"""From when on everything is still there: what `retention` took away is missing to a look at the past."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection

from core.events import CURSOR, Position, cursor, move_cursor

# Rows that a look at the past reads, in words; of facts, attempts and states it needs none.
READ_BY_THE_PAST = {
    "messages": "messages", "decisions": "reasons for which nobody was written to", "events": "events",
    "looks": "times of looks",
}  # fmt: skip
# Rows that are counted when somebody asks what came of a scenario.
COUNTED = {
    "messages": "messages", "feedback": "what was reported of messages",
    "decisions": "reasons for which nobody was written to",
}  # fmt: skip


def note_gone(connection: Connection, kind: str, before: datetime) -> None:
    """Rows of a kind that were older than this are gone, in the transaction that takes them."""
    known = gone_before(connection, kind)
    if known is None or known < before:
        move_cursor(connection, _reader(kind), Position(0, int(before.timestamp())))


def gone_before(connection: Connection, kind: str) -> datetime | None:
    """Of a kind what is younger than this is complete (UTC, whole seconds); None if nothing ever went."""
    place = cursor(connection, _reader(kind))
    return datetime.fromtimestamp(place.event_id, UTC) if place else None


def missing(connection: Connection, at: datetime, kinds: Mapping[str, str] = READ_BY_THE_PAST) -> list[str]:
    """What a look at a time would have seen and is gone, in sentences; `kinds` are the rows it reads."""
    if connection.scalar(CURSOR.select().where(CURSOR.c.reader.like("gone:%")).limit(1)) is None:
        return []
    found = {kind: gone_before(connection, kind) for kind in kinds}
    return [
        f"{words} from before {found[kind]:%Y-%m-%d} are no longer kept (retention in program.yaml)"
        for kind, words in kinds.items()
        if (since := found[kind]) is not None and at < since
    ]


def _reader(kind: str) -> str:
    return f"gone:{kind}"
