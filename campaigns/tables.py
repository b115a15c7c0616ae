"""The tables of decisions: versions, enrolments, messages, attempts."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.db import Id
from core.tables import customer_ref, identity, json_column, moment

# States of a message that hold a place in the customer's allowances; the others gave it back.
RESERVED = ("planned", "deferred", "sending", "sent", "delivered", "unknown")
STATES = (*RESERVED, "failed", "recalled", "expired")
# Not yet claimed by a sender: may still be displaced or recalled.
WAITING = ("planned", "deferred")


class BundleVersion(SQLModel, table=True):
    """A whole workspace as it was applied: program, scenarios, segments, messages and cards."""

    __tablename__ = "bundle_version"
    version: int = Field(primary_key=True)
    digest: str
    files: dict[str, Any] = json_column()
    applied_at: datetime = moment()
    applied_by: str


class ScenarioState(SQLModel, table=True):
    """What runs, and how far its looks have come. `held` counts the candidates of a look that was stopped."""

    __tablename__ = "scenario_state"
    name: str = Field(primary_key=True)
    status: str = "active"
    version: int
    began_at: datetime = moment()
    looked_at: datetime | None = moment(nullable=True)
    held: int | None = None
    allowed: int | None = None


class ScenarioRun(SQLModel, table=True):
    """One look for the first step, at `fire_at`: how far looks had come at an earlier time."""

    __tablename__ = "scenario_run"
    __table_args__ = (UniqueConstraint("scenario", "fire_at"),)
    id: int | None = identity()
    scenario: str
    fire_at: datetime = moment()
    candidates: int = 0
    planned: int = 0


class Enrolment(SQLModel, table=True):
    """Customer × scenario × occasion: promise 2 stands in its unique key.

    `step` is the index of the next step, `anchor_at` the time from which its wait runs: the acceptance of
    the message before, or when that step was dropped. NULL while a message is under way.
    """

    __table_args__ = (
        UniqueConstraint("scenario", "customer_id", "occasion"),
        Index("enrolment_due", "scenario", "status", "step", "anchor_at"),
        Index("enrolment_of_customer", "customer_id"),
    )
    id: int | None = identity()
    scenario: str
    version: int
    customer_id: int = customer_ref()
    occasion: str
    subject: str | None = None
    arm: str = "treatment"
    status: str = "active"
    step: int = 0
    at: datetime = moment()
    anchor_at: datetime | None = moment(nullable=True)
    facts: dict[str, Any] = json_column()


class Message(SQLModel, table=True):
    """One row of the outbox: one step of one enrolment, tried on the channels of its cascade in turn.

    `planned_at` is the time it was meant for (valid_for runs from it), `due_at` the earliest to send it.
    `fence` is drawn anew by each claim: only who holds it may record an outcome.
    """

    __table_args__ = (
        UniqueConstraint("scenario", "customer_id", "occasion", "step"),
        Index("message_due", "channel", "due_at", sqlite_where=text("state IN ('planned', 'deferred')"),
              postgresql_where=text("state IN ('planned', 'deferred')")),
        Index("message_of_customer", "customer_id", "planned_at"),
        Index("message_open", "state", "lease_until", sqlite_where=text("state = 'sending'"),
              postgresql_where=text("state = 'sending'")),
        Index("message_confirming", "fallback_at", sqlite_where=text("fallback_at IS NOT NULL"),
              postgresql_where=text("fallback_at IS NOT NULL")),
        Index("message_of_provider", "provider_id"),
        Index("message_of_enrolment", "enrolment_id"),
    )  # fmt: skip
    id: int | None = identity()
    enrolment_id: int = Field(sa_column=Column(Id, ForeignKey("enrolment.id"), nullable=False))
    scenario: str
    version: int
    customer_id: int = customer_ref()
    occasion: str
    subject: str | None = None
    step: str
    step_index: int
    purpose: str
    priority: int
    message: str
    channels: list[str] = json_column()
    channel: str
    locale: str | None = None
    state: str = "planned"
    reason: str | None = None
    planned_at: datetime = moment()
    due_at: datetime = moment()
    expires_at: datetime | None = moment(nullable=True)
    fallback_at: datetime | None = moment(nullable=True)
    accepted_at: datetime | None = moment(nullable=True)
    changed_at: datetime = moment()
    tries: int = 0
    fence: str | None = None
    lease_until: datetime | None = moment(nullable=True)
    provider_id: str | None = None
    cost: Decimal | None = Field(default=None, sa_column=Column(Numeric(12, 4)))
    facts: dict[str, Any] = json_column()


class Attempt(SQLModel, table=True):
    """One try on one channel, with its outcome."""

    __table_args__ = (Index("attempt_of_message", "message_id"),)
    id: int | None = identity()
    message_id: int = Field(sa_column=Column(Id, ForeignKey("message.id"), nullable=False))
    customer_id: int = customer_ref()
    channel: str
    number: int = 1
    outcome: str
    reason: str | None = None
    detail: str | None = None
    provider_id: str | None = None
    at: datetime = moment()


class Decision(SQLModel, table=True):
    """The last verdict on customer × scenario × occasion × step: why, or why not."""

    __table_args__ = (Index("decision_of_scenario", "scenario", "verdict"),)
    customer_id: int = customer_ref(primary_key=True)
    scenario: str = Field(primary_key=True)
    occasion: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    verdict: str
    detail: str | None = None
    at: datetime = moment()


class Feedback(SQLModel, table=True):
    """What a provider or a customer reported back about a message."""

    __table_args__ = (Index("feedback_of_message", "message_id"),)
    id: int | None = identity()
    message_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    customer_id: int = customer_ref()
    kind: str
    detail: str | None = None
    at: datetime = moment()
