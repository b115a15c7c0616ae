"""Making something live: who may, who was faster, what waits for another person, and the way back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from campaigns import proposals
from campaigns.history import bundle_of, history, version_of
from campaigns.running import Running, make_ready
from campaigns.versions import Leave, Live, Overtaken, apply, live_version, newest_row
from core.db import Database
from core.errors import UserError
from tests.support.world import World, scenario

DAILY = scenario("{schedule: {every: day at 10:00}}", schedule="")
APPROVED = {"apply": {"approvals": 1}}


def version(priority: int) -> dict[str, str]:
    return {"one": f"{DAILY}priority: {priority}\n"}


def proposed(world: World, running: Running, who: str, note: str | None = None) -> int:
    with world.database.write() as connection:
        return proposals.propose(connection, running, who, world.now, Leave(note=note))


def approved(world: World, number: int, running: Running, who: str) -> proposals.Approved:
    with world.database.write() as connection:
        return proposals.approve(connection, number, running, who, world.now)


def test_what_was_compared_with_an_older_version_is_refused_and_told_who_was_faster(
    database: Database,
) -> None:
    world = World(database, version(1))
    world.apply(version(2))
    with (
        database.write() as connection,
        pytest.raises(Overtaken, match="the test was faster and made version 2 live"),
    ):
        apply(connection, world.files(version(3)), "ihor", world.now, Leave(base=1))
    with database.read() as connection:
        assert live_version(connection) == 2


def test_of_two_who_apply_at_once_one_wins_and_the_other_is_told(database: Database) -> None:
    world = World(database, version(1))
    bundles = {name: world.files(version(priority)) for name, priority in (("anna", 2), ("ihor", 3))}
    gate = Barrier(2)

    def at_once(name: str) -> object:
        gate.wait()
        try:
            with database.write() as connection:
                return apply(connection, bundles[name], name, world.now, Leave(base=1)).version
        except Overtaken as overtaken:
            return overtaken.who

    with ThreadPoolExecutor(2) as people:
        said = dict(zip(bundles, people.map(at_once, bundles), strict=True))
    with database.read() as connection:
        live = newest_row(connection)
    loser = next(name for name in bundles if name != live.applied_by)
    assert live.version == 2
    assert said == {live.applied_by: 2, loser: live.applied_by}
    assert live.digest == bundles[live.applied_by].loaded.bundle.digest


def test_without_a_base_two_at_once_make_one_version_each_or_one_is_told(database: Database) -> None:
    world = World(database, version(1))
    gate = Barrier(4)

    def at_once(priority: int) -> int:
        files = world.files(version(priority))
        gate.wait()
        try:
            with database.write() as connection:
                return apply(connection, files, f"person {priority}", world.now).version
        except Overtaken:
            return 0

    with ThreadPoolExecutor(4) as people:
        made = sorted(number for number in people.map(at_once, (2, 3, 4, 5)) if number)
    assert made == list(range(2, 2 + len(made)))


def test_where_the_live_program_asks_for_approval_nobody_applies_alone(database: Database) -> None:
    world = World(database, version(1), program=APPROVED)
    with database.write() as connection, pytest.raises(UserError, match="approval of another person"):
        apply(connection, world.files(version(2)), "anna", world.now)


def test_nobody_switches_approval_off_alone(database: Database) -> None:
    world = World(database, version(1), program=APPROVED)
    without = world.files(version(1), {"apply": {"approvals": 0}})
    with database.write() as connection, pytest.raises(UserError, match="approval"):
        apply(connection, without, "anna", world.now)


def test_another_person_makes_a_proposal_live(database: Database) -> None:
    world = World(database, version(1), program=APPROVED)
    running = world.files(version(2))
    number = proposed(world, running, "anna", "spring")
    done = approved(world, number, running, "ihor")
    assert done.applied is not None
    assert done.applied.version == 2
    with database.read() as connection:
        made = version_of(connection, 2)
        assert (made.who, made.approved_by, made.note) == ("anna", ("ihor",), "spring")
        assert proposals.waiting(connection) == []


@pytest.mark.parametrize("who", ["anna", " Anna "])
def test_nobody_approves_their_own(database: Database, who: str) -> None:
    world = World(database, version(1), program=APPROVED)
    running = world.files(version(2))
    number = proposed(world, running, "anna")
    with pytest.raises(UserError, match="is your own"):
        approved(world, number, running, who)


def test_two_approvals_are_two_people(database: Database) -> None:
    world = World(database, version(1), program={"apply": {"approvals": 2}})
    running = world.files(version(2))
    number = proposed(world, running, "anna")
    assert approved(world, number, running, "ihor").missing == 1
    with pytest.raises(UserError, match="have approved proposal 1 already"):
        approved(world, number, running, "Ihor")
    done = approved(world, number, running, "olha")
    assert done.applied is not None
    with database.read() as connection:
        assert version_of(connection, 2).approved_by == ("ihor", "olha")


def test_a_rejected_proposal_is_over(database: Database) -> None:
    world = World(database, version(1), program=APPROVED)
    running = world.files(version(2))
    number = proposed(world, running, "anna")
    with database.write() as connection:
        proposals.reject(connection, number, "ihor", world.now)
    with pytest.raises(UserError, match="ihor was faster: proposal 1 was rejected"):
        approved(world, number, running, "olha")


def test_a_proposal_that_something_overtook_cannot_be_approved(database: Database) -> None:
    world = World(database, version(1), program=APPROVED)
    slow, quick = world.files(version(2)), world.files(version(3))
    first = proposed(world, slow, "anna")
    second = proposed(world, quick, "anna")
    approved(world, second, quick, "ihor")
    with pytest.raises(Overtaken):
        approved(world, first, slow, "ihor")
    with database.read() as connection:
        assert proposals.waiting(connection) == []


def test_of_two_who_approve_at_once_the_second_hears_that_it_is_done(database: Database) -> None:
    world = World(database, version(1), program=APPROVED)
    running = world.files(version(2))
    number = proposed(world, running, "anna")
    gate = Barrier(2)

    def at_once(name: str) -> Any:
        gate.wait()
        try:
            return approved(world, number, running, name).applied
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(2) as people:
        said = list(people.map(at_once, ("ihor", "olha")))
    assert sum(isinstance(each, str) for each in said) == 1
    assert "was faster" in next(each for each in said if isinstance(each, str))
    with database.read() as connection:
        assert live_version(connection) == 2


def test_an_earlier_version_comes_back_as_a_new_one(database: Database) -> None:
    world = World(database, version(1))
    world.apply({**version(2), "two": DAILY})
    with database.read() as connection:
        earlier = make_ready(bundle_of(connection, 1))
    with database.write() as connection:
        back = apply(connection, earlier, "anna", world.now, Leave(base=2, note="oops", restores=1))
    assert (back.version, back.stopped) == (3, ("two",))
    with database.read() as connection:
        made = version_of(connection, 3)
        assert (made.restores, made.note) == (1, "oops")
        assert {it.file: it.kind for it in made.changes if it.file.startswith("scenarios/")} == {
            "scenarios/one.yaml": "changed", "scenarios/two.yaml": "removed",
        }  # fmt: skip


def test_the_history_says_who_did_what_when_the_newest_first(database: Database) -> None:
    world = World(database, version(1))
    world.now += timedelta(hours=1)
    world.apply(version(2))
    with database.read() as connection:
        newest, first = history(connection, 10)
    assert (newest.version, newest.who, newest.at) == (2, "the test", world.now)
    assert newest.changes[0].says == ("priority: 1 becomes 2",)
    assert (newest.brief, first.brief) == ("scenarios: one changed", "the first version")


def test_enrolments_of_many_versions_read_each_of_them_once(database: Database) -> None:
    world = World(database, version(0))
    for priority in range(1, 13):
        world.apply(version(priority))
    live = Live(database)
    live.running()
    read = [live.of(number) for number in range(1, 14)]
    assert all(live.of(number) is running for number, running in enumerate(read, start=1))


def test_a_version_that_nobody_asks_for_any_more_is_let_go(database: Database) -> None:
    world = World(database, version(1))
    live = Live(database)
    first = live.running()
    world.apply(version(2))
    live.running()
    world.apply(version(3))
    live.running()
    assert live.of(1) is not first
