"""A small world for tests of decisions: a program, scenarios as marketers write them, people, and a clock."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from sqlalchemy import Connection, select, update

from campaigns.bundle import Bundle
from campaigns.commit import verdict
from campaigns.dryrun import DryRun, Forecast
from campaigns.past import as_of
from campaigns.running import Running, make_ready
from campaigns.staging import CANDIDATE
from campaigns.tables import Enrolment, Message
from campaigns.verdicts import verdicts
from campaigns.versions import STATE, VERSION, Applied, Live, apply
from core import tiers
from core.customers import consent
from core.customers import profiles as customers
from core.customers.addresses import ADDRESS, Addresses, suppress
from core.customers.consent import Choice
from core.customers.profiles import Profile
from core.db import Database
from core.errors import Problems
from core.events import append
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.links import Links
from core.program.lifetime import Life
from core.purchases import receipts, returns
from core.purchases.receipts import Line, Purchase, Recorded
from core.tables import Customer
from scheduler.looks import Looked, Looks

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

ADDRESSES = Addresses(b"a secret of the tests")
LINKS = Links("https://example.org", b"a secret of the tests")
PROGRAM = """
program: Kavarnia
currency: UAH
time_zone: Europe/Kyiv
locales: [en, uk]
points:
  name: {en: [bonus, bonuses], uk: [бонус, бонуси, бонусів, бонуса]}
  scale: 2
  lasts: 180 days
tiers:
  over: 365 days
  grace: 30 days
  levels:
    - {name: bronze, from: 0, earn: 10%}
    - {name: silver, from: 1000, earn: 20%}
    - {name: gold, from: 5000, earn: 30%}
earn: {rules: [{rule: base, by: tier}]}
channels:
  email: {from: "Kavarnia <hello@kavarnia.example>"}
  sms: {sender: Kavarnia, segments_at_most: 4, tariff: {UA: 0.85, default: 2.10}}
  push: {}
"""
TEXTS = {
    "sms.txt": "Hello! {{ links.preferences }}",
    "push.txt": "---\ntitle: Hello\n---\nGood to see you.",
    "email.txt": "---\nsubject: Hello\n---\nHello! {{ links.unsubscribe }}",
}


def kyiv(text: str) -> datetime:
    """A wall time of the program's zone, aware UTC: `2026-03-01 10:00`."""
    return local(text, "Europe/Kyiv")


def local(text: str, zone: str) -> datetime:
    """A wall time in a zone, aware UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def bundle_of(
    scenarios: Mapping[str, str],
    program: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> Bundle:
    """A workspace: the program with some of its keys replaced, scenarios, and a text for every message."""
    read = _loaded(PROGRAM) | dict(program or {})
    found = {"program.yaml": _yaml(read)}
    found |= {f"scenarios/{name}.yaml": text for name, text in scenarios.items()}
    for message in _messages(scenarios.values()):
        found |= {f"messages/{message}/{file}": text for file, text in TEXTS.items()}
    found |= files or {}
    return Bundle({path: text.encode() for path, text in found.items() if text})


@cache
def _loaded(text: str) -> Any:
    """What a text of YAML says; nobody changes it."""
    return YAML(typ="safe").load(text)


def _yaml(value: Any) -> str:
    # JSON is YAML.
    return json.dumps(value, default=str)


def _messages(scenarios: Iterable[str]) -> set[str]:
    found = set()
    for text in scenarios:
        for step in _loaded(text)["steps"]:
            found |= {step["message"]} if "message" in step else {it["message"] for it in step["variants"]}
    return found


_READY: dict[str, Running] = {}


def ready(
    scenarios: Mapping[str, str],
    program: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> Running:
    """Files as decisions are made with them; the same files are read once."""
    key = _yaml([list(scenarios.items()), program, list((files or {}).items())])
    if key not in _READY:
        _READY[key] = make_ready(bundle_of(scenarios, program, files))
    return _READY[key]


class _Compiled(Live):
    """Takes what the test has compiled for what it applied, instead of compiling it again."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.database)
        self._world = world

    def _load(self, version: int) -> Running | Problems:
        digest = select(VERSION.c.digest).where(VERSION.c.version == version)
        with self._database.read() as connection:
            same = connection.scalar(digest) == self._world.running.loaded.bundle.digest
        return Running(self._world.running.loaded, version) if same else super()._load(version)


class World:
    """A database with people in it, and the scenarios that are live there."""

    def __init__(
        self,
        database: Database,
        scenarios: Mapping[str, str],
        *,
        program: Mapping[str, Any] | None = None,
        files: Mapping[str, str] | None = None,
        at: str | datetime = "2026-03-01 09:00",
        holdout: bool = True,
    ) -> None:
        self.database, self.holdout = database, holdout
        self.now = at if isinstance(at, datetime) else kyiv(at)
        self._program, self._files = program, files
        self.live: Live = _Compiled(self)
        self.ids: dict[str, int] = {}
        self._number = 0
        self.running = ready(scenarios, program, files)
        self.apply()

    @property
    def program(self) -> Any:
        return self.running.program

    # --- what is live

    def apply(
        self,
        scenarios: Mapping[str, str] | None = None,
        program: Mapping[str, Any] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Applied:
        """Make other files live, now."""
        if scenarios is not None:
            self.running = self.files(scenarios, program, files)
        with self.database.write() as connection:
            return apply(connection, self.running, "the test", self.now)

    def files(
        self,
        scenarios: Mapping[str, str],
        program: Mapping[str, Any] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Running:
        """Files that are not live yet."""
        return ready(scenarios, program or self._program, files or self._files)

    # --- people

    def customer(
        self,
        name: str,
        *,
        consent: Sequence[str] = ("sms",),
        push: bool = False,
        live: bool = False,
        **profile: Any,
    ) -> int:
        """A customer with a phone, who agreed to these channels. `phone=""` leaves the phone out."""
        self._number += 1
        said: dict[str, Any] = {"phone": f"+38050{self._number:07}", "registered_at": self.now}
        with self.database.write() as connection:
            given = Profile(name, **(said | profile))
            [saved] = customers.save(connection, self.program, ADDRESSES, [given], self.now, live=live)
            self.ids[name] = saved.customer_id
            if push:
                ADDRESSES.add(connection, [(saved.customer_id, "push", f"device-{name}")], self.now)
        for channel in consent:
            self.agree(name, channel)
        return self.ids[name]

    def agree(self, name: str, channel: str, granted: bool = True) -> None:
        choice = Choice(self.ids[name], channel, granted, self.now, "test")
        with self.database.write() as connection:
            consent.choose(connection, [choice], self.now, live=True)

    def suppress(self, name: str, channel: str, kind: str = "phone") -> None:
        theirs = select(ADDRESS.c.digest).where(
            ADDRESS.c.customer_id == self.ids[name], ADDRESS.c.kind == kind
        )
        with self.database.write() as connection:
            for digest in connection.scalars(theirs).all():
                suppress(connection, channel, digest, "test", self.now)

    def erase(self, name: str) -> None:
        mine = update(CUSTOMER).where(CUSTOMER.c.id == self.ids[name])
        with self.database.write() as connection:
            connection.execute(mine.values(erased_at=self.now, birthday=None, birthday_md=None, name=None))

    def change(self, name: str, **profile: Any) -> None:
        with self.database.write() as connection:
            customers.save(
                connection, self.program, ADDRESSES, [Profile(name, **profile)], self.now, live=True
            )

    # --- what happens

    def bonuses(
        self,
        name: str,
        amount: int | Decimal,
        expires: str | None = None,
        *,
        starts: datetime | None = None,
        live: bool = True,
    ) -> None:
        """One lot of bonuses, good to the end of a day."""
        last = date.fromisoformat(expires) if expires else None
        with self.database.write() as connection:
            book, op = self._operation(connection, name, "adjustment")
            book.accrue(
                op, self.program.to_points(amount), reason="test",
                life=Life(starts or self.now, last, self.program.end_of(last)),
            )  # fmt: skip
            book.close()
            append(connection, book.happenings, self.now, live=live)

    def redeem(self, name: str, amount: int) -> None:
        with self.database.write() as connection:
            book, op = self._operation(connection, name, "redemption")
            assert book.redeem(op, self.program.to_points(amount)) is None
            book.close()
            append(connection, book.happenings, self.now, live=True)

    def _operation(self, connection: Connection, name: str, kind: str) -> tuple[Book, Any]:
        self._number += 1
        book = Book(connection, self.program, [self.ids[name]], self.now)
        key = f"test:{self._number}"
        return book, book.operation(self.ids[name], kind, key, [key], self.now)

    def buy(
        self,
        name: str,
        total: int,
        *,
        at: datetime | None = None,
        live: bool = True,
        receipt: str | None = None,
    ) -> str:
        """A receipt of whole money; returns its number."""
        self._number += 1
        receipt = receipt or f"r{self._number}"
        at = at or self.now
        # What a till would not send any more comes in as history.
        live = live and at > self.now - timedelta(days=30)
        purchase = Purchase(receipt, name, at, (Line("coffee", 1000, self.program.to_money(total)),))
        with self.database.write() as connection:
            [outcome] = receipts.record(connection, self.program, [purchase], self.now, live=live)
        assert isinstance(outcome, Recorded), outcome
        return receipt

    def give_back(self, receipt: str) -> None:
        with self.database.write() as connection:
            outcome = returns.take_back(
                connection, self.program, returns.Return(receipt, self.now), self.now, live=True
            )
        assert not isinstance(outcome, Refusal), outcome

    def tier(self, name: str, tier: str, *, live: bool = True) -> None:
        with self.database.write() as connection:
            row = connection.execute(select(CUSTOMER).where(CUSTOMER.c.id == self.ids[name])).one()
            standing = tiers.Standing(row.tier, row.tier_since)
            standing.move(self.program, tier, self.now)
            append(connection, tiers.write(connection, {row.id: standing}), self.now, live=live)

    # --- looks

    def move(self, at: str | datetime) -> None:
        """Let time go on to a wall time of the program's zone."""
        moment = at if isinstance(at, datetime) else kyiv(at)
        assert moment >= self.now
        self.now = moment

    def look(self, at: str | datetime | None = None) -> dict[str, str]:
        """One look at everything: customer → verdict, of the decisions that it made."""
        self.looks(at)
        return {name: verdict for name, _, _, _, verdict in self.decisions(self.now)}

    def looks(self, at: str | datetime | None = None, *, breaks: bool = False) -> list[Looked]:
        """One look at everything, with its counts; one of them `breaks` only where the test says so."""
        if at is not None:
            self.move(at)
        found = Looks(self.database, self.live, holdout_on=self.holdout).run(self.now)
        # A look that breaks keeps nothing: that nobody is told would say nothing then.
        assert breaks or not [it.error for it in found if it.error]
        return found

    def looked(self, at: str | datetime | None = None) -> dict[str, int]:
        """Verdict → how many, over all scenarios that were due."""
        counts: dict[str, int] = {}
        for looked in self.looks(at):
            for said, count in looked.verdicts.items():
                counts[said] = counts.get(said, 0) + count
        return counts

    def decisions(self, at: datetime | None = None) -> list[tuple[str, str, str, str, str]]:
        """(customer, scenario, occasion, step, verdict), of one look if `at` is given."""
        said = verdicts().c
        rows = select(CUSTOMER.c.external_id, said.scenario, said.occasion, said.step, said.verdict)
        rows = rows.join(CUSTOMER, CUSTOMER.c.id == said.customer_id)
        if at is not None:
            rows = rows.where(said.at == at)
        with self.database.read() as connection:
            return sorted((a, b, c, d, e) for a, b, c, d, e in connection.execute(rows))

    def detail(self, name: str) -> str | None:
        """Why, of the newest decision on a customer."""
        said = verdicts(lambda it: it.c.customer_id == self.ids[name]).c
        with self.database.read() as connection:
            return connection.scalar(select(said.detail).order_by(said.at.desc()).limit(1))

    def dry(self, at: str | datetime | None = None, files: Running | None = None) -> dict[str, Forecast]:
        """A dry run of every scenario, with every candidate among the samples."""
        if at is None:
            at = self.now
        moment = at if isinstance(at, datetime) else kyiv(at)
        running = files or self.running
        with self.database.read() as connection:
            as_of(connection, running.program, moment)
            run = DryRun(connection, running, channels(running), LINKS, moment, sample=100_000)
            return {scenario.name: run.run(scenario) for scenario in running.by_priority}

    def foreseen(self, at: str | datetime | None = None, files: Running | None = None) -> dict[Any, str]:
        """The dry run's verdict on everybody: (customer, scenario, occasion, step) → verdict."""
        moment = self.now if at is None else at if isinstance(at, datetime) else kyiv(at)
        running = files or self.running
        found = {}
        with self.database.read() as connection:
            as_of(connection, running.program, moment)
            run = DryRun(connection, running, channels(running), LINKS, moment)
            for scenario in running.by_priority:
                for step, _ in run._look(scenario):
                    said = verdict(step).label("said")
                    rows = select(CUSTOMER.c.external_id, CANDIDATE.c.occasion, said).join(
                        CUSTOMER, CUSTOMER.c.id == CANDIDATE.c.customer_id
                    )
                    for name, occasion, word in connection.execute(rows):
                        found[name, scenario.name, occasion, step.step.id] = word
        return found

    def reasons(self) -> dict[str, str | None]:
        """Scenario → why, of the decisions that are kept; for worlds of one customer and one look."""
        with self.database.read() as connection:
            said = verdicts().c
            rows = connection.execute(select(said.scenario, said.detail))
            return {scenario: why for scenario, why in rows}  # noqa: C416 - rows are no pairs

    # --- the outbox

    def messages(self, **where: Any) -> list[Any]:
        """Rows of the outbox with the customer's `external_id`, in order."""
        rows = select(MESSAGE, CUSTOMER.c.external_id).join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id)
        for column, value in where.items():
            rows = rows.where(MESSAGE.c[column] == value)
        with self.database.read() as connection:
            return list(connection.execute(rows.order_by(MESSAGE.c.id)))

    def enrolments(self) -> list[Any]:
        rows = select(ENROLMENT, CUSTOMER.c.external_id).join(
            CUSTOMER, CUSTOMER.c.id == ENROLMENT.c.customer_id
        )
        with self.database.read() as connection:
            return list(connection.execute(rows.order_by(ENROLMENT.c.id)))

    def settle(self, state: str = "sent") -> None:
        """What is waiting was handled: `sent` (accepted), `recalled`, `failed`, `expired`, `unknown`, now."""
        waiting = MESSAGE.c.state.in_(("planned", "deferred"))
        values: dict[str, Any] = {"state": state, "changed_at": self.now}
        if state == "sent":
            values["accepted_at"] = self.now
        with self.database.write() as connection:
            ids = connection.scalars(select(MESSAGE.c.enrolment_id).where(waiting)).all()
            connection.execute(update(MESSAGE).where(waiting).values(**values))
            connection.execute(update(ENROLMENT).where(ENROLMENT.c.id.in_(ids)).values(anchor_at=self.now))

    def state(self, scenario: str) -> Any:
        with self.database.read() as connection:
            return connection.execute(select(STATE).where(STATE.c.name == scenario)).one()


def channels(running: Running) -> dict[str, Any]:
    """The channels of a program, writing nowhere."""
    from pathlib import Path

    from channels import create, discover

    return {
        name: create(name, running.program.channels.get(name), outbox_dir=Path("nowhere"))
        for name in discover()
    }


def scenario(when: str, **parts: str) -> str:
    """A scenario's text: `when` is the trigger in one line; `parts` replace or add lines ("" drops one)."""
    lines = {
        "when": when,
        "steps": "[{id: hello, message: hello, send: [sms]}]",
        "schedule": "every day at 10:00",
    }
    lines |= parts
    return "".join(f"{key}: {value}\n" for key, value in lines.items() if value)


DAY = timedelta(days=1)
__all__ = ["DAY", "World", "bundle_of", "channels", "kyiv", "local", "scenario"]
