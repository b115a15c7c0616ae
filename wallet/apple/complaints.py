"""What devices complain of: kept for the engineer, so many lines a call, a minute and in all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from wallet.tables import LOG

LINES_A_CALL = 20
LINE_LENGTH = 500
LINES_A_MINUTE = 200
LINES_KEPT = 10_000
LINES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a device, or whoever pretends to be one, said `at` a time."""

    at: datetime
    text: str


def read_lines(body: bytes) -> list[str]:
    """The lines of `{"logs": […]}`; none of anything else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return []
    logs = content.get("logs") if isinstance(content, dict) else None
    if not isinstance(logs, list):
        return []
    lines = (line.replace("\0", "").strip()[:LINE_LENGTH] for line in logs if isinstance(line, str))
    return [line for line in lines if line][:LINES_A_CALL]


def keep(connection: Connection, lines: Sequence[str], now: datetime) -> None:
    """Keep as many lines as this minute has room for, and let the oldest go."""
    recent = select(func.count()).select_from(LOG).where(LOG.c.at > now - timedelta(minutes=1))
    room = max(0, LINES_A_MINUTE - (connection.scalar(recent) or 0))
    rows = [{"at": now, "text": _storable(line)} for line in lines[:room]]
    if rows:
        connection.execute(LOG.insert(), rows)
        newest = connection.scalar(select(func.max(LOG.c.id))) or 0
        connection.execute(LOG.delete().where(LOG.c.id <= newest - LINES_KEPT))


def latest(connection: Connection, count: int = LINES_SHOWN) -> Sequence[Complaint]:
    """The last lines, the latest first. Anybody may write them: what could steer a terminal is a blank."""
    rows = connection.execute(select(LOG.c.at, LOG.c.text).order_by(LOG.c.id.desc()).limit(count))
    return [Complaint(row.at, _printable(row.text)) for row in rows]


def _printable(line: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in line)


def _storable(line: str) -> str:
    """JSON may spell half a character, which no database takes."""
    return line.encode("utf-8", "replace").decode("utf-8")
