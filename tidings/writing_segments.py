"""How a customer of a test comes to belong to a segment, and ceases to: for the first test of a scenario."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from campaigns.audience import And, Node, Not, Or, Segment, Test
from core.program import Program
from core.units import Duration

Act = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """What makes something so of a customer, and what ends it.

    `has` is what they have while it is so, `lacks` what they have while it is not; `comes` are the acts that
    lead from one to the other, `goes` those that lead back. `by_itself` tells that a day's passing is enough.
    """

    has: Mapping[str, Any] = field(default_factory=dict)
    lacks: Mapping[str, Any] = field(default_factory=dict)
    comes: tuple[Act, ...] = ()
    goes: tuple[Act, ...] = ()
    by_itself: bool = False

    def turned(self) -> "Way":
        """The same of what is not so."""
        return Way(self.lacks, self.has, self.goes, self.comes)


def ways(node: Node, segments: Mapping[str, Node], program: Program, at: datetime) -> list[Way]:
    """Every way that is known, the shortest first; `at` is the program's wall time at which one looks."""
    found = list(_Ways(segments, program, at).of(node))
    return sorted(found, key=lambda way: len(str(way)))


@dataclass(frozen=True, slots=True)
class _Ways:
    segments: Mapping[str, Node]
    program: Program
    at: datetime

    def of(self, node: Node) -> Iterator[Way]:
        if isinstance(node, Segment):
            if node.name in self.segments:
                yield from self.of(self.segments[node.name])
        elif isinstance(node, Not):
            yield from (way.turned() for way in self.of(node.part))
        elif isinstance(node, Or):
            for part in node.parts:
                yield from self.of(part)
        elif isinstance(node, And):
            yield from self._all(node)
        else:
            yield from self._test(node)

    def _all(self, node: And) -> Iterator[Way]:
        """What is asked for is brought about; what is excluded is let be, unless nothing else is asked."""
        asked = [part for part in node.parts if not isinstance(part, Not)] or node.parts
        for each in product(*(list(self.of(part)) for part in asked)):
            yield from _one_changes(each)

    def _test(self, test: Test) -> Iterator[Way]:
        name, _, attribute = test.field.partition(".")
        tell = getattr(self, f"_{name}", None)
        if name in ("city", "gender", "locale") and isinstance(test.value, tuple):
            yield _profile(name, test.value[0])
        elif name == "attributes" and test.op in ("one_of", "at_least", "more_than"):
            yield _attribute(attribute, _enough(test))
        elif tell is not None:
            yield from tell(test)

    # --- fields

    def _tier(self, test: Test) -> Iterator[Way]:
        names = self.program.tier_names
        value = test.value if isinstance(test.value, tuple) else (str(test.value),)
        place = names.index(str(value[0])) if value[0] in names else 0
        inside = {"at_least": names[place:], "at_most": names[: place + 1]}.get(
            test.op, [name for name in names if name in value]
        )
        outside = [name for name in names if name not in inside]
        if inside and outside:
            yes, no = {"tier": inside[-1]}, {"tier": outside[0]}
            yield Way(yes, no, (yes,), (no,))

    def _consent(self, test: Test) -> Iterator[Way]:
        if isinstance(test.value, tuple):
            channel = test.value[0]
            yield Way(comes=({"consent": channel},), goes=({"withdraw": channel},))

    def _balance(self, test: Test) -> Iterator[Way]:
        if test.op in ("at_least", "more_than"):
            amount = _enough(test)
            lot = {"amount": amount, "expires": f"{self.at + timedelta(days=200):%Y-%m-%d}"}
            yield Way({"bonuses": [lot]}, {"bonuses": []}, ({"accrue": lot},), ({"redeem": amount},))

    def _purchases(self, test: Test) -> Iterator[Way]:
        if test.op in ("at_least", "more_than"):
            yield self._buying(test, 100, int(_enough(test)))

    def _bought(self, test: Test) -> Iterator[Way]:
        if test.op in ("at_least", "more_than"):
            yield self._buying(test, 100, int(_enough(test)))

    def _spent(self, test: Test) -> Iterator[Way]:
        if test.op in ("at_least", "more_than"):
            yield self._buying(test, _enough(test), 1)

    def _first_purchase(self, test: Test) -> Iterator[Way]:
        if test.op == "within":
            yield self._buying(test, 100, 1)

    def _last_purchase(self, test: Test) -> Iterator[Way]:
        if test.op == "within":
            yield self._buying(test, 100, 1)
        elif isinstance(test.value, Duration):
            yield self._silent(test.value)

    def _buying(self, test: Test, total: Any, count: int) -> Way:
        """All purchases but the last were there; the last one makes it so, and its return ends it."""
        basket = _basket(test, total)
        before = [{"at": self._ago(number + 1), **basket} for number in reversed(range(count))]
        return Way(
            {"receipts": before},
            {"receipts": before[1:]},
            ({"purchase": total if basket == {"total": total} else basket},),
            (),
        )

    def _silent(self, span: Duration) -> Way:
        """So long without a purchase: it comes by itself, and a purchase ends it."""
        days = span.days + span.seconds / 86400
        last = self.at - timedelta(days=days, hours=12)
        receipts = [{"at": f"{last:%Y-%m-%d %H:%M}", "total": 100}]
        longer = [{"at": f"{last - timedelta(days=5):%Y-%m-%d %H:%M}", "total": 100}]
        return Way({"receipts": longer}, {"receipts": receipts}, (), ({"purchase": 100},), by_itself=True)

    def _ago(self, days: int) -> str:
        return f"{self.at - timedelta(days=days):%Y-%m-%d %H:%M}"


def _one_changes(each: tuple[Way, ...]) -> Iterator[Way]:
    """All of them so, but for one that comes or goes."""
    for place, moving in enumerate(each):
        others = [way for number, way in enumerate(each) if number != place]
        held = joined([way.has for way in others])
        yield Way(
            joined([held, moving.has]), joined([held, moving.lacks]), moving.comes, moving.goes,
            moving.by_itself,
        )  # fmt: skip


def joined(given: list[Mapping[str, Any]]) -> dict[str, Any]:
    """One customer who has all of it: lists are put together, of other things the last one holds."""
    found: dict[str, Any] = {}
    for each in given:
        for key, value in each.items():
            if isinstance(value, list):
                found[key] = [*found.get(key, []), *value]
            elif isinstance(value, dict):
                found[key] = {**found.get(key, {}), **value}
            else:
                found[key] = value
    return found


def _profile(name: str, value: Any) -> Way:
    return Way({name: value}, {}, ({"change": {name: value}},), ())


def _attribute(name: str, value: Any) -> Way:
    other = (not value) if isinstance(value, bool) else 0 if isinstance(value, (int, Decimal)) else "none"
    yes, no = {"attributes": {name: value}}, {"attributes": {name: other}}
    return Way(yes, no, ({"change": yes},), ({"change": no},))


def _enough(test: Test) -> Any:
    value = test.value[0] if isinstance(test.value, tuple) else test.value
    return value + 1 if test.op == "more_than" and isinstance(value, Decimal) else value


def _basket(test: Test, total: Any) -> dict[str, Any]:
    where = {key: names[0] for key, names in test.where}
    store = {"store": where.pop("store")} if "store" in where else {}
    return {"lines": [{"total": total, **where}], **store} if where else {"total": total, **store}
