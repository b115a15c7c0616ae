"""The results of a scenario over some days, as the command line and programs ask for them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from campaigns.gone import COUNTED, missing
from campaigns.results.effect import HELD_OUT, Arm, Effect, effect, effect_of_all
from campaigns.results.entered import ENROLMENT, Entered
from campaigns.results.funnel import Told, silent, told
from campaigns.results.intervals import Interval
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.versions import STATE, VERSION, Stored
from core.customers.consent import MARKETING
from core.db import json_string
from core.db.members import member
from core.errors import UserError
from core.explain import suggest
from core.program import Program
from core.units import Duration, first_moment

# Where a scenario has no goal, what people usually ask.
WITHIN = Duration(days=14)


@dataclass(slots=True)
class ScenarioResults:
    """What came of who entered from `first` to `last`, as it stood at `at`.

    `status` is the scenario's: active, paused, held or removed. `goal` is the time of its goal, `within` the
    one that was measured by. `silent` counts, by gate, what came to no message in these days.
    """

    scenario: str
    status: str
    version: int
    purpose: str
    first: date
    last: date
    at: datetime
    currency: str
    entered: int
    held_out: int
    steps: Sequence[Told]
    silent: Counter[str]
    within: Duration
    goal: Duration | None
    effect: Effect
    money_scale: int
    notes: Sequence[str] = ()

    @property
    def cost(self) -> Decimal | None:
        """Of all messages, in the program's currency; None if no price is known of any."""
        known = [it.cost for it in self.steps if it.cost is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def sent(self) -> int:
        """Messages that a provider took over."""
        return sum(it.sent for it in self.steps)

    def reported(self, kind: str) -> int:
        """Messages of which it was reported: opened, clicked, bounced, complained, stopped."""
        return sum(it.reports[kind] for it in self.steps)

    @property
    def extra(self) -> Interval | None:
        """What all who could be told spent more than if they had been held out, in minor units."""
        more = self.effect.spent_more
        return more.times(self.effect.treatment.customers) if more else None

    @property
    def returned(self) -> float | None:
        """What came back for each unit of money that the messages cost; None while it may be chance."""
        if self.extra is None or not self.extra.is_sure or not self.cost:
            return None
        spent: float = self.extra.value / 10**self.money_scale
        # The gain is that of customers whose time is over, so their part of the cost stands against it.
        over = self.effect.treatment.customers
        return spent / (float(self.cost) * over / (over + self.effect.waiting))

    def money(self, minor: float) -> str:
        """An amount in minor units, as programs read it."""
        return _Amounts(self.money_scale).money(minor)

    def as_json(self) -> dict[str, Any]:
        """The documented interface: rates are fractions, amounts texts in whole money, intervals 95 %."""
        found, show = self.effect, _Amounts(self.money_scale)
        return {
            "scenario": self.scenario, "status": self.status, "version": self.version,
            "purpose": self.purpose,
            "from": self.first.isoformat(), "to": self.last.isoformat(), "at": self.at.isoformat(),
            "entered": self.entered, "held_out": self.held_out,
            "steps": [_told(it, self.currency) for it in self.steps],
            "silent": dict(sorted(self.silent.items())),
            "cost": _cost(self.cost, self.currency),
            "goal": {"purchase_within": str(self.within), "of_the_scenario": self.within == self.goal},
            "treatment": show.arm(found.treatment), "holdout": show.arm(found.holdout),
            "held_out_of_all_marketing": found.held_out_of_all,
            "waiting": {"treatment": found.waiting, "holdout": found.held_waiting},
            "variants": [
                {"step": step, "message": message, **show.arm(arm)}
                for (step, message), arm in sorted(found.variants.items())
            ],
            "uplift": {
                "rate": _interval(found.uplift, sure=True), "spent_each": show.interval(found.spent_more),
                "spent": show.interval(self.extra), "currency": self.currency, "confidence": 0.95,
            },
            "return": None if self.returned is None else round(self.returned, 2),
            "notes": list(self.notes),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Amounts:
    """How programs read amounts: texts in whole money."""

    scale: int

    def money(self, minor: float) -> str:
        return f"{minor / 10**self.scale:.{self.scale}f}"

    def arm(self, arm: Arm) -> dict[str, Any]:
        mean = arm.spent.mean
        return {
            "customers": arm.customers, "bought": arm.bought, "rate": _interval(arm.rate),
            "spent_each": None if mean is None else self.money(mean),
        }  # fmt: skip

    def interval(self, found: Interval | None) -> dict[str, Any] | None:
        if found is None:
            return None
        said = {name: self.money(getattr(found, name)) for name in ("value", "low", "high")}
        return said | {"is_sure": found.is_sure}


def _told(it: Told, currency: str) -> dict[str, Any]:
    return {
        "step": it.step, "message": it.message, "planned": it.planned, "waiting": it.waiting, "sent": it.sent,
        "channels": dict(sorted(it.channels.items())), "delivered": it.delivered, "unknown": it.unknown,
        "not_sent": dict(sorted(it.lost.items())), "reports": dict(sorted(it.reports.items())),
        "cost": _cost(it.cost, currency),
    }  # fmt: skip


def _cost(amount: Decimal | None, currency: str) -> dict[str, str] | None:
    return None if amount is None else {"amount": f"{amount:.2f}", "currency": currency}


def _interval(found: Interval | None, *, sure: bool = False) -> dict[str, Any] | None:
    if found is None:
        return None
    said = {name: round(getattr(found, name), 4) for name in ("value", "low", "high")}
    return said | ({"is_sure": found.is_sure} if sure else {})


@dataclass(frozen=True, slots=True)
class AllMarketing:
    """What all marketing changed: from a customer's first entry in these days to `at`.

    In its holdout are those whom the whole program holds out.
    """

    first: date
    last: date
    at: datetime
    currency: str
    money_scale: int
    effect: Effect

    def as_json(self) -> dict[str, Any]:
        """As of a scenario."""
        found, show = self.effect, _Amounts(self.money_scale)
        return {
            "treatment": show.arm(found.treatment), "holdout": show.arm(found.holdout),
            "uplift": {
                "rate": _interval(found.uplift, sure=True), "spent_each": show.interval(found.spent_more),
                "currency": self.currency, "confidence": 0.95,
            },
        }  # fmt: skip


def known_names(connection: Connection) -> list[str]:
    """Every scenario that was ever live, under its last name."""
    return list(connection.scalars(select(STATE.c.name).order_by(STATE.c.name)))


def results_of(
    connection: Connection, running: Running, name: str, first: date, last: date, now: datetime,
    within: Duration | None = None,
) -> ScenarioResults:  # fmt: skip
    """What came of a scenario that is or was live; UserError for another name, or days the wrong way round.

    `first` and `last` are days of the program's calendar. `within` replaces the time of the goal.
    """
    state = connection.execute(select(STATE).where(STATE.c.name == name)).first()
    if state is None:
        raise UserError(f"no scenario '{name}' was ever live; {suggest(name, known_names(connection))}")
    scenario, program = _as_it_is(connection, running, name), running.program
    entered = _entered(program, [name], first, last)
    goal = scenario.goal.purchase.within if scenario.goal else None
    time_given = within or goal or WITHIN
    steps = told(connection, entered)
    texts = Counter(it.step for it in steps)
    arms = _arms(connection, entered)
    return ScenarioResults(
        scenario=name, status=state.status, version=running.version, purpose=scenario.purpose,
        first=first, last=last, at=now, currency=program.currency, entered=sum(arms.values()),
        held_out=arms[HELD_OUT], steps=steps, silent=silent(connection, entered), within=time_given,
        goal=goal, money_scale=program.money_scale,
        effect=effect(
            connection, program, entered, lambda at: time_given.after(at, program.zone), now,
            drawn=[step for step, count in texts.items() if count > 1],
        ),
        notes=missing(connection, entered.since, COUNTED),
    )  # fmt: skip


def results_of_all(
    connection: Connection, running: Running, first: date, last: date, now: datetime
) -> AllMarketing | None:
    """What came of all marketing that is live; None where the program holds nobody out of it."""
    program = running.program
    if not program.holdout:
        return None
    marketing = [it.name for it in running.scenarios.values() if it.purpose == MARKETING]
    entered = _entered(program, marketing, first, last)
    found = effect_of_all(connection, program, entered, now)
    return AllMarketing(first, last, now, program.currency, program.money_scale, found)


def _entered(program: Program, names: Sequence[str], first: date, last: date) -> Entered:
    if last < first:
        raise UserError(f"--to {last} is before --from {first}; write them in order")
    try:
        since, until = (first_moment(day, program.zone) for day in (first, last + timedelta(days=1)))
    except (ValueError, OverflowError) as error:
        raise UserError(f"from {first} to {last}: {error}; write days like 2026-03-01") from None
    return Entered(names, since, until)


def _as_it_is(connection: Connection, running: Running, name: str) -> Scenario:
    """The scenario as it is live, or as it was when it was last."""
    if name in running.scenarios:
        return running.scenarios[name]
    # Of all versions there ever were no files are read but those of one.
    file = json_string(VERSION.c.files, member(VERSION.c.files, f"scenarios/{name}.yaml"))
    last = connection.scalars(select(func.max(VERSION.c.version)).where(file.is_not(None))).one()
    return Stored(connection, running).of(last).scenarios[name]


def _arms(connection: Connection, entered: Entered) -> Counter[str]:
    counted = select(ENROLMENT.c.arm, func.count()).where(entered.where).group_by(ENROLMENT.c.arm)
    return Counter({arm: int(count) for arm, count in connection.execute(counted)})
