"""Which messages have used an allowance, whose and when; and which one gives way."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, or_, select, true

from campaigns.dryrun.evidence.facts import Batch, Told
from campaigns.dryrun.forecast import Evidence
from campaigns.gates.allowance import HEARD_AT, MARKETING, counts
from campaigns.gates.entry import HEARD, survivors
from campaigns.staging import RESERVATION
from campaigns.tables import RESERVED, Message
from core.units import Allowance

MESSAGE = Message.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Limit:
    """An allowance that the step must keep: of whose messages, on which channel."""

    allowance: Allowance
    called: str
    scenarios: tuple[str, ...] = ()
    channel: str | None = None


def allowances(batch: Batch) -> Told:
    """Of whom it held back: each allowance that is used up, and what used it."""
    rows = batch.held("capped")
    if not rows:
        return
    for limit in _limits(batch):
        used = _used(batch, limit, {row.customer_id for row in rows})
        for row in rows:
            taken = used[row.customer_id]
            if len(taken) >= limit.allowance.count:
                yield row.id, _tell(batch, limit, taken)


def _limits(batch: Batch) -> Iterator[_Limit]:
    step = batch.step
    own = step.scenario.limits.at_most
    if own is not None:
        yield _Limit(own, "this scenario", scenarios=step.names)
    for name, allowance in step.program.allowances.marketing.items():
        if name == "all":
            yield _Limit(allowance, "all marketing")
        elif name in step.step.send:
            yield _Limit(allowance, f"marketing by {name}", channel=name)


def _used(batch: Batch, limit: _Limit, who: set[int]) -> dict[int, list[tuple[Any, ...]]]:
    """Customer → (scenario, channel, when they heard it; None: decided by this very look)."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    duplicates = survivors(batch.connection, who)
    for statement in (_kept(batch, limit, duplicates), _fresh(limit)):
        for customer_id, *taken in batch.connection.execute(statement(who)):
            found[duplicates.get(customer_id, customer_id)].append(tuple(taken))
    return found


def _kept(batch: Batch, limit: _Limit, duplicates: Mapping[int, int]) -> Any:
    gone = select(RESERVATION.c.victim_id).where(RESERVATION.c.victim_id.is_not(None))

    def statement(who: set[int]) -> Select[Any]:
        return (
            select(MESSAGE.c.customer_id, MESSAGE.c.scenario, MESSAGE.c.channel, HEARD_AT)
            .where(MESSAGE.c.customer_id.in_({*who, *duplicates}), MESSAGE.c.state.in_(RESERVED), MARKETING)
            .where(or_(MESSAGE.c.customer_id.in_(who), HEARD) if duplicates else true())
            .where(counts(limit.allowance, batch.step.at, batch.step.program.zone))
            .where(MESSAGE.c.scenario.in_(limit.scenarios) if limit.scenarios else true())
            .where(MESSAGE.c.channel == limit.channel if limit.channel else true())
            .where(MESSAGE.c.id.not_in(gone))
            .order_by(HEARD_AT, MESSAGE.c.id)
        )

    return statement


def _fresh(limit: _Limit) -> Any:
    def statement(who: set[int]) -> Select[Any]:
        return (
            select(RESERVATION.c.customer_id, RESERVATION.c.scenario, RESERVATION.c.channel)
            .where(RESERVATION.c.customer_id.in_(who))
            .where(RESERVATION.c.scenario.in_(limit.scenarios) if limit.scenarios else true())
            .where(RESERVATION.c.channel == limit.channel if limit.channel else true())
        )

    return statement


def _tell(batch: Batch, limit: _Limit, taken: list[tuple[Any, ...]]) -> Evidence:
    uses = [_use(batch, *it) for it in taken]
    said = f"{limit.allowance} for {limit.called} is used: {'; '.join(uses)}"
    by = [
        {"scenario": it[0], "channel": it[1], "at": it[2].isoformat() if len(it) > 2 else None}
        for it in taken
    ]  # fmt: skip
    return Evidence("capped", said, {"allowance": str(limit.allowance), "of": limit.called, "used_by": by})


def _use(batch: Batch, scenario: str, channel: str, at: Any = None) -> str:
    when = f"on {batch.words.moment(at)}" if at else "at this same look, which comes first by its priority"
    return f"{scenario} by {channel} {when}"


def victims(batch: Batch) -> Told:
    """Whose waiting message gives way to this one."""
    chosen = {row.victim_id: row.id for row in batch.rows if row.gate is None and row.victim_id}
    if not chosen:
        return
    theirs = select(MESSAGE.c.id, MESSAGE.c.scenario, MESSAGE.c.channel, MESSAGE.c.due_at, MESSAGE.c.priority)
    for it in batch.connection.execute(theirs.where(MESSAGE.c.id.in_(chosen))):
        waits = batch.words.moment(it.due_at)
        said = (
            f"takes the place of {it.scenario} by {it.channel}, which waits for {waits} and has "
            f"priority {it.priority}, not {batch.step.scenario.priority}"
        )
        values = {"scenario": it.scenario, "channel": it.channel, "at": it.due_at.isoformat()}
        yield chosen[it.id], Evidence("place", said, values)
