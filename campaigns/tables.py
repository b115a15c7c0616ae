"""The tables of decisions: versions, enrolments, messages, attempts."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.db import Id, Json, UtcDateTime
from core.tables import customer_ref, identity, json_column, moment, unchecked_on_postgres

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
    # The people who agreed to a proposal, what was said of it, and the version whose files these are again.
    approved_by: list[str] = Field(default_factory=list, sa_column=Column(Json, nullable=True))
    note: str | None = None
    restores: int | None = None


class ScenarioState(SQLModel, table=True):
    """What runs, and how far its looks have come. `held` counts the candidates of a look that was stopped.

    `earlier` are the names that it had before it was renamed, the first one first: holdout and variants are
    drawn by that one. `late_seconds` is how long its last look was due, or its oldest event there.
    What was planned until `cancelled_at` leaves no more.
    """

    __tablename__ = "scenario_state"
    name: str = Field(primary_key=True)
    status: str = "active"
    version: int
    began_at: datetime = moment()
    looked_at: datetime | None = moment(nullable=True)
    held: int | None = None
    allowed: int | None = None
    earlier: list[str] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    late_seconds: float | None = None
    cancelled_at: datetime | None = moment(nullable=True)


class ScenarioRun(SQLModel, table=True):
    """One look for the first step, at `fire_at`: how far looks had come at an earlier time."""

    __tablename__ = "scenario_run"
    __table_args__ = (UniqueConstraint("scenario", "fire_at"),)
    id: int | None = identity()
    scenario: str
    fire_at: datetime = moment()
    candidates: int = 0
    planned: int = 0


class ShardedLook(SQLModel, table=True):
    """A look at a large base that is under way in shards; gone with its last one.

    `version` is the bundle that it looks by, `upto` the end of the events that it reads. With `enters` it is
    for the first step too. While `counting` nothing of that is kept: the blast guard waits for the number,
    which may be `most`. `error` says why it cannot go on.
    """

    __tablename__ = "sharded_look"
    scenario: str = Field(primary_key=True)
    at: datetime = moment()
    version: int
    enters: bool
    counting: bool
    most: int
    upto_transaction: int = Field(sa_column=Column(BigInteger, nullable=False))
    upto_event: int = Field(sa_column=Column(BigInteger, nullable=False))
    error: str | None = None


class LookShard(SQLModel, table=True):
    """The part of a look that is about the customers with an id from `low` on, below `high`.

    `counted` is whom it would write to, `planned` to whom it does. `entering` and `later` count the verdicts
    of the first step and of the others, and the channels of their messages.
    """

    __tablename__ = "look_shard"
    scenario: str = Field(primary_key=True)
    low: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    high: int = Field(sa_column=Column(BigInteger, nullable=False))
    counted: int | None = None
    done: bool = False
    planned: int = 0
    entering: dict[str, dict[str, int]] = json_column()
    later: dict[str, dict[str, int]] = json_column()


class Enrolment(SQLModel, table=True):
    """Customer × scenario × occasion: promise 2 stands in its unique key.

    `step` is the index of the next step, `anchor_at` the time from which its wait runs: the acceptance of
    the message before, or when that step was dropped. NULL while a message is under way.
    """

    __table_args__ = (
        UniqueConstraint("customer_id", "scenario", "occasion"),
        Index("enrolment_due", "scenario", "step", "anchor_at", sqlite_where=text("status = 'active'"),
              postgresql_where=text("status = 'active'")),
    )  # fmt: skip
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

    An enrolment is customer × scenario × occasion: with the step that is promise 2.

    `planned_at` is the time it was meant for (valid_for runs from it), `due_at` the earliest to send it.
    `fence` is drawn anew by each claim: only who holds it may record an outcome. `asked` is how often its
    provider was asked about it, once it was unknown. `detail` is what its verdict is said with
    (`campaigns.verdicts`).
    """

    __table_args__ = (
        UniqueConstraint("enrolment_id", "step"),
        Index("message_due", "channel", "due_at", sqlite_where=text("state IN ('planned', 'deferred')"),
              postgresql_where=text("state IN ('planned', 'deferred')")),
        Index("message_of_customer", "customer_id", "planned_at"),
        Index("message_open", "state", "lease_until", sqlite_where=text("state = 'sending'"),
              postgresql_where=text("state = 'sending'")),
        Index("message_confirming", "fallback_at", sqlite_where=text("fallback_at IS NOT NULL"),
              postgresql_where=text("fallback_at IS NOT NULL")),
        Index("message_of_provider", "provider_id", sqlite_where=text("provider_id IS NOT NULL"),
              postgresql_where=text("provider_id IS NOT NULL")),
        Index("message_unknown", "channel", "changed_at", sqlite_where=text("state = 'unknown'"),
              postgresql_where=text("state = 'unknown'")),
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
    detail: str | None = None
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
    asked: int | None = None
    cost: Decimal | None = Field(default=None, sa_column=Column(Numeric(12, 4)))
    facts: dict[str, Any] = json_column()


class Attempt(SQLModel, table=True):
    """One try on one channel, with its outcome.

    One that was accepted has the reason `gone_on` once its message went on to the next channel, not confirmed
    in time or not delivered: a report that comes later still finds it by the provider's name.
    """

    __table_args__ = (
        Index("attempt_of_message", "message_id"),
        Index("attempt_gone_on", "provider_id", sqlite_where=text("reason = 'gone_on'"),
              postgresql_where=text("reason = 'gone_on'")),
    )  # fmt: skip
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


class MessageState(SQLModel, table=True):
    """A message came into this state, on this channel, for this reason. Rows are only ever added.

    That it was planned the first time stands in the message itself.
    """

    __tablename__ = "message_state"
    __table_args__ = (Index("message_state_of_message", "message_id"),)
    id: int | None = identity()
    message_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: datetime = moment()
    state: str
    reason: str | None = None
    channel: str


class Decision(SQLModel, table=True):
    """Why a step of an occasion came to no message: the last gate that was against it.

    Once there is a message, that says the verdict itself (`campaigns.verdicts`).
    """

    __table_args__ = ({"sqlite_with_rowid": False},)
    customer_id: int = customer_ref(primary_key=True)
    scenario: str = Field(primary_key=True)
    occasion: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    verdict: str
    detail: str | None = None
    at: datetime = moment()


class Feedback(SQLModel, table=True):
    """What a provider or a customer reported back about a message.

    Of opens and clicks, `detail` is the link's label, `machine` whether a program did it for the customer,
    and `scenario` whose message it was: an audience asks for them.
    """

    __table_args__ = (
        Index("feedback_of_message", "message_id"),
        Index("feedback_of_customer", "customer_id", "kind", "at", sqlite_where=text("machine IS NOT NULL"),
              postgresql_where=text("machine IS NOT NULL")),
    )  # fmt: skip
    id: int | None = identity()
    message_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    customer_id: int = customer_ref()
    kind: str
    detail: str | None = None
    at: datetime = moment()
    scenario: str | None = None
    machine: bool | None = None


class TrackedLink(SQLModel, table=True):
    """A link that messages lead to by a short address of ours; one row however many messages say it.

    One that a single customer was ever sent is that customer's, and forgotten with them; what a second one
    was sent is nobody's.
    """

    __tablename__ = "tracked_link"
    id: int | None = identity()
    digest: str = Field(unique=True)
    url: str
    customer_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True, index=True))


class BundleProposal(SQLModel, table=True):
    """A workspace that waits for somebody else's approval; `base` is the version that was live then.

    `status` is open, applied or rejected; one whose base is no longer live cannot be approved any more.
    """

    __tablename__ = "bundle_proposal"
    number: int | None = Field(default=None, sa_column=Column(Id, primary_key=True, autoincrement=True))
    base: int
    digest: str
    files: dict[str, Any] = json_column()
    proposed_at: datetime = moment()
    proposed_by: str
    note: str | None = None
    restores: int | None = None
    status: str = "open"
    decided_at: datetime | None = moment(nullable=True)
    decided_by: str | None = None


class BundleApproval(SQLModel, table=True):
    """Somebody who agreed to a proposal; each counts once."""

    __tablename__ = "bundle_approval"
    proposal: int = Field(sa_column=Column(Id, ForeignKey("bundle_proposal.number"), primary_key=True))
    who: str = Field(primary_key=True)
    at: datetime = moment()


class SegmentChange(SQLModel, table=True):
    """A customer was found to have `entered` or left a segment that a trigger asks about.

    `news` is false for whom the segment's first look found in it, or a change of its file put in or out.
    """

    __tablename__ = "segment_change"
    __table_args__ = (Index("segment_change_in_time", "segment", "at"),)
    segment: str = Field(primary_key=True)
    customer_id: int = customer_ref(primary_key=True)
    at: datetime = Field(sa_column=Column(UtcDateTime, primary_key=True, nullable=False))
    entered: bool
    news: bool


class SegmentDefinition(SQLModel, table=True):
    """What a segment meant when its members were last compared."""

    __tablename__ = "segment_definition"
    segment: str = Field(primary_key=True)
    digest: str


# Their rows are copied from the very rows they refer to, by millions a night (decision 0020).
unchecked_on_postgres(Enrolment, Message, Attempt, Decision, Feedback, SegmentChange)
