"""The dry run: the real run without its last line.

The same trigger, the same gates, the same staging tables, over a read snapshot; then everything is shown
and nothing is kept (promise 5).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from campaigns.commit import passing, verdict
from campaigns.gates import Step, forget
from campaigns.look import Span, rehearsal, zones_of
from campaigns.past import standing_at
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.staging import CANDIDATE
from campaigns.versions import Stored, live_version
from channels import Outgoing
from channels.base import Channel
from core.links import Links
from core.tables import Customer
from templates.facts import contexts, with_trigger
from templates.library import Rendered
from triggers import discover

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
# Above this many paid messages the cost is reckoned from as many of them, and said to be an estimate.
PRICED = 2_000
SENDS = ("planned", "deferred")


@dataclass(frozen=True, slots=True)
class Sample:
    """One candidate with the verdict on them, and their message if there is one."""

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

    def as_json(self) -> dict[str, Any]:
        """As the documented interface of `dry-run --format json` has it."""
        parts = dict(self.rendered.parts) if self.rendered else {}
        text = parts.get("text") or parts.get("body")
        found: dict[str, Any] = {
            "customer": self.customer, "occasion": self.occasion, "step": self.step, "channel": self.channel,
            "verdict": self.verdict, "reason": self.reason, "detail": self.detail, "text": text,
        }  # fmt: skip
        if self.rendered:
            found |= {
                "locale": self.rendered.locale,
                "subject": parts.get("subject"),
                "title": parts.get("title"),
            }
        if self.due_at and self.verdict == "deferred":
            found["due_at"] = self.due_at.isoformat()
        return {key: value for key, value in found.items() if value is not None}


@dataclass(slots=True)
class Forecast:
    """What one scenario would do at a time."""

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

    def as_json(self) -> dict[str, Any]:
        """The documented interface."""
        return {
            "scenario": self.scenario, "version": self.version, "at": self.at.isoformat(),
            "candidates": self.candidates, "gates": dict(sorted(self.gates.items())),
            "send": dict(sorted(self.send.items())), "deferred": self.deferred, "displaces": self.displaces,
            "cost": {"amount": str(self.cost), "currency": self.currency, "estimated": self.estimated},
            "locale_fallback": dict(sorted(self.fallbacks.items())),
            "guard": {"max_per_look": self.guard} if self.guard else None,
            "samples": [sample.as_json() for sample in self.samples],
        }  # fmt: skip


class DryRun:
    """Dry runs over one snapshot. `customer` narrows the samples to one person; `sample` says how many."""

    def __init__(
        self, connection: Connection, running: Running, channels: Mapping[str, Channel[Any, Any, Any]],
        links: Links, at: datetime, *, sample: int = 3, customer: str | None = None,
    ) -> None:  # fmt: skip
        self.connection, self.running, self.channels = connection, running, channels
        self.links, self.at, self.sample, self.customer = links, at, sample, customer
        self._looker = rehearsal(connection, running)
        self._bundles = Stored(connection, running)
        self._rehearsed: set[str] = set()

    def run(self, scenario: Scenario) -> Forecast:
        """What the scenario would do: later steps whose wait is over, and its first one.

        A live look comes after those of higher priority, which use up allowances: they are rehearsed too.
        """
        self._rehearse_before(scenario)
        version = self.running.version or live_version(self.connection)
        forecast = Forecast(scenario.name, version, self.at, self.running.program.currency, scenario.about)
        for step, guarded in self._look(scenario):
            self._count(step, forecast)
            if guarded:
                forecast.guard = self.running.program.max_per_look
            self._price(step, forecast)
            forecast.samples += self._samples(step)
        return forecast

    def _rehearse_before(self, scenario: Scenario) -> None:
        order = [it.name for it in self.running.by_priority]
        before = order[: order.index(scenario.name)]
        if not self._rehearsed <= set(before):
            self._rehearsed.clear()
            self._looker = rehearsal(self.connection, self.running)
        for name in before:
            if name not in self._rehearsed:
                for _ in self._look(self.running.scenarios[name]):
                    pass

    def _look(self, scenario: Scenario) -> Iterator[tuple[Step, bool]]:
        """Each step while it is staged, and whether the blast guard would stop it."""
        self._rehearsed.add(scenario.name)
        standing = standing_at(self.connection, scenario, self.at)
        span = Span(self.at, standing.since, standing.after, standing.upto)
        zones = zones_of(self.connection, self.running.program, scenario, span)
        due = standing.runs and any(zone.fired_at for zone in zones)
        if not due:
            # Nothing strikes now: it is shown what a look at this time would say, everywhere.
            zones = zones_of(self.connection, self.running.program, scenario, span, everywhere=True)
        yield from ((step, False) for step in self._looker.later(scenario, span, zones, self._bundles))
        step = self._looker.enter(scenario, span, zones)
        guarded = passing(step) > max(self.running.program.max_per_look, standing.allowed)
        yield step, guarded
        if guarded or not due:
            forget(step)

    def _count(self, step: Step, forecast: Forecast) -> None:
        said = verdict(step).label("said")
        displaced = func.count(CANDIDATE.c.victim_id)
        counted = select(said, CANDIDATE.c.channel, func.count(), displaced).group_by(
            said, CANDIDATE.c.channel
        )
        for name, channel, count, victims in self.connection.execute(counted):
            forecast.candidates += count
            if name not in SENDS:
                forecast.gates[name] += count
                continue
            forecast.send[channel] += count
            forecast.deferred += count if name == "deferred" else 0
            forecast.displaces += victims
        wanted = select(CANDIDATE.c.message, CANDIDATE.c.channel, CUSTOMER.c.locale, func.count())
        wanted = wanted.join(CUSTOMER, CUSTOMER.c.id == CANDIDATE.c.customer_id).where(
            CANDIDATE.c.gate.is_(None)
        )
        grouped = wanted.group_by(CANDIDATE.c.message, CANDIDATE.c.channel, CUSTOMER.c.locale)
        for message, channel, locale, count in self.connection.execute(grouped):
            used = self.running.library.has(message, channel, locale)
            if locale and used and locale.replace("_", "-").split("-")[0] != used.split("-")[0]:
                forecast.fallbacks[f"{locale} → {used}"] += count

    def _rows(self, step: Step, limit: int, *, sends: bool, paid: Sequence[str] = ()) -> Sequence[Any]:
        statement = (
            select(CANDIDATE, CUSTOMER.c.external_id, CUSTOMER.c.locale, verdict(step).label("said"))
            .join(CUSTOMER, CUSTOMER.c.id == CANDIDATE.c.customer_id)
            .order_by(CANDIDATE.c.id)
            .limit(limit)
        )
        if sends:
            statement = statement.where(CANDIDATE.c.gate.is_(None))
        if paid:
            statement = statement.where(CANDIDATE.c.channel.in_(paid))
        if self.customer:
            statement = statement.where(CUSTOMER.c.external_id == self.customer)
        return self.connection.execute(statement).all()

    def _price(self, step: Step, forecast: Forecast) -> None:
        paid = [name for name in ("sms",) if name in step.step.send]
        if not paid or self.customer:
            return
        rows = self._rows(step, PRICED, sends=True, paid=paid)
        costs = [self._cost(outgoing) for _, _, outgoing in self._render(step, rows)]
        whole = (
            select(func.count())
            .select_from(CANDIDATE)
            .where(CANDIDATE.c.gate.is_(None), CANDIDATE.c.channel.in_(paid))
        )
        count = self.connection.scalar(whole) or 0
        if count > len(rows):
            forecast.estimated = True
        forecast.cost += sum(costs, Decimal(0)) * count / max(1, len(rows))
        forecast.cost = forecast.cost.quantize(Decimal("0.01"))

    def _cost(self, outgoing: Outgoing | None) -> Decimal:
        if outgoing is None:
            return Decimal(0)
        return self.channels["sms"].cost(outgoing) or Decimal(0)

    def _samples(self, step: Step) -> list[Sample]:
        sends = self._rows(step, self.sample, sends=not self.customer)
        return [
            self._sample(step, row, rendered, outgoing)
            for row, rendered, outgoing in self._render(step, sends)
        ]

    def _sample(self, step: Step, row: Any, rendered: Rendered | None, outgoing: Outgoing | None) -> Sample:
        deferred = row.said == "deferred"
        return Sample(
            row.external_id, row.occasion, step.step.id, row.said if row.said in SENDS else "held_back",
            row.gate or ("quiet_hours" if deferred else None), row.detail, row.channel, row.due_at,
            rendered, outgoing, row.locale,
        )  # fmt: skip

    def _render(
        self, step: Step, rows: Sequence[Any]
    ) -> Iterator[tuple[Any, Rendered | None, Outgoing | None]]:
        program = self.running.program
        trigger = discover()[step.scenario.trigger]
        ids = [row.customer_id for row in rows]
        found = contexts(self.connection, program, ids, self.at, self.links) if ids else {}
        for row in rows:
            if row.gate is not None:
                yield row, None, None
                continue
            context = with_trigger(found[row.customer_id], trigger.read(row.facts, program, self.at))
            rendered = self.running.library.render(row.message, row.channel, row.locale, context)
            yield row, rendered, self._outgoing(step, row, rendered, context)

    def _outgoing(self, step: Step, row: Any, rendered: Rendered, context: Mapping[str, Any]) -> Outgoing:
        customer = context["customer"]
        to = {"email": customer.email, "sms": customer.phone}.get(row.channel) or "device"
        return Outgoing(
            key=f"{step.scenario.name}.{row.external_id}.{step.step.id}", to=to, parts=rendered.parts,
            purpose=step.scenario.purpose, at=self.at, tag=step.scenario.name,
            unsubscribe_url=context["links"].unsubscribe if step.marketing else None,
        )  # fmt: skip
