"""What a replay found: messages by day and channel, messages by customer, what became of each occasion."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

CENT = Decimal("0.01")


@dataclass(slots=True)
class Day:
    """One day of the program's calendar: messages by channel, and what they cost."""

    day: date
    sent: Counter[str] = field(default_factory=Counter)
    cost: Decimal = Decimal(0)

    @property
    def messages(self) -> int:
        """All channels."""
        return sum(self.sent.values())


@dataclass(slots=True)
class Arm:
    """Enrolments whose time for the goal is over, and how many of them met it."""

    enrolled: int = 0
    reached: int = 0

    @property
    def rate(self) -> Decimal | None:
        """A fraction; None for nobody."""
        return (Decimal(self.reached) / self.enrolled).quantize(Decimal("0.0001")) if self.enrolled else None


@dataclass(slots=True)
class GoalReached:
    """The goal of the scenario. `waiting` are enrolments whose time was not over on the last day.

    What was replayed was never sent: both arms show what customers do anyway.
    """

    within: str
    treatment: Arm = field(default_factory=Arm)
    holdout: Arm = field(default_factory=Arm)
    waiting: int = 0


@dataclass(slots=True)
class Backtest:
    """The replay of one scenario. `verdicts` counts occasions by step and by the last word on them."""

    scenario: str
    version: int
    first: date
    last: date
    currency: str
    customers: int
    of_customers: int
    looks: int = 0
    days: list[Day] = field(default_factory=list)
    per_customer: Counter[int] = field(default_factory=Counter)
    enrolled: int = 0
    held_out: int = 0
    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    estimated: bool = False
    goal: GoalReached | None = None
    guarded: list[tuple[date, int]] = field(default_factory=list)
    notes: Sequence[str] = ()

    @property
    def sent(self) -> Counter[str]:
        """Messages of all days by channel."""
        return sum((day.sent for day in self.days), Counter())

    @property
    def messages(self) -> int:
        """Messages of all days and channels."""
        return sum(day.messages for day in self.days)

    @property
    def cost(self) -> Decimal:
        """In the program's currency."""
        return sum((day.cost for day in self.days), Decimal(0))

    @property
    def gates(self) -> Counter[str]:
        """Occasions by what held them back, over all steps."""
        words = sum(self.verdicts.values(), Counter())
        return Counter({word: count for word, count in words.items() if word != "sent"})

    def as_json(self) -> dict[str, Any]:
        """The documented interface; the same replay gives the same bytes on both databases."""
        return {
            "scenario": self.scenario, "version": self.version,
            "from": self.first.isoformat(), "to": self.last.isoformat(),
            "customers": {"replayed": self.customers, "of": self.of_customers}, "looks": self.looks,
            "messages": self.messages, "send": dict(sorted(self.sent.items())),
            "cost": self._cost(self.cost),
            "days": [
                {"day": it.day.isoformat(), "messages": it.messages, "send": dict(sorted(it.sent.items())),
                 "cost": str(it.cost.quantize(CENT))}
                for it in self.days
            ],
            "messages_per_customer": {str(it): self.per_customer[it] for it in sorted(self.per_customer)},
            "enrolled": self.enrolled, "held_out": self.held_out,
            "gates": {step: dict(sorted(words.items())) for step, words in self.verdicts.items()},
            "goal": self._goal(),
            "guard": [{"day": day.isoformat(), "would_enrol": count} for day, count in self.guarded],
            "notes": list(self.notes),
        }  # fmt: skip

    def _cost(self, amount: Decimal) -> dict[str, Any]:
        return {"amount": str(amount.quantize(CENT)), "currency": self.currency, "estimated": self.estimated}

    def _goal(self) -> dict[str, Any] | None:
        if self.goal is None:
            return None

        def arm(it: Arm) -> dict[str, Any]:
            rate = str(it.rate) if it.rate is not None else None
            return {"enrolled": it.enrolled, "reached": it.reached, "rate": rate}

        return {
            "purchase_within": self.goal.within, "treatment": arm(self.goal.treatment),
            "holdout": arm(self.goal.holdout), "waiting": self.goal.waiting,
        }  # fmt: skip


def calendar(first: date, last: date) -> list[Day]:
    """Every day of a replay, the last one among them."""
    return [Day(first + timedelta(days=number)) for number in range((last - first).days + 1)]
