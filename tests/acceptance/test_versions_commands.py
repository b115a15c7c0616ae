"""Versions through the command line: shown, asked, proposed, approved, taken back."""

import json
import os
import pty

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]


def live(shop: Shop) -> None:
    assert shop.run("apply", "--yes", "--as", "anna", "--note", "the first").code == 0


def test_without_a_terminal_nothing_is_applied_unless_one_says_yes(shop: Shop) -> None:
    said = shop.run("apply")
    assert (said.code, "there is no terminal to ask at" in said.err) == (2, True)
    assert json.loads(shop.run("history", "--format", "json").out)["versions"] == []


@pytest.mark.parametrize(("answer", "versions"), [("y", 1), ("n", 0)])
def test_at_a_terminal_it_asks(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, answer: str, versions: int
) -> None:
    assert shop.run("history").out == "nothing was applied yet\n"
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        said = shop.run("apply", "--as", "anna")
    os.close(ours)
    assert "Make this live?" in said.out
    assert said.code == (0 if versions else 1), said.err
    assert len(json.loads(shop.run("history", "--format", "json").out)["versions"]) == versions


def test_a_difference_is_told_in_words_as_text_and_by_whom_it_concerns(shop: Shop) -> None:
    live(shop)
    shop.change("scenarios/win-back.yaml", "wait: 5 days", "wait: 7 days")
    said = shop.run("diff")
    assert said.code == 1
    assert "steps.last-call.wait: 5 days becomes 7 days (who is under way keeps" in said.out
    assert "+    wait: 7 days" in said.out
    found = json.loads(shop.run("diff", "--format", "json").out)
    assert [it["file"] for it in found["changes"]] == ["scenarios/win-back.yaml"]
    assert [(it["scenario"], it["change"]) for it in found["scenarios"]] == [("win-back", "changed")]


def test_of_a_file_that_comes_or_goes_the_name_is_enough(shop: Shop) -> None:
    live(shop)
    (shop.path / "scenarios" / "birthday.yaml").unlink()
    said = shop.run("diff").out
    assert "removed  scenarios/birthday.yaml" in said
    assert "Wish a happy birthday" not in said


def test_a_campaign_whose_time_has_passed_is_said_to_reach_nobody(shop: Shop) -> None:
    live(shop)
    shop.write(
        "scenarios/easter.yaml",
        "when: {schedule: {at: 2025-04-20 10:00}}\nsteps: [{message: spring, send: [sms]}]\n",
    )
    for locale in ("uk", "en"):
        shop.write(f"messages/spring/{locale}/sms.txt", "Spring!\n")
    said = shop.run("diff")
    assert "its time is over: it will send nothing" in said.out
    [found] = json.loads(shop.run("diff", "--format", "json").out)["scenarios"]
    assert (found["first_look"], found["time_is_over"]) == (0, True)


def test_history_says_who_and_why_and_a_version_is_shown(shop: Shop) -> None:
    live(shop)
    shop.change("scenarios/birthday.yaml", "priority: 90", "priority: 80")
    shop.run("apply", "--yes", "--as", "ihor", "-m", "calmer birthdays")
    [newest, first] = json.loads(shop.run("history", "--format", "json").out)["versions"]
    assert (newest["who"], newest["note"], first["who"]) == ("ihor", "calmer birthdays", "anna")
    assert "priority: 90 becomes 80" in shop.run("show", "2").out
    assert "there is no version 9; there are 1 to 2" in shop.run("show", "9").err


def test_what_another_version_overtook_is_refused(shop: Shop) -> None:
    live(shop)
    shop.change("scenarios/birthday.yaml", "priority: 90", "priority: 80")
    said = shop.run("apply", "--yes", "--as", "ihor", "--base", "0")
    assert said.code == 1
    assert "anna was faster and made version 1 live" in said.err


def test_two_people_make_something_live_where_the_program_asks_for_it(shop: Shop) -> None:
    shop.write("program.yaml", (shop.path / "program.yaml").read_text("utf-8") + "apply: {approvals: 1}\n")
    live(shop)
    shop.change("program.yaml", "apply: {approvals: 1}\n", "")
    said = shop.run("apply", "--yes", "--as", "anna", "-m", "alone")
    assert "proposal 1 waits for another person" in said.out
    assert "is your own (anna)" in shop.run("approve", "1", "--yes", "--as", "anna").err
    assert "proposal 1 waits" in shop.run("history").out
    assert "version 2 is live" in shop.run("approve", "1", "--yes", "--as", "ihor").out
    shop.change("scenarios/birthday.yaml", "priority: 90", "priority: 80")
    assert "version 3 is live" in shop.run("apply", "--yes", "--as", "anna").out


def test_a_proposal_is_rejected(shop: Shop) -> None:
    shop.write("program.yaml", (shop.path / "program.yaml").read_text("utf-8") + "apply: {approvals: 1}\n")
    live(shop)
    shop.change("scenarios/birthday.yaml", "priority: 90", "priority: 80")
    shop.run("apply", "--yes", "--as", "anna")
    assert "proposal 1 is rejected" in shop.run("reject", "1", "--as", "ihor").out
    assert "ihor was faster: proposal 1 was rejected" in shop.run("approve", "1", "--yes", "--as", "olha").err


def test_rolling_back_makes_the_version_before_live_again(shop: Shop) -> None:
    live(shop)
    assert "there is no earlier version" in shop.run("rollback", "--yes").err
    shop.change("scenarios/birthday.yaml", "priority: 90", "priority: 80")
    shop.run("apply", "--yes", "--as", "anna")
    said = shop.run("rollback", "--yes", "--as", "ihor")
    assert "version 3 is live" in said.out
    assert "priority: 80 becomes 90" in said.out
    assert "the files in this folder are others" in said.err
    newest = json.loads(shop.run("history", "--format", "json").out)["versions"][0]
    assert (newest["version"], newest["restores"], newest["who"]) == (3, 1, "ihor")


def test_a_pause_says_what_it_leaves(shop: Shop) -> None:
    live(shop)
    assert "win-back is paused: nobody is under way in it" in shop.run("pause", "win-back").out
    assert shop.run("resume", "win-back").out == "win-back goes on\n"
