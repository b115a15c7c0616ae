"""Files as marketers write them: the good ones are read, every fault of the bad ones is told beside them.

`files/<kind>.<name>.good.yaml` is right; what is wrong with `<kind>.<name>.bad.yaml` stands, line by line, in
`<kind>.<name>.bad.txt`. Each is put into the example's workspace.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from campaigns.bundle import Bundle, Checked, check
from campaigns.scenariotest import Known, ScenarioTest, read_test
from campaigns.schema import (
    program_schema,
    rule_test_schema,
    scenario_schema,
    scenario_test_schema,
    segment_schema,
)
from channels.discovery import discover as discover_channels
from core.errors import Problem
from core.source import load
from triggers import discover as discover_triggers

FILES = Path(__file__).parent / "files"
KAVARNIA = Path(__file__).parents[2] / "examples" / "kavarnia"
HOMES = {"scenario": "scenarios/{}.yaml", "segment": "segments/{}.yaml", "program": "program.yaml"}


def named(paths: Iterable[Path]) -> list[Any]:
    return [pytest.param(path, id=path.name) for path in sorted(paths)]


def kind_and_name(path: Path) -> tuple[str, str]:
    kind, name, *_ = path.name.split(".")
    return kind, name


def checked(path: Path) -> Checked:
    """The example's workspace with one more file in it."""
    kind, name = kind_and_name(path)
    files = dict(Bundle.read(KAVARNIA).files)
    files[HOMES[kind].format(name)] = path.read_bytes()
    return check(Bundle(files), discover_triggers(), discover_channels())


def read_beside(path: Path) -> tuple[ScenarioTest | None, list[Problem]]:
    _, name = kind_and_name(path)
    known = Known(
        scenarios=["bonus-expiring"],
        tiers=["bronze", "silver", "gold"],
        channels=sorted(discover_channels()),
    )
    problems: list[Problem] = []
    test = read_test(name, path.read_text(encoding="utf-8"), f"tests/{name}.yaml", known, problems)
    return test, sorted(problems)


def findings(path: Path) -> list[str]:
    found = read_beside(path)[1] if kind_and_name(path)[0] == "test" else checked(path).problems
    return [("warning: " if it.severity == "warning" else "") + str(it) for it in found]


@pytest.mark.parametrize("path", named(FILES.glob("*.good.yaml")))
def test_a_good_file_has_no_findings(path: Path) -> None:
    assert findings(path) == []


@pytest.mark.parametrize("path", named(FILES.glob("*.bad.yaml")))
def test_every_fault_of_a_bad_file_is_told_with_its_place(path: Path) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert expected, "what is wrong with a bad file stands beside it"
    assert findings(path) == expected


def schema_of(kind: str) -> dict[str, Any]:
    if kind == "program":
        return program_schema({name: channel.Config for name, channel in discover_channels().items()})
    return {
        "scenario": lambda: scenario_schema(discover_triggers()),
        "segment": segment_schema,
        "test": scenario_test_schema,
        "rule": rule_test_schema,
    }[kind]()


def data_of(path: Path) -> Any:
    """What an editor's validator sees."""
    problems: list[Problem] = []
    document = load(path.read_text(encoding="utf-8"), path.name, problems)
    assert document is not None
    return document.data


GOOD = [*FILES.glob("*.good.yaml")]
EXAMPLES = {
    "program": [KAVARNIA / "program.yaml", FILES / "program.rules.yaml"],
    "scenario": [*KAVARNIA.glob("scenarios/*.yaml")],
    "segment": [*KAVARNIA.glob("segments/*.yaml")],
    "rule": [*KAVARNIA.glob("tests/rule*.yaml")],
}
RIGHT = [(kind_and_name(path)[0], path) for path in GOOD]
RIGHT += [(kind, path) for kind, paths in EXAMPLES.items() for path in paths]


@pytest.mark.parametrize(
    ("kind", "path"), [pytest.param(*it, id=f"{it[0]}-{it[1].name}") for it in sorted(RIGHT)]
)
def test_the_editors_schema_accepts_what_the_checks_accept(kind: str, path: Path) -> None:
    jsonschema.Draft202012Validator(schema_of(kind)).validate(data_of(path))


@pytest.mark.parametrize(
    "name",
    [
        "scenario.bonus-expiring",
        "scenario.unknown-trigger",
        "segment.audience",
        "program.kavarnia",
        "test.shape",
    ],
)
def test_the_editors_schema_underlines_what_is_wrong_with_one_value(name: str) -> None:
    path = FILES / f"{name}.bad.yaml"
    validator = jsonschema.Draft202012Validator(schema_of(name.partition(".")[0]))
    assert not validator.is_valid(data_of(path))


@pytest.mark.parametrize("kind", ["program", "scenario", "segment", "test", "rule"])
def test_a_schema_is_a_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(kind))


def test_the_editors_schema_completes_triggers_with_their_parameters() -> None:
    when = scenario_schema(discover_triggers())["properties"]["when"]["properties"]
    assert set(when) == set(discover_triggers())
    assert set(when["bonus_expiring"]["properties"]) == {"at_least", "ahead"}
