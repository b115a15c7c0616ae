"""How the installation stands: who works on it, what waits and for how long, and what somebody must mend.

Everything is read from the tables by partial indexes, so it costs what is open, not what ever was, and is the
same wherever it is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, func, select, text

from campaigns.running import Running
from campaigns.tables import LookShard, Message
from campaigns.versions import STATE
from channels.base import Channel
from core.db import only_reads
from core.tables import Letter
from scheduler.asking import IS_UNKNOWN
from scheduler.claim import IS_SENDING, IS_WAITING
from scheduler.condition import Condition, conditions
from scheduler.looks import overdue
from scheduler.presence import MISSING, SILENT, present
from scheduler.tables import Process
from scheduler.throttle import CHANNEL
from wallet.figures import Queues, queues

MESSAGE = Message.__table__  # type: ignore[attr-defined]
LETTER = Letter.__table__  # type: ignore[attr-defined]
SHARD = LookShard.__table__  # type: ignore[attr-defined]

# What has been due for longer than this, with nothing in its way, is stuck.
LATE = timedelta(minutes=5)
# A look at a large base takes minutes. Where no process is known, `tidings tick` may run once a night.
LOOK_LATE, TICK_LATE = timedelta(minutes=20), timedelta(hours=25)
# What is unknown stays so; somebody has read of it by then.
NEWS = timedelta(days=3)
_JOBS = text(
    "SELECT status::text, task_name, count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') "
    "GROUP BY status, task_name ORDER BY status, task_name"
)


@dataclass(frozen=True, slots=True)
class Queue:
    """One channel's messages now: due ones, how long the first has been due (seconds), those under way.

    Of the `unknown` ones `news` became so lately. `flows`: its rate has let some go lately.
    """

    condition: Condition
    due: int = 0
    waited: float = 0.0
    sending: int = 0
    unknown: int = 0
    news: int = 0
    flows: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """`scenarios` are by status, `overdue` those at which nobody looks; letters' wait is in seconds.

    `jobs` are how many of each task stand how (`todo`, `doing`); None on SQLite, where there are none and
    nobody needs to lead. `looking` are the looks under way in shards, with how much of each is done, 0 to 1.
    `only_reads`: the server takes no writes from whoever asks.
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
    jobs: Mapping[str, Mapping[str, int]] | None = None
    looking: Mapping[str, float] = field(default_factory=dict)
    only_reads: bool = False
    trouble: Sequence[str] = ()

    @property
    def here(self) -> Sequence[Process]:
        """Who gives signs of life."""
        return [it for it in self.processes if self.at - it.seen_at <= MISSING]

    @property
    def leaders(self) -> Sequence[Process]:
        """Who leads: one, on PostgreSQL."""
        return [it for it in self.here if it.led_at is not None and self.at - it.led_at <= MISSING]

    def hands(self, channel: str) -> int:
        """How many chunks of a channel may be under way at a time; on SQLite one process does everything."""
        if self.jobs is None:
            return len(self.here)
        return sum(it.concurrency or 0 for it in self.here if it.channels is None or channel in it.channels)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "at": self.at.isoformat(), "version": self.version,
            "processes": [
                {**it.model_dump(mode="json", exclude={"name"}), "leads": it in self.leaders}
                for it in self.processes
            ],
            "scenarios": {status: list(names) for status, names in self.scenarios.items()},
            "channels": [
                {**it.condition.as_json(), "due": it.due, "waited_seconds": round(it.waited),
                 "sending": it.sending, "unknown": it.unknown, "hands": self.hands(it.condition.channel)}
                for it in self.queues
            ],
            "overdue": list(self.overdue), "looking": dict(self.looking),
            "jobs": None if self.jobs is None else {status: dict(it) for status, it in self.jobs.items()},
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
        queues(connection, at), _jobs(connection), _looking(connection),
        only_reads(connection),
    )  # fmt: skip
    return replace(found, trouble=tuple(_trouble(found)))


def _jobs(connection: Connection) -> dict[str, dict[str, int]] | None:
    if connection.dialect.name != "postgresql":
        return None
    found: dict[str, dict[str, int]] = {"todo": {}, "doing": {}}
    for status, task, jobs in connection.execute(_JOBS):
        found[status][task] = jobs
    return found


def _looking(connection: Connection) -> dict[str, float]:
    done = func.avg(case((SHARD.c.done, 1.0), (SHARD.c.counted.is_not(None), 0.5), else_=0.0))
    shards = select(SHARD.c.scenario, done).group_by(SHARD.c.scenario).order_by(SHARD.c.scenario)
    return {row[0]: float(row[1]) for row in connection.execute(shards)}


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
    paused = connection.scalars(select(STATE.c.name).where(STATE.c.status == "paused")).all()
    # Without them the index alone answers: a fifth of the time for a million messages that are due.
    wanted = [MESSAGE.c.scenario.not_in(paused)] if paused else []
    due = {
        row.channel: row
        for row in connection.execute(
            select(MESSAGE.c.channel, func.count().label("due"), func.min(MESSAGE.c.due_at).label("first"))
            .where(IS_WAITING, MESSAGE.c.due_at <= at, *wanted)
            .group_by(MESSAGE.c.channel)
        )
    }
    sending, unknown = _counted(connection, IS_SENDING), _counted(connection, IS_UNKNOWN)
    news = _counted(connection, IS_UNKNOWN & (MESSAGE.c.changed_at > at - NEWS))
    # Nothing else writes it than what takes messages by a rate.
    flows = set(connection.scalars(select(CHANNEL.c.channel).where(CHANNEL.c.next_at > at - LATE)))
    return [
        Queue(
            it,
            due[it.channel].due if it.channel in due else 0,
            (at - due[it.channel].first).total_seconds() if it.channel in due else 0.0,
            sending.get(it.channel, 0),
            unknown.get(it.channel, 0),
            news.get(it.channel, 0),
            it.channel in flows,
        )
        for it in conditions(connection, channels, running.program, at)
    ]


def _counted(connection: Connection, which: Any) -> dict[str, int]:
    counted = select(MESSAGE.c.channel, func.count()).where(which).group_by(MESSAGE.c.channel)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _trouble(found: Standing) -> Iterator[str]:
    # Others may write where whoever asks may not.
    if found.only_reads and not any(found.at - it.seen_at <= SILENT for it in found.processes):
        yield (
            "the database only reads: nothing is recorded, looked at or sent; let the server take writes, or "
            "set TIDINGS_DATABASE to the one that does"
        )
    yield from _of_processes(found)
    for name in found.scenarios.get("held", ()):
        yield f"{name}: its look was stopped as too large; see `tidings dry-run {name}`"
    for name in found.overdue:
        yield f"{name} is due, and nobody looks at it; see the log of `tidings serve`"
    for queue in found.queues:
        yield from _of_channel(queue, found)
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
    here = found.here
    due = any(queue.waited > LATE.total_seconds() for queue in found.queues)
    if not here and (due or found.overdue):
        what = "messages" if due else "looks"
        yield f"nothing works on this database, and {what} are due; start `tidings serve`"
    settled = any(found.at - it.began_at > MISSING for it in here)
    if found.jobs is not None and settled and not found.leaders:
        do = (
            "see the logs, and start one of the processes again"
            if any(it.concurrency for it in here)
            else "start `tidings worker`, since only `tidings serve --api-only` runs"
        )
        yield f"nobody leads, so that nothing is looked at; {do}"
    for it in found.processes:
        if it not in here:
            silent = said((found.at - it.seen_at).total_seconds())
            yield f"{it.kind} on {it.host} (process {it.pid}) has been silent for {silent}; see its log"
        elif it.trouble:
            yield f"{it.kind} on {it.host} (process {it.pid}): {it.trouble}"


def _of_channel(queue: Queue, found: Standing) -> Iterator[str]:
    it, at = queue.condition, found.at
    if it.wrong is not None:
        yield f"{it.channel} is set up wrongly: {it.wrong}"
    resting = it.left_alone(at)
    if resting:
        yield f"{it.channel} is left alone: {it.reason}; its messages wait and are tried again"
    # A large campaign, or one that a rate holds up, is long due and yet under way.
    slow = queue.flows or queue.sending > 0 or it.full
    if it.paused_at is None and not (resting or slow) and queue.waited > LATE.total_seconds():
        nobody = "" if found.hands(it.channel) or not found.here else (
            f"; no process works on this channel: `tidings worker --channels {it.channel}`"
        )  # fmt: skip
        yield f"{it.channel}: {queue.due:,} messages are due, the first for {said(queue.waited)}{nobody}"
    if queue.news:
        lately = f"in the last {said(NEWS.total_seconds())}"
        yield f"{it.channel}: {queue.news:,} unknown {lately}; see `tidings messages --state unknown`"


def said(seconds: float) -> str:
    """A span as people say it, in its largest unit."""
    for unit, long in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * long:
            return f"{seconds / long:.0f} {unit}"
    return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"
