"""The model of tests/*.yaml: a scenario, some customers, and what happens to them as the clock moves.

Local times are the program's zone; amounts are whole units. Positions are kept, so that a failed
expectation is printed with its line.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from core.errors import Problem
from core.explain import complaint, describe, suggest
from core.source import Document, KeyPath, Model, load
from core.units import Amount, Day, Listed, Series, Some, WallTime, Zone

NOTHING = "nothing"
# What may hold a message back, in the order of the language's table.
GATES = (
    "not_in_audience", "already_entered", "no_consent", "suppressed", "unreachable", "holdout", "exited",
    "capped", "displaced", "missing_text", "quiet_hours", "expired", "no_longer_true",
)  # fmt: skip


class Bonuses(Model):
    """One lot that a customer begins with: it expires at the end of that day, or never."""

    amount: Amount = Field(examples=[500])
    expires: Day | None = None
    starts: Day | None = None


class Purchase(Model):
    """One receipt before the test begins, or within it."""

    at: WallTime = Field(examples=["2026-02-01 12:00"])
    total: Amount = Field(examples=[300])


class Person(Model):
    """A customer as they are when the test begins; `consent` names channels."""

    tier: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    push: str | None = None
    birthday: Day | None = None
    gender: str | None = None
    city: str | None = None
    locale: str | None = None
    time_zone: Zone | None = None
    card: str | None = None
    registered: WallTime | None = None
    consent: Series[str] = ()
    bonuses: Listed[Bonuses] = ()
    receipts: Listed[Purchase] = ()
    attributes: dict[str, Any] = Field(default_factory=dict)


class Action(Model):
    """Something that happens to one customer; in the order of these keys, if there are several."""

    consent: Series[str] = ()
    withdraw: Series[str] = ()
    purchase: Amount | None = None
    accrue: Bonuses | None = None
    redeem: Amount | None = None
    tier: str | None = None


def _expectation(value: object) -> object:
    if isinstance(value, str):
        if value != NOTHING and value not in GATES:
            raise complaint(f"no such outcome: '{value}'", suggest(value, [NOTHING, *GATES]))
        return value
    texts = list(value.values()) if isinstance(value, dict) else []
    if not texts or not all(_are_texts(text) for text in texts):
        what = f"expected an outcome or texts by channel, got {describe(value)}"
        raise complaint(what, "write 'nothing', a gate such as 'no_consent', or '{sms: \"500 bonuses\"}'")
    assert isinstance(value, dict)
    return {channel: (text,) if isinstance(text, str) else tuple(text) for channel, text in value.items()}


def _are_texts(value: object) -> bool:
    listed = isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
    return listed or isinstance(value, str)


_EXPECTATION_SCHEMA = {
    "anyOf": [
        {"enum": [NOTHING, *GATES]},
        {
            "type": "object",
            "additionalProperties": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
            },
        },
    ]
}
# `nothing`, the gate that holds the message back, or for each channel what its messages contain, in order.
Expectation = Annotated[
    str | dict[str, tuple[str, ...]], BeforeValidator(_expectation), WithJsonSchema(_EXPECTATION_SCHEMA)
]


class Entry(Model):
    """One moment: first what happens, then what must have been sent since the previous entry."""

    at: WallTime = Field(examples=["2026-03-01 10:00"])
    do: dict[str, Series[Action]] = Field(default_factory=dict)
    expect: dict[str, Expectation] | None = None


class ScenarioTestFile(Model):
    """What stands in the file. Holdout is off unless the test asks for it."""

    about: str = ""
    scenario: str = Field(examples=["bonus-expiring"])
    start: WallTime = Field(examples=["2026-03-01 10:00"])
    holdout: bool = False
    given: dict[str, Person] = Field(examples=['{anna: {phone: "+380501234567", consent: [sms]}}'])
    timeline: Some[Entry] = Field(examples=["[{at: 2026-03-01 10:00, expect: {anna: nothing}}]"])


@dataclass(frozen=True)
class ScenarioTest:
    """One test file, and where each expectation stands in it."""

    name: str
    test: ScenarioTestFile
    document: Document

    def place(self, entry: int, person: str | None = None, channel: str | None = None) -> str:
        """`tests/bonus-expiring.yaml:11:7`: of an expectation, or of its entry."""
        path = ("timeline", entry, "expect", person, channel)
        line, col = self.document.position(tuple(part for part in path if part is not None))
        return f"{self.document.file}:{line}:{col}"


@dataclass(frozen=True)
class Known:
    """What a test may name; None where it is not known and so not checked."""

    scenarios: Collection[str] | None = None
    tiers: Collection[str] | None = None
    channels: Collection[str] | None = None


def read_test(name: str, text: str, file: str, known: Known, problems: list[Problem]) -> ScenarioTest | None:
    """Read one test file; None, and every finding in `problems`, when it is not right."""
    document = load(text, file, problems)
    test = document and document.validate(ScenarioTestFile, problems)
    if not document or not test:
        return None
    found = list(_findings(test, document, known))
    problems.extend(found)
    return None if found else ScenarioTest(name, test, document)


def _findings(test: ScenarioTestFile, document: Document, known: Known) -> Iterator[Problem]:
    yield from _unknown(document, ("scenario",), "scenario", test.scenario, known.scenarios)
    for name, person in test.given.items():
        yield from _unknown(document, ("given", name, "tier"), "tier", person.tier, known.tiers)
        for index, channel in enumerate(person.consent):
            path: KeyPath = ("given", name, "consent", index)
            yield from _unknown(document, path, "channel", channel, known.channels)
    before = test.start
    for index, entry in enumerate(test.timeline):
        if entry.at < before:
            what = f"before {before:%Y-%m-%d %H:%M}: a clock only goes forward"
            yield document.problem(("timeline", index, "at"), what, "put the entries in order")
        before = max(before, entry.at)
        yield from _entry(test, entry, index, document, known)


def _entry(
    test: ScenarioTestFile, entry: Entry, index: int, document: Document, known: Known
) -> Iterator[Problem]:
    for part, people in (("do", entry.do), ("expect", entry.expect or {})):
        for person in people:
            path: KeyPath = ("timeline", index, part, person)
            yield from _unknown(document, path, "customer", person, test.given)
    for person, actions in entry.do.items():
        for place, action in enumerate(actions):
            path = ("timeline", index, "do", person, place)
            yield from _unknown(document, (*path, "tier"), "tier", action.tier, known.tiers)
            for channel in (*action.consent, *action.withdraw):
                yield from _unknown(document, path, "channel", channel, known.channels)
    for person, expected in (entry.expect or {}).items():
        for channel in expected if isinstance(expected, dict) else ():
            path = ("timeline", index, "expect", person, channel)
            yield from _unknown(document, path, "channel", channel, known.channels)


def _unknown(
    document: Document,
    path: KeyPath,
    noun: str,
    name: str | None,
    known: Collection[str] | None,
) -> Iterator[Problem]:
    if name is not None and known is not None and name not in known:
        yield document.problem(path, f"no such {noun}: '{name}'", suggest(name, list(known)))
