"""Taking messages out of the outbox: claimed under a lease, asked once more, marked *sending*.

All of it is one short transaction before the first byte leaves: whatever happens afterwards, the database
knows that this message may be on its way.

What is asked once more, and what follows:

- the scenario was removed, or its trigger is no longer true: recalled;
- the goal is met, or what the step's `unless` and `only_if` ask says no: recalled, and the enrolment is over;
- the customer withdrew consent: recalled, whatever other channels there are;
- the address is gone or suppressed: the cascade goes on to its next open channel; recalled if there is none;
- too late: expired; quiet hours or a blackout: deferred to their end, or expired if that is too late.

A paused scenario's messages are not looked at, they wait.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    literal,
    literal_column,
    select,
    true,
    update,
)

from campaigns.look import quiet_until, zone_info
from campaigns.membership import informed
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.staging import ZONE
from campaigns.tables import WAITING, Message
from campaigns.versions import STATE
from channels import Unknown
from core.customers.profiles import CUSTOMER
from core.db import UtcDateTime
from core.events import START
from core.links import Links
from scheduler.leaving import EXITED, leave, left
from scheduler.outbox import MOST_AT_ONCE, Turn, doubtful, ended, keep_attempts, moved, write
from scheduler.reach import MessageRow, Reach
from scheduler.throttle import CHUNK
from templates.facts import Context, contexts
from triggers import Look, discover

MESSAGE = Message.__table__  # type: ignore[attr-defined]

# Spelled out: an index on a part of the table serves only a condition that repeats it to the letter.
IS_WAITING = MESSAGE.c.state.in_([literal_column(f"'{state}'") for state in WAITING])
IS_SENDING = MESSAGE.c.state == literal_column("'sending'")

# How long a claim holds its messages; nobody else touches them before.
LEASE = timedelta(minutes=5)
MOST_TRIES = 6
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
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
    _quiet: dict[tuple[str, str | None], datetime | None] = field(default_factory=dict)

    def claim(self, connection: Connection, channel: str, limit: int = CHUNK) -> Claim:
        """Take due messages of a channel, drop what no longer holds, mark the rest *sending*."""
        fence, lease_until = secrets.token_hex(8), self.at + self.lease
        rows = self._take(connection, channel, limit)
        reach = Reach(connection, self.running, self.at, rows)
        held = {row.id: turn for row in rows if (turn := self._held(row, channel, reach))}
        going = [row for row in rows if row.id not in held]
        gone = left(connection, self.running, going, self.at)
        held |= {row.id: ended(row, "recalled", EXITED, gone[row.id], verdict=EXITED)
                 for row in going if row.id in gone}  # fmt: skip
        going = [row for row in going if row.id not in held]
        facts = self._still_true(connection, going)
        held |= {row.id: ended(row, "recalled", "no_longer_true", verdict="no_longer_true")
                 for row in going if row.id not in facts}  # fmt: skip
        _hold(connection, list(held.values()), self.at)
        going = [row for row in going if row.id not in held]
        self._mark(connection, going, facts, fence, lease_until)
        return Claim(
            fence, lease_until, self._ready(connection, going, reach.of(channel).addresses, facts), len(rows)
        )

    def _take(self, connection: Connection, channel: str, limit: int) -> Sequence[MessageRow]:
        ids: list[int] = []
        for which in self._in_order():
            if len(ids) < limit:
                due = _due(connection, self.at).where(
                    MESSAGE.c.channel == channel, which, MESSAGE.c.id.not_in(ids)
                )
                # No tie-break: thousands are due at one moment, and sorting them for each chunk is a waste.
                due = due.order_by(MESSAGE.c.due_at).limit(limit - len(ids)).with_for_update(skip_locked=True)
                ids += connection.scalars(due)
        rows = select(
            MESSAGE, CUSTOMER.c.time_zone, CUSTOMER.c.locale.label("customer_locale"), CUSTOMER.c.external_id
        )
        rows = rows.join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id).where(MESSAGE.c.id.in_(ids))
        return connection.execute(rows.order_by(MESSAGE.c.due_at, MESSAGE.c.id)).all() if ids else ()

    def _in_order(self) -> Sequence[ColumnElement[bool]]:
        """Somebody waits for a transactional message: it does not queue behind a campaign."""
        if any(scenario.purpose == "transactional" for scenario in self.running.scenarios.values()):
            return (MESSAGE.c.purpose == "transactional", MESSAGE.c.purpose != "transactional")
        return (true(),)

    def _held(self, row: MessageRow, channel: str, reach: Reach) -> Turn | None:
        """What becomes of a message that must not go now, or not at all."""
        scenario = self.running.scenarios.get(row.scenario)
        if scenario is None:
            return ended(row, "recalled", "scenario_removed", verdict="scenario_removed")
        if row.expires_at is not None and row.expires_at <= self.at:
            return ended(row, "expired", "expired", row.reason)
        gate = reach.of(channel).gate(row)
        if gate is not None:
            onward = reach.onward(row) if gate != "no_consent" else None
            return moved(row, onward, gate, self.at) if onward else ended(row, "recalled", gate, verdict=gate)
        until = self._quiet_until(scenario, row.time_zone)
        if until is None:
            return None
        if row.expires_at is not None and until >= row.expires_at:
            return ended(row, "expired", "expired", "quiet_hours")
        return Turn(
            row, "deferred", "quiet_hours", {"due_at": until}, verdict="deferred", detail="quiet_hours"
        )

    def _quiet_until(self, scenario: Scenario, zone: str | None) -> datetime | None:
        key = (scenario.name, zone)
        if key not in self._quiet:
            program = self.running.program
            self._quiet[key] = quiet_until(program, scenario, self.at, zone_info(program, zone))
        return self._quiet[key]

    def _still_true(self, connection: Connection, rows: Sequence[MessageRow]) -> dict[int, Mapping[str, Any]]:
        """Message id → its facts as they are now, for those whose trigger still holds (promise 9)."""
        look = Look(self.at, self.running.program, ZONE, (), START, START)
        found: dict[int, Mapping[str, Any]] = {}
        for name in sorted({row.scenario for row in rows}):
            scenario = self.running.scenarios[name]
            ids = [row.id for row in rows if row.scenario == name]
            columns = (
                MESSAGE.c.id,
                MESSAGE.c.customer_id,
                MESSAGE.c.occasion,
                MESSAGE.c.subject,
                MESSAGE.c.facts,
            )
            due = select(*columns).where(MESSAGE.c.id.in_(ids)).subquery("due")
            asking = informed(connection, self.running, scenario, look)
            still = discover()[scenario.trigger].still_true(scenario.parameters, asking, due)
            found |= {row.id: row.facts for row in connection.execute(still)}
        return found

    def _mark(
        self, connection: Connection, rows: Sequence[MessageRow], facts: Mapping[int, Mapping[str, Any]],
        fence: str, lease_until: datetime,
    ) -> None:  # fmt: skip
        if not rows:
            return
        values = {
            "state": "sending", "reason": None, "fence": fence, "lease_until": lease_until,
            "changed_at": self.at, "tries": MESSAGE.c.tries + 1, "version": self.running.version,
        }  # fmt: skip
        connection.execute(update(MESSAGE).where(MESSAGE.c.id.in_([row.id for row in rows])).values(**values))
        # What the message will say is kept with it, so that it can be shown again.
        fresh = [{"own": row.id, "new_facts": facts[row.id]} for row in rows if facts[row.id] != row.facts]
        if fresh:
            one = update(MESSAGE).where(MESSAGE.c.id == bindparam("own")).values(facts=bindparam("new_facts"))
            connection.execute(one, fresh)

    def _ready(
        self, connection: Connection, rows: Sequence[MessageRow], addresses: Mapping[int, str],
        facts: Mapping[int, Mapping[str, Any]],
    ) -> list[Claimed]:  # fmt: skip
        if not rows:
            return []
        customers = [row.customer_id for row in rows]
        found = contexts(connection, self.running.program, customers, self.at, self.links)
        return [
            Claimed(
                row, self.running.scenarios[row.scenario], addresses[row.customer_id],
                found[row.customer_id], facts[row.id], row.customer_locale,
            )
            for row in rows
        ]  # fmt: skip


def _due(connection: Connection, at: datetime) -> Select[Any]:
    paused = connection.scalars(select(STATE.c.name).where(STATE.c.status == "paused")).all()
    due = select(MESSAGE.c.id).where(IS_WAITING, MESSAGE.c.due_at <= literal(at, UtcDateTime))
    return due.where(MESSAGE.c.scenario.not_in(paused)) if paused else due


def due_on(connection: Connection, channel: str, at: datetime) -> bool:
    """Whether the channel has a message that could go now."""
    return connection.scalar(_due(connection, at).where(MESSAGE.c.channel == channel).limit(1)) is not None


def _hold(connection: Connection, turns: Sequence[Turn], at: datetime) -> None:
    """Write back what does not go. What may have left in an earlier try is *unknown* and not taken back."""
    over = [turn.row for turn in turns if turn.state not in WAITING and turn.row.tries]
    perhaps = doubtful(connection, over)
    write(connection, [as_unknown(turn) if turn.row.id in perhaps else turn for turn in turns], at)
    leave(connection, turns)


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
