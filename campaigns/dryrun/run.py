"""The dry run itself: the real run without its last line.

The same trigger, the same gates, the same staging tables, over a read snapshot; then everything is told and
nothing is kept (promise 5).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, and_, func, select, true

from campaigns.bundle import Bundle
from campaigns.commit import passing
from campaigns.dryrun.absence import why_absent
from campaigns.dryrun.counting import count
from campaigns.dryrun.evidence import Witness
from campaigns.dryrun.forecast import SENDS, Evidence, Forecast, Sample
from campaigns.dryrun.pricing import price
from campaigns.dryrun.speaking import Speaker, Spoken
from campaigns.gates import Step, forget, names_of
from campaigns.look import Looker, Span, rehearsal, zones_of
from campaigns.past import standing_at
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.staging import CANDIDATE
from campaigns.versions import STATE, Stored, begins_anew, live_version, newest_row
from channels.base import Channel
from core.links import Links
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
# Is shown each step while its candidates are staged.
Watch = Callable[[Step], None]


class DryRun:
    """Dry runs over one snapshot; of several on one connection each is done before the next begins.

    `sample` says how many candidates are shown, `customer` that it is this one (an external id); `gallery`
    asks for a message of each step, channel and language. `watch` is shown every step.
    """

    def __init__(
        self, connection: Connection, running: Running, channels: Mapping[str, Channel[Any, Any, Any]],
        links: Links, at: datetime, *, sample: int = 3, customer: str | None = None, gallery: bool = False,
        watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self.connection, self.running, self.channels, self.at = connection, running, channels, at
        self.sample, self.customer, self.gallery, self.watch = sample, customer, gallery, watch
        self.speaker = Speaker(connection, running, links, at, customer)
        self._bundles = Stored(connection, running)
        # Until the first look nothing is staged: another dry run may come before on the same connection.
        self._looker: Looker | None = None
        self._rehearsed: set[str] = set()

    def run(self, scenario: Scenario) -> Forecast:
        """What the scenario would do: later steps whose wait is over, and its first one.

        A live look comes after those of higher priority, which use up allowances: they are rehearsed too.
        """
        version = self.running.version or live_version(self.connection)
        forecast = Forecast(scenario.name, version, self.at, self.running.program.currency, scenario.about)
        for step, guarded in self.steps(scenario):
            self._tell(step, forecast)
            if guarded:
                forecast.guard = self.running.program.max_per_look
        if self.customer and not forecast.samples:
            forecast.absent = why_absent(self.connection, self.running, scenario, self.customer, self.at)
        return forecast

    def steps(self, scenario: Scenario) -> Iterator[tuple[Step, bool]]:
        """Each step while it is staged, after everything that is looked at before the scenario.

        With it: whether the blast guard would stop the look.
        """
        self._rehearse_before(scenario)
        yield from self._look(scenario)

    def _tell(self, step: Step, forecast: Forecast) -> None:
        stage = count(step, forecast, self.channels)
        if not self.customer:
            price(step, stage, self.speaker, self.channels, forecast)
        forecast.samples += self._samples(step)
        if self.gallery:
            forecast.gallery += self._gallery(step)
        if self.watch is not None:
            self.watch(step)

    def _rehearse_before(self, scenario: Scenario) -> None:
        order = [it.name for it in self.running.by_priority]
        before = order[: order.index(scenario.name)]
        if self._looker is None or not self._rehearsed <= set(before):
            self._rehearsed.clear()
            self._looker = rehearsal(self.connection, self.running)
        for name in before:
            if name not in self._rehearsed:
                for _ in self._look(self.running.scenarios[name]):
                    pass

    def _look(self, scenario: Scenario) -> Iterator[tuple[Step, bool]]:
        """Each step while it is staged, and whether the blast guard would stop it."""
        self._rehearsed.add(scenario.name)
        standing = standing_at(self.connection, scenario, self.at, anew=scenario.name in self._anew)
        span = Span(self.at, standing.since, standing.after, standing.upto)
        zones = zones_of(self.connection, self.running.program, scenario, span)
        looker = self._looker = self._looker or rehearsal(self.connection, self.running)
        paused = self._is_paused(scenario)
        for step in looker.later(scenario, span, zones, self._bundles):
            yield step, False
            if paused:
                forget(step)
        due = standing.runs and any(zone.fired_at for zone in zones)
        if not due:
            # Nothing strikes now: it is shown what a look at this time would say, everywhere.
            zones = zones_of(self.connection, self.running.program, scenario, span, everywhere=True)
        step = looker.enter(scenario, span, zones)
        guarded = passing(step) > max(self.running.program.max_per_look, standing.allowed)
        yield step, guarded
        if guarded or not due:
            forget(step)

    @cached_property
    def _anew(self) -> list[str]:
        """Scenarios that would begin anew if these files were applied."""
        live = newest_row(self.connection)
        if live is None or live.digest == self.running.loaded.bundle.digest:
            return []
        renamed = {it.name: it.formerly for it in self.running.scenarios.values() if it.formerly}
        return begins_anew(self.running, Bundle.from_json(live.files), renamed)

    def _is_paused(self, scenario: Scenario) -> bool:
        """Its later steps do not go on either; one that the blast guard holds only lets nobody new in."""
        status = select(STATE.c.status).where(STATE.c.name.in_(names_of(scenario)))
        return self.connection.scalar(status) == "paused"

    def _samples(self, step: Step) -> list[Sample]:
        wanted = true() if self.customer else CANDIDATE.c.gate.is_(None)
        limit = None if self.customer else self.sample
        return self._told(step, self.speaker.rows(step, wanted, limit))

    def _gallery(self, step: Step) -> list[Sample]:
        """The first message of each text, channel and language of the customers."""
        groups = (CANDIDATE.c.message, CANDIDATE.c.channel, CANDIDATE.c.locale)
        first = select(*groups, func.min(CANDIDATE.c.id).label("id"))
        first = first.where(CANDIDATE.c.gate.is_(None)).group_by(*groups).order_by(*groups)
        ids: dict[tuple[str, str, str | None], int] = {}
        for message, channel, locale, number in self.connection.execute(first):
            ids.setdefault((message, channel, self.running.library.has(message, channel, locale)), number)
        return self._told(step, self.speaker.rows(step, and_(CANDIDATE.c.id.in_(ids.values()))))

    def _told(self, step: Step, rows: Sequence[Any]) -> list[Sample]:
        evidence = Witness(step).of(rows)
        return [self._sample(step, it, evidence.get(it.row.id, [])) for it in self.speaker.speak(step, rows)]

    def _sample(self, step: Step, spoken: Spoken, evidence: Sequence[Evidence]) -> Sample:
        row = spoken.row
        reason = row.gate or ("quiet_hours" if row.said == "deferred" else None)
        sent = spoken.outgoing
        return Sample(
            customer=row.who, occasion=row.occasion, step=step.step.id,
            verdict=row.said if row.said in SENDS else "held_back", reason=reason, detail=row.detail,
            channel=row.channel, due_at=row.due_at, rendered=spoken.rendered, outgoing=sent,
            wanted=row.locale, name=row.name,
            time_zone=row.time_zone, message=row.message if row.gate is None else None,
            meaning=next((it.said for it in evidence if it.about == "occasion"), ""),
            evidence=[it for it in evidence if it.about != "occasion"],
            cost=self.channels[row.channel].cost(sent) if sent else None, problem=spoken.problem,
        )  # fmt: skip
