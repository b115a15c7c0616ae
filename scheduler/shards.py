"""A look at a large base, in shards: parts of the customers, each decided in a transaction of its own.

Whoever has a hand free takes a shard: the process that looks, and on PostgreSQL every other by a job. What
belongs to the whole look is done by the one that looks, under the lock of all scenarios: it cuts the look
into shards, counts for the blast guard, and ends it. A shard's row is locked while somebody is at it: it is
done once, and by another one if that process dies.

- The blast guard speaks before anything is kept. Where more may be due than it lets through, the shards are
  first counted, and only then kept; who is under way goes on to the next step either way.
- The next scenario is not looked at before the last shard is done; what has just happened (`news_only`) is
  looked at between two shards. Shards hold the scenarios' lock in common, whole looks alone: no two of them
  find the same place in an allowance free.
- The cursor, `looked_at` and what a segment meant move with the end of the look.
- A scenario that is paused, removed or changed meanwhile (another version is live) ends its look at the next
  shard. What was kept stands; the rest becomes due at the next look, which knows who has entered.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from campaigns.commit import Guarded, Tally, commit, commit_part, limit_of, tally
from campaigns.gates import Step
from campaigns.look import ENROLMENT, IS_ACTIVE, Looker, Span, zones_of
from campaigns.membership import define, segment_of
from campaigns.names import names_of
from campaigns.scenario import Scenario
from campaigns.tables import LookShard, ShardedLook
from campaigns.versions import STATE, Live, live_version, reader_of, since_of
from core.db import Database, UtcDateTime, insert_many
from core.db.plans import cost
from core.errors import EnvironmentFault
from core.events import START, Position, cursor
from core.tables import Customer
from scheduler import jobs
from scheduler.looked import Counts, Looked, conclude, hold, why
from triggers.base import Part, Zone

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LOOK = ShardedLook.__table__  # type: ignore[attr-defined]
SHARD = LookShard.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.looks")

QUEUE = "looks"
# Between two statements of a shard a process does next to nothing.
FROZEN_SECONDS = 60
# A shard that nobody has in hand, of a look that counts or that keeps.
_FREE: ColumnElement[bool] = or_(
    and_(LOOK.c.counting, SHARD.c.counted.is_(None)), and_(~LOOK.c.counting, ~SHARD.c.done)
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Which looks are cut, and how large a shard is.

    `cost` is what PostgreSQL's planner expects of a query for who is due (one or two seconds), of a whole
    look and of a shard; 0 cuts every look, on SQLite too. `customers` is how many ids a shard spans at least:
    some seconds of work if all are due. What a shard costs beside its customers is fifty statements.
    """

    cost: float = 200_000
    customers: int = 250_000


LARGE = Cut()
# So many hands are kept busy by a look that is only just large.
FEWEST = 4


@dataclass(frozen=True, slots=True)
class Prospect:
    """A look that is due, in the transaction that holds the lock of all scenarios."""

    connection: Connection
    looker: Looker
    scenario: Scenario
    state: Row[Any]
    span: Span
    zones: Sequence[Zone]

    @property
    def enters(self) -> bool:
        """Whether it lets anybody in, beside those who are under way."""
        return self.state.status == "active" and any(zone.fired_at for zone in self.zones)


def lock(connection: Connection) -> dict[str, Row[Any]]:
    """The state of every scenario by name, under the lock of all of them: whole looks take turns.

    Scenarios share their customers' allowances: two looks at once would each find the same place free.
    """
    states = connection.execute(select(STATE).order_by(STATE.c.name).with_for_update()).all()
    return {state.name: state for state in states}


def under_way(connection: Connection) -> list[str]:
    """The scenarios at which somebody looks in shards."""
    return list(connection.scalars(select(LOOK.c.scenario).order_by(LOOK.c.scenario)))


def abandon(connection: Connection) -> None:
    """Forget the looks that are under way: after a restore their time is lived through anew."""
    for table in (LOOK, SHARD):
        connection.execute(delete(table))


def cut(it: Prospect, rule: Cut) -> bool:
    """Cut a look into shards if it is a large one, and have them taken by whoever has a hand free."""
    if rule.cost and it.connection.dialect.name == "sqlite":
        return False  # one process does everything there
    # Each from an end of the index: asked for together, SQLite reads all of it.
    low, high = (it.connection.scalar(select(end(CUSTOMER.c.id))) or 0 for end in (func.min, func.max))
    if high - low < rule.customers or (expected := _cost(it)) < rule.cost:
        return False
    size = _size(high - low + 1, expected, rule)
    name, most = it.scenario.name, limit_of(it.looker.running.program, it.state.allowed)
    look = {
        "scenario": name, "at": it.span.at, "version": it.looker.running.version, "enters": it.enters,
        "counting": it.enters and _may_be_more(it, most), "most": most,
        "upto_transaction": it.span.upto.transaction, "upto_event": it.span.upto.event_id,
    }  # fmt: skip
    it.connection.execute(insert(LOOK).values(look))
    shards = [
        {"scenario": name, "low": at, "high": at + size, "entering": {}, "later": {}}
        for at in range(low, high + 1, size)
    ]
    insert_many(it.connection, SHARD, shards)
    _call_hands(it.connection, len(shards))
    return True


def whole(it: Prospect, rule: Cut) -> Looker:
    """Who looks at a look that is not cut.

    Of a large one at events, who is due is found by several processes of the server: each shard would read
    all the events anew, since whose they are is known at their end.
    """
    if not it.enters or it.scenario.kind != "event" or it.connection.dialect.name == "sqlite":
        return it.looker
    expected = cost(it.connection, it.looker.question(it.scenario, it.span, it.zones))
    return replace(it.looker, large=expected >= rule.cost)


def _size(customers: int, expected: float, rule: Cut) -> int:
    """How many ids a shard spans."""
    shards = max(FEWEST, expected / rule.cost) if rule.cost else math.inf
    return max(rule.customers, math.ceil(customers / shards))


def _cost(it: Prospect) -> float:
    """Of the dearer half: who is new, and who is under way."""
    # To see who has changed their segment is to look at everybody.
    if it.enters and segment_of(it.scenario) is not None:
        return math.inf
    # Looks at events are not cut; see `whole`.
    enters = it.enters and it.scenario.kind != "event"
    asked = it.looker.question(it.scenario, it.span, it.zones) if enters else None
    queries = [_waiting(it), *([] if asked is None else [asked])]
    return max(cost(it.connection, query) for query in queries)


def _waiting(it: Prospect) -> Select[Any]:
    theirs = and_(ENROLMENT.c.scenario.in_(names_of(it.scenario)), IS_ACTIVE)
    return select(ENROLMENT.c.id).where(theirs, ENROLMENT.c.anchor_at <= literal(it.span.at, UtcDateTime))


def _may_be_more(it: Prospect, most: int) -> bool:
    """Whether the blast guard must know the number before anything is kept."""
    # Who enters a segment is not known before everybody was looked at: that is what the shards do.
    return segment_of(it.scenario) is not None or not it.looker.at_most(it.scenario, it.span, it.zones, most)


def _call_hands(connection: Connection, shards: int) -> None:
    if connection.dialect.name == "postgresql":
        jobs.defer(connection, jobs.SHARD, [{}] * shards, queue=QUEUE)


def _dismiss_hands(connection: Connection) -> None:
    """Take back the jobs that nobody began: where no worker runs, they would stay for ever."""
    if connection.dialect.name == "postgresql":
        waiting = "DELETE FROM procrastinate_jobs WHERE task_name = :task AND status = 'todo'"
        connection.execute(text(waiting), {"task": jobs.SHARD})


class Shards:
    """Takes shards, and brings looks to their end."""

    def __init__(self, database: Database, live: Live, *, holdout_on: bool = True) -> None:
        self._database, self._live, self._holdout_on = database, live, holdout_on

    def take(self) -> bool:
        """Decide on one shard, of whichever look; False if none is left to take. This is what a job does.

        A look that breaks in it goes no further; EnvironmentFault if the database cannot be reached.
        """
        taken: _Taken | None = None
        try:
            with self._database.write() as connection:
                _give_up_in_time(connection)
                taken = _take(connection)
                if taken is not None:
                    self._decide(connection, taken)
        except EnvironmentFault:
            raise
        except Exception as error:
            if taken is None:
                raise
            self._break(taken.look, why(error))
        return taken is not None

    def end(self, scenario: str) -> Looked | None:
        """Work until the look at a scenario is over; None if somebody else has ended it."""
        while True:
            while self.take():
                pass
            over, looked = self._advance(scenario)
            if over:
                return looked

    def _decide(self, connection: Connection, taken: "_Taken") -> None:
        look, shard = taken.look, taken.shard
        running = self._live.of(look.version)
        scenario = running.scenarios[look.scenario]
        span = _span(connection, look, taken.state)
        zones = zones_of(connection, running.program, scenario, span)
        looker = Looker(connection, running, self._holdout_on, part=Part(shard.low, shard.high))
        kept: dict[str, Any] = {"done": not look.counting}
        if shard.counted is None:
            kept["later"] = _told(self._later(looker, scenario, span, zones))
        if look.enters:
            step = looker.enter(scenario, span, zones)
            found = tally(step) if look.counting else commit_part(step)
            kept |= {"counted": found.passed, "planned": 0 if look.counting else found.passed}
            kept["entering"] = _told([(step, found)])
        mine = update(SHARD).where(SHARD.c.scenario == shard.scenario, SHARD.c.low == shard.low)
        connection.execute(mine.values(**kept))

    def _later(
        self, looker: Looker, scenario: Scenario, span: Span, zones: Sequence[Zone]
    ) -> Iterator[tuple[Step, Tally]]:
        for step in looker.later(scenario, span, zones, self._live):
            yield step, commit(step).tally

    def _break(self, look: Row[Any], reason: str) -> None:
        with self._database.write() as connection:
            mine = and_(LOOK.c.scenario == look.scenario, LOOK.c.at == look.at)
            connection.execute(update(LOOK).where(mine).values(error=reason))

    def _advance(self, name: str) -> tuple[bool, Looked | None]:
        """Go on from counting to keeping, or end the look; whether it is over.

        The lock waits for the shards that others have in hand.
        """
        with self._database.write() as connection:
            state = lock(connection).get(name)
            look = connection.execute(select(LOOK).where(LOOK.c.scenario == name)).first()
            if look is None:
                return True, None
            looked, counted, planned = _sums(connection, look)
            looked.error = look.error
            if look.error is None and state is not None and _stands(connection, look, state):
                if connection.scalar(_open().where(LOOK.c.scenario == name).limit(1)) is not None:
                    return False, None
                if look.counting and counted <= look.most:
                    _keep_now(connection, name)
                    return False, None
                self._conclude(connection, look, state, looked, counted, planned)
            _clear(connection, name)
            return True, looked

    def _conclude(
        self, connection: Connection, look: Row[Any], state: Row[Any], looked: Looked, counted: int,
        planned: int,
    ) -> None:  # fmt: skip
        if not look.enters:
            return
        if look.counting:
            hold(connection, looked, Guarded(look.scenario, counted, look.most))
            return
        running = self._live.of(look.version)
        scenario = running.scenarios[look.scenario]
        span = _span(connection, look, state)
        define(connection, running, scenario)
        zones = zones_of(connection, running.program, scenario, span)
        conclude(connection, scenario, looked, span, zones, planned)


class _Taken(NamedTuple):
    look: Row[Any]
    shard: Row[Any]
    state: Row[Any]


def _give_up_in_time(connection: Connection) -> None:
    """A process that is frozen in the middle of a shard must not hold up the look."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{FROZEN_SECONDS}s'"))


def _take(connection: Connection) -> _Taken | None:
    """A shard that nobody else gets before the transaction ends; its look goes on as long as it stands."""
    # In common with other shards, and not at the same time as a whole look; a pause need not wait for it.
    held = select(STATE).order_by(STATE.c.name).with_for_update(read=True, key_share=True)
    states = {state.name: state for state in connection.execute(held)}
    for name in under_way(connection):
        look = connection.execute(select(LOOK).where(LOOK.c.scenario == name)).one()
        if look.error is not None or not _stands(connection, look, states.get(name)):
            continue
        free = _open().where(LOOK.c.scenario == name).order_by(SHARD.c.low).limit(1)
        shard = connection.execute(free.with_for_update(of=SHARD, skip_locked=True)).first()
        if shard is not None:
            return _Taken(look, shard, states[name])
    return None


def _open() -> Select[Any]:
    return select(SHARD).join(LOOK, LOOK.c.scenario == SHARD.c.scenario).where(_FREE)


def _stands(connection: Connection, look: Row[Any], state: Row[Any] | None) -> bool:
    """Whether the scenario still runs as the look has found it."""
    runs = ("active",) if look.enters else ("active", "held")
    return state is not None and state.status in runs and live_version(connection) == look.version


def _span(connection: Connection, look: Row[Any], state: Row[Any]) -> Span:
    after = cursor(connection, reader_of(look.scenario)) or START
    return Span(look.at, since_of(state), after, Position(look.upto_transaction, look.upto_event))


def _told(steps: Iterable[tuple[Step, Tally]]) -> dict[str, Counter[str]]:
    """How many verdicts of each name, and messages by each channel."""
    counts = Counts()
    for step, found in steps:
        counts.add(step, found)
    return {"verdicts": counts.verdicts, "channels": counts.channels}


def _sums(connection: Connection, look: Row[Any]) -> tuple[Looked, int, int]:
    """What was kept so far, how many customers were counted, how many messages planned for the first step."""
    looked, counted, planned = Looked(look.scenario, look.version, look.at), 0, 0
    for shard in connection.execute(select(SHARD).where(SHARD.c.scenario == look.scenario)):
        for told in (shard.entering, shard.later):
            looked.verdicts.update(told.get("verdicts", {}))
            looked.channels.update(told.get("channels", {}))
        counted += shard.counted or 0
        planned += shard.planned
    return looked, counted, planned


def _keep_now(connection: Connection, name: str) -> None:
    """The guard has nothing against it: the same shards once more."""
    connection.execute(update(LOOK).where(LOOK.c.scenario == name).values(counting=False))
    mine = select(func.count()).select_from(SHARD).where(SHARD.c.scenario == name)
    _call_hands(connection, connection.scalar(mine) or 0)


def _clear(connection: Connection, name: str) -> None:
    for table in (LOOK, SHARD):
        connection.execute(delete(table).where(table.c.scenario == name))
    _dismiss_hands(connection)
