"""The runner of scenario tests: passes what is so, and says what is not with its place."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from campaigns.bundle import Bundle
from core.errors import Problems
from tests.support.databases import load_tables
from tests.support.world import bundle_of, scenario
from tidings.scenariotests import Result
from tidings.workspace_tests import run_all

KAVARNIA = Path(__file__).parents[2] / "examples" / "kavarnia"
ACCRUED = scenario("{bonus_accrued: {at_least: 5}}", schedule="")
HEAD = """scenario: accrued
start: 2026-03-02 12:00
given:
  anna: {phone: "+380501110001", consent: [sms]}
  ihor: {phone: "+380501110002"}
timeline:
"""
BUY = "  - at: 2026-03-02 12:30\n    do: {anna: {purchase: 100}, ihor: {purchase: 100}}\n"


@pytest.fixture(autouse=True)
def tables() -> None:
    load_tables()


def run(
    timeline: str, scenarios: Mapping[str, str] | None = None, head: str = HEAD, **program: object
) -> Result:
    bundle = bundle_of(scenarios or {"accrued": ACCRUED}, program)
    [result] = run_all(bundle, {"tests/one.yaml": head + timeline})
    return result


def complaints(result: Result) -> list[str]:
    return [str(it) for it in result.mismatches]


def test_the_example_workspace_keeps_its_tests() -> None:
    files = {
        f"tests/{path.name}": path.read_text(encoding="utf-8") for path in (KAVARNIA / "tests").glob("*.yaml")
    }
    results = run_all(Bundle.read(KAVARNIA), files)
    assert [complaints(it) for it in results] == [[]] * len(files)
    assert sorted(it.name for it in results) == sorted(Path(file).stem for file in files)


def test_what_is_as_expected_passes() -> None:
    assert run(BUY + "    expect: {anna: {sms: Hello}, ihor: no_consent}\n").passed


def test_a_message_that_is_not_listed_is_a_failure() -> None:
    [complaint] = complaints(run(BUY + "    expect: {ihor: no_consent}\n"))
    assert complaint.startswith("tests/one.yaml:9:5: anna:")
    assert "expected  nothing: not listed here" in complaint
    assert "got       sms: “Hello! https://example.org/" in complaint


@pytest.mark.parametrize(
    ("expect", "expected", "got"),
    [
        ("anna: nothing", "expected  nothing", "got       sms: “Hello!"),
        ("anna: {sms: Goodbye}", "expected  sms: “Goodbye”", "got       sms: “Hello!"),
        ("anna: {email: Hello}", "expected  email: “Hello”", "got       sms: “Hello!"),
        ("anna: {sms: [Hello, Hello]}", "expected  sms: “Hello”; sms: “Hello”", "got       sms: “Hello!"),
        ("anna: no_consent", "expected  no_consent", "got       sms: “Hello!"),
        (
            "anna: {sms: Hello}, ihor: {sms: Hello}",
            "expected  sms: “Hello”",
            "got       nothing (no_consent)",
        ),
        ("anna: {sms: Hello}, ihor: unreachable", "expected  unreachable", "got       nothing (no_consent)"),
    ],
)
def test_what_is_not_as_expected_is_told_with_its_place(expect: str, expected: str, got: str) -> None:
    [complaint] = complaints(run(BUY + f"    expect:\n      {{{expect}}}\n"))
    assert complaint.startswith("tests/one.yaml:10:")
    assert expected in complaint
    assert got in complaint


def test_an_expectation_covers_everything_since_the_one_before() -> None:
    later = "  - at: 2026-03-02 15:00\n    expect: {anna: {sms: Hello}, ihor: no_consent}\n"
    assert run(BUY + later).passed
    again = "  - at: 2026-03-02 16:00\n    expect: {ihor: no_consent}\n"
    # Said once: since then no gate has spoken.
    [complaint] = complaints(run(BUY + later + again))
    assert "got       nothing" in complaint


def test_two_entries_at_one_time_are_told_apart() -> None:
    timeline = BUY + "    expect: {anna: {sms: Hello}, ihor: no_consent}\n"
    twice = timeline + BUY.replace("12:30", "12:31") + "    expect: {anna: {sms: Hello}, ihor: no_consent}\n"
    assert run(twice).passed


def test_the_clock_stops_wherever_something_is_due_on_the_way() -> None:
    head = HEAD.replace("accrued", "birthday").replace(
        "consent: [sms]", "consent: [sms], birthday: 1990-03-05"
    )
    steps = "[{id: hello, message: hello, send: [sms]}, {id: gift, wait: 2 days, message: gift, send: [sms]}]"
    scenarios = {"birthday": scenario("{birthday: {}}", steps=steps)}
    assert run(
        "  - at: 2026-03-10 12:00\n    expect: {anna: {sms: [Hello, Hello]}}\n", scenarios, head
    ).passed


def test_quiet_hours_are_an_outcome_until_they_end() -> None:
    night = BUY.replace("12:30", "22:30") + "    expect: {anna: quiet_hours, ihor: no_consent}\n"
    morning = "  - at: 2026-03-03 09:00\n    expect: {anna: {sms: Hello}}\n"
    assert run(night + morning, quiet_hours="21:00-09:00").passed


def test_holdout_is_off_unless_the_test_asks_for_it() -> None:
    expect = "    expect: {anna: {sms: Hello}, ihor: no_consent}\n"
    assert run(BUY + expect, holdout="100%").passed
    asked = HEAD.replace("given:", "holdout: true\ngiven:")
    held = "    expect: {anna: holdout, ihor: no_consent}\n"
    assert run(BUY + held, head=asked, holdout="100%").passed


def test_a_dot_in_a_name_does_not_hide_a_message() -> None:
    head = HEAD.replace("  anna:", "  anna.k:").replace("ihor", "other")
    buy = "  - at: 2026-03-02 12:30\n    do: {anna.k: {purchase: 100}}\n"
    assert run(buy + "    expect: {anna.k: {sms: Hello}}\n", head=head).passed


def test_only_the_tests_that_are_asked_for_run() -> None:
    files = {f"tests/{name}.yaml": HEAD + BUY for name in ("one", "two")}
    results = run_all(bundle_of({"accrued": ACCRUED}), files, only="tw")
    assert [it.name for it in results] == ["two"]


def test_every_mistake_of_every_test_file_is_told_at_once() -> None:
    files = {
        "tests/one.yaml": HEAD.replace("accrued", "accrual") + BUY,
        "tests/two.yaml": HEAD + "  - {at: never}\n",
    }
    with pytest.raises(Problems) as caught:
        run_all(bundle_of({"accrued": ACCRUED}), files)
    assert [str(it).split(":")[0] for it in caught.value.problems] == ["tests/one.yaml", "tests/two.yaml"]


def test_more_is_redeemed_than_there_is() -> None:
    with pytest.raises(Problems, match=r"tests/one.yaml:8:\d+: .*redeem: 5 asked, 0 available"):
        run("  - at: 2026-03-02 12:30\n    do: {anna: {redeem: 5}}\n")
