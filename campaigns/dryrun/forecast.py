"""What a dry run says: the forecast of one scenario, and what became of single customers in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from campaigns.dryrun.hours import Spread
from channels import Outgoing
from templates.library import Rendered
from templates.sms import segments

SENDS = ("planned", "deferred")
# Of the reasons of one gate so many are named; the others are summed up.
REASONS_NAMED = 12


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact on which a verdict rests: a plain sentence, and the same as values for programs.

    `about` is the gate, or what else is told: `occasion`, `lots`, `consent`, `address`, `variant`, `place`.
    """

    about: str
    said: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As it stands in the documented JSON."""
        return {"about": self.about, "said": self.said, **self.values}


@dataclass(frozen=True, slots=True)
class Sample:
    """One candidate with the verdict on them and what it rests on, and their message if there is one.

    `meaning` is the occasion in words. `problem` says why the message could not be rendered.
    """

    customer: str
    occasion: str
    step: str
    verdict: str
    reason: str | None
    detail: str | None
    channel: str | None = None
    due_at: datetime | None = None
    rendered: Rendered | None = None
    outgoing: Outgoing | None = None
    wanted: str | None = None
    name: str | None = None
    time_zone: str | None = None
    meaning: str = ""
    message: str | None = None
    evidence: Sequence[Evidence] = ()
    cost: Decimal | None = None
    problem: str | None = None

    @property
    def text(self) -> str | None:
        """What a person reads of it."""
        parts = self.rendered.parts if self.rendered else {}
        return parts.get("text") or parts.get("body")

    @property
    def segments(self) -> int | None:
        """How many segments an SMS takes; None for other channels."""
        if self.channel != "sms" or self.rendered is None:
            return None
        return segments(self.rendered.parts.get("text", "")).count

    def as_json(self) -> dict[str, Any]:
        """As the documented interface of `dry-run --format json` has it."""
        found: dict[str, Any] = {
            "customer": self.customer, "occasion": self.occasion, "meaning": self.meaning, "step": self.step,
            "channel": self.channel, "verdict": self.verdict, "reason": self.reason, "detail": self.detail,
            "message": self.message, "text": self.text, "segments": self.segments,
            "cost": str(self.cost) if self.cost is not None else None, "problem": self.problem,
        }  # fmt: skip
        if self.rendered:
            parts = self.rendered.parts
            found |= {
                "locale": self.rendered.locale, "subject": parts.get("subject"), "title": parts.get("title"),
            }  # fmt: skip
        if self.due_at and self.verdict == "deferred":
            found["due_at"] = self.due_at.isoformat()
        found["evidence"] = [it.as_json() for it in self.evidence] or None
        return {key: value for key, value in found.items() if value is not None}


@dataclass(slots=True)
class Tariff:
    """What one channel costs in one country; `price` of a segment (of a message where there are none)."""

    channel: str
    country: str
    price: Decimal
    messages: int = 0
    segments: int = 0
    amount: Decimal = Decimal(0)

    def as_json(self) -> dict[str, Any]:
        """Amounts are decimals in whole units of the program's currency."""
        return {
            "channel": self.channel, "country": self.country, "messages": self.messages,
            "segments": self.segments, "price": str(self.price), "amount": str(self.amount),
        }  # fmt: skip


@dataclass(slots=True)
class Stage:
    """The funnel of one step."""

    step: str
    candidates: int = 0
    gates: Counter[str] = field(default_factory=Counter)
    send: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The same names as in the whole forecast."""
        return {
            "step": self.step, "candidates": self.candidates, "gates": dict(sorted(self.gates.items())),
            "send": dict(sorted(self.send.items())),
        }  # fmt: skip


@dataclass(slots=True)
class Forecast:
    """What one scenario would do at a time.

    `displaces` waiting messages of other scenarios give way, `displaced` says whose. `reasons`: gate → its
    detail → how many. `stages` has the first step last: later ones are looked at before it. `gallery` holds a
    message of each step, channel and language, if it was asked for. `absent` says why a customer who was
    asked for is not among the candidates.
    """

    scenario: str
    version: int
    at: datetime
    currency: str
    about: str = ""
    candidates: int = 0
    gates: Counter[str] = field(default_factory=Counter)
    send: Counter[str] = field(default_factory=Counter)
    deferred: int = 0
    displaces: int = 0
    cost: Decimal = Decimal(0)
    estimated: bool = False
    fallbacks: Counter[str] = field(default_factory=Counter)
    guard: int | None = None
    samples: list[Sample] = field(default_factory=list)
    displaced: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    tariffs: list[Tariff] = field(default_factory=list)
    segments: Counter[str] = field(default_factory=Counter)
    spread: Spread = field(default_factory=Spread)
    stages: list[Stage] = field(default_factory=list)
    gallery: list[Sample] = field(default_factory=list)
    absent: list[Evidence] = field(default_factory=list)

    @property
    def sends(self) -> int:
        """How many messages would leave, now or later."""
        return sum(self.send.values())

    def as_json(self) -> dict[str, Any]:
        """The documented interface; docs/dry-run.md tells each name."""
        return {
            "scenario": self.scenario, "version": self.version, "at": self.at.isoformat(),
            "candidates": self.candidates, "gates": dict(sorted(self.gates.items())),
            "reasons": {gate: _named(found) for gate, found in sorted(self.reasons.items())},
            "steps": [stage.as_json() for stage in self.stages],
            "send": dict(sorted(self.send.items())), "deferred": self.deferred, "displaces": self.displaces,
            "displaced": dict(sorted(self.displaced.items())),
            "cost": {"amount": str(self.cost), "currency": self.currency, "estimated": self.estimated},
            "tariffs": [line.as_json() for line in self.tariffs],
            "segments": dict(sorted(self.segments.items())), "hours": self.spread.as_json(),
            "locale_fallback": dict(sorted(self.fallbacks.items())),
            "guard": {"max_per_look": self.guard} if self.guard else None,
            "absent": [it.as_json() for it in self.absent],
            "samples": [sample.as_json() for sample in self.samples],
        }  # fmt: skip


def _named(found: Counter[str]) -> dict[str, int]:
    """The most frequent reasons by name, the others as one."""
    order = sorted(found.items(), key=lambda it: (-it[1], it[0]))
    named = dict(order[:REASONS_NAMED])
    if rest := sum(count for _, count in order[REASONS_NAMED:]):
        named["others"] = rest
    return named
