"""What customers agreed to, what waits for their confirmation, the letters that ask, the replies heard."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from core.db import Json
from core.tables.columns import customer_ref, identity, json_column, moment
from core.tables.opted_in import keep_opted_in


def _proof() -> Any:
    return Field(default=None, sa_column=Column(Json, nullable=True))


class Consent(SQLModel, table=True):
    """The consent in force, customer × channel × purpose; its history is in `event`.

    `wording` is the version of the words that were shown, `proof` what else shows that it was given
    (core.customers.proof), `digest` the address that the customer confirmed it from.
    """

    # Asked for by its key: on SQLite the row lies where its key is found.
    __table_args__ = ({"sqlite_with_rowid": False},)
    customer_id: int = customer_ref(primary_key=True)
    channel: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    granted: bool
    at: datetime = moment()
    source: str | None = None
    wording: str | None = None
    proof: dict[str, Any] | None = _proof()
    digest: str | None = None


keep_opted_in(Consent.__table__)  # type: ignore[attr-defined]


class ConsentRequest(SQLModel, table=True):
    """A yes that is not in force until the letter to its address is answered (double opt-in).

    `state`: `open`, `confirmed`, `withdrawn` (the customer said no meanwhile), `replaced` (by a later yes).
    `at` is when the customer said yes; `digest` the address that is asked, none while none is known.
    """

    __tablename__ = "consent_request"
    __table_args__ = (Index("consent_request_of_customer", "customer_id", "at"),)
    id: int | None = identity()
    customer_id: int = customer_ref()
    channel: str
    purpose: str
    digest: str | None = None
    state: str = "open"
    source: str
    wording: str | None = None
    proof: dict[str, Any] = json_column()
    at: datetime = moment()
    recorded_at: datetime = moment()
    decided_at: datetime | None = moment(nullable=True)


class Letter(SQLModel, table=True):
    """A letter that somebody waits for, with a link by which they confirm something.

    `kind` is what is to be confirmed (core.customers.letters). `digest` is that of the address, which itself
    is looked up when the letter leaves. `due_at` of one that is *sending* is the end of its sender's lease.
    `state`: `planned`, `sending`, `sent`, `failed`, `unknown` (it may have left and is not sent again),
    `dropped` (there is nothing left to confirm).
    """

    __table_args__ = (
        Index("letter_of_customer", "customer_id", "kind", "at"),
        Index("letter_due", "due_at", sqlite_where=text("state IN ('planned', 'sending')"),
              postgresql_where=text("state IN ('planned', 'sending')")),
    )  # fmt: skip
    id: int | None = identity()
    customer_id: int = customer_ref()
    kind: str
    channel: str
    digest: str
    state: str = "planned"
    reason: str | None = None
    tries: int = 0
    at: datetime = moment()
    due_at: datetime = moment()
    changed_at: datetime = moment()
    answered_at: datetime | None = moment(nullable=True)


class HeardReply(SQLModel, table=True):
    """A reply by which a customer agreed again (START): its request may come again, but counts once.

    A signed request stays valid for ever, so the provider's ids of them are kept for ever, too. Of a chat
    with the bot it is kept when it was last let in (`telegram/…`).
    """

    __tablename__ = "heard_reply"
    provider_id: str = Field(primary_key=True, max_length=200)
    at: datetime = moment()
