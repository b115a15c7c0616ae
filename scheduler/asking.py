"""Asking providers about messages of which nobody knows whether they left.

Asking can only confirm: what a provider shows was sent, at the time of its try; whatever else it says leaves
a message *unknown*, and nothing sends it again. It is asked with growing pauses within a day, since a
provider may show a message late, or be away itself.

The text is put into words anew, from the facts that were kept and the version that spoke them: whoever was
erased since has no address any more and is not asked about.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, and_, func, literal, literal_column, or_, select, update

from campaigns.names import as_called_then
from campaigns.running import Running
from campaigns.tables import Attempt, Message, MessageState
from campaigns.versions import Live
from channels import Accepted, discover
from channels.asking import Doubt
from channels.base import Channel
from core.clock import Clock, MovableClock
from core.customers.addresses import ADDRESS
from core.customers.profiles import CUSTOMER
from core.db import Database, UtcDateTime
from core.db.sets import update_each
from core.errors import EnvironmentFault, Problems
from core.links import Links
from scheduler.claim import Claimed
from scheduler.outbox import Turn, write
from scheduler.outcomes import confirm, confirmed_by
from scheduler.reach import MessageRow, address_used
from scheduler.wording import Prepared, Wording
from templates.facts import contexts

AnyChannel = Channel[Any, Any, Any]
OpenChannel = Callable[[str], AbstractAsyncContextManager[AnyChannel]]
LOG = structlog.get_logger("tidings.asking")

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
STATE = MessageState.__table__  # type: ignore[attr-defined]

# When a provider is asked, after a message became unknown.
PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6),
          timedelta(hours=23))  # fmt: skip
# The provider's clock and ours may differ.
SLACK = timedelta(minutes=5)
AT_ONCE = 20
FOUND = "found_by_asking"
# Spelled out: an index on a part of the table serves only a condition that repeats it to the letter.
IS_UNKNOWN = MESSAGE.c.state == literal_column("'unknown'")


@dataclass(slots=True)
class Asked:
    """How many messages were found to have left, and how many stay unknown for now."""

    found: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """A message in doubt: as it was said then, on the way that it went."""

    doubt: Doubt
    prepared: Prepared
    running: Running
    tried_at: datetime


class Asking:
    """Asks about what is due. `open_channel` gives a channel that is open within its context."""

    def __init__(
        self, database: Database, live: Live, links: Links, clock: Clock, open_channel: OpenChannel
    ) -> None:
        self._database, self._live, self._links, self._clock = database, live, links, clock
        self._open_channel = open_channel

    async def run(self) -> Asked:
        """Ask about everything that is due, each message once."""
        asked = Asked()
        for name in await asyncio.to_thread(self._due):
            try:
                async with self._open_channel(name) as channel:
                    while rows := await asyncio.to_thread(self._take, name):
                        await self._ask(channel, rows, asked)
            except EnvironmentFault as fault:
                LOG.warning("provider not asked", channel=name, reason=str(fault))
        return asked

    def _due(self) -> list[str]:
        askable = [name for name, kind in discover().items() if kind.can_be_asked]
        with self._database.read() as connection:
            return [
                name
                for name in sorted(askable)
                if connection.scalar(_due(name, self._clock.now()).limit(1)) is not None
            ]

    def _take(self, channel: str) -> Sequence[MessageRow]:
        """Some that are due; from now on they are not, whatever becomes of the question."""
        now = self._clock.now()
        with self._database.write() as connection:
            due = _due(channel, now).order_by(MESSAGE.c.id).limit(AT_ONCE)
            ids = connection.scalars(due.with_for_update(skip_locked=True)).all()
            wanted = (
                select(
                    MESSAGE, CUSTOMER.c.external_id, CUSTOMER.c.time_zone,
                    CUSTOMER.c.locale.label("customer_locale"),
                )
                .join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id)
                .where(MESSAGE.c.id.in_(ids))
                .order_by(MESSAGE.c.id)
            )  # fmt: skip
            rows = connection.execute(wanted).all()
            times = [(row.id, sum(row.changed_at + pause <= now for pause in PAUSES)) for row in rows]
            update_each(connection, MESSAGE, {}, ("asked",), times)
        return rows

    async def _ask(self, channel: AnyChannel, rows: Sequence[MessageRow], asked: Asked) -> None:
        """Messages to one address in turn: what is found for one is not the other's."""
        by_address: dict[str, list[Question]] = defaultdict(list)
        for question in await asyncio.to_thread(lambda: list(self._questions(channel, rows))):
            by_address[question.doubt.to].append(question)
        found = await asyncio.gather(*(self._in_turn(channel, them) for them in by_address.values()))
        asked.found += sum(found)
        asked.open += len(rows) - sum(found)

    async def _in_turn(self, channel: AnyChannel, questions: Sequence[Question]) -> int:
        found: set[str] = set()
        for it in questions:
            answer = await _answer(channel, replace(it.doubt, known=it.doubt.known | found))
            if answer is not None and await asyncio.to_thread(self._keep, channel, it, answer):
                found.add(answer.provider_id)
        return len(found)

    def _questions(self, channel: AnyChannel, rows: Sequence[MessageRow]) -> Iterator[Question]:
        """Those of which the words can still be found."""
        for row in rows:
            with self._database.read() as connection:
                tried_at = _tried_at(connection, row)
                address = address_used(connection, row, row.channel, tried_at)
                names = _known(connection, row, address) if address else frozenset()
            claimed = self._claimed(row, address, tried_at) if address else None
            if claimed is None:
                continue
            running, message = claimed
            words = Wording(self._database, self._links, MovableClock(tried_at), nullcontext())
            prepared = words.prepare(running, channel, message)
            if prepared.outgoing is not None:
                out, between = prepared.outgoing, (tried_at - SLACK, row.changed_at + SLACK)
                yield Question(Doubt(out.key, out.to, out.parts, between, names), prepared, running, tried_at)

    def _claimed(self, row: MessageRow, address: str, at: datetime) -> tuple[Running, Claimed] | None:
        """The message as it was claimed, by the version that spoke; None if that is not to be had."""
        try:
            running = self._live.of(row.version)
        except Problems:
            return None
        with self._database.read() as connection:
            scenario = as_called_then(connection, running, row.scenario)
            if scenario is None:
                return None
            context = contexts(connection, running.program, [row.customer_id], at, self._links)
        known = context.get(row.customer_id)
        locale = row.customer_locale
        return (running, Claimed(row, scenario, address, known, row.facts, locale)) if known else None

    def _keep(self, channel: AnyChannel, question: Question, answer: Accepted) -> bool:
        """It was sent when it was tried; false if it is unknown no longer, or another has the name."""
        message_id, now = question.prepared.claimed.row.id, self._clock.now()
        with self._database.write() as connection:
            own = select(MESSAGE).where(MESSAGE.c.id == message_id, MESSAGE.c.state == "unknown")
            row = connection.execute(own.with_for_update()).first()
            taken = select(MESSAGE.c.id).where(MESSAGE.c.provider_id == answer.provider_id)
            if row is None or connection.scalar(taken) is not None:
                return False
            write(connection, [_found(row, channel, question, answer.provider_id)], now)
            _name_the_try(connection, row, answer.provider_id)
            if answer.reported is not None:
                confirm(connection, answer.provider_id, answer.reported, None, now)
        LOG.info("found by asking", message=message_id, channel=channel.name)
        return True


def _due(channel: str, at: datetime) -> Any:
    """Messages about which nobody was asked since the last pause was over."""
    asked = func.coalesce(MESSAGE.c.asked, 0)
    turns: list[ColumnElement[bool]] = [
        and_(asked == number, MESSAGE.c.changed_at <= literal(at - pause, UtcDateTime))
        for number, pause in enumerate(PAUSES)
    ]
    return select(MESSAGE.c.id).where(IS_UNKNOWN, MESSAGE.c.channel == channel, or_(*turns))


def _tried_at(connection: Connection, row: MessageRow) -> datetime:
    """When the last try on its channel was begun."""
    tries = select(func.max(STATE.c.at)).where(
        STATE.c.message_id == row.id, STATE.c.state == "sending", STATE.c.channel == row.channel
    )
    begun: datetime = connection.scalar(tries) or row.changed_at
    return begun


def _known(connection: Connection, row: MessageRow, address: str) -> frozenset[str]:
    """What the provider calls the messages that went to this address before, whosever they were."""
    kind = discover()[row.channel].address_kind
    owners = select(ADDRESS.c.customer_id).where(ADDRESS.c.kind == kind, ADDRESS.c.value == address)
    names = select(ATTEMPT.c.provider_id).join(MESSAGE, MESSAGE.c.id == ATTEMPT.c.message_id)
    names = names.where(MESSAGE.c.customer_id.in_(owners), ATTEMPT.c.channel == row.channel)
    return frozenset(connection.scalars(names.where(ATTEMPT.c.provider_id.is_not(None))))


async def _answer(channel: AnyChannel, doubt: Doubt) -> Accepted | None:
    try:
        return await channel.ask(doubt)
    except Exception as error:  # noqa: BLE001 - one question must not stop the others; its words may be personal
        LOG.error("not asked", channel=channel.name, error=type(error).__name__)  # noqa: TRY400 - as above
        return None


def _found(row: MessageRow, channel: AnyChannel, question: Question, provider_id: str) -> Turn:
    """As if its acceptance had been heard."""
    running, prepared, at = question.running, question.prepared, question.tried_at
    wait = confirmed_by(channel, prepared.claimed.scenario, row)
    cost = row.cost if prepared.cost is None else prepared.cost + Decimal(str(row.cost or 0))
    values = {
        "provider_id": provider_id, "accepted_at": at, "cost": cost, "locale": prepared.locale,
        "fallback_at": wait.after(at, running.program.zone) if wait else None,
    }  # fmt: skip
    return Turn(row, "sent", FOUND, values, detail=FOUND)


def _name_the_try(connection: Connection, row: MessageRow, provider_id: str) -> None:
    """The try stays what it was when it was made: unknown. Its name is known now."""
    tries = (ATTEMPT.c.message_id == row.id) & (ATTEMPT.c.channel == row.channel)
    unknown = tries & (ATTEMPT.c.outcome == "unknown") & ATTEMPT.c.provider_id.is_(None)
    connection.execute(update(ATTEMPT).where(unknown).values(provider_id=provider_id))
