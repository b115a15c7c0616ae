"""Whole workspaces: the example with some files written over, and beside them what `tidings check` says.

`files/workspaces/<name>/` holds the files, `expected.txt` every finding in them, line by line. A file
`<name>.missing` takes one of the example's away.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from campaigns.kinds import KINDS
from tests.campaigns.test_scenario_files import FILES, KAVARNIA
from tidings.check_view import as_line
from tidings.checks import everything
from tidings.workspace import Workspace

WORKSPACES = FILES / "workspaces"
CHECKING = Path(__file__).parents[2] / "docs" / "checking.md"


def named() -> list[Any]:
    return [pytest.param(path, id=path.name) for path in sorted(WORKSPACES.iterdir())]


def findings(overlay: Path, shop: Path) -> list[str]:
    """What is found in the example once the files of `overlay` stand in it."""
    shutil.copytree(KAVARNIA, shop)
    for path in (each for each in overlay.rglob("*") if each.is_file() and each.name != "expected.txt"):
        target = shop / path.relative_to(overlay)
        if path.suffix == ".missing":
            target.with_suffix("").unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    here = Workspace(shop)
    return [as_line(problem) for problem in everything(here, here.bundle())]


@pytest.mark.parametrize("overlay", named())
def test_every_finding_of_a_workspace_is_told_with_its_place(overlay: Path, tmp_path: Path) -> None:
    expected = (overlay / "expected.txt").read_text("utf-8").splitlines()
    assert expected, "what is wrong with a workspace stands beside it"
    assert findings(overlay, tmp_path / "shop") == expected


def told() -> list[str]:
    """Every line that some example expects."""
    files = [*FILES.glob("*.bad.txt"), *WORKSPACES.glob("*/expected.txt")]
    return [line for file in files for line in file.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_finding_has_an_example_with_its_exact_words(kind: str) -> None:
    assert any(line.endswith(f"[{kind}]") for line in told())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.id)
def test_every_kind_of_finding_is_documented_with_an_example(kind: Any) -> None:
    _, found, rest = CHECKING.read_text("utf-8").partition(f"### `{kind.id}`\n")
    assert found, f"docs/checking.md has no section about {kind.id}"
    section = rest.partition("\n### ")[0].partition("\n## ")[0]
    assert f"[{kind.id}]" in section, "an example shows the finding as it is printed"


def test_the_examples_of_the_page_are_findings_of_the_tests() -> None:
    lines = CHECKING.read_text("utf-8").splitlines()
    examples = [line for line in lines if line.endswith("]") and line.rpartition("[")[2][:-1] in KINDS]
    assert len(examples) > len(KINDS)
    assert [line for line in examples if line not in told()] == []
