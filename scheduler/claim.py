"""Taking messages out of the outbox: claimed under a lease, asked once more, marked *sending*.

All of it is one short transaction before the first byte leaves: whatever happens afterwards, the database
knows that this message may be on its way.

What is asked once more, and what follows:

- the scenario was removed, its messages were cancelled, or its trigger is no longer true: recalled;
- the goal is met, or what the step's `unless` and `only_if` ask says no: recalled, and the enrolment is over;
- the customer withdrew consent, be it to a channel by which it has left already: recalled, whatever other
  channels there are;
- the address is gone or suppressed: the cascade goes on to its next open channel; recalled if there is none;
- too late: expired; quiet hours or a blackout: deferred to their end, or expired if that is too late.

A paused scenario's messages are not looked at, they wait.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal,
    literal_column,
    select,
    true,
    update,
)

from campaigns.look import quiet_until, zone_info
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.tables import WAITING, Message
from campaigns.versions import STATE
from channels import Unknown
from channels.transport import INTERRUPTED
from core.customers.consent import MARKETING
from core.customers.profiles import CUSTOMER
from core.db import UtcDateTime
from core.db.hot import Hot, Many, at_once
from core.db.sets import among
from core.errors import UserError
from core.links import Links
from scheduler.cancelling import CANCELLED, cancelled
from scheduler.leaving import EXITED, leave, left
from scheduler.marking import begin
from scheduler.outbox import MOST_AT_ONCE, Turn, doubtful, ended, keep_attempts, moved, write
from scheduler.outdated import refuse_outdated
from scheduler.reach import MessageRow, Reach, Standing, regretted, words_of
from scheduler.throttle import CHUNK
from scheduler.truth import Truth
from templates.facts import EVERYTHING, Context, contexts

MESSAGE = Message.__table__  # type: ignore[attr-defined]

# Spelled out: an index on a part of the table serves only a condition that repeats it to the letter.
IS_WAITING = MESSAGE.c.state.in_([literal_column(f"'{state}'") for state in WAITING])
IS_SENDING = MESSAGE.c.state == literal_column("'sending'")

# How long a claim holds its messages; nobody else touches them before.
LEASE = timedelta(minutes=5)
MOST_TRIES = 6


# What delivery needs of a message and its customer; of a chunk every column counts.
_COLUMNS = (
    MESSAGE.c.id, MESSAGE.c.enrolment_id, MESSAGE.c.scenario, MESSAGE.c.customer_id, MESSAGE.c.occasion,
    MESSAGE.c.step, MESSAGE.c.purpose, MESSAGE.c.message, MESSAGE.c.channel, MESSAGE.c.state,
    MESSAGE.c.reason, MESSAGE.c.planned_at, MESSAGE.c.expires_at, MESSAGE.c.accepted_at,
    MESSAGE.c.tries, MESSAGE.c.cost, CUSTOMER.c.time_zone, CUSTOMER.c.locale, CUSTOMER.c.external_id,
)  # fmt: skip
_ROWS = Many(
    *_COLUMNS,
    ("CAST(message.facts AS TEXT)", MESSAGE.c.scenario),
    ("CAST(message.channels AS TEXT)", MESSAGE.c.scenario),
    tail="FROM message JOIN customer ON customer.id = message.customer_id WHERE message.id {ids} "
    "ORDER BY message.due_at, message.id",
)

_PAUSED = Hot(STATE.c.name, tail="FROM scenario_state WHERE status = 'paused'")


class Taken(NamedTuple):
    """A message that was due, as `_COLUMNS` say: its own, its customer's from `time_zone` on, and at the end
    its facts and the channels of its cascade as text.
    """

    id: int
    enrolment_id: int
    scenario: str
    customer_id: int
    occasion: str
    step: str
    purpose: str
    message: str
    channel: str
    state: str
    reason: str | None
    planned_at: datetime
    expires_at: datetime | None
    accepted_at: datetime | None
    tries: int
    cost: Any
    time_zone: str | None
    customer_locale: str | None
    external_id: str
    facts: str
    cascade: str

    @property
    def channels(self) -> list[str]:
        """The channels of its cascade; of most messages nobody asks."""
        found: list[str] = json.loads(self.cascade)
        return found


@dataclass(slots=True)
class Claimed:
    """A message that may be sent, with everything that its words need; `facts` as stored, and fresh."""

    row: MessageRow
    scenario: Scenario
    address: str
    context: Context
    facts: Mapping[str, Any]
    locale: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim took: messages to send, and the fence under which their outcomes are recorded.

    `taken` counts also those that were held back.
    """

    fence: str
    lease_until: datetime
    messages: Sequence[Claimed]
    taken: int


@dataclass(frozen=True, slots=True)
class Claimer:
    """Claims messages of one bundle."""

    running: Running
    links: Links
    at: datetime
    lease: timedelta = LEASE
    truth: Truth = field(default_factory=Truth)
    _quiet: dict[tuple[str, str | None], datetime | None] = field(default_factory=dict)
    _cancelled: dict[str, datetime] = field(default_factory=dict)

    def claim(
        self, connection: Connection, channel: str, limit: int = CHUNK, marketing: int | None = None
    ) -> Claim:
        """Take due messages of a channel, drop what no longer holds, mark the rest *sending*.

        `marketing` is how many places a plan has left for all of them, which marketing may take last; None
        leaves that open. Outdated if the bundle is no longer live, and does not know one of their scenarios.
        """
        fence, lease_until = secrets.token_hex(8), self.at + self.lease
        rows = self._take(connection, channel, limit, marketing)
        refuse_outdated(connection, self.running, rows)
        rows = self._with_words(connection, rows)
        self._cancelled.update(cancelled(connection) if rows else {})
        reach = Reach(connection, self.running, self.at, rows)
        heard = regretted(connection, rows)
        held = {row.id: ended(row, "recalled", "no_consent") for row in rows if row.id in heard}
        free = self._free(rows, reach.of(channel)).union(held) if rows else ()
        held |= {row.id: turn for row in rows if row.id not in free
                 if (turn := self._held(row, channel, reach))}  # fmt: skip
        going = [row for row in rows if row.id not in held]
        gone = left(connection, self.running, going, self.at)
        held |= {row.id: ended(row, "recalled", EXITED, gone[row.id])
                 for row in going if row.id in gone}  # fmt: skip
        going = [row for row in going if row.id not in held]
        facts = self._still_true(connection, going)
        held |= {row.id: ended(row, "recalled", "no_longer_true")
                 for row in going if row.id not in facts}  # fmt: skip
        _hold(connection, list(held.values()), self.at)
        going = [row for row in going if row.id not in held]
        begin(connection, going, fence, lease_until, self.running.version, self.at)
        return Claim(
            fence, lease_until, self._ready(connection, going, reach.of(channel).addresses, facts), len(rows)
        )

    def _take(self, connection: Connection, channel: str, limit: int, marketing: int | None) -> Sequence[Any]:
        ids: list[int] = []
        for which, most in self._in_order(limit, marketing):
            room = most - len(ids)
            if room > 0:
                due = _due(connection, self.at).where(MESSAGE.c.channel == channel, which)
                due = due.where(MESSAGE.c.id.not_in(ids)) if ids else due
                # No tie-break: thousands are due at one moment, and sorting them for each chunk is a waste.
                due = due.order_by(MESSAGE.c.due_at).limit(room).with_for_update(skip_locked=True)
                ids += [number for (number,) in at_once(connection, due)]
        return self._as_meant(connection, [Taken._make(row) for row in _ROWS(connection, ids)]) if ids else ()

    def _as_meant(self, connection: Connection, rows: Sequence[Taken]) -> Sequence[Taken]:
        """With the purpose that their scenarios have now: what was planned for the account only, and is
        marketing after all, needs the consent that marketing needs, and counts as it.
        """
        meant = {name: scenario.purpose for name, scenario in self.running.scenarios.items()}
        other = [row for row in rows if meant.get(row.scenario, row.purpose) != row.purpose]
        for purpose in {meant[row.scenario] for row in other}:
            ids = [row.id for row in other if meant[row.scenario] == purpose]
            connection.execute(update(MESSAGE).where(MESSAGE.c.id.in_(ids)).values(purpose=purpose))
        return [row._replace(purpose=meant.get(row.scenario, row.purpose)) for row in rows] if other else rows

    def _with_words(self, connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
        """With the folder that has their words now (`words_of`)."""
        alike = {(row.scenario, row.step, row.message): row for row in rows}
        moved = {said: now for said, row in alike.items() if (now := words_of(self.running, row)) != said[2]}
        for said, now in moved.items():
            ids = [row.id for row in rows if (row.scenario, row.step, row.message) == said]
            connection.execute(update(MESSAGE).where(among(MESSAGE.c.id, ids)).values(message=now))
        if not moved:
            return rows
        return [
            row._replace(message=moved.get((row.scenario, row.step, row.message), row.message))
            for row in rows
        ]

    def _in_order(self, limit: int, marketing: int | None) -> Sequence[tuple[ColumnElement[bool], int]]:
        """Which come first, each with how many there may be by then.

        Somebody waits for a transactional message: it does not queue behind a campaign. Where a plan has few
        places left, marketing gets those that the others leave.
        """
        purpose, scenarios = MESSAGE.c.purpose, self.running.scenarios.values()
        urgent = any(scenario.purpose == "transactional" for scenario in scenarios)
        first = [(purpose == "transactional", limit)] if urgent else []
        if marketing is not None:
            last = (purpose == MARKETING, min(limit, marketing))
            return [*first, (purpose.in_(("service", "transactional")), limit), last]
        return [*first, (purpose != "transactional" if urgent else true(), limit)]

    def _free(self, rows: Sequence[MessageRow], standing: Standing) -> set[int]:
        """Messages that nothing holds back: most of a chunk, told at once; of the others `_held` says it."""
        at, agreed, addresses = self.at, standing.agreed, standing.addresses
        open_for = {
            (name, zone)
            for name, zone in {(row.scenario, row.time_zone) for row in rows}
            if (scenario := self.running.scenarios.get(name))
            and name not in self._cancelled
            and self._quiet_until(scenario, zone) is None
        }
        return {
            row.id
            for row in rows
            if (row.scenario, row.time_zone) in open_for
            and row.customer_id in addresses
            and (row.customer_id in agreed or row.purpose != MARKETING)
            and (row.expires_at is None or row.expires_at > at)
        }

    def _held(self, row: MessageRow, channel: str, reach: Reach) -> Turn | None:
        """What becomes of a message that must not go now, or not at all."""
        scenario = self.running.scenarios.get(row.scenario)
        if scenario is None:
            return ended(row, "recalled", "scenario_removed")
        if row.scenario in self._cancelled and row.planned_at <= self._cancelled[row.scenario]:
            return ended(row, "recalled", CANCELLED)
        if row.expires_at is not None and row.expires_at <= self.at:
            return ended(row, "expired", "expired", row.reason)
        gate = reach.of(channel).gate(row)
        if gate is not None:
            onward = reach.onward(row) if gate != "no_consent" else None
            return moved(row, onward, gate, self.at) if onward else ended(row, "recalled", gate)
        until = self._quiet_until(scenario, row.time_zone)
        if until is None:
            return None
        if row.expires_at is not None and until >= row.expires_at:
            return ended(row, "expired", "expired", "quiet_hours")
        return Turn(row, "deferred", "quiet_hours", {"due_at": until}, detail="quiet_hours")

    def _quiet_until(self, scenario: Scenario, zone: str | None) -> datetime | None:
        key = (scenario.name, zone)
        if key not in self._quiet:
            program = self.running.program
            self._quiet[key] = quiet_until(program, scenario, self.at, zone_info(program, zone))
        return self._quiet[key]

    def _still_true(self, connection: Connection, rows: Sequence[MessageRow]) -> dict[int, Mapping[str, Any]]:
        """Message id → its facts as they are now, for those whose trigger still holds (promise 9)."""
        return self.truth.of(connection, self.running, rows, self.at)

    def _ready(
        self, connection: Connection, rows: Sequence[MessageRow], addresses: Mapping[int, str],
        facts: Mapping[int, Mapping[str, Any]],
    ) -> list[Claimed]:  # fmt: skip
        if not rows:
            return []
        customers = [row.customer_id for row in rows]
        names = self._names(rows)
        found = contexts(connection, self.running.program, customers, self.at, self.links, names)
        return [
            Claimed(
                row, self.running.scenarios[row.scenario], addresses[row.customer_id],
                found[row.customer_id], facts[row.id], row.customer_locale,
            )
            for row in rows
        ]  # fmt: skip

    def _names(self, rows: Sequence[MessageRow]) -> frozenset[str]:
        """What the texts of these messages speak of, in whichever language; their links always."""
        library, found = self.running.library, {"links"}
        for message, channel, locale in {(row.message, row.channel, row.customer_locale) for row in rows}:
            try:
                names = library.names(message, channel, locale)
            except UserError:
                names = frozenset()  # it is set aside when it is rendered
            found |= EVERYTHING if names is None else names
        return frozenset(found)


def _due(connection: Connection, at: datetime) -> Select[Any]:
    paused = [name for (name,) in _PAUSED(connection)]
    due = select(MESSAGE.c.id).where(IS_WAITING, MESSAGE.c.due_at <= literal(at, UtcDateTime))
    return due.where(MESSAGE.c.scenario.not_in(paused)) if paused else due


def due_on(connection: Connection, channel: str, at: datetime) -> bool:
    """Whether the channel has a message that could go now."""
    return connection.scalar(_due(connection, at).where(MESSAGE.c.channel == channel).limit(1)) is not None


def count_due(connection: Connection, channel: str, at: datetime, most: int) -> int:
    """How many messages of the channel could go now; counted up to `most`."""
    due = _due(connection, at).where(MESSAGE.c.channel == channel).limit(most).subquery()
    return connection.scalar(select(func.count()).select_from(due)) or 0


def _hold(connection: Connection, turns: Sequence[Turn], at: datetime) -> None:
    """Write back what does not go. What may have left in an earlier try is *unknown*: it is not taken back,
    nor told once more on another channel.
    """
    over = [turn.row for turn in turns if turn.row.tries and (turn.state not in WAITING or _leaves(turn))]
    perhaps = doubtful(connection, over)
    write(connection, [as_unknown(turn) if turn.row.id in perhaps else turn for turn in turns], at)
    leave(connection, turns)


def _leaves(turn: Turn) -> bool:
    """Whether the message goes on to another channel."""
    return "channel" in turn.values


def as_unknown(turn: Turn) -> Turn:
    """The end of a message of which an earlier try may have left."""
    return ended(turn.row, "unknown", turn.reason or turn.state, turn.reason)


def reap(connection: Connection, policies: Mapping[str, str], at: datetime, limit: int = MOST_AT_ONCE) -> int:
    """Messages whose sender died: sent again where the channel says so, else *unknown* and reported.

    `policies` is channel → policy; messages of other channels are left to their own sender. A message that
    took its sender with it time and again is not tried for ever. Returns how many became unknown. More than
    `limit` are left to the next call.
    """
    stale = select(MESSAGE).where(IS_SENDING, MESSAGE.c.lease_until < literal(at, UtcDateTime))
    stale = stale.where(MESSAGE.c.channel.in_(list(policies)))
    stale = stale.order_by(MESSAGE.c.id).limit(limit).with_for_update(skip_locked=True)
    rows = connection.execute(stale).all()
    turns = [_reaped(row, policies, at) for row in rows]
    write(connection, turns, at)
    keep_attempts(connection, [(row, row.tries, Unknown(INTERRUPTED)) for row in rows], at)
    return sum(turn.state == "unknown" for turn in turns)


def _reaped(row: MessageRow, policies: Mapping[str, str], at: datetime) -> Turn:
    if policies.get(row.channel) == "at_least_once" and row.tries < MOST_TRIES:
        return Turn(row, "planned", INTERRUPTED, {"due_at": at})
    return ended(row, "unknown", INTERRUPTED, "interrupted while sending")


def stale_or_late(connection: Connection, at: datetime) -> bool:
    """Whether a sender left something behind, or a confirmation is overdue."""
    now = literal(at, UtcDateTime)
    stale = select(MESSAGE.c.id).where(IS_SENDING, MESSAGE.c.lease_until < now)
    late = select(MESSAGE.c.id).where(and_(MESSAGE.c.fallback_at <= now, MESSAGE.c.state == "sent"))
    return any(connection.scalar(each.limit(1)) is not None for each in (stale, late))
