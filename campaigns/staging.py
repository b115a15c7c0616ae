"""The temporary tables in which decisions are made.

A dry run and a live run make them alike over a snapshot; only the live run copies them into the real ones
(promise 5). What is in them means nothing after their transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Date, Integer, MetaData, String, Table, Text, delete, text

from core.db import Id, Json, UtcDateTime, insert_many
from triggers.base import Zone

METADATA = MetaData()

# Who is considered for one step of one scenario, and what becomes of them. `external_id`, `zone` and `locale`
# are the customer's, taken along by the one pass that finds them; `entered_at` is when the enrolment began.
# `place` counts the occasions of one customer at this look: allowances are used up by one after the other.
# `channel`, `message` and `due_at` are what they would be sent: they stand from the beginning, so that few
# rows are written twice, and go where a gate speaks.
CANDIDATE = Table(
    "look_candidate", METADATA,
    Column("id", Integer, primary_key=True),
    Column("customer_id", Id, nullable=False),
    Column("occasion", String, nullable=False),
    Column("subject", String),
    Column("at", UtcDateTime, nullable=False),
    Column("facts", Json),
    Column("enrolment_id", Id),
    Column("entered_at", UtcDateTime),
    Column("external_id", String),
    Column("zone", String),
    Column("locale", String),
    Column("place", Integer, nullable=False, server_default="1"),
    Column("gate", String),
    Column("detail", Text),
    Column("arm", String),
    Column("channel", String),
    Column("message", String),
    Column("due_at", UtcDateTime),
    Column("victim_id", Id),
    prefixes=["TEMPORARY"],
)  # fmt: skip

# A candidate on each channel of the step's cascade; of those alone for whom it may not be the first that is
# open: whom none reaches, and who was told something before. `victim_id` is the message that would make room.
OPTION = Table(
    "look_option", METADATA,
    Column("candidate_id", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("customer_id", Id, nullable=False),
    Column("channel", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("gate", String),
    Column("detail", Text),
    Column("victim_id", Id),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)  # fmt: skip

# The time zones among the customers, at this look.
ZONE = Table(
    "look_zone", METADATA,
    Column("name", String, primary_key=True),
    Column("fired_at", UtcDateTime),
    Column("local_time", String),
    Column("today", Date),
    Column("quiet_until", UtcDateTime),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)  # fmt: skip

# What follows from a time by the program's calendar: until when a message of that time is still good, when
# the wait that began then is over, until when a purchase counts as the goal of who entered then.
DEADLINE = Table(
    "look_deadline", METADATA,
    Column("at", UtcDateTime, primary_key=True),
    Column("until", UtcDateTime, nullable=False),
    prefixes=["TEMPORARY"],
)  # fmt: skip

# Marketing that this look, or an earlier one of the same dry run, has decided on and nothing has kept yet.
RESERVATION = Table(
    "look_reservation", METADATA,
    Column("customer_id", Id, nullable=False, index=True),
    Column("scenario", String, nullable=False),
    Column("step_index", Integer, nullable=False),
    Column("channel", String, nullable=False),
    Column("victim_id", Id),
    prefixes=["TEMPORARY"],
)  # fmt: skip

# Bytes from which on PostgreSQL's tables are emptied by new files, which takes as long as a small look.
MOST_DELETED = 1 << 20
TABLES = (CANDIDATE, OPTION, ZONE, DEADLINE, RESERVATION)
# As the driver takes them: at every look, and SQLAlchemy needs longer than the database.
_EMPTIED = {it.name: str(delete(it)) for it in TABLES}
_THERE_SQLITE = "SELECT name, 1 AS size FROM temp.sqlite_master WHERE type = 'table'"
_THERE_POSTGRES = (
    "SELECT relname AS name, pg_relation_size(oid) AS size FROM pg_class "
    "WHERE relnamespace = pg_my_temp_schema()"
)


def prepare(connection: Connection, *, keep_reservations: bool = False) -> None:
    """Empty staging tables. A dry run of several scenarios keeps what the earlier ones reserved."""
    there = _sizes(connection)
    METADATA.create_all(connection, tables=[it for it in TABLES if it.name not in there], checkfirst=False)
    used = [it for it in TABLES if it.name in there and not (keep_reservations and it is RESERVATION)]
    if sum(there[it.name] for it in used) > MOST_DELETED:
        # Nobody vacuums temporary tables: what is deleted stays as long as the connection.
        connection.execute(text(f"TRUNCATE {', '.join(f'pg_temp.{it.name}' for it in used)}"))
        return
    for table in used:
        if there[table.name]:
            connection.exec_driver_sql(_EMPTIED[table.name])


def _sizes(connection: Connection) -> dict[str, int]:
    """The tables that are there, with their bytes; 1 on SQLite, which does not tell."""
    asked = _THERE_SQLITE if connection.dialect.name == "sqlite" else _THERE_POSTGRES
    return {name: size for name, size in connection.exec_driver_sql(asked)}  # noqa: C416 - rows are no pairs


def analyze(connection: Connection, table: Table = CANDIDATE) -> None:
    """Tell the planner how many there are; without it SQLite may scan all lots for a few candidates, and
    PostgreSQL all options for each of them.
    """
    schema = "temp" if connection.dialect.name == "sqlite" else "pg_temp"
    connection.exec_driver_sql(f"ANALYZE {schema}.{table.name}")


def put_zones(connection: Connection, zones: Sequence[Zone], quiet_until: dict[str, Any]) -> None:
    """Fill the zones: when the schedule struck there, and until when nobody there must be disturbed."""
    rows = [
        {"name": zone.name, "fired_at": zone.fired_at, "today": zone.today,
         "quiet_until": quiet_until[zone.name], "local_time": _local_time(zone)}
        for zone in zones
    ]  # fmt: skip
    insert_many(connection, ZONE, rows)


def _local_time(zone: Zone) -> str | None:
    if zone.fired_at is None:
        return None
    local = zone.fired_at.astimezone(zone.zone)
    # Of an hour that comes twice in autumn, the second is another time.
    return f"{local:%Y-%m-%d %H:%M}" + (" again" if local.fold else "")


def put_deadlines(connection: Connection, until: Mapping[datetime, datetime]) -> None:
    """Fill `DEADLINE` anew: a time → what follows from it."""
    connection.execute(delete(DEADLINE))
    insert_many(connection, DEADLINE, [{"at": at, "until": then} for at, then in until.items()])
