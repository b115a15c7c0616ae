"""How the installation stands: who works on it, what waits and for how long, and what somebody must mend.

Everything is read from the tables by partial indexes, so it is cheap at any size and the same wherever it
is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from campaigns.running import Running
from campaigns.tables import Message
from campaigns.versions import STATE
from channels.base import Channel
from core.tables import Letter
from scheduler.asking import IS_UNKNOWN
from scheduler.claim import IS_SENDING, IS_WAITING
from scheduler.condition import Condition, conditions
from scheduler.looks import overdue
from scheduler.presence import MISSING, present
from scheduler.tables import Process
from wallet.figures import Queues, queues

MESSAGE = Message.__table__  # type: ignore[attr-defined]
LETTER = Letter.__table__  # type: ignore[attr-defined]

# What has been due for longer than this, with nothing in its way, is stuck.
LATE = timedelta(minutes=5)
# A look at a large base takes minutes. Where no process is known, `tidings tick` may run once a night.
LOOK_LATE, TICK_LATE = timedelta(minutes=20), timedelta(hours=25)
# What is unknown stays so; somebody has read of it by then.
NEWS = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Queue:
    """One channel's messages now: due ones, how long the first has been due (seconds), those under way.

    Of the `unknown` ones `news` became so lately.
    """

    condition: Condition
    due: int = 0
    waited: float = 0.0
    sending: int = 0
    unknown: int = 0
    news: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """`scenarios` are by status, `overdue` those at which nobody looks; letters' wait is in seconds.

    `trouble` are sentences, each with what to do.
    """

    at: datetime
    version: int
    processes: Sequence[Process]
    scenarios: Mapping[str, Sequence[str]]
    queues: Sequence[Queue]
    overdue: Sequence[str]
    letters: int
    letters_wait: float
    letters_unknown: int
    cards: Queues
    trouble: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "at": self.at.isoformat(), "version": self.version,
            "processes": [it.model_dump(mode="json", exclude={"name"}) for it in self.processes],
            "scenarios": {status: list(names) for status, names in self.scenarios.items()},
            "channels": [
                {**it.condition.as_json(), "due": it.due, "waited_seconds": round(it.waited),
                 "sending": it.sending, "unknown": it.unknown} for it in self.queues
            ],
            "overdue": list(self.overdue),
            "letters": {"waiting": self.letters, "waited_seconds": round(self.letters_wait),
                        "unknown": self.letters_unknown},
            "cards": asdict(self.cards), "trouble": list(self.trouble),
        }  # fmt: skip


def standing(
    connection: Connection, channels: Mapping[str, Channel[Any, Any, Any]], running: Running, at: datetime
) -> Standing:
    """All of it, as one snapshot tells it."""
    processes = present(connection)
    patience = LOOK_LATE if processes else TICK_LATE
    letters, first = connection.execute(
        select(func.count(), func.min(LETTER.c.at)).where(LETTER.c.state.in_(("planned", "sending")))
    ).one()
    unknown = (LETTER.c.state == "unknown") & (LETTER.c.changed_at > at - NEWS)
    found = Standing(
        at, running.version, processes, _scenarios(connection), _queues(connection, channels, running, at),
        overdue(connection, running, at - patience),
        letters, (at - first).total_seconds() if first else 0.0,
        connection.scalar(select(func.count()).select_from(LETTER).where(unknown)) or 0,
        queues(connection, at),
    )  # fmt: skip
    return replace(found, trouble=tuple(_trouble(found)))


def _scenarios(connection: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in connection.execute(select(STATE.c.name, STATE.c.status).order_by(STATE.c.name)):
        if row.status != "removed":
            found.setdefault(row.status, []).append(row.name)
    return found


def _queues(
    connection: Connection, channels: Mapping[str, Channel[Any, Any, Any]], running: Running, at: datetime
) -> list[Queue]:
    # A paused scenario's messages wait because somebody wants it.
    paused = select(STATE.c.name).where(STATE.c.status == "paused")
    due = {
        row.channel: row
        for row in connection.execute(
            select(MESSAGE.c.channel, func.count().label("due"), func.min(MESSAGE.c.due_at).label("first"))
            .where(IS_WAITING, MESSAGE.c.due_at <= at, MESSAGE.c.scenario.not_in(paused))
            .group_by(MESSAGE.c.channel)
        )
    }
    sending, unknown = _counted(connection, IS_SENDING), _counted(connection, IS_UNKNOWN)
    news = _counted(connection, IS_UNKNOWN & (MESSAGE.c.changed_at > at - NEWS))
    return [
        Queue(
            it,
            due[it.channel].due if it.channel in due else 0,
            (at - due[it.channel].first).total_seconds() if it.channel in due else 0.0,
            sending.get(it.channel, 0),
            unknown.get(it.channel, 0),
            news.get(it.channel, 0),
        )
        for it in conditions(connection, channels, running.program, at)
    ]


def _counted(connection: Connection, which: Any) -> dict[str, int]:
    counted = select(MESSAGE.c.channel, func.count()).where(which).group_by(MESSAGE.c.channel)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _trouble(found: Standing) -> Iterator[str]:
    yield from _of_processes(found)
    for name in found.scenarios.get("held", ()):
        yield f"{name}: its look was stopped as too large; see `tidings dry-run {name}`"
    for name in found.overdue:
        yield f"{name} is due, and nobody looks at it; see the log of `tidings serve`"
    for queue in found.queues:
        yield from _of_channel(queue, found.at)
    if found.letters_wait > LATE.total_seconds():
        waited = said(found.letters_wait)
        yield f"{found.letters:,} letters that somebody waits for are not sent, the first for {waited}"
    if found.letters_unknown:
        yield f"{found.letters_unknown:,} letters that somebody waits for are unknown; they can ask again"
    if found.cards.devices_wait > LATE.total_seconds():
        waited = said(found.cards.devices_wait)
        yield f"cards: phones have been waiting for {waited} to be told; see `tidings card status`"
    if found.cards.objects_wait > LATE.total_seconds():
        waited = said(found.cards.objects_wait)
        yield f"cards: Google has been behind for {waited}; see `tidings card status`"


def _of_processes(found: Standing) -> Iterator[str]:
    here = [it for it in found.processes if found.at - it.seen_at <= MISSING]
    due = any(queue.waited > LATE.total_seconds() for queue in found.queues)
    if not here and (due or found.overdue):
        what = "messages" if due else "looks"
        yield f"nothing works on this database, and {what} are due; start `tidings serve`"
    for it in found.processes:
        if it not in here:
            silent = said((found.at - it.seen_at).total_seconds())
            yield f"{it.kind} on {it.host} (process {it.pid}) has been silent for {silent}; see its log"
        elif it.trouble:
            yield f"{it.kind} on {it.host} (process {it.pid}): {it.trouble}"


def _of_channel(queue: Queue, at: datetime) -> Iterator[str]:
    it = queue.condition
    resting = it.open_until is not None and it.open_until > at
    if resting:
        yield f"{it.channel} is left alone: {it.reason}; its messages wait and are tried again"
    # A large campaign, or one with a rate, is long due and yet under way.
    slow = it.rate is not None or queue.sending > 0 or (it.places is not None and it.used >= it.places)
    if it.paused_at is None and not (resting or slow) and queue.waited > LATE.total_seconds():
        yield f"{it.channel}: {queue.due:,} messages are due, the first for {said(queue.waited)}"
    if queue.news:
        lately = f"in the last {said(NEWS.total_seconds())}"
        yield f"{it.channel}: {queue.news:,} unknown {lately}; see `tidings messages --state unknown`"


def said(seconds: float) -> str:
    """A span as people say it, in its largest unit."""
    for unit, long in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * long:
            return f"{seconds / long:.0f} {unit}"
    return f"{seconds:.0f} seconds"
