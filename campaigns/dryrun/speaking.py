"""Rendering the messages of staged candidates, as delivery would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, true

from campaigns.commit import verdict
from campaigns.gates import Step, expires_at
from campaigns.running import Running
from campaigns.short_links import as_long
from campaigns.staging import CANDIDATE
from channels import Outgoing
from channels.base import CARD, NO_ADDRESS
from core.db import bucket_of
from core.links import Links
from core.tables import Customer
from templates.environment import RenderError
from templates.facts import Context, contexts, with_trigger
from templates.library import Rendered
from triggers import discover

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
# How many customers one question is about: fewer questions, and lists that every database takes.
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A candidate's row with their message; without one where a gate held it back, or `problem` says why."""

    row: Any
    rendered: Rendered | None = None
    outgoing: Outgoing | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Renders for one time; `customer` is the external id of the only one who is meant."""

    connection: Connection
    running: Running
    links: Links
    at: datetime
    customer: str | None = None

    def rows(self, step: Step, where: ColumnElement[bool], limit: int | None = None) -> Sequence[Any]:
        """Staged candidates with who they are, in order."""
        return self.connection.execute(candidates(step, where, self.customer).limit(limit)).all()

    def speak(self, step: Step, rows: Sequence[Any]) -> Iterator[Spoken]:
        """The message of each; the customers' facts are read some at a time."""
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            found = self.contexts([row.customer_id for row in some if row.gate is None])
            for row in some:
                yield self._one(step, row, found[row.customer_id]) if row.gate is None else Spoken(row)

    def contexts(self, ids: Sequence[int]) -> dict[int, Context]:
        """What templates may say of these customers, by their ids."""
        return contexts(self.connection, self.running.program, ids, self.at, self.links) if ids else {}

    def _one(self, step: Step, row: Any, context: Mapping[str, Any]) -> Spoken:
        trigger = discover()[step.scenario.trigger]
        facts = trigger.read(row.facts, self.running.program, self.at)
        shortened = as_long(self.running.program, row.channel, self.links)
        whole = {**with_trigger(dict(context), facts, row.channel), **shortened}
        try:
            rendered = self.running.library.render(row.message, row.channel, row.locale, whole)
        except RenderError as wrong:
            return Spoken(row, problem=str(wrong))
        return Spoken(row, rendered, self._outgoing(step, row, rendered, whole))

    def _outgoing(self, step: Step, row: Any, rendered: Rendered, context: Mapping[str, Any]) -> Outgoing:
        customer = context["customer"]
        # Of two occasions of one customer each is a message, and a file, of its own.
        own = f"{step.scenario.name}.{row.who}.{step.step.id}.{bucket_of(row.occasion):08x}"
        known = {"email": customer.email, "phone": customer.phone, NO_ADDRESS: customer.external_id}
        kind = self.running.kinds[row.channel]
        to = known.get(kind) or ("card" if kind == CARD else "device")
        return Outgoing(
            key=own, to=to, parts=rendered.parts,
            purpose=step.scenario.purpose, at=self.at, tag=step.scenario.name,
            unsubscribe_url=context["links"].unsubscribe if step.marketing else None,
            pictures=self.running.library.pictures(row.message, rendered.locale),
            step=step.step.id, occasion=row.occasion, locale=rendered.locale,
        )  # fmt: skip


def batches(step: Step, size: int) -> Iterator[Sequence[Any]]:
    """Every candidate in order; a batch is read when it is wanted, so that memory stays small."""
    last = 0
    while rows := step.connection.execute(candidates(step, CANDIDATE.c.id > last).limit(size)).all():
        yield rows
        last = rows[-1].id


def candidates(step: Step, where: ColumnElement[bool], customer: str | None = None) -> Select[Any]:
    """Staged candidates with who they are (`who`) and the verdict on them (`said`), in order."""
    who = (CUSTOMER.c.external_id.label("who"), CUSTOMER.c.name, CUSTOMER.c.time_zone)
    said = (verdict(step).label("said"), expires_at(step).label("expires_at"))
    mine = CUSTOMER.c.external_id == customer if customer else true()
    joined = select(CANDIDATE, *who, *said).join(CUSTOMER, CUSTOMER.c.id == CANDIDATE.c.customer_id)
    return joined.where(where, mine).order_by(CANDIDATE.c.id)
