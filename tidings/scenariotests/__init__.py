"""Scenario tests: the real engine on a real ledger in memory, with a clock that the test moves."""

from collections.abc import Mapping

from campaigns.bundle import Bundle, event_names, scales
from campaigns.scenario import Scenario
from campaigns.scenariotest import Known, ScenarioTest, name_of, read_fixtures, read_test
from channels import discover
from channels.base import CARD, NO_ADDRESS
from core.errors import Problem, Problems
from core.program import Program
from scheduler.deck import read_card
from tidings.scenariotests.memory import empty_database
from tidings.scenariotests.results import Mismatch, Moment, Result
from tidings.scenariotests.stage import run_one
from wallet.design import NEWS_KEY

FIXTURES = "tests/fixtures/"


def is_fixture(file: str) -> bool:
    """Whether a file of tests/ holds customers for others, and no test."""
    return file.startswith(FIXTURES)


def known_to(bundle: Bundle, program: Program, scenarios: Mapping[str, Scenario]) -> Known:
    """Everything that a test of a workspace may name.

    `scenarios` are those that can be read; as long as one cannot, no steps are known.
    """
    names = bundle.names_in("scenarios")
    steps = {name: {step.id: step.messages for step in it.steps} for name, it in scenarios.items()}
    return Known(
        scenarios=list(names),
        tiers=program.tier_names,
        channels=list(discover()),
        without_address=[
            name for name, channel in discover().items() if channel.address_kind in (CARD, NO_ADDRESS)
        ],
        card=_card_keys(bundle),
        steps=steps if steps.keys() == names.keys() else None,
        events=event_names(program),
        scales=scales(program),
    )


def _card_keys(bundle: Bundle) -> list[str] | None:
    """The keys of the card's fields, and that of the message on it; None without a card that can be read."""
    try:
        card = read_card(bundle.files)
    except Problems:
        return None
    return [*(field.key for field in card[1].fields()), NEWS_KEY] if card else None


def read_all(known: Known, files: Mapping[str, str], problems: list[Problem]) -> list[ScenarioTest]:
    """Read tests (path → text), fixtures among them; everything wrong goes to `problems`."""
    shared = {file: text for file, text in files.items() if is_fixture(file)}
    fixtures = read_fixtures(shared, known, problems)
    read = [
        read_test(name_of(file), text, file, known, problems, fixtures)
        for file, text in sorted(files.items())
        if not is_fixture(file)
    ]
    return [test for test in read if test is not None]


__all__ = [
    "FIXTURES", "Mismatch", "Moment", "Result", "empty_database", "is_fixture", "known_to", "read_all",
    "run_one",
]  # fmt: skip
