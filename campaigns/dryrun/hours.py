"""When messages would leave: hour by hour, after quiet hours, as each channel's rate and plan let them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from channels.warm_up import WarmUp
from core.units import Rate, at_local

# Time zones differ by quarters of an hour, so every clock's full hour begins one of these.
SLOT = timedelta(minutes=15)
# What a slow rate keeps waiting longer than this is only counted.
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Batch:
    """So many messages of a channel that may leave from `due_at` on, to customers of one time zone."""

    channel: str
    zone: ZoneInfo
    due_at: datetime
    count: int
    expires_at: datetime | None = None


Leaving = Iterable[tuple[Batch, datetime | None, int]]
Opens = Callable[[datetime, ZoneInfo], datetime]


@dataclass(frozen=True, slots=True)
class Plan:
    """A channel's warm-up plan. What a day has no place for goes on the next one, once it `opens` there.

    Its days are those of `zone`, the program's; nobody else is thought to have used a place of them.
    """

    warm_up: WarmUp
    zone: ZoneInfo
    opens: Opens

    def spread(self, leaving: Leaving) -> Iterator[tuple[Batch, datetime | None, int]]:
        """The same messages, on their days."""
        used: Counter[date] = Counter()
        for batch, at, count in leaving:
            left, moment = count, at
            while left and moment is not None:
                day = moment.astimezone(self.zone).date()
                most = self.warm_up.most_on(day)
                goes = left if most is None else min(left, most - used[day])
                if goes:
                    yield batch, moment, goes
                used[day] += goes
                left -= goes
                moment = self._next(batch, day) if left else moment
            if left:
                yield batch, None, left

    def _next(self, batch: Batch, day: date) -> datetime | None:
        at = self.opens(at_local(day + timedelta(days=1), time(0), self.zone), batch.zone)
        return at if at < batch.due_at + LONGEST else None


@dataclass(slots=True)
class Spread:
    """Hours → channel → how many leave in them.

    `by_program` goes by the program's clock, `by_customer` by each customer's own; their keys are the hours'
    beginnings, with and without offset. `later` leave after a week, `too_late` after they have expired.
    """

    by_program: dict[str, Counter[str]] = field(default_factory=dict)
    by_customer: dict[str, Counter[str]] = field(default_factory=dict)
    later: int = 0
    too_late: int = 0

    def as_json(self) -> dict[str, Any]:
        """Two lists of hours, in order."""
        return {
            "program": _listed(self.by_program), "customers": _listed(self.by_customer),
            "later": self.later, "too_late": self.too_late,
        }  # fmt: skip

    def add(
        self, batches: Iterable[Batch], rates: Mapping[str, Rate | None], zone: ZoneInfo,
        plans: Mapping[str, Plan] | None = None,
    ) -> None:  # fmt: skip
        """Let the batches leave, first come, first served."""
        queues: dict[str, list[Batch]] = defaultdict(list)
        for batch in batches:
            queues[batch.channel].append(batch)
        for channel, queue in sorted(queues.items()):
            leaving, plan = _leaving(queue, rates.get(channel)), (plans or {}).get(channel)
            for batch, at, count in plan.spread(leaving) if plan else leaving:
                self._leave(batch, at, count, zone)

    def _leave(self, batch: Batch, at: datetime | None, count: int, zone: ZoneInfo) -> None:
        if at is None:
            self.later += count
            return
        if batch.expires_at is not None and at >= batch.expires_at:
            self.too_late += count
        local = at.astimezone(zone).replace(minute=0, second=0, microsecond=0)
        own = at.astimezone(batch.zone)
        self.by_program.setdefault(local.isoformat(), Counter())[batch.channel] += count
        self.by_customer.setdefault(f"{own:%Y-%m-%d %H}:00", Counter())[batch.channel] += count


def _leaving(queue: Iterable[Batch], rate: Rate | None) -> Iterator[tuple[Batch, datetime | None, int]]:
    """How many of each batch leave in the quarter of an hour that begins then; None: not within a week."""
    free: datetime | None = None
    for batch in sorted(queue, key=lambda it: (it.due_at, it.zone.key)):
        if rate is None:
            yield batch, batch.due_at, batch.count
            continue
        start = max(batch.due_at, free or batch.due_at)
        yield from _at_rate(batch, start, rate)
        free = start + timedelta(seconds=batch.count / rate.per_second)


def _at_rate(batch: Batch, start: datetime, rate: Rate) -> Iterator[tuple[Batch, datetime | None, int]]:
    gone, at = 0, start
    while gone < batch.count and at < batch.due_at + LONGEST:
        end = _slot(at) + SLOT
        through = min(batch.count, int((end - start).total_seconds() * rate.per_second))
        if through > gone:
            yield batch, at, through - gone
        gone, at = through, end
    if gone < batch.count:
        yield batch, None, batch.count - gone


def _slot(at: datetime) -> datetime:
    utc = at.astimezone(UTC)
    return utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0)


def _listed(hours: Mapping[str, Counter[str]]) -> list[dict[str, Any]]:
    return [{"hour": hour, "send": dict(sorted(hours[hour].items()))} for hour in sorted(hours)]
