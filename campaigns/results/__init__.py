"""What came of a scenario: its messages, and what they changed, against those who were held out."""

from campaigns.results.asking import AllMarketing, ScenarioResults, results_of, results_of_all
from campaigns.results.effect import Arm, Effect
from campaigns.results.funnel import Told
from campaigns.results.intervals import Interval

__all__ = [
    "AllMarketing",
    "Arm",
    "Effect",
    "Interval",
    "ScenarioResults",
    "Told",
    "results_of",
    "results_of_all",
]
