"""A workspace as one version: its files, its digest, and every finding in all of them."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.audience import And, Not, Or, Segment, Test
from campaigns.bundle import Bundle, check, load
from channels.discovery import discover as discover_channels
from core.errors import Problems, UserError
from core.units import Duration
from triggers import discover as discover_triggers

ALL = ["email", "sms", "push", "wallet"]
KAVARNIA = Path(__file__).parents[2] / "examples" / "kavarnia"


@pytest.fixture
def kavarnia() -> Bundle:
    return Bundle.read(KAVARNIA)


def changed(bundle: Bundle, **files: str | bytes | None) -> Bundle:
    """The bundle with other files: `scenarios__birthday` is scenarios/birthday.yaml; None takes one away."""
    now = dict(bundle.files)
    for name, content in files.items():
        path = name.replace("__", "/").replace("_", "-") + ".yaml"
        now.pop(path, None)
        if content is not None:
            now[path] = content.encode() if isinstance(content, str) else content
    return Bundle(now)


def findings(bundle: Bundle) -> list[str]:
    return [str(problem) for problem in check(bundle, discover_triggers(), discover_channels()).problems]


# --- files


def test_a_folder_without_a_program_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no program\.yaml in .*; run `tidings init"):
        Bundle.read(tmp_path)


def test_a_bundle_holds_what_is_applied_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        "program.yaml",
        ".env",
        "notes.txt",
        "tests/a.yaml",
        "scenarios/a.yaml",
        "scenarios/a.yaml~",
        "scenarios/.a.yaml.swp",
        "messages/a/.DS_Store",
        "messages/a/uk/sms.txt",
        "cards/images/logo.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert sorted(Bundle.read(tmp_path).files) == [
        "cards/images/logo.png",
        "messages/a/uk/sms.txt",
        "program.yaml",
        "scenarios/a.yaml",
    ]


def test_a_link_that_leads_to_nothing_is_told(tmp_path: Path) -> None:
    shutil.copytree(KAVARNIA, tmp_path / "shop")
    (tmp_path / "shop/scenarios/lost.yaml").symlink_to("../elsewhere/lost.yaml")
    (tmp_path / "shop/scenarios/.#birthday.yaml").symlink_to("somebody@edits.it")
    (tmp_path / "shop/segments/same.yaml").symlink_to(KAVARNIA / "segments" / "loyal.yaml")
    [found] = findings(Bundle.read(tmp_path / "shop"))
    assert found == "scenarios/lost.yaml: is a link that leads to nothing; correct it, or remove it"


def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    shutil.copytree(KAVARNIA, tmp_path / "shop")
    (tmp_path / "shop/scenarios/summer.yaml").mkdir()
    os.mkfifo(tmp_path / "shop/messages/birthday/uk/call_list.txt")
    assert findings(Bundle.read(tmp_path / "shop")) == [
        "messages/birthday/uk/call_list.txt: is no file; put a file there, or remove it",
        "scenarios/summer.yaml: is a folder; give it another name, or put a file there",
    ]


def test_the_digest_is_of_paths_and_contents_in_any_order() -> None:
    one = Bundle({"a": b"1", "b": b"2"})
    assert one.digest == Bundle({"b": b"2", "a": b"1"}).digest
    others = [Bundle({"a": b"1b", "": b"2"}), Bundle({"a": b"12"}), Bundle({"a": b"1", "b": b"3"})]
    assert len({one.digest, *(other.digest for other in others)}) == 4


@given(
    st.dictionaries(
        st.text(min_size=1), st.one_of(st.binary(), st.text().map(str.encode), st.just(b"base64:x"))
    )
)
def test_a_bundle_comes_back_from_json_to_the_byte(files: dict[str, bytes]) -> None:
    stored = Bundle(files).to_json()
    assert Bundle.from_json(stored) == Bundle(files)
    assert not any("\0" in text for text in stored.values())


def test_texts_are_stored_so_that_they_can_be_read(kavarnia: Bundle) -> None:
    stored = kavarnia.to_json()
    assert stored["program.yaml"].startswith("# The loyalty program")
    assert stored["cards/images/logo.png"].startswith("base64:")


def test_messages_are_folders_and_parts_are_none(kavarnia: Bundle) -> None:
    assert "uk/sms.txt" in kavarnia.messages["bonus-expiring"]
    assert "_parts" not in kavarnia.messages


# --- reading everything


def test_the_example_is_right(kavarnia: Bundle) -> None:
    loaded = load(kavarnia, discover_triggers(), discover_channels())
    assert loaded.warnings == ()
    assert loaded.program.name == "Kavarnia"
    assert sorted(loaded.scenarios) == [
        "birthday", "bonus-accrued", "bonus-expiring", "card-added", "tier-changed", "win-back",
    ]  # fmt: skip
    assert sorted(loaded.segments) == ["loyal", "staff"]


def test_a_scenario_is_read_as_it_is_written(kavarnia: Bundle) -> None:
    scenario = load(kavarnia, discover_triggers(), discover_channels()).scenarios["bonus-expiring"]
    assert (scenario.trigger, scenario.kind, scenario.priority) == ("bonus_expiring", "state", 70)
    whom = Or((Test("tier", "one_of", ("silver", "gold")), Segment("loyal")))
    assert scenario.audience == And((whom, Not(Segment("staff"))))
    (step,) = scenario.steps
    assert (step.id, step.messages, step.send) == ("reminder", ("bonus-expiring",), ("push", "email", "sms"))
    assert step.fallback_after == Duration(seconds=7200)
    assert scenario.goal is not None
    assert scenario.goal.purchase.within == Duration(days=14)


def test_what_is_left_out_has_a_default(kavarnia: Bundle) -> None:
    text = "when: {birthday: }\nschedule: every day at 10:00\nsteps: [{message: birthday, send: sms}]\n"
    bundle = changed(kavarnia, scenarios__birthday=text)
    scenario = load(bundle, discover_triggers(), discover_channels()).scenarios["birthday"]
    assert (scenario.purpose, scenario.priority, scenario.holdout) == ("marketing", 50, 0)
    assert scenario.audience == And()
    assert scenario.steps[0].id == "step-1"
    assert scenario.step("step-1").choices[0].weight == 1


def test_a_broken_program_does_not_hide_what_is_wrong_with_the_scenarios(kavarnia: Bundle) -> None:
    bundle = changed(kavarnia, program="program: [", scenarios__birthday="when: {brithday: {}}\n")
    found = findings(bundle)
    assert found[0].startswith("program.yaml:1:11: a bracket that is never closed")
    assert any("no such trigger; did you mean 'birthday'?" in finding for finding in found)


def test_loading_says_everything_at_once(kavarnia: Bundle) -> None:
    bundle = changed(
        kavarnia, scenarios__birthday="a: [", segments__staff="teir: gold\n", scenarios__win_back="b: {"
    )
    with pytest.raises(Problems) as caught:
        load(bundle, discover_triggers(), discover_channels())
    assert {problem.file for problem in caught.value.problems} == {
        "scenarios/birthday.yaml",
        "scenarios/win-back.yaml",
        "segments/staff.yaml",
    }


def test_the_channels_settings_are_checked_by_the_channels(kavarnia: Bundle) -> None:
    program = kavarnia.files["program.yaml"].decode().replace("segments_at_most: 2", "segments: 2")
    (finding,) = findings(changed(kavarnia, program=program))
    assert finding.endswith("channels.sms.segments: no such key; did you mean 'segments_at_most'?")


def test_a_channel_that_is_not_set_up_cannot_send(kavarnia: Bundle) -> None:
    program = kavarnia.files["program.yaml"].decode().replace("  push: {}\n", "")
    found = findings(changed(kavarnia, program=program))
    assert len(found) == len(kavarnia.names_in("scenarios")) - 1  # one speaks on the card alone
    assert found[0].endswith("'push' is not set up in program.yaml; add 'push: {}' to its channels")


def test_channels_may_be_given_by_name_alone(kavarnia: Bundle) -> None:
    assert check(kavarnia, discover_triggers(), ALL).problems == ()


@pytest.mark.parametrize("name", ["extra.yml", "extra.YAML", "extra.yaml.txt"])
def test_a_file_with_another_ending_is_not_passed_over_in_silence(kavarnia: Bundle, name: str) -> None:
    bundle = Bundle({**kavarnia.files, f"scenarios/{name}": b"about: lost"})
    assert findings(bundle) == [f"scenarios/{name}: is not read; rename it to scenarios/extra.yaml"]


def test_the_name_of_a_file_is_the_name_of_what_is_in_it(kavarnia: Bundle) -> None:
    (finding,) = findings(Bundle({**kavarnia.files, "segments/our people.yaml": b"city: Kyiv"}))
    assert (
        finding == "segments/our people.yaml: the file's name is its name; rename it: letters, digits and '-'"
    )


def test_a_file_that_is_no_text_is_named(kavarnia: Bundle) -> None:
    bundle = changed(kavarnia, scenarios__birthday=b"about: fine\nwhen: \xff\xfe")
    assert findings(bundle) == ["scenarios/birthday.yaml:2:1: not in UTF-8; save the file as UTF-8"]


PIECES = [
    "[",
    "}",
    ":",
    " ",
    "\n",
    "\t",
    "5",
    "null",
    "*a",
    "&a ",
    "<<: ",
    "!x ",
    "1e999",
    "{a: b}",
    "бонус",
    "?",
    "|",
]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_whatever_a_finger_slips_on_is_answered_with_findings(data: st.DataObject) -> None:
    bundle = Bundle.read(KAVARNIA)
    path = data.draw(st.sampled_from(["program.yaml", "scenarios/win-back.yaml", "segments/loyal.yaml"]))
    text = bundle.files[path].decode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
    for problem in check(Bundle({**bundle.files, path: text.encode()}), discover_triggers(), ALL).problems:
        assert (problem.line, problem.col) >= (1, 1)
        assert problem.what


# --- segments and names


def test_segments_may_build_on_each_other_but_not_in_a_circle(kavarnia: Bundle) -> None:
    bundle = changed(
        kavarnia,
        segments__staff="not: {segment: loyal}\n",
        segments__loyal="any: [{tier: gold}, {segment: other}]\n",
        segments__other="segment: staff\n",
    )
    (finding,) = findings(bundle)
    assert finding == (
        "segments/loyal.yaml:1:22: any[1].segment: a segment cannot contain itself: "
        "loyal (segments/loyal.yaml:1) → other (segments/other.yaml:1) → staff (segments/staff.yaml:1) "
        "→ loyal; break the circle"
    )


def test_a_segment_that_contains_itself_is_the_smallest_circle(kavarnia: Bundle) -> None:
    (finding,) = findings(changed(kavarnia, segments__staff="city: Kyiv\nnot: {segment: staff}\n"))
    assert finding == (
        "segments/staff.yaml:2:7: not.segment: a segment cannot contain itself: "
        "staff (segments/staff.yaml:2) → staff; break the circle"
    )


def test_only_one_scenario_follows_a_renamed_one(kavarnia: Bundle) -> None:
    birthday = kavarnia.files["scenarios/birthday.yaml"].decode() + "formerly: bday\n"
    bundle = changed(kavarnia, scenarios__birthday=birthday, scenarios__birthday_2=birthday)
    (finding,) = findings(bundle)
    assert finding.endswith("formerly: 'birthday-2' says so too; let one of them follow it")
