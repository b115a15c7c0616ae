"""The levels of some customers in memory while they buy: for a batch of receipts, and for a replay."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from sqlalchemy import Connection

from core.errors import EnvironmentFault
from core.program import Program
from core.program.versions import runs, version
from core.tiers import invitations, ladder
from core.tiers.bought import records
from core.tiers.invitations import Invitation
from core.tiers.periods import periods
from core.tiers.record import Record
from core.tiers.standing import Standing
from core.units import midnight

INSTANT = timedelta(microseconds=1)


class Climb:
    """Moves `standings` as purchases come in the order of their times, from `since` on.

    What was bought before is loaded as far as it matters, of `climbers` (those who may rise; None: everybody)
    and of whoever may fall by `until` (the time of the last purchase to come, if it is known; others are
    looked up one by one). With `upto`, only purchases up to it are loaded: a replay counts the later ones
    itself, and invitations after it take effect when their time comes. `rules` are other programs by which
    some of the purchases are judged: what may matter to any of them is loaded.
    """

    def __init__(
        self, connection: Connection, program: Program, standings: Mapping[int, Standing], since: datetime,
        climbers: Collection[int] | None, upto: datetime | None = None, until: datetime | None = None,
        rules: Iterable[Program] = (),
    ) -> None:  # fmt: skip
        self._connection, self._program, self._standings = connection, program, standings
        self._rules = {id(it): it for it in rules}.values()
        self._since, self._upto, self._until = since, upto, until
        self._records: dict[int, Record] = {}
        self._settled: dict[int, datetime] = {}
        self._counted: dict[int, list[tuple[datetime, int, int]]] = defaultdict(list)
        self._invitations: dict[int, list[Invitation]] = {}
        if upto is not None:
            self._invitations = invitations.after(connection, list(standings), upto)
        chosen = set(standings if climbers is None else climbers)
        if until is not None:
            chosen |= ladder.falling(program, standings, until)
        self._open(program, sorted(chosen))

    @staticmethod
    def may_rise(program: Program, tier: str | None, *, spent: int, purchases: int) -> bool:
        """Whether a customer may reach a higher level: told from all that they ever bought, now included."""
        rank, needed = program.rank(tier), program.next_amount(tier)
        if rank < 0 or needed is None:
            return rank < 0
        most = {"spend": spent, "purchases": purchases, "invitation": 0}.get(program.tiers.measure)
        return most is None or most >= needed

    def settle(self, program: Program, customer_id: int, at: datetime) -> None:
        """Let invitations and moves down take effect that fell due at or before `at`."""
        later = self._invitations.get(customer_id)
        while later and later[0].at <= at:
            invitation = later.pop(0)
            self.invite(program, customer_id, invitation.level, invitation.at)
        self._settle(program, customer_id, at)

    def invite(self, program: Program, customer_id: int, level: str | None, at: datetime) -> None:
        """Hold a customer at a level from `at` on; None takes an invitation back."""
        self._settle(program, customer_id, at)
        standing, record = self._standings[customer_id], self._record(program, customer_id)
        ladder.invite(program, standing, record, level, at)

    def join(self, program: Program, customer_id: int, tier: str | None, at: datetime) -> None:
        """A customer became one with somebody of this level, whose purchases are theirs."""
        self.settle(program, customer_id, at)
        standing, record = self._standings[customer_id], self._record(program, customer_id)
        ladder.join(program, standing, record, tier, at)

    def _settle(self, program: Program, customer_id: int, at: datetime) -> None:
        if self._stays(program, customer_id, at):
            self._settled[customer_id] = max(at, self._settled.get(customer_id, at))
            return
        standing = self._standings[customer_id]
        for rules, until in self._stages(program, customer_id, at):
            if ladder.may_fall(rules, standing, until):
                record = self._record(rules, customer_id)
                ladder.settle(rules, standing, record, self._settled[customer_id], until)
            self._settled[customer_id] = max(until, self._settled.get(customer_id, until))

    def _stays(self, program: Program, customer_id: int, at: datetime) -> bool:
        """Whether it is known that they do not fall by then: of whoever may, the purchases were loaded."""
        until = self._until if self._upto is None and program is self._program else None
        return until is not None and at <= until and customer_id not in self._records

    def _stages(self, program: Program, customer_id: int, at: datetime) -> list[tuple[Program, datetime]]:
        """By which rules a level is looked at until when: each program's checks are those of its own time.

        A replay goes through all of it; else whoever does not fall by this program was looked at by those
        before it.
        """
        if self._upto is None:
            if not ladder.may_fall(program, self._standings[customer_id], at):
                return [(program, at)]
            self._record(program, customer_id)
        begun = self._settled.get(customer_id, at)
        stages = []
        for (_, before), (since, after) in pairwise(self._runs):
            if begun < since - INSTANT and since <= at:
                stages += [(it, since - INSTANT) for it in self._changed(before, after)]
        return [*stages, (program, at)]

    def _changed(self, before: int, after: int) -> list[Program]:
        """The program before, if levels went by other rules after it."""
        # One that is too old to be read has no say.
        with suppress(EnvironmentFault):
            rules = version(self._connection, before)
            if rules.tiers != version(self._connection, after).tiers:
                return [rules]
        return []

    @cached_property
    def _runs(self) -> list[tuple[datetime, int]]:
        return runs(self._connection)

    def count(self, program: Program, customer_id: int, at: datetime, total: int, points: int) -> None:
        """Count a purchase (minor units, points that it earned), and move up if it reaches a level."""
        record = self._records.get(customer_id)
        if record is None:
            self._counted[customer_id].append((at, total, points))
            return
        record.add(at, total, points)
        ladder.climb(program, self._standings[customer_id], record, at)

    # --- what was bought

    def _record(self, program: Program, customer_id: int) -> Record:
        if customer_id not in self._records:
            self._open(program, [customer_id])
            for purchase in self._counted.pop(customer_id, ()):
                self._records[customer_id].add(*purchase)
        return self._records[customer_id]

    def _open(self, program: Program, ids: Sequence[int]) -> None:
        """Load what may matter from the batch's first time on; more of those who seem to fall before it."""
        self._load(ids, self._horizon(program))
        falling = []
        for customer_id in ids:
            standing, record = self._standings[customer_id], self._records[customer_id]
            here = self._settled.get(customer_id, self._since)
            if any(
                ladder.may_fall(it, standing, self._since)
                and not ladder.carried(it, standing, record, self._since)
                for it in (program, *self._rules)
            ):
                falling.append(customer_id)
            else:
                self._settled[customer_id] = here
        self._open_all(program, falling)

    def _open_all(self, program: Program, ids: Sequence[int]) -> None:
        """Of these everything counts since they reached their level: they fell since their last purchase."""
        reached = {i: self._standings[i].since or self._since for i in ids}
        if ids:
            first = min(reached.values())
            opened = [
                midnight(periods(it).opens(it.day_of(first)), it.zone) for it in (program, *self._rules)
            ]
            self._load(ids, min(*opened, self._horizon(program)))
        for customer_id in ids:
            times = self._records[customer_id].times
            self._settled[customer_id] = max([reached[customer_id], *times[-1:]])

    def _horizon(self, program: Program) -> datetime:
        return min(
            midnight(periods(it).horizon(it.day_of(self._since)), it.zone) for it in (program, *self._rules)
        )

    def _load(self, ids: Sequence[int], start: datetime) -> None:
        self._records |= records(self._connection, ids, start, self._upto)
