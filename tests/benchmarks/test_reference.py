"""What the harness of the benchmarks promises: figures are where they were measured, and worse is said."""

import re
from importlib.util import find_spec
from typing import Any

import pytest

from benchmarks.harness import page
from benchmarks.harness.catalogue import BENCHMARKS, named
from benchmarks.harness.reference import compared
from benchmarks.report import Goal, Role, Row, at_least, at_most, kept_of

HERE = {"processor": "EPYC", "cpus": 2, "memory_gb": 8.0}


def run(goal: Goal, *ratios: float, role: Role = "limit", cpus: int = 2) -> dict[str, Any]:
    row = Row("purchases", "another", "/s", goal, role, [(ratio, 1.0) for ratio in ratios])
    return {"machine": {**HERE, "cpus": cpus}, **kept_of([row])}


def test_the_page_has_the_figures_of_the_reference_run() -> None:
    assert page.written(page.PAGE.read_text("utf-8")) == page.PAGE.read_text("utf-8"), "run: make bench-page"


def test_every_benchmark_is_there_and_is_explained() -> None:
    names = [it.name for it in BENCHMARKS]
    assert sorted(re.findall(r"<!-- figures: (\w+) -->", page.PAGE.read_text("utf-8"))) == sorted(names)
    assert [name for name in names if find_spec(f"benchmarks.{name}") is None] == []


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    assert named("expiry-look").name == "expiry_look"
    with pytest.raises(LookupError, match="there is no benchmark speed; there are workers, "):
        named("speed")


def test_a_ratio_is_worse_when_its_median_lost_more_than_a_fifth() -> None:
    before = run(at_least(1), 1.0)
    assert compared(run(at_least(1), 0.5, 0.81, 2.0), before) == []
    [worse] = compared(run(at_least(1), 0.79), before)
    assert str(worse) == "purchases, against another: 0.79, and 1 in the reference run"


def test_a_ratio_that_should_be_small_is_worse_when_it_grew() -> None:
    assert compared(run(at_most(1), 0.5), run(at_most(1), 1.0)) == []
    assert len(compared(run(at_most(0), 1.0), run(at_most(0), 0.0))) == 1


def test_a_wanted_figure_is_compared_on_the_same_kind_of_machine_only() -> None:
    before = run(at_least(1), 1.0, role="wanted")
    assert len(compared(run(at_least(1), 0.1, role="wanted"), before)) == 1
    assert compared(run(at_least(1), 0.1, role="wanted", cpus=1), before) == []


def test_what_the_reference_run_does_not_have_is_not_compared() -> None:
    assert compared(run(at_least(1), 0.1), None) == []
