"""What was expected of each customer, and what was got."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from campaigns.scenariotest import NOTHING, Entry, Exactly, Expected, Message, ScenarioTest
from campaigns.tables import Message as Row
from campaigns.verdicts import verdicts
from channels import Outgoing
from core.customers.profiles import CUSTOMER
from core.links import Links
from templates.facts import contexts
from tidings.scenariotests.cards import Cards
from tidings.scenariotests.outlets import Post
from tidings.scenariotests.people import People
from tidings.scenariotests.results import Mismatch

MESSAGE = Row.__table__  # type: ignore[attr-defined]
PARTS = ("subject", "title", "text", "body")
OPEN = "open"
# `push: unreachable, sms: capped (1 per 7 days used by win-back)`: commas may stand within the brackets.
CHANNEL = re.compile(r"(\w+): (\w+)(?: \([^)]*\))?")
SHOWN = 300


@dataclass(frozen=True, slots=True)
class Said:
    """One message that left."""

    channel: str
    scenario: str
    message: str
    locale: str | None
    parts: Mapping[str, str]

    @property
    def text(self) -> str:
        """All of it that is read, in one line."""
        return plain(" ".join(self.parts[name] for name in PARTS if self.parts.get(name)))

    def part(self, name: str) -> str:
        """One part; the body of an email or an SMS is its text."""
        return plain(self.parts.get(name) or (self.parts.get("text") or "" if name == "body" else ""))

    def __str__(self) -> str:
        flat = self.text
        return f"{self.channel}: “{flat if len(flat) <= SHOWN else flat[: SHOWN - 1] + '…'}”"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last word on one occasion."""

    customer_id: int
    at: datetime
    scenario: str
    step: str
    occasion: str
    verdict: str
    detail: str | None

    @property
    def gate(self) -> str:
        """What held it back; what waits for the morning is `quiet_hours`."""
        return "quiet_hours" if self.verdict == "deferred" else self.verdict


class Comparing:
    """Compares at each entry what has happened since the one before."""

    def __init__(self, test: ScenarioTest, people: People, post: Post, cards: Cards, links: Links) -> None:
        self.test, self.people, self.post, self.cards, self.links = test, people, post, cards, links
        self._before: set[Verdict] = set()

    def compare(self, connection: Connection, index: int, entry: Entry, at: datetime) -> list[Mismatch]:
        """Everything that is not as expected."""
        got, verdicts = self.heard(connection), self.fresh(connection)
        self._before |= verdicts
        expect = entry.expect or {}
        found: list[Mismatch] = []
        for name, expected in expect.items():
            one = _One(self, name, expected, got.get(name, []), self.of(verdicts, name), index)
            found += one.mismatches(connection, at)
        for name in sorted(set(got) - set(expect)):
            said = "; ".join(map(str, got[name]))
            found.append(Mismatch(self.test.place(index), name, "nothing: not listed here", said))
        moment = f"{entry.at:%Y-%m-%d %H:%M}"
        return [Mismatch(it.place, it.customer, it.expected, it.got, moment) for it in found]

    def heard(self, connection: Connection) -> dict[str, list[Said]]:
        """What left since it was last asked, by customer."""
        said, self.post.said[:] = list(self.post.said), []
        found: dict[str, list[Said]] = defaultdict(list)
        for channel, outgoing in said:
            row = connection.execute(select(MESSAGE).where(MESSAGE.c.id == _number(outgoing))).one()
            who = self.people.name_of(outgoing.key.partition(".")[2].rpartition(".")[0])
            found[who].append(Said(channel, row.scenario, row.message, row.locale, outgoing.parts))
        return dict(found)

    def fresh(self, connection: Connection) -> set[Verdict]:
        """Verdicts that were not there at the entry before."""
        said = verdicts().c
        columns = (
            said.customer_id,
            said.at,
            said.scenario,
            said.step,
            said.occasion,
            said.verdict,
            said.detail,
        )
        return {Verdict(*row) for row in connection.execute(select(*columns))} - self._before

    def of(self, verdicts: set[Verdict], name: str) -> list[Verdict]:
        """One customer's, the newest first."""
        mine = [it for it in verdicts if it.customer_id == self.people.ids.get(name)]
        return sorted(mine, key=lambda it: (it.at, it.scenario, it.step, it.occasion), reverse=True)


@dataclass
class _One:
    """One customer at one entry."""

    comparing: Comparing
    name: str
    expected: Expected
    got: Sequence[Said]
    verdicts: Sequence[Verdict]
    index: int

    def mismatches(self, connection: Connection, at: datetime) -> Iterator[Mismatch]:
        """Messages and gates, the card, what stands in the books."""
        if self.name not in self.comparing.people.ids:
            yield self._not(_wanted(self.expected), "nobody: has not registered yet")
            return
        if not self._messages_match() or not self._outcome_matches():
            yield self._not(_wanted(self.expected), self._described())
        yield from self._gates()
        yield from self._card(connection, at)
        yield from self._books(connection, at)

    def _not(self, expected: str, got: str, *path: str) -> Mismatch:
        return Mismatch(self.comparing.test.place(self.index, self.name, *path), self.name, expected, got)

    # --- what was said

    def _messages_match(self) -> bool:
        by_channel: dict[str, list[Said]] = defaultdict(list)
        for said in self.got:
            by_channel[said.channel].append(said)
        if set(by_channel) != set(self.expected.messages):
            return False
        return all(
            len(by_channel[channel]) == len(wanted)
            and all(matches(one, said) for one, said in zip(wanted, by_channel[channel], strict=True))
            for channel, wanted in self.expected.messages.items()
        )

    def _outcome_matches(self) -> bool:
        outcome = self.expected.outcome
        return outcome in (None, NOTHING) or self._last() == outcome

    def _last(self, scenario: str | None = None) -> str | None:
        mine = (it for it in self.verdicts if scenario in (None, it.scenario))
        newest = next(mine, None)
        return newest.gate if newest else None

    def _described(self) -> str:
        if self.got:
            return "; ".join(map(str, self.got))
        newest = self.verdicts[0] if self.verdicts else None
        if newest is None:
            return NOTHING
        if newest.gate in ("sent", "planned"):
            return NOTHING
        # `sms: no_consent` of a step that has one channel says nothing more.
        more = newest.detail if newest.detail and not newest.detail.endswith(f": {newest.gate}") else None
        return f"nothing ({newest.gate}{f': {more}' if more else ''})"

    def _gates(self) -> Iterator[Mismatch]:
        for scenario, wanted in self.expected.gate.items():
            got = self._last(scenario)
            if (NOTHING if got is None else got) != wanted:
                yield self._not(f"{scenario}: {wanted}", f"{scenario}: {got or NOTHING}", "gate", scenario)
        if not self.expected.gates:
            return
        newest = self.verdicts[0] if self.verdicts else None
        channels = dict(CHANNEL.findall(newest.detail or "")) if newest else {}
        for channel, wanted in self.expected.gates.items():
            # A step of one channel says it once, for the whole.
            got = channels.get(channel) or (newest.gate if newest and not channels else NOTHING)
            if got != wanted:
                yield self._not(f"{channel}: {wanted}", f"{channel}: {got}", "gates", channel)

    # --- what stands afterwards

    def _card(self, connection: Connection, at: datetime) -> Iterator[Mismatch]:
        if self.expected.card is None:
            return
        path = self.comparing.test.path(self.index, self.name, "card")
        face = self.comparing.cards.face(connection, self.name, at, path)
        shown = {field.key: field.value for field in (*face.front, *face.back)}
        for key, wanted in self.expected.card.items():
            got = shown.get(key)
            if got is None or not says(wanted, got):
                value = f"“{plain(got)}”" if got is not None else "not shown"
                yield self._not(f"card.{key}: {_wording(wanted)}", f"card.{key}: {value}", "card", key)

    def _books(self, connection: Connection, at: datetime) -> Iterator[Mismatch]:
        people = self.comparing.people
        customer_id = people.ids[self.name]
        if self.expected.balance is not None:
            found = contexts(connection, people.program, [customer_id], at, self.comparing.links)
            balance = found[customer_id]["balance"]
            if balance != self.expected.balance:
                yield self._not(f"balance: {self.expected.balance}", f"balance: {balance}", "balance")
        if self.expected.tier is not None:
            tier: Any = connection.scalar(select(CUSTOMER.c.tier).where(CUSTOMER.c.id == customer_id))
            if tier != self.expected.tier:
                yield self._not(f"tier: {self.expected.tier}", f"tier: {tier}", "tier")


def matches(wanted: Message, said: Said) -> bool:
    """Whether a message is as expected."""
    whole = wanted.is_ is None or plain(wanted.is_) == said.text
    part = wanted.has is None or plain(wanted.has) in said.text
    parts = all(
        says(asked, said.part(name))
        for name in ("subject", "preheader", "title", "body")
        if (asked := getattr(wanted, name)) is not None
    )
    about = all(
        getattr(wanted, name) in (None, getattr(said, name)) for name in ("locale", "message", "scenario")
    )
    return whole and part and parts and about


def says(wanted: str | Exactly, text: str) -> bool:
    """A part of it, or the whole."""
    if isinstance(wanted, Exactly):
        return plain(wanted.is_) == plain(text)
    return plain(wanted) in plain(text)


def plain(text: str) -> str:
    """In one line, with ordinary blanks."""
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())


def _wording(wanted: str | Exactly) -> str:
    return f"is “{wanted.is_}”" if isinstance(wanted, Exactly) else f"“{wanted}”"


def _wanted(expected: Expected) -> str:
    if expected.messages:
        return "; ".join(f"{channel}: {one}" for channel, many in expected.messages.items() for one in many)
    return expected.outcome or NOTHING


def _number(outgoing: Outgoing) -> int:
    """The row of a message, from its key."""
    return int(outgoing.key.rpartition(".")[2])
