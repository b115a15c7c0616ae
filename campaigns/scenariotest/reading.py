"""Reading tests and fixtures: everything wrong in a file at once, with its line and the nearest name."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from campaigns.audience.tree import ADD_EVENT
from campaigns.scenariotest.acts import LAST, NOBODY, Action
from campaigns.scenariotest.amounts import of_action, of_person, too_fine
from campaigns.scenariotest.expectations import Expected, Message
from campaigns.scenariotest.files import Entry, ScenarioTest, ScenarioTestFile
from campaigns.scenariotest.people import Basket, Person
from core.errors import Problem
from core.explain import suggest
from core.source import Document, KeyPath, load


@dataclass(frozen=True)
class Known:
    """What a test may name; None where it is not known and so not checked.

    `card` are the keys of the card's fields, `steps` scenario → step → its messages, `scales` how many
    decimals `points` and `money` have. `without_address` are the channels that write to no address of a
    customer's, so that there is none that could be suppressed.
    """

    scenarios: Collection[str] | None = None
    tiers: Collection[str] | None = None
    channels: Collection[str] | None = None
    card: Collection[str] | None = None
    steps: Mapping[str, Mapping[str, Collection[str]]] | None = None
    events: Collection[str] | None = None
    scales: Mapping[str, int] = field(default_factory=dict)
    without_address: Collection[str] = ()


@dataclass(frozen=True)
class Fixture:
    """Customers that several tests share: tests/fixtures/people.yaml is `people`."""

    name: str
    document: Document
    people: Mapping[str, Person]


def read_fixtures(files: Mapping[str, str], known: Known, problems: list[Problem]) -> dict[str, Fixture]:
    """Read tests/fixtures/*.yaml (path → text): a customer a key. What is wrong goes to `problems`."""
    found = {}
    for file, text in sorted(files.items()):
        name = PurePosixPath(file).stem
        document = load(text, file, problems)
        if document is None:
            continue
        read = {key: document.validate(Person, problems, at=(key,)) for key in document.data}
        people = {key: person for key, person in read.items() if person is not None}
        for key, person in people.items():
            problems.extend(_person(document, (key,), person, known))
        if len(people) == len(read):
            found[name] = Fixture(name, document, people)
    return found


def read_test(
    name: str, text: str, file: str, known: Known, problems: list[Problem],
    fixtures: Mapping[str, Fixture] | None = None,
) -> ScenarioTest | None:  # fmt: skip
    """Read one test file; None, and every finding in `problems`, when it is not right.

    Without `fixtures` what a file uses of them is not checked.
    """
    document = load(text, file, problems)
    test = document and document.validate(ScenarioTestFile, problems)
    if not document or not test:
        return None
    people = _people(test, fixtures or {})
    found = [*_used(test, document, fixtures), *_Findings(test, document, known, people, fixtures).all()]
    problems.extend(found)
    return None if found else ScenarioTest(name, test, document, people)


def _used(
    test: ScenarioTestFile, document: Document, fixtures: Mapping[str, Fixture] | None
) -> Iterator[Problem]:
    if (test.scenario is None) == (not test.scenarios):
        yield document.problem(("scenario",), "says not what is tested", "write 'scenario:' or 'scenarios:'")
    for index, name in enumerate(test.use):
        yield from _unknown(document, ("use", index), "fixture", name, fixtures)
    if not test.use and not test.given and not _registered(test):
        yield document.problem(("given",), "is missing", "write 'given:' with a customer, or 'use:'")


def _people(test: ScenarioTestFile, fixtures: Mapping[str, Fixture]) -> dict[str, Person]:
    """Everybody; what the file says of somebody of a fixture is added to what the fixture says."""
    people: dict[str, Person] = {}
    for name in test.use:
        people |= fixtures[name].people if name in fixtures else {}
    for name, person in test.given.items():
        said = {key: getattr(person, key) for key in person.model_fields_set}
        people[name] = people[name].model_copy(update=said) if name in people else person
    return people


def _registered(test: ScenarioTestFile) -> set[str]:
    acts = [(name, act) for entry in test.timeline for name, acts in entry.do.items() for act in acts]
    return {name for name, act in acts if act.register_ is not None}


class _Findings:
    """Everything wrong in one test that its shape does not show."""

    def __init__(
        self, test: ScenarioTestFile, document: Document, known: Known, people: Mapping[str, Person],
        fixtures: Mapping[str, Fixture] | None,
    ) -> None:  # fmt: skip
        self.test, self.document, self.known = test, document, known
        unread = test.use and fixtures is None
        self.people = None if unread else people
        self.names = None if unread else [*people, *sorted(_registered(test) - set(people))]

    def all(self) -> Iterator[Problem]:
        """In the order of the file."""
        key = "scenario" if self.test.scenario else "scenarios"
        for name in self.test.tested:
            yield from _unknown(self.document, (key,), "scenario", name, self.known.scenarios)
        for name, person in self.test.given.items():
            yield from _person(self.document, ("given", name), person, self.known)
        before = self.test.start
        for index, entry in enumerate(self.test.timeline):
            if entry.at < before:
                what = f"before {before:%Y-%m-%d %H:%M}: a clock only goes forward"
                yield self.document.problem(("timeline", index, "at"), what, "put the entries in order")
            before = max(before, entry.at)
            yield from self._entry(entry, ("timeline", index))

    def _entry(self, entry: Entry, path: KeyPath) -> Iterator[Problem]:
        for part, people in (("do", entry.do), ("expect", entry.expect or {})):
            for person in people:
                yield from _unknown(self.document, (*path, part, person), "customer", person, self.names)
        for person, actions in entry.do.items():
            for place, action in enumerate(actions):
                yield from self._action(action, at_index(self.document, (*path, "do", person), place))
        for person, expected in (entry.expect or {}).items():
            yield from self._expected(expected, (*path, "expect", person))

    def _action(self, action: Action, path: KeyPath) -> Iterator[Problem]:
        document, known = self.document, self.known
        yield from _unknown(document, (*path, "tier"), "tier", action.tier, known.tiers)
        if action.invite != NOBODY:
            yield from _unknown(document, (*path, "invite"), "tier", action.invite, known.tiers)
        for key in ("consent", "withdraw", "suppress", "lift", "fails", "works"):
            for channel in getattr(action, key):
                yield from _channel(document, (*path, key), channel, known)
        if action.transfer is not None:
            yield from _unknown(
                document, (*path, "transfer", "to"), "customer", action.transfer.to, self.names
            )
        if action.purchase is not None:
            yield from _basket(document, (*path, "purchase"), action.purchase)
        if action.return_ is not None and action.return_ != LAST:
            yield from _unknown(document, (*path, "return"), "receipt", action.return_, self._receipts())
        if action.register_ is not None:
            yield from _person(document, (*path, "register"), action.register_, known)
        if action.event is not None:
            name, here = action.event.name, (*path, "event")
            yield from _unknown(document, here, "event", name, known.events, ADD_EVENT)
        yield from too_fine(document, of_action(action, path), known.scales)

    def _receipts(self) -> list[str] | None:
        if self.people is None:
            return None
        acts = [act for entry in self.test.timeline for acts in entry.do.values() for act in acts]
        bought = [act.purchase for act in acts if act.purchase is not None]
        bought += [receipt for person in self.people.values() for receipt in person.receipts]
        return [*(it.receipt for it in bought if it.receipt), LAST]

    def _expected(self, expected: Expected, path: KeyPath) -> Iterator[Problem]:
        document, known = self.document, self.known
        for channel, messages in expected.messages.items():
            yield from _unknown(document, (*path, channel), "channel", channel, known.channels)
            for place, message in enumerate(messages):
                yield from self._message(message, at_index(document, (*path, channel), place))
        for channel in expected.gates:
            yield from _unknown(document, (*path, "gates", channel), "channel", channel, known.channels)
        for scenario in expected.gate:
            yield from _unknown(document, (*path, "gate", scenario), "scenario", scenario, self.test.tested)
        for key in expected.card or {}:
            yield from _unknown(document, (*path, "card", key), "field of the card", key, known.card)
        yield from _unknown(document, (*path, "tier"), "tier", expected.tier, known.tiers)
        yield from too_fine(document, [((*path, "balance"), "points", expected.balance)], known.scales)

    def _message(self, message: Message, path: KeyPath) -> Iterator[Problem]:
        yield from _unknown(
            self.document, (*path, "scenario"), "scenario", message.scenario, self.test.tested
        )
        if self.known.steps is not None:
            texts = {text for steps in self.known.steps.values() for said in steps.values() for text in said}
            yield from _unknown(self.document, (*path, "message"), "message", message.message, texts)


def _person(document: Document, path: KeyPath, person: Person, known: Known) -> Iterator[Problem]:
    yield from _unknown(document, (*path, "tier"), "tier", person.tier, known.tiers)
    yield from _unknown(document, (*path, "invited"), "tier", person.invited, known.tiers)
    for key in ("consent", "suppressed", "fails", "unconfirmed"):
        for index, channel in enumerate(getattr(person, key)):
            yield from _channel(document, at_index(document, (*path, key), index), channel, known)
    for index, receipt in enumerate(person.receipts):
        yield from _basket(document, (*path, "receipts", index), receipt)
    for index, got in enumerate(person.received):
        here = (*path, "received", index)
        yield from _unknown(document, (*here, "scenario"), "scenario", got.scenario, known.scenarios)
        yield from _unknown(document, (*here, "channel"), "channel", got.channel, known.channels)
    if known.steps is not None and person.variants:
        # Several scenarios may have a step of one name, each with texts of its own.
        steps: dict[str, set[str]] = {}
        for each in known.steps.values():
            for step, texts in each.items():
                steps.setdefault(step, set()).update(texts)
        for step, message in person.variants.items():
            yield from _unknown(document, (*path, "variants", step), "step", step, steps)
            yield from _unknown(document, (*path, "variants", step), "variant", message, steps.get(step))
    yield from too_fine(document, of_person(person, path), known.scales)


def _channel(document: Document, path: KeyPath, channel: str, known: Known) -> Iterator[Problem]:
    yield from _unknown(document, path, "channel", channel, known.channels)
    if channel in known.without_address and {"suppressed", "suppress", "lift"} & {*path}:
        what = f"'{channel}' writes to no address of a customer's: there is none to suppress"
        yield document.problem(path, what, "leave it out, and see to 'consent'")


def _basket(document: Document, path: KeyPath, basket: Basket) -> Iterator[Problem]:
    if (basket.total is None) == (not basket.lines):
        yield document.problem(path, "says not what was bought", "write 'total' or 'lines'")


def at_index(document: Document, path: KeyPath, index: int) -> KeyPath:
    """The place of one of several, which may be written without a list where it is one."""
    return (*path, index) if isinstance(document.get(path), list) else path


def _unknown(
    document: Document, path: KeyPath, noun: str, name: str | None, known: Collection[str] | None,
    otherwise: str = "",
) -> Iterator[Problem]:  # fmt: skip
    if name is not None and known is not None and name not in known:
        yield document.problem(path, f"no such {noun}: '{name}'", suggest(name, list(known), otherwise))
