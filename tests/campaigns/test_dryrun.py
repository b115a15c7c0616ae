"""A dry run is the real run: the same verdicts, and nothing of it is kept."""

import hashlib
import os
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.db import Database
from tests.support.happenings import buy, give_back
from tests.support.world import World, scenario

SCENARIOS = {
    "expiring": scenario(
        "{bonus_expiring: {at_least: 100, ahead: [14 days, 3 days]}}", priority="70", holdout="20%"
    ),
    "birthday": scenario(
        "{birthday: {}}",
        priority="90",
        steps=(
            "[{id: hello, message: hello, send: [push, sms]},"
            " {id: gift, wait: 1 day, message: gift, send: [sms, email]}]"
        ),
    ),
    "accrued": scenario(
        "{bonus_accrued: {at_least: 20}}", purpose="service", schedule="", limits="{valid_for: 1 day}"
    ),
    "campaign": scenario(
        "{schedule: {every: day at 10:00}}",
        schedule="",
        priority="10",
        audience="{not: {tier: gold}}",
        limits="{at_most: 2 per 7 days}",
    ),
    "silent": scenario("{inactive: {for: 2 days}}", priority="40", schedule="every day at 22:30"),
}
PROGRAM = {
    "allowances": {"marketing": {"all": "2 per 3 days", "sms": "1 per 2 days"}},
    "quiet_hours": "21:00-09:00",
    "holdout": "10%",
}
ZONES = (None, None, "Europe/Lisbon", "Pacific/Kiritimati")
Fresh = Callable[[], AbstractContextManager[Database]]

# An example takes a second: a failing one is shown as it was found.
# `DRY_RUNS=200 make test TESTS=tests/campaigns/test_dryrun.py` takes so many of each, for a night.
TIMELINES = int(os.environ.get("DRY_RUNS", "0"))
QUICK = settings(
    deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip

people = st.lists(
    st.fixed_dictionaries({
        "zone": st.sampled_from(ZONES),
        "consent": st.sets(st.sampled_from(["sms", "push", "email"])),
        "push": st.booleans(),
        "phone": st.booleans(),
        "birthday": st.integers(1, 5),
        "lots": st.lists(st.tuples(st.integers(50, 300), st.integers(2, 12)), max_size=3),
    }),
    min_size=1, max_size=5,
)  # fmt: skip
deeds = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["buy", "gold", "withdraw", "agree", "suppress", "give_back", "nothing"]),
        st.integers(1, 20),
    ),
    max_size=12,
)


def settle_in(world: World, everybody: list[dict[str, Any]]) -> None:
    for number, it in enumerate(everybody):
        name = f"customer-{number}"
        world.customer(
            name, consent=sorted(it["consent"]), push=it["push"], time_zone=it["zone"],
            email=f"{name}@example.com", birthday=date(1990, 3, it["birthday"]),
            phone=f"+38067{number:07}" if it["phone"] else "",
        )  # fmt: skip
        for amount, day in it["lots"]:
            world.bonuses(name, amount, f"2026-03-{day:02}")


def act(world: World, deed: tuple[int, str, int]) -> None:
    who, what, hours = deed
    world.move(world.now + timedelta(hours=hours))
    name = sorted(world.ids)[who % len(world.ids)]
    if what == "buy":
        world.buy(name, 300)
    elif what == "gold":
        world.tier(name, "gold")
    elif what in ("withdraw", "agree"):
        world.agree(name, "sms", granted=what == "agree")
    elif what == "suppress":
        world.suppress(name, "sms")
    elif what == "give_back":
        world.give_back(world.buy(name, 400))


def live(world: World, expected: Collection[Any]) -> dict[Any, str]:
    """What a live look decided: (customer, scenario, occasion, step) → verdict. Where it was to say
    `no_consent`, an earlier look may have said so: that stands.
    """
    world.looks()
    made = {tuple(key): verdict for *key, verdict in world.decisions(world.now)}
    stands = {tuple(key): verdict for *key, verdict in world.decisions() if verdict == "no_consent"}
    return {key: verdict for key, verdict in stands.items() if key in expected} | made


@settings(QUICK, max_examples=TIMELINES or 7)
@given(everybody=people, timeline=deeds)
def test_the_dry_runs_verdicts_are_those_of_the_live_look(
    fresh_database: Fresh, everybody: list[dict[str, Any]], timeline: list[tuple[int, str, int]]
) -> None:
    with fresh_database() as database:
        world = World(database, SCENARIOS, program=PROGRAM)
        settle_in(world, everybody)
        for deed in timeline:
            act(world, deed)
            due = {it.name for it in world.running.by_priority if will_look(world, it)}
            foreseen = world.foreseen()
            # Later steps wait for no stroke.
            expected = {
                key: verdict
                for key, verdict in foreseen.items()
                if (key[1] in due or key[3] != "hello") and verdict != "already_entered"
            }
            decided = live(world, expected)
            displaced = {
                key for key, verdict in decided.items() if verdict == "displaced" and key not in expected
            }
            assert {key: it for key, it in decided.items() if key not in displaced} == expected
            if deed[2] % 2:
                world.settle()


def will_look(world: World, scenario: Any) -> bool:
    """Whether the schedule strikes for the scenario; elsewhere a dry run shows what a look would say."""
    from campaigns.look import Span, zones_of
    from campaigns.versions import since_of

    with world.database.read() as connection:
        span = Span(world.now, since_of(world.state(scenario.name)))
        return any(zone.fired_at for zone in zones_of(connection, world.program, scenario, span))


@settings(QUICK, max_examples=TIMELINES or 5)
@given(everybody=people, timeline=deeds, moment=st.integers(0, 12))
def test_a_dry_run_of_an_earlier_time_is_the_one_that_was_made_then(
    fresh_database: Fresh, everybody: list[dict[str, Any]], timeline: list[tuple[int, str, int]], moment: int
) -> None:
    single = {name: text for name, text in SCENARIOS.items() if "gift" not in text}
    with fresh_database() as database:
        world = World(database, single, program=PROGRAM)
        settle_in(world, everybody)
        made, at = None, world.now
        for number, deed in enumerate([*timeline, (0, "buy", 5)]):
            act(world, deed if deed[1] != "suppress" else (deed[0], "buy", deed[2]))
            if number == min(moment, len(timeline)):
                made, at = world.foreseen(), world.now
            world.looks()
            world.settle()
        world.move(world.now + timedelta(hours=1))
        for name in sorted(world.ids):
            world.buy(name, 500)
            world.agree(name, "email", granted=False)
        assert made is not None
        assert world.foreseen(at) == made


def test_the_past_knows_tiers_consents_lots_and_steps_as_they_were(database: Database) -> None:
    world = World(database, SCENARIOS)
    world.customer("anna", birthday=date(1990, 3, 2))
    world.bonuses("anna", 200, "2026-03-10")
    receipt = world.buy("anna", 100)
    world.looks("2026-03-02 10:00")
    world.settle()
    world.move("2026-03-03 10:00")
    made = world.foreseen()
    assert made["anna", "birthday", "2026", "gift"] == "planned"
    world.looks()
    world.settle()
    world.move("2026-03-04 12:00")
    world.redeem("anna", 200)
    world.tier("anna", "gold")
    world.agree("anna", "sms", granted=False)
    world.give_back(receipt)
    assert world.foreseen("2026-03-03 10:00") == made
    assert world.foreseen() != made


@pytest.mark.parametrize("back", [("latte",), ()])
def test_what_came_back_later_still_counts_in_the_past(database: Database, back: tuple[str, ...]) -> None:
    asking = {
        "spent": scenario("{birthday: {}}", audience="{spent: {at_least: 100}}"),
        "lately": scenario("{birthday: {}}", audience="{average_receipt: {at_least: 100, within: 9 days}}"),
        "bought": scenario("{purchase: {at_least: 100}}", schedule=""),
        "earned": scenario("{bonus_accrued: {at_least: 10}}", schedule=""),
        "goods": scenario("{purchase: {sku: latte}}", schedule=""),
    }
    world = World(database, asking)
    world.customer("anna", birthday=date(1990, 3, 1))
    receipt = buy(world, "anna", ("latte", 60), ("croissant", 60))
    made = world.foreseen("2026-03-01 10:00")
    assert list(made.values()) == ["planned"] * len(asking)
    world.move("2026-03-01 12:00")
    give_back(world, receipt, *back)
    for _ in range(2):
        assert world.foreseen("2026-03-01 10:00") == made
    assert "planned" not in world.foreseen("2026-03-01 12:00").values()


def test_a_past_that_was_imported_later_is_the_past(database: Database) -> None:
    world = World(database, {"silent": scenario("{inactive: {for: 60 days}}")}, at="2026-06-01 09:00")
    from tests.support.world import kyiv

    world.customer("anna", registered_at=kyiv("2025-01-01 10:00"))
    for day in ("2025-06-01", "2026-05-20"):
        world.buy("anna", 100, at=kyiv(f"{day} 10:00"), live=False)
    assert world.foreseen() == {}
    assert set(world.foreseen("2025-09-01 10:00").values()) == {"no_consent"}


def test_the_past_too_takes_the_no_of_two_imported_choices_of_one_moment(database: Database) -> None:
    from core.customers.consent import Choice, choose
    from tests.support.world import kyiv

    world = World(database, {"daily": scenario("{schedule: {every: day at 10:00}}", schedule="")})
    world.customer("anna", consent=(), registered_at=kyiv("2025-01-01 10:00"))
    for granted in (False, True):
        choice = Choice(world.ids["anna"], "sms", granted, kyiv("2026-02-01 00:00"), "import")
        with database.write() as connection:
            choose(connection, [choice], world.now, live=False)
    for at in ("2026-02-20 10:00", "2026-03-02 10:00"):
        assert set(world.foreseen(at).values()) == {"no_consent"}


def test_who_was_erased_since_is_left_out_of_the_past(database: Database) -> None:
    world = World(database, {"daily": scenario("{schedule: {every: day at 10:00}}", schedule="")})
    for name in ("anna", "ihor"):
        world.customer(name)
    world.move("2026-03-02 10:00")
    world.erase("anna")
    world.buy("ihor", 10)
    assert {key[0] for key in world.foreseen("2026-03-01 10:00")} == {"ihor"}


# --- nothing is kept


def populated(database: Database) -> World:
    world = World(database, SCENARIOS, program=PROGRAM)
    for number in range(5):
        world.customer(f"customer-{number}", birthday=date(1990, 3, 1))
        world.bonuses(f"customer-{number}", 200, "2026-03-10")
    world.move("2026-03-01 10:00")
    return world


def test_a_dry_run_leaves_the_file_as_it_was_to_the_byte(sqlite_database: Database) -> None:
    world = populated(sqlite_database)
    file = Path(sqlite_database.engine.url.database or "")
    with sqlite_database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    assert sum(forecast.candidates for forecast in world.dry().values()) > 0
    world.dry("2026-02-01 10:00")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    wal = file.with_name(file.name + "-wal")
    assert not wal.exists() or wal.stat().st_size == 0


@pytest.mark.parametrize("at", ["2026-03-01 10:00", "2026-02-28 10:00"])
def test_somebody_who_writes_is_not_held_up_by_a_dry_run(database: Database, at: str) -> None:
    from campaigns.dryrun import DryRun
    from campaigns.past import as_of
    from tests.support.world import LINKS, channels, kyiv

    world = populated(database)
    with database.read() as connection:
        as_of(connection, world.program, kyiv(at))
        run = DryRun(connection, world.running, channels(world.running), LINKS, kyiv(at))
        for each in world.running.by_priority:
            run.run(each)
        # The dry run is still open; a till, another process, writes.
        other = Database(database.url, durable=False)
        World.buy(_through(world, other), "customer-0", 100)
        other.close()
    assert [it.external_id for it in world.messages()] == []


def _through(world: World, database: Database) -> World:
    import copy

    twin = copy.copy(world)
    twin.database = database
    return twin


def test_a_dry_run_sees_what_scenarios_of_higher_priority_will_use_up(database: Database) -> None:
    one = {name: scenario("{schedule: {every: day at 10:00}}", schedule="", priority=str(priority))
           for name, priority in (("high", 90), ("low", 10))}  # fmt: skip
    world = World(database, one, program={"allowances": {"marketing": {"all": "1 per 7 days"}}})
    world.customer("anna")
    forecasts = world.dry("2026-03-01 10:00")
    assert (forecasts["high"].send, forecasts["low"].gates) == ({"sms": 1}, {"capped": 1})
    with database.read() as connection:
        from campaigns.dryrun import DryRun
        from tests.support.world import LINKS, channels, kyiv

        run = DryRun(connection, world.running, channels(world.running), LINKS, kyiv("2026-03-01 10:00"))
        # Asked for alone, and in any order, it is the same.
        for name in ("low", "high", "low"):
            assert run.run(world.running.scenarios[name]).as_json() == forecasts[name].as_json() | {
                "samples": run.run(world.running.scenarios[name]).as_json()["samples"]
            }


def test_a_dry_run_is_for_files_that_were_never_applied_too(database: Database) -> None:
    world = World(database, {"other": scenario("{birthday: {}}")})
    world.customer("anna")
    files = world.files({"new": scenario("{schedule: {every: day at 10:00}}", schedule="")})
    assert world.dry("2026-03-01 10:00", files)["new"].send == {"sms": 1}
    # Between two strokes it shows what a look would say.
    assert world.dry("2026-03-01 15:37", files)["new"].send == {"sms": 1}


def test_a_forecast_counts_deferrals_cost_and_the_guard(database: Database) -> None:
    text = scenario("{schedule: {at: '2026-03-01 22:00'}}", schedule="")
    world = World(database, {"one": text}, program={"quiet_hours": "21:00-09:00", "max_per_look": 1})
    for name in ("anna", "ihor"):
        world.customer(name)
    forecast = world.dry("2026-03-01 22:00")["one"].as_json()
    assert (forecast["send"], forecast["deferred"], forecast["guard"]) == ({"sms": 2}, 2, {"max_per_look": 1})
    assert forecast["cost"] == {"amount": "1.70", "currency": "UAH", "estimated": False}
    assert {it["verdict"] for it in forecast["samples"]} == {"deferred"}
    assert {it["due_at"] for it in forecast["samples"]} == {"2026-03-02T07:00:00+00:00"}


def test_two_occasions_of_one_customer_are_two_messages_with_keys_of_their_own(database: Database) -> None:
    expiring = scenario("{bonus_expiring: {ahead: 14 days}}", purpose="service")
    world = World(database, {"expiring": expiring})
    world.customer("anna")
    for day in ("2026-03-05", "2026-03-09"):
        world.bonuses("anna", 100, day)
    keys = [it.outgoing.key for it in world.dry("2026-03-01 10:00")["expiring"].samples if it.outgoing]
    assert len(keys) == len(set(keys)) == 2
