"""Scenario tests: the real engine on a real ledger in memory, with a clock that the test moves."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from campaigns.bundle import Bundle
from campaigns.look import ENROLMENT, zone_info
from campaigns.running import Running, make_ready
from campaigns.scenariotest import NOTHING, Action, Bonuses, Known, Person, ScenarioTest, read_test
from campaigns.tables import WAITING, Decision, Message
from campaigns.versions import Live, apply
from channels import Accepted, Outgoing, create, discover
from channels.base import Channel
from channels.sending import Record
from core.clock import MovableClock
from core.customers import consent
from core.customers import profiles as customers
from core.customers.addresses import Addresses
from core.customers.consent import Choice
from core.customers.profiles import Profile
from core.db import Database
from core.errors import Problem, Problems
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.links import Links
from core.program.lifetime import Life
from core.purchases import receipts
from core.purchases.receipts import Line, Purchase
from core.schedule import times_between
from core.tables import Customer
from scheduler.delivery import Delivery
from scheduler.tick import decide
from triggers import discover as discover_triggers

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
DECISION = Decision.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
NOWHERE = Path("scenario-tests-write-nothing")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An expectation that was not met. `place` is file:line:col."""

    place: str
    customer: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.place}: {self.customer}:\n    expected  {self.expected}\n    got       {self.got}"


@dataclass(slots=True)
class Result:
    """How one test file went."""

    name: str
    file: str
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Everything was as expected."""
        return not self.mismatches


def run_all(bundle: Bundle, files: Mapping[str, str], only: str | None = None) -> list[Result]:
    """Run scenario tests (path → text) against a bundle. Problems if the bundle or a test cannot be read."""
    running = make_ready(bundle)
    problems: list[Problem] = []
    levels = [level.name for level in running.program.tiers.levels]
    known = Known(scenarios=list(running.scenarios), tiers=levels, channels=list(discover()))
    read = [read_test(Path(file).stem, text, file, known, problems) for file, text in sorted(files.items())]
    if problems:
        raise Problems(problems)
    tests = [test for test in read if test is not None and (only is None or only in test.name)]
    return [run_one(running, test) for test in tests]


def run_one(running: Running, test: ScenarioTest) -> Result:
    """Run one test in a database of its own."""
    return asyncio.run(_Rehearsal(running, test).run())


class _Outlet:
    """A channel that composes for real and hands the result to the test instead of a provider."""

    def __init__(self, channel: Channel[Any, Any, Any], said: list[tuple[str, Outgoing]]) -> None:
        self._channel, self._said = channel, said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
        for outgoing in batch:
            self._channel.compose(outgoing)
            self._said.append((self._channel.name, outgoing))
            record(outgoing.key, Accepted(outgoing.key))


# Statements are the same in every test: compiled once for all of them.
_COMPILED: dict[Any, Any] = {}


@cache
def _template() -> Database:
    """Every table and no row; copying it takes a fiftieth of the time of making it."""
    database = Database("sqlite://")
    database.create_all()
    return database


def empty_database() -> Database:
    """A database in memory with every table, for one test."""
    database = Database("sqlite://")
    database.engine = database.engine.execution_options(compiled_cache=_COMPILED)
    with _template().engine.connect() as source, database.engine.connect() as target:
        source.connection.driver_connection.backup(target.connection.driver_connection)  # type: ignore[union-attr]
    return database


async def _no_wait(_seconds: float) -> None:
    """Rate limits are not waited for in a test."""


class _Rehearsal:
    """One test: its ledger, its clock, and what has been said."""

    def __init__(self, running: Running, test: ScenarioTest) -> None:
        self.test, self.file = test.test, test
        self.scenario = running.scenarios[test.test.scenario]
        self.program = running.program
        alone = {self.scenario.name: self.scenario}
        self.running = _with_scenarios(running, alone)
        self.clock = MovableClock(self._utc(test.test.start))
        self.database = empty_database()
        self.addresses = Addresses(b"scenario tests")
        self.links = Links("https://example.org", b"scenario tests")
        self.live = _Fixed(self.database, self.running)
        self.ids: dict[str, int] = {}
        self.said: list[tuple[str, Outgoing]] = []
        self.numbers = iter(range(1, 1_000_000))
        self.said_before: set[tuple[int, datetime, str, str, str]] = set()
        self.entry = 0

    def _utc(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.program.zone).astimezone(UTC)

    async def run(self) -> Result:
        result = Result(self.file.name, self.file.document.file)
        channels = {
            name: _Outlet(create(name, self.program.channels.get(name) or {}, outbox_dir=NOWHERE), self.said)
            for name in discover()
        }
        self.delivery = Delivery(self.database, self.live, channels, self.links, self.clock, _no_wait)  # type: ignore[arg-type]
        self._give()
        for index, entry in enumerate(self.test.timeline):
            self.entry = index
            await self._move_to(self._utc(entry.at))
            for person, actions in entry.do.items():
                for action in actions:
                    self._act(person, action)
            await self._tick()
            if entry.expect is not None:
                result.mismatches += self._compare(index, entry.expect)
        self.database.close()
        return result

    # --- what is given

    def _give(self) -> None:
        at = self.clock.now()
        with self.database.write() as connection:
            profiles = [self._profile(name, person) for name, person in self.test.given.items()]
            saved = customers.save(connection, self.program, self.addresses, profiles, at, live=False)
            self.ids = {it.external_id: it.customer_id for it in saved}
            for name, person in self.test.given.items():
                self._give_one(connection, name, person, at)
            apply(connection, self.running, "test", at)

    def _profile(self, name: str, person: Person) -> Profile:
        registered = self._utc(person.registered) if person.registered else self.clock.now()
        profile = Profile(
            name,
            card=person.card,
            name=person.name or name.capitalize(),
            phone=person.phone,
            email=person.email,
            birthday=person.birthday,
            gender=person.gender,
            city=person.city,
            locale=person.locale,
            time_zone=person.time_zone,
            registered_at=registered,
            attributes=person.attributes,
        )
        try:
            return customers.checked(profile, self.clock.now().date())
        except ValueError as error:
            raise Problems([self.file.document.problem(("given", name), str(error), "correct it")]) from None

    def _give_one(self, connection: Any, name: str, person: Person, at: datetime) -> None:
        customer_id = self.ids[name]
        if person.push:
            self.addresses.add(connection, [(customer_id, "push", person.push)], at)
        choices = [Choice(customer_id, channel, True, at, "test") for channel in person.consent]
        consent.choose(connection, choices, at, live=False)
        for receipt in sorted(person.receipts, key=lambda it: it.at):
            self._buy(connection, name, receipt.total, self._utc(receipt.at), live=False)
        for bonuses in person.bonuses:
            self._accrue(connection, name, bonuses, at, live=False)
        if person.tier:
            values = {"tier": person.tier, "tier_since": at}
            connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == customer_id).values(**values))

    # --- what happens

    def _act(self, person: str, action: Action) -> None:
        at, customer_id = self.clock.now(), self.ids[person]
        with self.database.write() as connection:
            choices = [Choice(customer_id, channel, True, at, "test") for channel in action.consent]
            choices += [Choice(customer_id, channel, False, at, "test") for channel in action.withdraw]
            consent.choose(connection, choices, at, live=True)
            if action.purchase is not None:
                self._buy(connection, person, action.purchase, at, live=True)
            if action.accrue is not None:
                self._accrue(connection, person, action.accrue, at, live=True)
            if action.redeem is not None:
                self._redeem(connection, person, action.redeem, at)
            if action.tier is not None:
                self._move_tier(connection, customer_id, action.tier, at)

    def _buy(self, connection: Any, person: str, total: Any, at: datetime, *, live: bool) -> None:
        line = Line("test", 1000, self.program.to_money(total))
        purchase = Purchase(f"test-{next(self.numbers)}", person, at, (line,))
        receipts.record(connection, self.program, [purchase], self.clock.now(), live=live)

    def _accrue(self, connection: Any, person: str, bonuses: Bonuses, at: datetime, *, live: bool) -> None:
        from core.events import append

        book = Book(connection, self.program, [self.ids[person]], at, live=live)
        key = f"test:{next(self.numbers)}"
        op = book.operation(self.ids[person], "adjustment", key, [key], book.moment(self.ids[person], at))
        starts = self._utc(datetime.combine(bonuses.starts, datetime.min.time())) if bonuses.starts else at
        book.accrue(
            op,
            self.program.to_points(bonuses.amount),
            reason="test",
            life=Life(starts, bonuses.expires, self.program.end_of(bonuses.expires)),
        )
        book.close()
        append(connection, book.happenings, at, live=live)

    def _redeem(self, connection: Any, person: str, amount: Any, at: datetime) -> None:
        from core.events import append

        book = Book(connection, self.program, [self.ids[person]], at)
        key = f"test:{next(self.numbers)}"
        op = book.operation(self.ids[person], "redemption", key, [key], book.moment(self.ids[person], at))
        refusal = book.redeem(op, self.program.to_points(amount))
        if isinstance(refusal, Refusal):
            have = self.program.from_points(book.available(self.ids[person], at))
            place = ("timeline", self.entry, "do", person)
            what = f"redeem: {amount} asked, {have} available"
            raise Problems([self.file.document.problem(place, what, "redeem less")])
        book.close()
        append(connection, book.happenings, at, live=True)

    def _move_tier(self, connection: Any, customer_id: int, tier: str, at: datetime) -> None:
        from core import tiers
        from core.events import append

        row = connection.execute(select(CUSTOMER).where(CUSTOMER.c.id == customer_id)).one()
        standing = tiers.Standing(row.tier, row.tier_since)
        standing.move(self.program, tier, at)
        append(connection, tiers.write(connection, {customer_id: standing}), at, live=True)

    # --- time

    async def _move_to(self, until: datetime) -> None:
        """Forward to a time, stopping wherever something is due on the way."""
        while (stop := self._next_stop(until)) is not None:
            self.clock.move_to(stop)
            await self._tick()
        self.clock.move_to(until)

    def _next_stop(self, until: datetime) -> datetime | None:
        now = self.clock.now()
        stops = [moment for moment in self._stops(now, until) if now < moment < until]
        return min(stops, default=None)

    def _stops(self, now: datetime, until: datetime) -> Iterator[datetime]:
        names = {person.time_zone for person in self.test.given.values()} | {None}
        trigger, schedule = discover_triggers()[self.scenario.trigger], self.scenario.schedule
        for zone in {zone_info(self.program, name) for name in names}:
            yield from (trigger.times(self.scenario.parameters, now, until, zone) or [])[:1]
            yield from (times_between(schedule, now, until, zone) if schedule else [])[:1]
        waiting = select(MESSAGE.c.due_at).where(MESSAGE.c.state.in_(WAITING))
        confirming = select(MESSAGE.c.fallback_at).where(MESSAGE.c.fallback_at.is_not(None))
        with self.database.read() as connection:
            yield from connection.scalars(waiting).all()
            yield from connection.scalars(confirming).all()
            yield from self._waits(connection)

    def _waits(self, connection: Any) -> Iterator[datetime]:
        under_way = select(ENROLMENT.c.anchor_at, ENROLMENT.c.step)
        for anchor, step in connection.execute(
            under_way.where(ENROLMENT.c.status == "active", ENROLMENT.c.anchor_at.is_not(None))
        ):
            wait = self.scenario.steps[step].wait
            yield wait.after(anchor, self.program.zone) if wait else anchor

    async def _tick(self) -> None:
        decide(self.database, self.live, self.clock, holdout_on=self.test.holdout)
        await self.delivery.run()

    # --- what was expected

    def _compare(self, index: int, expected: Mapping[str, Any]) -> list[Mismatch]:
        got: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for channel, outgoing in self.said:
            person = outgoing.key.removeprefix(f"{self.scenario.name}.").rpartition(".")[0]
            got[person].append((channel, _text(outgoing)))
        self.said.clear()
        mismatches = [
            self._mismatch(index, person, _wanted(wanted), got.get(person, []), named=True)
            for person, wanted in expected.items()
            if not self._as_expected(wanted, got.get(person, []), person)
        ]
        mismatches += [
            self._mismatch(index, person, "nothing: not listed here", got[person], named=False)
            for person in sorted(set(got) - set(expected))
        ]
        self.said_before = set(self._decisions())
        return mismatches

    def _mismatch(
        self, index: int, person: str, wanted: str, got: Sequence[tuple[str, str]], *, named: bool
    ) -> Mismatch:
        place = self.file.place(index, person if named else None)
        return Mismatch(place, person, wanted, self._described(person, got))

    def _as_expected(self, wanted: Any, got: Sequence[tuple[str, str]], person: str) -> bool:
        if wanted == NOTHING:
            return not got
        if isinstance(wanted, str):
            return not got and self._verdict(person) == wanted
        by_channel: dict[str, list[str]] = defaultdict(list)
        for channel, text in got:
            by_channel[channel].append(text)
        if set(by_channel) != set(wanted):
            return False
        return all(
            len(by_channel[channel]) == len(texts)
            and all(
                _plain(part) in _plain(text) for part, text in zip(texts, by_channel[channel], strict=True)
            )
            for channel, texts in wanted.items()
        )

    def _verdict(self, person: str) -> str | None:
        """What was last said of a person since the previous expectations; None if nothing was."""
        fresh = [it for it in self._decisions() if it not in self.said_before and it[0] == self.ids[person]]
        newest = max(fresh, key=lambda it: it[1], default=None)
        if newest is None:
            return None
        return "quiet_hours" if newest[2] == "deferred" else newest[2]

    def _decisions(self) -> list[tuple[int, datetime, str, str, str]]:
        columns = (
            DECISION.c.customer_id,
            DECISION.c.at,
            DECISION.c.verdict,
            DECISION.c.occasion,
            DECISION.c.step,
        )
        with self.database.read() as connection:
            return [(a, b, c, d, e) for a, b, c, d, e in connection.execute(select(*columns))]

    def _described(self, person: str, got: Sequence[tuple[str, str]]) -> str:
        if got:
            return "; ".join(f"{channel}: “{_shortened(text)}”" for channel, text in got)
        verdict = self._verdict(person)
        return f"nothing ({verdict})" if verdict else "nothing"


class _Fixed(Live):
    """What runs in a test is what the files say."""

    def __init__(self, database: Database, running: Running) -> None:
        super().__init__(database)
        self._running = running

    def running(self) -> Running:
        return self._running

    def of(self, version: int) -> Running:
        return self._running


def _with_scenarios(running: Running, scenarios: Mapping[str, Any]) -> Running:
    from dataclasses import replace

    return Running(replace(running.loaded, scenarios=scenarios), 1)


def _text(outgoing: Outgoing) -> str:
    parts = outgoing.parts
    return " ".join(parts[name] for name in ("subject", "title", "text", "body") if parts.get(name))


def _plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())


def _shortened(text: str, most: int = 160) -> str:
    flat = _plain(text)
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def _wanted(wanted: Any) -> str:
    if isinstance(wanted, str):
        return wanted
    return "; ".join(f"{channel}: “{part}”" for channel, texts in wanted.items() for part in texts)
