"""Files as marketers write them: the good ones are read, every fault of the bad ones is told beside them.

`files/<kind>.<name>.good.yaml` is right; what is wrong with `<kind>.<name>.bad.yaml` stands, line by line, in
`<kind>.<name>.bad.txt`. Each is put into the example's workspace.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import reduce
from io import StringIO
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from campaigns.bundle import Bundle, Checked, check
from campaigns.scenariotest import Known, ScenarioTest, read_test
from channels.discovery import discover as discover_channels
from core.errors import Problem
from core.source import KeyPath, dotted
from tidings.check_view import as_line
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
    return [as_line(problem) for problem in found]


@pytest.mark.parametrize("path", named(FILES.glob("*.good.yaml")))
def test_a_good_file_has_no_findings(path: Path) -> None:
    assert findings(path) == []


@pytest.mark.parametrize("path", named(FILES.glob("*.bad.yaml")))
def test_every_fault_of_a_bad_file_is_told_with_its_place(path: Path) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert expected, "what is wrong with a bad file stands beside it"
    assert findings(path) == expected


@pytest.mark.parametrize("path", named([KAVARNIA / "program.yaml", *FILES.glob("scenario.*.good.yaml")]))
def test_a_wrong_value_brings_no_complaint_but_its_own(path: Path) -> None:
    """Each value in turn becomes one that nothing takes; all checks of the rest are made."""
    whole = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    file = "program.yaml" if path.name == "program.yaml" else "scenarios/probe.yaml"
    for place in places(whole):
        own = dotted(place)
        found = [it for it in told_of(file, replaced(whole, place)) if it.file == file]
        beside = [
            it for it in found if not (it.path and (own.startswith(it.path) or it.path.startswith(own)))
        ]
        assert beside == [], f"{own} is wrong"


def places(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Where each value of a file stands."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, each in parts:
        yield (*path, part)
        yield from places(each, (*path, part))


def replaced(whole: Any, place: KeyPath) -> Any:
    """The file with a wrong value in one place: a list of a list."""
    copy = deepcopy(whole)
    holder = reduce(getitem, place[:-1], copy)
    holder[place[-1]] = [[]]
    return copy


def told_of(file: str, data: Any) -> Iterable[Problem]:
    text = StringIO()
    YAML(typ="safe").dump(data, text)
    files = {**Bundle.read(KAVARNIA).files, file: text.getvalue().encode()}
    return check(Bundle(files), discover_triggers(), discover_channels()).problems
