"""Tests of scenarios: a scenario, some customers, and what happens to them as the clock moves.

Local times are the program's zone; amounts are whole units. Positions are kept, so that a failed expectation
is printed with its line.
"""

from campaigns.scenariotest.acts import LAST, NOBODY, Action
from campaigns.scenariotest.expectations import GATES, NOTHING, Exactly, Expected, Message
from campaigns.scenariotest.files import Entry, ScenarioTest, ScenarioTestFile, name_of
from campaigns.scenariotest.people import Basket, Bonuses, Person, Profile, Purchase
from campaigns.scenariotest.reading import Fixture, Known, read_fixtures, read_test

__all__ = [
    "GATES", "LAST", "NOBODY", "NOTHING", "Action", "Basket", "Bonuses", "Entry", "Exactly", "Expected",
    "Fixture", "Known", "Message", "Person", "Profile", "Purchase", "ScenarioTest", "ScenarioTestFile",
    "name_of", "read_fixtures", "read_test",
]  # fmt: skip
