"""Whatever the scenarios and whatever happened: a dry run foresees the live look, verdict by verdict."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.dryrun import DryRun
from campaigns.dryrun.evidence import Witness
from campaigns.dryrun.speaking import batches
from core.db import Database
from tests.campaigns.test_dryrun import QUICK, Fresh, act, deeds, live, people, settle_in, will_look
from tests.support.world import LINKS, World, channels, scenario

# Each trigger with whether it needs a schedule.
TRIGGERS = (
    ("{bonus_expiring: {at_least: 100, ahead: [14 days, 3 days, 1 day]}}", True),
    ("{birthday: {days: 0}}", True),
    ("{inactive: {for: 1 day, at_least_receipts: 0}}", True),
    ("{bonus_accrued: {at_least: 20}}", False),
    ("{tier_changed: {direction: any}}", False),
    ("{schedule: {every: day at 10:00}}", False),
    ("{schedule: {every: day at 21:30}}", False),
)
CASCADES = ("[sms]", "[push, sms]", "[email, push, sms]", "[push]")
TEXTS = ("message: hello", "variants: [{message: hello, weight: 30}, {message: gift, weight: 70}]")
ASKS = ("", ", unless: [purchase]", ", only_if: {tier: gold}", ", unless: {balance: {at_least: 250}}")
AUDIENCES = ("", "{tier: gold}", "{not: {tier: gold}}", "{reachable: sms}", "{balance: {at_least: 100}}")
LIMITS = (
    "",
    "{at_most: 1 per 2 days}",
    "{valid_for: 6 hours}",
    "{quiet_hours: 12:00-15:00, at_most: 2 per day}",
)
ALLOWANCES: tuple[dict[str, str], ...] = (
    {},
    {"all": "1 per 2 days"},
    {"sms": "1 per day", "all": "3 per 3 days"},
    {"push": "1 per 12 hours"},
)


@st.composite
def steps(draw: st.DrawFn) -> str:
    """One step or two, each with its cascade, its texts and what it asks."""
    made = []
    for number in range(draw(st.integers(1, 2))):
        parts = [f"id: s{number}", draw(st.sampled_from(TEXTS)), f"send: {draw(st.sampled_from(CASCADES))}"]
        if number:
            parts.append(f"wait: {draw(st.sampled_from(['6 hours', '1 day']))}")
            parts[-1] += draw(st.sampled_from(ASKS))
        made.append("{" + ", ".join(parts) + "}")
    return f"[{', '.join(made)}]"


@st.composite
def scenarios(draw: st.DrawFn) -> str:
    """A scenario as a marketer might write it."""
    trigger, scheduled = draw(st.sampled_from(TRIGGERS))
    return scenario(
        trigger,
        schedule=draw(st.sampled_from(["every day at 10:00", "every day at 20:30"])) if scheduled else "",
        steps=draw(steps()),
        purpose=draw(st.sampled_from(["marketing", "marketing", "marketing", "service", "transactional"])),
        audience=draw(st.sampled_from(AUDIENCES)),
        limits=draw(st.sampled_from(LIMITS)),
        priority=str(draw(st.sampled_from([10, 50, 90]))),
        holdout=draw(st.sampled_from(["", "30%"])),
        goal=draw(st.sampled_from(["", "{purchase: {within: 2 days}}"])),
    )


programs = st.fixed_dictionaries({
    "allowances": st.sampled_from(ALLOWANCES).map(lambda it: {"marketing": it}),
    "quiet_hours": st.sampled_from([None, "21:00-09:00"]),
    "holdout": st.sampled_from(["0%", "20%"]),
    "blackout": st.sampled_from([[], ["2026-03-02"]]),
})  # fmt: skip


@settings(QUICK, max_examples=8)
@given(
    texts=st.lists(scenarios(), min_size=1, max_size=4), program=programs, everybody=people, timeline=deeds
)
def test_the_dry_run_of_any_scenarios_is_their_live_look(
    fresh_database: Fresh, texts: list[str], program: dict[str, Any], everybody: list[dict[str, Any]],
    timeline: list[tuple[int, str, int]],
) -> None:  # fmt: skip
    with fresh_database() as database:
        world = World(database, _named(texts), program=program)
        settle_in(world, everybody)
        for deed in timeline:
            act(world, deed)
            due = {it.name for it in world.running.by_priority if will_look(world, it)}
            # Where nothing strikes, a dry run shows what a look would say; later steps wait for no stroke.
            foreseen = {key: it for key, it in world.foreseen().items() if key[1] in due or key[3] != "s0"}
            expected = {key: it for key, it in foreseen.items() if it != "already_entered"}
            decided = live(world, expected)
            displaced = {key for key, it in decided.items() if it == "displaced" and key not in expected}
            assert {key: it for key, it in decided.items() if key not in displaced} == expected
            if deed[2] % 2:
                world.settle()
        assert _astray(database) == []


@settings(QUICK, max_examples=4)
@given(
    texts=st.lists(scenarios(), min_size=1, max_size=3), program=programs, everybody=people, timeline=deeds
)
def test_no_verdict_is_without_evidence(
    fresh_database: Fresh, texts: list[str], program: dict[str, Any], everybody: list[dict[str, Any]],
    timeline: list[tuple[int, str, int]],
) -> None:  # fmt: skip
    with fresh_database() as database:
        world = World(database, _named(texts), program=program)
        settle_in(world, everybody)
        for deed in timeline:
            act(world, deed)
            world.looks()
            world.settle()
        for gate, abouts in _told(world):
            assert "occasion" in abouts
            assert gate is None or gate in abouts


def _named(texts: Iterable[str]) -> dict[str, str]:
    return {f"one-{number}": text for number, text in enumerate(texts)}


def _astray(database: Database) -> list[Any]:
    """Rows that refer to none: SQLite does not look that up when a look keeps its own."""
    with database.read() as connection:
        if connection.dialect.name != "sqlite":
            return []
        return list(connection.exec_driver_sql("PRAGMA foreign_key_check"))


def _told(world: World) -> list[tuple[str | None, set[str]]]:
    """Of every candidate: the gate that held them back, and what their evidence is about."""
    found = []
    with world.database.read() as connection:
        run = DryRun(connection, world.running, channels(world.running), LINKS, world.now)
        for each in world.running.by_priority:
            for step, _ in run.steps(each):
                for rows in batches(step, 2):
                    evidence = Witness(step).of(rows)
                    found += [(row.gate, {it.about for it in evidence[row.id]}) for row in rows]
    return found
