"""A look at a large base is cut into shards by customer, and leaves what it leaves in one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Select, func, select, text
from sqlalchemy.exc import DataError

from campaigns.commit import Guarded
from campaigns.tables import (
    Decision,
    Enrolment,
    Message,
    MessageState,
    ScenarioRun,
    ScenarioState,
    SegmentChange,
    SegmentDefinition,
)
from campaigns.versions import STATE, Live, pause, resume
from core.db import Database
from core.db.plans import laid_aside
from core.errors import EnvironmentFault
from scheduler.looks import Looked, Looks
from scheduler.shards import SHARD, Cut, Shards, _take, under_way
from tests.campaigns.test_dryrun import QUICK, Fresh, act, deeds, people, settle_in
from tests.campaigns.test_dryrun_random import programs, scenarios
from tests.support.databases import PostgresDatabases
from tests.support.world import World, scenario

SMALL = Cut(cost=0, customers=2)
# Large by its cost, with too few customers.
NEVER_CUT = Cut(cost=0, customers=1_000)
TABLES: tuple[Any, ...] = (
    Decision, Enrolment, Message, MessageState, ScenarioRun, ScenarioState, SegmentChange, SegmentDefinition,
)  # fmt: skip
# Numbers that count up may leave gaps: what they number is told by the other columns.
NUMBERS = ("id", "enrolment_id", "message_id")
SEGMENT = {"segments/rich.yaml": "balance: {at_least: 150}\n"}
JOINED = scenario("{segment_entered: {segment: rich}}", schedule="every day at 12:00")
DAILY = "{schedule: {every: day at 10:00}}"
AT = "2026-03-01 10:00"
ONCE = {"marketing": {"all": "1 per 7 days"}}


class Killed(BaseException):
    """What a process hears when it is killed: nothing that it could answer."""


def campaign(**parts: str) -> str:
    return scenario(DAILY, schedule="", **parts)


def crowd(database: Database, scenarios: dict[str, str], **program: Any) -> World:
    """Ten customers, at the stroke of ten."""
    world = World(database, scenarios, program=program)
    for number in range(10):
        world.customer(f"customer-{number}")
    world.move(AT)
    return world


def begin(world: World, name: str = "one") -> Shards:
    """Cut a look, and let the process that did it die."""
    running = world.live.running()
    looks = Looks(world.database, world.live, rule=SMALL)
    assert looks._look(running, running.scenarios[name], world.now, news_only=False) is None
    return Shards(world.database, world.live)


def open_shards(world: World) -> int:
    with world.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(SHARD).where(~SHARD.c.done)) or 0


def look(world: World, rule: Cut = SMALL) -> list[Looked]:
    return Looks(world.database, world.live, rule=rule).run(world.now)


def left(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that looks write, without their numbers."""
    with world.database.read() as connection:
        return {model.__tablename__: _rows(connection, model.__table__) for model in TABLES}


def _rows(connection: Connection, table: Any) -> list[tuple[Any, ...]]:
    columns = [column for column in table.c if column.name not in NUMBERS]
    rows = [tuple(map(repr, row)) for row in connection.execute(select(*columns))]
    return sorted(rows)


def counted(looks: list[Looked]) -> list[Any]:
    return [(it.scenario, it.at, it.candidates, it.verdicts, it.channels, it.guarded) for it in looks]


@settings(QUICK, max_examples=3)
@given(
    texts=st.lists(scenarios(), min_size=1, max_size=3), program=programs, guard=st.sampled_from([1, 2, 100]),
    everybody=people, timeline=deeds,
)  # fmt: skip
def test_whatever_the_scenarios_a_look_in_shards_leaves_the_same_rows_as_one(
    fresh_database: Fresh, texts: list[str], program: dict[str, Any], guard: int,
    everybody: list[dict[str, Any]], timeline: list[tuple[int, str, int]],
) -> None:  # fmt: skip
    named = {f"one-{number}": text for number, text in enumerate(texts)} | {"joined": JOINED}
    program = program | {"max_per_look": guard}
    with fresh_database() as one, fresh_database() as other:
        worlds = [World(it, named, program=program, files=SEGMENT) for it in (one, other)]
        for world in worlds:
            settle_in(world, everybody)
        for deed in timeline:
            for world in worlds:
                act(world, deed)
            whole, cut = worlds
            assert counted(look(cut)) == counted(whole.looks())
            assert left(cut) == left(whole)
            for world in worlds:
                _go_on(world, deed)


def _go_on(world: World, deed: tuple[int, str, int]) -> None:
    if deed[2] % 2:
        world.settle()
    with world.database.write() as connection:
        for name in connection.scalars(select(STATE.c.name).where(STATE.c.status == "held")).all():
            if deed[2] % 3:
                resume(connection, name, allowed=deed[2])


def test_a_look_is_cut_only_where_it_is_a_large_one(postgres_database: Database) -> None:
    world = crowd(postgres_database, {"one": campaign()})
    running = world.live.running()
    looks = Looks(world.database, world.live, rule=Cut(customers=2))
    whole = looks._look(running, running.scenarios["one"], world.now, news_only=False)
    assert whole is not None
    assert whole.verdicts == {"planned": 10}


def test_a_large_look_at_events_leaves_the_same_rows_as_a_small_one(
    postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid: list[str] = []

    def seen(connection: Connection, name: str, query: Select[Any]) -> Any:
        laid.append(name)
        return laid_aside(connection, name, query)

    monkeypatch.setattr("campaigns.look.laid_aside", seen)
    events = {name: scenario(f"{{{name}: {{}}}}", schedule="") for name in ("purchase", "bonus_accrued")}
    with postgres_databases.fresh() as one, postgres_databases.fresh() as other:
        worlds = [crowd(it, events) for it in (one, other)]
        for world in worlds:
            for number in range(5):
                world.buy(f"customer-{number}", 5000)
        small, large = worlds
        assert counted(look(large, NEVER_CUT)) == counted(small.looks())
        assert left(large) == left(small)
        # Nothing of it stays behind, and the next look lays aside anew.
        assert laid == ["look_due"] * 2
        large.move("2026-03-01 10:01")
        large.buy("customer-9", 5000)
        assert [it.candidates for it in look(large, NEVER_CUT)] == [1, 1]


def test_what_breaks_a_large_look_is_named(postgres_database: Database) -> None:
    """Not that the transaction in which it broke answers nothing any more."""
    with (
        pytest.raises(DataError, match="division by zero"),
        postgres_database.write() as connection,
        laid_aside(connection, "look_due", select(STATE.c.name)),
    ):
        connection.execute(text("SELECT 1 / 0"))


def test_whoever_has_a_hand_free_takes_a_shard_and_nobody_is_told_twice(postgres_database: Database) -> None:
    world = crowd(postgres_database, {"one": campaign(), "two": campaign()}, allowances=ONCE)
    others = [Database(postgres_database.url) for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        looks = [pool.submit(Looks(it, Live(it), rule=SMALL).run, world.now) for it in others]
        hands = pool.submit(lambda: [Shards(postgres_database, world.live).take() for _ in range(20)])
        found = [looked for done in looks for looked in done.result()]
        hands.result()
    for other in others:
        other.close()
    assert sum(it.verdicts["planned"] for it in found) == 10
    # Not one shard of the second look was begun before the first one's last.
    assert {it.scenario for it in world.messages()} == {"one"}
    assert sorted(it.external_id for it in world.messages()) == sorted(world.ids)


def test_a_cut_look_calls_for_hands_and_leaves_no_job_behind(postgres_database: Database) -> None:
    jobs = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'shard'")
    world = crowd(postgres_database, {"one": campaign()})
    begin(world)
    with postgres_database.read() as connection:
        assert connection.scalar(jobs) == open_shards(world) == 5
    look(world)
    with postgres_database.read() as connection:
        assert connection.scalar(jobs) == 0


def test_a_shard_whose_process_dies_is_done_again(database: Database) -> None:
    world = crowd(database, {"one": campaign()})
    shards = begin(world)
    assert shards.take()
    with pytest.raises(Killed):
        _take_and_die(shards, world)
    assert open_shards(world) == 4
    [looked] = look(world)
    assert looked.verdicts == {"planned": 10}
    assert sorted(it.external_id for it in world.messages()) == sorted(world.ids)


def _take_and_die(shards: Shards, world: World) -> None:
    with world.database.write() as connection:
        taken = _take(connection)
        assert taken is not None
        shards._decide(connection, taken)
        raise Killed


class _Silent(Shards):
    """Says nothing for so long, with its shard nearly done, that the server ends its transaction."""

    def _decide(self, connection: Connection, taken: Any) -> None:
        super()._decide(connection, taken)
        connection.execute(text("DO $$ BEGIN RAISE idle_in_transaction_session_timeout; END $$"))


def test_a_shard_whose_process_was_frozen_too_long_is_done_again(postgres_database: Database) -> None:
    world = crowd(postgres_database, {"one": campaign()})
    begin(world)
    with pytest.raises(EnvironmentFault, match="idle_in_transaction_session_timeout"):
        _Silent(postgres_database, world.live).take()
    assert open_shards(world) == 5
    [looked] = look(world)
    assert (looked.error, looked.verdicts) == (None, {"planned": 10})


def test_another_process_ends_the_look_of_one_that_died(database: Database) -> None:
    world = crowd(database, {"one": campaign(priority="90"), "two": campaign()}, allowances=ONCE)
    begun = world.now
    assert begin(world).take()
    world.move("2026-03-01 10:05")
    found = look(world)
    assert [(it.scenario, it.at, dict(it.verdicts)) for it in found] == [
        ("one", begun, {"planned": 10}), ("two", world.now, {"capped": 10}),
    ]  # fmt: skip
    assert world.state("one").looked_at == begun


def test_the_blast_guard_counts_all_shards_before_anything_is_kept(database: Database) -> None:
    world = crowd(database, {"one": campaign()}, max_per_look=9)
    shards = begin(world)
    while shards.take():
        assert not world.messages()
        assert not world.enrolments()
    [looked] = look(world)
    assert looked.guarded == Guarded("one", 10, 9)
    assert (world.state("one").status, world.state("one").held) == ("held", 10)
    assert not world.messages()
    with database.write() as connection:
        resume(connection, "one", allowed=10)
    assert [dict(it.verdicts) for it in look(world)] == [{"planned": 10}]


@pytest.mark.parametrize("change", ["pause", "another version"])
def test_what_is_paused_or_changed_between_two_shards_goes_on_later(database: Database, change: str) -> None:
    world = crowd(database, {"one": campaign()})
    shards = begin(world)
    assert shards.take()
    if change == "pause":
        with database.write() as connection:
            pause(connection, "one")
    else:
        world.apply({"one": campaign(priority="70")})
    assert not shards.take()
    ended = shards.end("one")
    assert ended is not None
    assert ended.verdicts == {"planned": 2}
    assert world.state("one").looked_at is None
    with database.write() as connection:
        resume(connection, "one")
    [looked] = look(world)
    assert looked.verdicts == {"planned": 8, "already_entered": 2}
    assert sorted(it.external_id for it in world.messages()) == sorted(world.ids)


def test_what_has_just_happened_is_looked_at_between_two_shards(database: Database) -> None:
    thanks = scenario("{bonus_accrued: {}}", schedule="")
    world = crowd(database, {"one": campaign(), "thanks": thanks}, allowances=ONCE)
    assert begin(world).take()
    world.bonuses("customer-9", 100)
    Looks(database, world.live, rule=SMALL).run(world.now, news_only=True)
    assert [it.external_id for it in world.messages(scenario="thanks")] == ["customer-9"]
    look(world)
    # It is of less priority, and gives way in its shard.
    assert [it.external_id for it in world.messages(reason="displaced")] == ["customer-9"]
    assert len(world.messages(state="planned")) == 10


def test_a_look_that_breaks_in_a_shard_goes_no_further(postgres_database: Database) -> None:
    world = crowd(postgres_database, {"one": campaign(), "two": campaign()})
    begin(world)
    with postgres_database.write() as connection:
        connection.execute(text("ALTER TABLE customer RENAME COLUMN time_zone TO gone"))
    assert Shards(postgres_database, world.live).take()
    with postgres_database.write() as connection:
        connection.execute(text("ALTER TABLE customer RENAME COLUMN gone TO time_zone"))
    broken, after = look(world)
    assert (broken.scenario, broken.error is None) == ("one", False)
    assert after.verdicts == {"planned": 10}
    with postgres_database.read() as connection:
        assert under_way(connection) == []
