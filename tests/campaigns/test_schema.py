"""The schemas that editors complete and underline by: of one mind with the checks, and telling all keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from campaigns import schema as schemas
from channels.discovery import discover as discover_channels
from core.errors import Problem
from core.source import load
from tests.campaigns.test_scenario_files import FILES, KAVARNIA, kind_and_name, named
from tidings import editor
from triggers import discover as discover_triggers

SCHEMAS = editor.schemas()
GOOD = {
    kind: [*FILES.glob(f"{kind}.*.good.yaml"), *KAVARNIA.glob(files[0])]
    for kind, files in editor.FILES.items()
}
GOOD["program"].append(FILES / "program.rules.yaml")
GOOD["test"] = [path for path in GOOD["test"] if path.parent.name != "fixtures"]
RIGHT = [(kind, path) for kind, paths in GOOD.items() for path in paths]
# What is wrong in these with one value by itself, which a schema can know.
WRONG = [
    "program.kavarnia",
    "scenario.bonus-expiring",
    "scenario.crossed",
    "scenario.empty",
    "scenario.event",
    "scenario.no-trigger",
    "scenario.unknown-trigger",
    "segment.audience",
    "test.shape",
]


def data_of(path: Path) -> Any:
    """What an editor's validator sees."""
    problems: list[Problem] = []
    document = load(path.read_text(encoding="utf-8"), path.name, problems)
    assert document is not None
    return document.data


def validator(kind: str) -> Any:
    return jsonschema.Draft202012Validator(SCHEMAS[kind])


@pytest.mark.parametrize(
    ("kind", "path"), [pytest.param(*it, id=f"{it[0]}-{it[1].name}") for it in sorted(RIGHT)]
)
def test_the_editor_accepts_what_the_checks_accept(kind: str, path: Path) -> None:
    validator(kind).validate(data_of(path))


@pytest.mark.parametrize("name", WRONG)
def test_the_editor_underlines_what_is_wrong_with_one_value(name: str) -> None:
    path = FILES / f"{name}.bad.yaml"
    assert not validator(kind_and_name(path)[0]).is_valid(data_of(path))


@pytest.mark.parametrize("path", named(FILES.glob("*.bad.yaml")))
def test_what_the_editor_underlines_is_complained_of(path: Path) -> None:
    """It may know less than the checks, but nothing else."""
    kind, name = kind_and_name(path)
    valid = validator(kind).is_valid(data_of(path))
    said = path.with_suffix(".txt").read_text("utf-8")
    of_values = ("[unknown-key]", "[missing-key]", "[wrong-value]", "[unknown-name]")
    assert valid or any(mark in said for mark in of_values), name


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_a_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])


def test_triggers_are_completed_with_their_parameters() -> None:
    when = SCHEMAS["scenario"]["properties"]["when"]["properties"]
    assert set(when) == set(discover_triggers())
    assert set(when["bonus_expiring"]["properties"]) == {"at_least", "ahead"}
    assert when["bonus_expiring"]["properties"]["ahead"]["description"]
    assert when["bonus_expiring"]["description"].startswith("Some bonuses of the customer expire soon")


def test_a_step_is_completed_with_the_channels_and_what_it_may_ask() -> None:
    step = SCHEMAS["scenario"]["$defs"]["Step"]["properties"]
    assert step["send"]["anyOf"][0] == {"enum": sorted(discover_channels())}
    assert step["only_if"]["anyOf"][0]["anyOf"][1] == {"$ref": "#/$defs/audience"}
    assert step["wait"]["examples"] == ["14 days"]


def test_a_channel_that_needs_nothing_may_be_left_empty() -> None:
    program = data_of(KAVARNIA / "program.yaml")
    program["channels"]["push"] = None
    validator("program").validate(program)
    program["channels"]["email"] = None
    assert not validator("program").is_valid(program)


def test_a_test_of_rules_and_one_of_a_scenario_go_by_one_schema() -> None:
    names = [*schemas.rule_test_schema()["$defs"], *schemas.scenario_test_schema()["$defs"]]
    assert len(SCHEMAS["test"]["$defs"]) == len(names)
    assert not validator("test").is_valid({"rule": "base", "timeline": []})
    assert not validator("test").is_valid({"scenario": "birthday", "cases": []})


def test_customers_that_tests_share_are_told_as_in_a_test() -> None:
    validator("fixture").validate({"anna": {"tier": "gold", "consent": ["sms"], "bonuses": [{"amount": 5}]}})
    assert not validator("fixture").is_valid({"anna": {"teir": "gold"}})


def test_nothing_is_proposed_that_nobody_wants_to_write() -> None:
    defaults = [value["default"] for _, value in keys(SCHEMAS["scenario"]) if "default" in value]
    assert not [default for default in defaults if default in (None, "", [], {})]


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, definition in [("", schema), *schema.get("$defs", {}).items()]:
        for key, value in definition.get("properties", {}).items():
            yield f"{name}.{key}", value


@pytest.mark.parametrize("kind", SCHEMAS)
def test_an_editor_tells_of_every_key_what_it_is(kind: str) -> None:
    parts = [SCHEMAS[kind], *(SCHEMAS[kind].get(branch, {}) for branch in ("then", "else"))]
    silent = [name for part in parts for name, value in keys(part) if not value.get("description")]
    assert silent == [], "describe it in its model, or in campaigns/hints.py"


def test_every_trigger_and_every_parameter_is_described() -> None:
    triggers = SCHEMAS["scenario"]["properties"]["when"]["properties"]
    for name, trigger in triggers.items():
        assert trigger["description"].endswith("."), name
        shapes = [trigger, *trigger.get("anyOf", [])]
        for shape in shapes:
            silent = [key for key, value in shape.get("properties", {}).items() if "description" not in value]
            assert silent == [], name


def test_no_hint_is_left_behind_by_a_key_that_is_gone() -> None:
    from campaigns import hints, hints_program

    tables = {
        "program": (hints_program.PROGRAM, schemas.program_schema()),
        "scenario": (hints.SCENARIO, schemas.scenario_schema(discover_triggers())),
        "segment": (hints.SEGMENT, schemas.segment_schema()),
        "card": (hints.CARD, schemas.card_schema()),
        "scenario test": (hints.SCENARIO_TEST, schemas.scenario_test_schema()),
        "rule test": (hints.RULE_TEST, schemas.rule_test_schema()),
    }
    for kind, (table, schema) in tables.items():
        known = {name for name, _ in keys(schema)}
        assert set(table) <= known, kind
