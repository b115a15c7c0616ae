"""What every trigger keeps, whichever file it comes from: run over all that are discovered."""

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from sqlalchemy import Column, Connection, MetaData, String, Table, select

from campaigns import membership
from campaigns.look import Span, zones_of
from campaigns.scenario import Scenario
from campaigns.staging import CANDIDATE, ZONE, prepare, put_zones
from core.db import Database, Id, Json
from core.events import START, horizon
from tests.support import happenings
from tests.support.statements import heard
from tests.support.world import World, kyiv, scenario
from triggers import CANDIDATE_COLUMNS, Look, discover
from triggers.base import FactType, Trigger

NAMES = sorted(discover())
TYPES: dict[FactType, type | tuple[type, ...]] = {
    "points": Decimal, "percent": Decimal, "number": (int, Decimal), "text": str, "date": date,
    "local_date": date, "time": datetime, "money": Decimal, "attributes": dict,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """How a trigger comes true for a customer: its parameters, and what has to happen to them."""

    when: str
    happens: Callable[[World, str], None]
    profile: Callable[[], dict[str, Any]] = dict


FILES = {"segments/best.yaml": "tier: gold", "segments/plain.yaml": "not: {tier: gold}"}

CASES = {
    "anniversary": Case("{}", lambda world, name: None, lambda: {"registered_at": kyiv("2024-03-01 12:00")}),
    "balance_reached": Case("{at_least: 100}", lambda world, name: world.bonuses(name, 500, "2026-12-01")),
    "segment_entered": Case("{segment: best}", lambda world, name: world.tier(name, "gold")),
    "segment_left": Case("{segment: plain}", lambda world, name: leave(world, name)),
    "tier_expiring": Case(
        "{ahead: 30 days}", lambda world, name: void(world.buy(name, 1500, at=kyiv("2025-02-10 10:00")))
    ),
    "tier_near": Case("{missing: 200}", lambda world, name: void(world.buy(name, 900))),
    "birthday": Case("{}", lambda world, name: None, lambda: {"birthday": date(1990, 3, 1)}),
    "bonus_accrued": Case("{at_least: 5}", lambda world, name: void(world.buy(name, 100))),
    "bonus_expired": Case("{at_least: 5}", lambda world, name: happenings.let_expire(world, name)),
    "bonus_redeemed": Case("{at_least: 5}", lambda world, name: void(happenings.spend(world, name))),
    "card_added": Case("{wallet: apple}", lambda world, name: happenings.add_card(world, name)),
    "card_removed": Case("{}", lambda world, name: happenings.remove_card(world, name)),
    "event": Case(
        "{name: review, where: {rating: {at_least: 4}}}",
        lambda world, name: happenings.tell(world, name, "review", rating=5),
    ),
    "purchase": Case(
        "{at_least: 50, category: coffee, nth: 1}",
        lambda world, name: void(happenings.buy(world, name, ("latte", 100))),
    ),
    "registered": Case("{source: api}", lambda world, name: None, lambda: {"live": True}),
    "return": Case("{at_least: 50}", lambda world, name: world.give_back(world.buy(name, 100))),
    "bonus_expiring": Case(
        "{at_least: 100, ahead: [14 days, 3 days]}",
        lambda world, name: world.bonuses(name, 500, "2026-03-10"),
    ),
    "inactive": Case(
        "{for: 60 days}",
        lambda world, name: void(world.buy(name, 100, at=datetime.fromisoformat("2025-12-01 10:00+00:00"))),
    ),
    "schedule": Case("{every: day at 10:00}", lambda world, name: None),
    "tier_changed": Case("{direction: any}", lambda world, name: world.tier(name, "gold")),
}
KINDS = {"sqlite": "sqlite_databases", "postgresql": "postgres_databases"}
# What else stands in the folder: the shape of a trigger, and what several of them ask.
NO_TRIGGERS = {"__init__", "base", "ledger", "marks"}


def void(_: object) -> None:
    """Nothing."""


def leave(world: World, name: str) -> None:
    """The customer was known as a member of the segment before they left it."""
    world.move(world.now + timedelta(minutes=1))
    with world.database.write() as connection:
        membership.begin(connection, world.running, world.now)
    world.tier(name, "gold")


@pytest.fixture(scope="module", params=NAMES)
def trigger(request: pytest.FixtureRequest) -> Trigger[Any]:
    return discover()[request.param]


@pytest.fixture
def world(database: Database, trigger: Trigger[Any]) -> World:
    """Two customers for whom the trigger is true, and one for whom it will be after their erasure."""
    return three(database, trigger)


@pytest.fixture(scope="module", params=[*KINDS])
def seen(request: pytest.FixtureRequest, trigger: Trigger[Any]) -> Iterator[World]:
    """The same, for tests that change nothing."""
    databases = request.getfixturevalue(KINDS[request.param])
    with databases.fresh() as database:
        yield three(database, trigger)


def three(database: Database, trigger: Trigger[Any]) -> World:
    world = empty(database, trigger)
    for name in ("anna", "ihor", "erased"):
        become_due(world, trigger, name)
    world.erase("erased")
    world.move("2026-03-01 10:00")
    return world


def empty(
    database: Database, trigger: Trigger[Any], files: Mapping[str, str] = MappingProxyType({})
) -> World:
    schedule = "every day at 10:00" if trigger.kind == "state" else ""
    text = scenario(f"{{{trigger.name}: {CASES[trigger.name].when}}}", schedule=schedule, purpose="service")
    return World(database, {"one": text}, files={**FILES, **files})


def become_due(world: World, trigger: Trigger[Any], name: str) -> None:
    case = CASES[trigger.name]
    world.customer(name, consent=(), **case.profile())
    case.happens(world, name)


def the_look(connection: Connection, world: World) -> tuple[Scenario, Look]:
    [one] = world.running.scenarios.values()
    upto = horizon(connection) if one.kind == "event" else START
    span = Span(world.now, None, START, upto)
    zones = zones_of(connection, world.program, one, span)
    prepare(connection)
    put_zones(connection, zones, {zone.name: None for zone in zones})
    look = Look(world.now, world.program, ZONE, tuple(zones), span.after, span.upto)
    return one, membership.informed(connection, world.running, one, look, fresh=True)


def candidates(connection: Connection, world: World, trigger: Trigger[Any]) -> list[Any]:
    one, look = the_look(connection, world)
    statement = trigger.candidates(one.parameters, look).order_by("customer_id")
    rows = CANDIDATE.insert().from_select([*CANDIDATE_COLUMNS], statement)
    connection.execute(rows)
    return list(connection.execute(select(CANDIDATE).order_by(CANDIDATE.c.id)))


def test_every_file_is_a_trigger_of_its_own_name() -> None:
    home = Path(importlib.import_module("triggers").__file__ or "").parent
    # `return` is a word of Python's: its file has a `_` behind it.
    files = {it.removesuffix("_") for it in {path.stem for path in home.glob("*.py")} - NO_TRIGGERS}
    assert files == set(NAMES) == {it.name for it in discover().values()}
    assert set(CASES) == files, "a new trigger needs a case here"


def test_a_trigger_explains_itself(trigger: Trigger[Any]) -> None:
    module = importlib.import_module(type(trigger).__module__)
    for documented in (module, type(trigger), trigger.Parameters):
        assert (documented.__doc__ or "").strip().endswith(".")
    undescribed = [name for name, field in trigger.Parameters.model_fields.items() if not field.description]
    assert undescribed == []
    assert trigger.kind in {"state", "event", "calendar"}


def test_its_facts_are_documented_and_typed(trigger: Trigger[Any]) -> None:
    assert trigger.facts
    for name, fact in trigger.facts.items():
        assert re.fullmatch(r"[a-z][a-z_]*", name)
        assert fact.about
        assert fact.type in get_args(FactType)


def test_a_parameter_that_it_does_not_know_is_refused(trigger: Trigger[Any]) -> None:
    with pytest.raises(ValidationError, match="no_such_parameter"):
        trigger.Parameters.model_validate({"no_such_parameter": 1})


def test_a_look_gives_one_row_for_each_customer_and_occasion(seen: World, trigger: Trigger[Any]) -> None:
    with seen.database.read() as connection:
        one, look = the_look(connection, seen)
        statement = trigger.candidates(one.parameters, look)
        assert tuple(column.name for column in statement.selected_columns) == CANDIDATE_COLUMNS
        rows = candidates(connection, seen, trigger)
    assert [row.customer_id for row in rows] == [seen.ids["anna"], seen.ids["ihor"]]
    assert all(row.occasion and row.at <= seen.now for row in rows)
    assert len({(row.customer_id, row.occasion) for row in rows}) == len(rows)


def test_whoever_is_due_is_among_those_who_might_be(seen: World, trigger: Trigger[Any]) -> None:
    with seen.database.read() as connection:
        due = candidates(connection, seen, trigger)
        scenario, look = the_look(connection, seen)
        for rows in trigger.perhaps(scenario.parameters, look):
            assert len(connection.execute(rows).all()) >= len(due) > 0


def test_who_was_erased_is_never_due(seen: World, trigger: Trigger[Any]) -> None:
    with seen.database.read() as connection:
        assert seen.ids["erased"] not in {row.customer_id for row in candidates(connection, seen, trigger)}


def test_what_is_due_is_still_true_with_the_same_facts(seen: World, trigger: Trigger[Any]) -> None:
    with seen.database.read() as connection:
        rows = candidates(connection, seen, trigger)
        one, look = the_look(connection, seen)
        due = staged(connection, rows)
        still = {
            row.id: row.facts for row in connection.execute(trigger.still_true(one.parameters, look, due))
        }
    assert still == {row.id: row.facts for row in rows}


def test_who_was_erased_since_is_no_longer_due(world: World, trigger: Trigger[Any]) -> None:
    with world.database.read() as connection:
        rows = candidates(connection, world, trigger)
    world.erase("anna")
    with world.database.read() as connection:
        one, look = the_look(connection, world)
        due = staged(connection, rows)
        still = set(
            connection.scalars(trigger.still_true(one.parameters, look, due).with_only_columns(due.c.id))
        )
    assert still == {row.id for row in rows if row.customer_id == world.ids["ihor"]}


def test_what_waits_since_the_scenario_had_another_trigger_stops_nobody(
    seen: World, trigger: Trigger[Any]
) -> None:
    with seen.database.read() as connection:
        one, look = the_look(connection, seen)
        mine = seen.ids["anna"]
        due = staged(connection, [
            Former(number, mine, f"{subject}#7", subject, {"amount": 5})
            for number, subject in enumerate(("receipt:shop-1/2026", "gold", "2026-03-01", "", None))
        ])  # fmt: skip
        still = connection.execute(trigger.still_true(one.parameters, look, due)).all()
        facts = [trigger.read(row.facts, seen.program, seen.now) for row in still]
    assert all(set(it) == set(trigger.facts) for it in facts)
    if trigger.name == "birthday":
        assert [row.id for row in still] == [2]


@dataclass(frozen=True)
class Former:
    """A message that an earlier trigger of the scenario left waiting."""

    id: int
    customer_id: int
    occasion: str
    subject: str | None
    facts: dict[str, Any]


def test_messages_read_the_facts_that_it_promises(seen: World, trigger: Trigger[Any]) -> None:
    with seen.database.read() as connection:
        rows = candidates(connection, seen, trigger)
    for row in rows:
        facts = trigger.read(row.facts, seen.program, seen.now)
        assert set(facts) == set(trigger.facts)
        for name, fact in trigger.facts.items():
            assert facts[name] is None or isinstance(facts[name], TYPES[fact.type]), name


def test_a_look_takes_as_many_statements_for_nine_as_for_two(
    fresh_database: Any, trigger: Trigger[Any]
) -> None:
    counts = []
    for people in (2, 9):
        with fresh_database() as database:
            world = empty(database, trigger)
            for number in range(people):
                become_due(world, trigger, f"customer-{number}")
            world.move("2026-03-01 10:00")
            # A connection that has looked before has its temporary tables already.
            database.close()
            with heard(database) as statements:
                assert world.looked() == {"planned": people}
            counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_message_may_say_every_fact(database: Database, trigger: Trigger[Any]) -> None:
    says = " ".join(f"{name}={{{{ trigger.{name} }}}}" for name in trigger.facts)
    world = empty(database, trigger, {"messages/hello/sms.txt": says})
    become_due(world, trigger, "anna")
    world.move("2026-03-01 10:00")
    [sample] = world.dry()["one"].samples
    assert sample.rendered is not None
    assert all(f"{name}=" in sample.rendered.parts["text"] for name in trigger.facts)


def test_a_second_look_at_the_same_facts_enrols_nobody_again(world: World, trigger: Trigger[Any]) -> None:
    assert world.looked() == {"planned": 2}
    world.settle()
    world.look("2026-03-01 18:00")
    if trigger.kind != "calendar":  # tomorrow's planned time is another one
        assert "planned" not in world.look("2026-03-02 10:00").values()
    assert [it.external_id for it in world.enrolments()] == ["anna", "ihor"]


def test_a_dry_run_foresees_every_candidate_of_the_look(world: World, trigger: Trigger[Any]) -> None:
    foreseen = {(name, occasion): said for (name, _, occasion, _), said in world.foreseen().items()}
    world.looks()
    assert {(name, it): said for name, _, it, _, said in world.decisions()} == foreseen
    assert set(foreseen.values()) == {"planned"}


def staged(connection: Connection, rows: list[Any]) -> Table:
    """Messages about to be sent, as the sender stages them."""
    due = Table(
        "due", MetaData(), Column("id", Id, primary_key=True), Column("customer_id", Id),
        Column("occasion", String), Column("subject", String), Column("facts", Json), prefixes=["TEMPORARY"],
    )  # fmt: skip
    due.create(connection)
    values = [{column.name: getattr(row, column.name) for column in due.c} for row in rows]
    connection.execute(due.insert(), values)
    if connection.dialect.name == "postgresql":
        # The sender names its messages by their numbers: the planner knows that they are few.
        connection.exec_driver_sql("ANALYZE due")
    return due
