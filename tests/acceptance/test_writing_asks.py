"""Writing a new scenario at a terminal: what is asked, with which choices, and what an empty answer means."""

from pathlib import Path

from tidings.example import write_workspace
from tidings.workspace import Workspace
from tidings.writing import Given, write


def test_each_question_has_its_choices_and_a_default(tmp_path: Path) -> None:
    write_workspace(tmp_path / "shop")
    asked: dict[str, tuple[list[str], str]] = {}

    def ask(question: str, choices: list[str], default: str) -> str:
        asked[question] = (choices, default)
        return {"What does it wait for": "birthday"}.get(question, default)

    written = write(Workspace(tmp_path / "shop"), Given("party"), ask)
    questions = [question for question in asked if not question.startswith("days")]
    assert questions == [
        "What is it for, in one sentence",
        "What does it wait for",
        "Who of them, as YAML (all if empty)",
        "Its purpose",
        "The message's folder",
        "By which channels, in their order",
        "When is it looked up",
    ]
    assert "inactive" in asked["What does it wait for"][0]
    assert asked["Its purpose"] == (["marketing", "service", "transactional"], "marketing")
    assert asked["When is it looked up"] == ([], "every day at 10:00")
    assert (tmp_path / "shop" / "scenarios" / "party.yaml") in written
    assert "send: [push, email, sms]" in (tmp_path / "shop/scenarios/party.yaml").read_text("utf-8")


def test_a_wrong_answer_is_asked_again_and_nothing_said_before_is_lost(tmp_path: Path) -> None:
    write_workspace(tmp_path / "shop")
    answers = {
        "The scenario's name": ["win-back", "wine lovers", "wine-lovers"],
        "What does it wait for": ["purchas", "purchase"],
        "nth: only the customer's first (1), second … purchase": ["third", "3"],
        "Who of them, as YAML (all if empty)": ["{teir: gold}", "{tier: gould}", "{tier: gold}"],
        "By which channels, in their order": ["push, smss", "push, sms"],
    }
    complaints: list[str] = []

    def ask(question: str, _choices: list[str], default: str) -> str:
        complaint, _, question = question.rpartition("\n")
        complaints.extend([complaint] if complaint else [])
        return answers[question].pop(0) if answers.get(question) else default

    write(Workspace(tmp_path / "shop"), Given(), ask)
    assert complaints == [
        "scenarios/win-back.yaml is there already and stays as it is; choose another name",
        "'wine lovers' is not a name; write letters, digits and '-', for example 'win-back'",
        "there is no 'purchas' to choose; did you mean 'purchase'?",
        "expected a whole number, got 'third'",
        "no such field; did you mean 'tier'?",
        "no such tier: 'gould'; did you mean 'gold'?",
        "there is no 'smss' to choose; did you mean 'sms'?",
    ]
    assert "audience: {tier: gold}" in (tmp_path / "shop/scenarios/wine-lovers.yaml").read_text("utf-8")
