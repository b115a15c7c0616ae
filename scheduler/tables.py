"""The tables of delivery, and of who works on it."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from core.db import Json
from core.tables import identity, moment
from scheduler import jobs  # noqa: F401 - procrastinate's tables are made with these


class ChannelState(SQLModel, table=True):
    """One row a channel, shared by every sender: when its rate lets the next message go, and its breaker.

    While `open_until` lies ahead the provider is left alone; `reason` says what it answered last, and
    `broken_since` when that began. `day` and `day_count` are what a warm-up plan has let go on the program's
    day. Somebody paused the channel at `paused_at`.
    """

    __tablename__ = "channel_state"
    channel: str = Field(primary_key=True)
    next_at: datetime | None = moment(nullable=True)
    open_until: datetime | None = moment(nullable=True)
    failures: int = 0
    reason: str | None = None
    broken_since: datetime | None = moment(nullable=True)
    day: date | None = None
    day_count: int | None = None
    paused_at: datetime | None = moment(nullable=True)
    paused_reason: str | None = None


class DeliveryTally(SQLModel, table=True):
    """How many messages came to what, on which channel and why: rows are added, and summed up later.

    `what` says whether it is an outcome of ours or a report that came back (scheduler.tally).
    """

    __tablename__ = "delivery_tally"
    id: int | None = identity()
    what: str
    channel: str
    outcome: str
    reason: str = ""
    times: int = Field(sa_column=Column(BigInteger, nullable=False))


class Process(SQLModel, table=True):
    """A program that works on this database, and says so every few seconds; one that ended in order is gone.

    `trouble` names the beats that do not do their work, and why. It does up to `concurrency` jobs at a time
    for each of `channels` (all, where it names none); none at all without a number. Who leads said so last at
    `led_at`.
    """

    name: str = Field(primary_key=True, max_length=64)
    kind: str
    host: str
    pid: int
    version: str
    began_at: datetime = moment()
    seen_at: datetime = moment()
    trouble: str | None = None
    channels: list[str] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    concurrency: int | None = None
    led_at: datetime | None = moment(nullable=True)
