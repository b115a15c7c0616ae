"""Explaining: a scenario in plain sentences, in the reader's language."""

from collections.abc import Sequence

from campaigns.explaining.what import limits, measured, steps
from campaigns.explaining.when import when
from campaigns.explaining.who import who
from campaigns.explaining.words import LANGUAGES, Speech
from campaigns.scenario import Scenario
from core.program import Program

__all__ = ["LANGUAGES", "explain", "speech_of"]

# What the amounts of a program's levels are, by its measure.
_MEASURES = {"spend": "money", "points": "bonus", "purchases": "receipt", "invitation": "money"}


def speech_of(language: str, program: Program | None) -> Speech:
    """A language with the program's currency and what its levels are reached by."""
    if program is None:
        return Speech(language)
    return Speech(language, program.currency, _MEASURES[program.tiers.measure])


def explain(scenario: Scenario, program: Program | None, language: str) -> str:
    """When, who, what is said where, what limits it and how it is measured: a paragraph each.

    `language` is one of LANGUAGES. Without a program, what it says about limits is left out.
    """
    speech = speech_of(language, program)
    label = speech.phrase("labels")
    said = steps(speech, scenario)
    paragraphs = [
        f"{scenario.name}: {scenario.about}" if scenario.about else scenario.name,
        f"{label['when']}: {when(speech, scenario)}",
        f"{label['who']}: {who(speech, scenario.audience)}",
        _listed(label["steps"], said),
        _listed(label["limits"], list(limits(speech, scenario, program))),
    ]
    if measuring := list(measured(speech, scenario, program)):
        paragraphs.append(_listed(label["measured"], measuring))
    return "\n".join(paragraphs) + "\n"


def _listed(label: str, sentences: Sequence[str]) -> str:
    if len(sentences) == 1:
        return f"{label}: {sentences[0]}"
    return "\n".join([f"{label}:", *(f"  – {sentence}" for sentence in sentences)])
