"""The model of tests/*.yaml: scenarios, some customers, and what happens to them as the clock moves."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from campaigns.scenariotest.acts import Action
from campaigns.scenariotest.expectations import Expectation
from campaigns.scenariotest.people import Person
from core.source import Document, Model
from core.units import Series, Some, WallTime

SWITCH = {"on": True, "off": False}


def _switch(value: object) -> object:
    # In YAML 1.2 `on` is the text "on".
    return SWITCH.get(value, value) if isinstance(value, str) else value


Switch = Annotated[
    bool, BeforeValidator(_switch), WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["on", "off"]}]})
]


class Entry(Model):
    """One moment: first what happens, then what must have been sent since the previous entry."""

    at: WallTime = Field(examples=["2026-03-01 10:00"])
    do: dict[str, Series[Action]] = Field(default_factory=dict)
    expect: dict[str, Expectation] | None = Field(None, examples=["{anna: nothing}"])


class ScenarioTestFile(Model):
    """What stands in the file. Holdout is off unless the test asks for it.

    `scenarios` are several that are live at once; `use` names files of tests/fixtures with customers.
    """

    about: str = ""
    scenario: str | None = Field(None, examples=["bonus-expiring"])
    scenarios: Series[str] = ()
    use: Series[str] = ()
    start: WallTime = Field(examples=["2026-03-01 10:00"])
    holdout: Switch = False
    given: dict[str, Person] = Field(
        default_factory=dict, examples=['{anna: {phone: "+380501234567", consent: [sms]}}']
    )
    timeline: Some[Entry] = Field(examples=["[{at: 2026-03-01 10:00, expect: {anna: nothing}}]"])

    @property
    def tested(self) -> tuple[str, ...]:
        """The scenarios that are live in the test."""
        return (self.scenario, *self.scenarios) if self.scenario else self.scenarios


@dataclass(frozen=True)
class ScenarioTest:
    """One test file, its customers (those of fixtures among them), and where each expectation stands."""

    name: str
    test: ScenarioTestFile
    document: Document
    people: dict[str, Person]

    def place(self, entry: int, person: str | None = None, *more: str) -> str:
        """`tests/bonus-expiring.yaml:11:7`: of an expectation, or of its entry."""
        line, col = self.document.position(self.path(entry, person, *more))
        return f"{self.document.file}:{line}:{col}"

    def path(self, entry: int, person: str | None = None, *more: str) -> tuple[str | int, ...]:
        """Where an expectation stands in the data."""
        path = ("timeline", entry, "expect", person, *more)
        return tuple(part for part in path if part is not None)

    @property
    def file(self) -> str:
        """Its path in the workspace."""
        return self.document.file


def name_of(file: str) -> str:
    """`tests/winter/gifts.yaml` is the test `winter/gifts`."""
    path = PurePosixPath(file).with_suffix("")
    return "/".join(path.parts[1:] if len(path.parts) > 1 else path.parts)
