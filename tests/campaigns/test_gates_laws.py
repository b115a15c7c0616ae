"""What holds for any scenarios, customers and looks: laws of the gates, told without their own code."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from campaigns.gates import NAMES
from campaigns.gates.holdout import is_drawn
from campaigns.scenario import Scenario
from campaigns.tables import Enrolment, Message
from core.db import Database
from core.units import Allowance
from tests.support.world import World, scenario

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
KYIV = ZoneInfo("Europe/Kyiv")
GAVE_IT_BACK = ("failed", "recalled", "expired")
Fresh = Callable[[], AbstractContextManager[Database]]

# An example takes seconds: a failing one is shown as it was found.
LAWS = settings(
    deadline=None, derandomize=True, max_examples=6, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

TRIGGERS = (
    "{bonus_expiring: {ahead: [14 days, 3 days]}}",
    "{birthday: {days: -1}}",
    "{schedule: {every: day at 10:00}}",
    "{schedule: {every: day at 21:30}}",
)
ASKS = ("", ", unless: [purchase]", ", only_if: {tier: gold}", ", unless: {balance: {at_least: 250}}")
allowances = st.one_of(
    st.none(), st.builds("{} per {}".format, st.integers(1, 2), st.sampled_from(["2 days", "30 hours"]))
)
cascades = st.sampled_from(["[sms]", "[push, sms]", "[sms, email]", "[email]"])
scenarios = st.fixed_dictionaries({
    "when": st.sampled_from(TRIGGERS),
    "purpose": st.sampled_from(["marketing", "marketing", "marketing", "service", "transactional"]),
    "priority": st.integers(0, 3),
    "holdout": st.sampled_from([0, 30]),
    "at_most": allowances,
    "valid_for": st.sampled_from([None, "6 hours", "2 days"]),
    "first": cascades,
    "second": st.one_of(st.none(), st.tuples(cascades, st.sampled_from(ASKS))),
    "goal": st.booleans(),
})  # fmt: skip
programs = st.fixed_dictionaries({
    "all": allowances, "sms": allowances, "email": allowances, "holdout": st.sampled_from([0, 20]),
})  # fmt: skip
people = st.fixed_dictionaries({
    "consent": st.sets(st.sampled_from(["sms", "push", "email"]), min_size=1),
    "push": st.booleans(),
    "zone": st.sampled_from([None, "Pacific/Kiritimati", "America/New_York"]),
    "lots": st.lists(st.tuples(st.integers(50, 300), st.integers(2, 14)), max_size=3),
})  # fmt: skip
deeds = st.lists(
    st.tuples(st.integers(1, 15), st.sampled_from(["buy", "gold", "settle", "nothing"]), st.integers(0, 99)),
    min_size=3, max_size=10,
)  # fmt: skip


def written(given: dict[str, Any]) -> str:
    """The scenario's file."""
    steps = [f"{{id: first, message: hello, send: {given['first']}}}"]
    if given["second"]:
        cascade, asks = given["second"]
        steps.append(f"{{id: second, wait: 1 day, message: hello, send: {cascade}{asks}}}")
    limits = [f"{key}: {given[key]}" for key in ("at_most", "valid_for") if given[key]]
    return scenario(
        given["when"], purpose=given["purpose"], priority=str(given["priority"]),
        holdout=f"{given['holdout']}%" if given["holdout"] else "", steps=f"[{', '.join(steps)}]",
        limits=f"{{{', '.join(limits)}}}" if limits else "",
        goal="{purchase: {within: 3 days}}" if given["goal"] else "",
        schedule="" if "schedule" in given["when"] else "every day at 10:00",
    )  # fmt: skip


def settled_in(database: Database, files: list[Any], program: Any, everybody: list[Any]) -> World:
    marketing = {name: program[name] for name in ("all", "sms", "email") if program[name]}
    keys: dict[str, Any] = {"allowances": {"marketing": marketing}, "quiet_hours": "21:00-09:00"}
    if program["holdout"]:
        keys["holdout"] = f"{program['holdout']}%"
    world = World(database, {f"scenario-{n}": written(it) for n, it in enumerate(files)}, program=keys)
    for number, it in enumerate(everybody):
        name = f"customer-{number}"
        world.customer(
            name, consent=sorted(it["consent"]), push=it["push"], time_zone=it["zone"],
            email=f"{name}@example.com", birthday=date(1990, 3, 2 + number),
        )  # fmt: skip
        for amount, day in it["lots"]:
            world.bonuses(name, amount, f"2026-03-{day:02}")
    return world


def act(world: World, what: str, luck: int) -> None:
    name = sorted(world.ids)[luck % len(world.ids)]
    if what == "buy":
        world.buy(name, 50)
    elif what == "gold":
        world.tier(name, "gold")
    elif what == "settle":
        settle(world, luck)


def settle(world: World, luck: int) -> None:
    """What was due has left, or not: each message by its own luck."""
    states = ("sent", "sent", "failed", "unknown", "recalled")
    for row in world.messages():
        if row.state in ("planned", "deferred") and row.due_at <= world.now and (row.id + luck) % 3:
            state = states[(row.id + luck) % len(states)]
            values: dict[str, Any] = {"state": state, "changed_at": world.now}
            values |= {"accepted_at": world.now} if state == "sent" else {}
            with world.database.write() as connection:
                connection.execute(update(MESSAGE).where(MESSAGE.c.id == row.id).values(**values))
                mine = update(ENROLMENT).where(ENROLMENT.c.id == row.enrolment_id)
                connection.execute(mine.values(anchor_at=world.now))


# --- the laws


def used(world: World, limit: Allowance, **where: str) -> Iterator[int]:
    """For each customer, how many of their marketing messages an allowance counts now."""
    today = world.now.astimezone(KYIV).date()
    days = limit.window.days
    first = datetime.combine(today - timedelta(days=days - 1), time(0), tzinfo=KYIV)
    for name in world.ids:
        rows = [it for it in world.messages(**where) if it.external_id == name]
        yield sum(
            row.purpose == "marketing"
            and row.state not in GAVE_IT_BACK
            and is_heard(row, world.now, limit, first)
            for row in rows
        )


def is_heard(row: Any, now: datetime, limit: Allowance, first: datetime) -> bool:
    if row.state in ("planned", "deferred"):
        return True
    heard = row.accepted_at or row.due_at
    if limit.window.days:
        return bool(heard >= first)
    return bool(heard > now - timedelta(seconds=limit.window.seconds))


def no_allowance_is_exceeded(world: World) -> None:
    program = world.program
    for name, limit in program.allowances.marketing.items():
        assert max(used(world, limit, **({} if name == "all" else {"channel": name}))) <= limit.count, name
    for it in world.running.by_priority:
        if it.limits.at_most and it.purpose == "marketing":
            assert max(used(world, it.limits.at_most, scenario=it.name)) <= it.limits.at_most.count, it.name


def nobody_held_out_is_told(world: World) -> None:
    held = {(it.scenario, it.external_id, it.occasion) for it in world.enrolments() if it.arm == "holdout"}
    for row in world.messages(purpose="marketing"):
        assert (row.scenario, row.external_id, row.occasion) not in held
        own: Scenario = world.running.scenarios[row.scenario]
        assert not is_drawn("Kavarnia", "holdout", row.external_id, Decimal(world.program.holdout))
        assert not is_drawn("Kavarnia", f"holdout:{own.name}", row.external_id, own.holdout)


def every_candidate_has_one_verdict(world: World) -> None:
    foreseen = world.foreseen()
    assert set(foreseen.values()) <= {*NAMES, "planned", "deferred"}
    for name, forecast in world.dry().items():
        # By customer, occasion and step: nobody is counted twice, and nobody is left without an answer.
        assert forecast.candidates == sum(key[1] == name for key in foreseen)
        assert forecast.candidates == sum(forecast.gates.values()) + sum(forecast.send.values())


@LAWS
@given(
    files=st.lists(scenarios, min_size=2, max_size=4),
    program=programs,
    everybody=st.lists(people, min_size=2, max_size=5),
    timeline=deeds,
)
def test_the_laws_of_the_gates(
    fresh_database: Fresh, files: list[Any], program: Any, everybody: list[Any], timeline: list[Any]
) -> None:
    with fresh_database() as database:
        world = settled_in(database, files, program, everybody)
        for hours, what, luck in timeline:
            world.move(world.now + timedelta(hours=hours))
            act(world, what, luck)
            foreseen = world.foreseen()
            before, known = len(world.messages()), world.decisions(world.now)
            world.looks()
            # What was sent a moment ago has its verdict from then.
            fresh = [it for it in world.decisions(world.now) if it not in known]
            decided = {(a, b, c, d): word for a, b, c, d, word in fresh}
            # What gives way was decided at an earlier look, and has its verdict changed by this one.
            decided = {key: word for key, word in decided.items() if word != "displaced"}
            assert {key: foreseen.get(key) for key in decided} == decided
            told = sum(word in ("planned", "deferred") for word in decided.values())
            assert len(world.messages()) - before == told
            no_allowance_is_exceeded(world)
            nobody_held_out_is_told(world)
        every_candidate_has_one_verdict(world)
