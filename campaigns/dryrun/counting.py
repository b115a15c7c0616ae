"""Counting what the gates have said while the candidates are staged: a few grouped queries a step."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, literal, select

from campaigns.dryrun.forecast import Forecast, Stage
from campaigns.dryrun.hours import Batch, Plan
from campaigns.gates import Step
from campaigns.look import quiet_until, zone_info
from campaigns.staging import CANDIDATE
from campaigns.tables import Message
from channels.base import Channel
from core.customers.consent import MARKETING

MESSAGE = Message.__table__  # type: ignore[attr-defined]


def count(step: Step, forecast: Forecast, channels: Mapping[str, Channel[Any, Any, Any]]) -> Stage:
    """Add the step's candidates to the forecast; what was counted of this step."""
    stage = Stage(step.step.id)
    _held_back(step, forecast, stage)
    if _messages(step, forecast, stage, channels):
        _victims(step, forecast)
    if stage.candidates or not step.index:
        forecast.stages.append(stage)
    return stage


def _held_back(step: Step, forecast: Forecast, stage: Stage) -> None:
    groups = (CANDIDATE.c.gate, CANDIDATE.c.detail)
    held = select(*groups, func.count()).where(CANDIDATE.c.gate.is_not(None)).group_by(*groups)
    for gate, detail, number in step.connection.execute(held):
        stage.candidates += number
        forecast.candidates += number
        stage.gates[gate] += number
        forecast.gates[gate] += number
        if detail:
            forecast.reasons.setdefault(gate, Counter())[detail] += number


def _messages(
    step: Step, forecast: Forecast, stage: Stage, channels: Mapping[str, Channel[Any, Any, Any]]
) -> bool:
    """How many there are, in which languages, and when they leave; whether any displaces another."""
    # In one zone all are due at one time. Few columns: SQLite sorts all rows by them.
    several = len(step.step.choices) > 1
    words = CANDIDATE.c.message if several else literal(step.step.choices[0].message)
    groups = [CANDIDATE.c.channel, CANDIDATE.c.locale, CANDIDATE.c.zone, *([words] if several else [])]
    wanted = select(
        CANDIDATE.c.channel, words, CANDIDATE.c.locale, CANDIDATE.c.zone,
        func.min(CANDIDATE.c.due_at), func.min(CANDIDATE.c.at), func.count(),
        func.count(CANDIDATE.c.victim_id),
    ).where(CANDIDATE.c.gate.is_(None)).group_by(*groups)  # fmt: skip
    rows = step.connection.execute(wanted).all()
    for channel, message, locale, _, due_at, _, number, _ in rows:
        stage.candidates += number
        forecast.candidates += number
        stage.send[channel] += number
        forecast.send[channel] += number
        forecast.deferred += number if due_at > step.at else 0
        used = step.running.library.has(message, channel, locale)
        if locale and used and _language(locale) != _language(used):
            forecast.fallbacks[f"{locale} → {used}"] += number
    rates = {name: channel.config.rate for name, channel in channels.items()}
    forecast.spread.add(_batches(step, rows), rates, step.program.zone, _plans(step, channels))
    return any(victims for *_, victims in rows)


def _plans(step: Step, channels: Mapping[str, Channel[Any, Any, Any]]) -> Mapping[str, Plan]:
    """The plans of channels that are being warmed up: they hold marketing alone."""
    if step.scenario.purpose != MARKETING:
        return {}

    def opens(at: datetime, zone: ZoneInfo) -> datetime:
        return quiet_until(step.program, step.scenario, at, zone) or at

    plans = {name: channel.config.warm_up for name, channel in channels.items()}
    return {name: Plan(plan, step.program.zone, opens) for name, plan in plans.items() if plan}


def _batches(step: Step, rows: Any) -> Iterator[Batch]:
    valid_for = step.scenario.limits.valid_for
    for channel, _, _, zone, due_at, planned, number, _ in rows:
        until = valid_for.after(planned, step.program.zone) if valid_for else None
        yield Batch(channel, zone_info(step.program, zone), due_at, number, until)


def _language(locale: str) -> str:
    return locale.replace("_", "-").split("-")[0]


def _victims(step: Step, forecast: Forecast) -> None:
    """Whose waiting messages would give way."""
    given = select(MESSAGE.c.scenario, func.count()).join(CANDIDATE, CANDIDATE.c.victim_id == MESSAGE.c.id)
    given = given.where(CANDIDATE.c.gate.is_(None)).group_by(MESSAGE.c.scenario)
    for scenario, number in step.connection.execute(given):
        forecast.displaced[scenario] += number
        forecast.displaces += number
