"""The tables of delivery."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.tables import moment


class ChannelState(SQLModel, table=True):
    """One row a channel, shared by every sender: when its rate lets the next message go, and its breaker.

    While `open_until` lies ahead the provider is left alone; `reason` says what it answered last.
    """

    __tablename__ = "channel_state"
    channel: str = Field(primary_key=True)
    next_at: datetime | None = moment(nullable=True)
    open_until: datetime | None = moment(nullable=True)
    failures: int = 0
    reason: str | None = None
