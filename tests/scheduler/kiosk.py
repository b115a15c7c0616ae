"""A small shop for the tests of delivery: real looks, real channels, providers on this machine."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from campaigns.bundle import Bundle
from campaigns.running import make_ready
from campaigns.tables import Attempt, Enrolment, Message
from campaigns.verdicts import verdicts
from campaigns.versions import Live, apply
from channels import Channel, create, discover
from core.clock import MovableClock
from core.customers import consent
from core.customers import profiles as customers
from core.customers.addresses import SUPPRESSION, Addresses
from core.customers.consent import Choice
from core.customers.profiles import Profile
from core.db import Database
from core.events import append
from core.ledger.book import Book
from core.links import Links
from core.program.lifetime import Life
from scheduler.board import CardBoard, LiveDeck
from scheduler.delivery import Delivered, Delivery
from scheduler.outcomes import Heard, confirm
from scheduler.tick import decide
from tests.channels.helpers import use
from tests.channels.providers.base import Provider, Verdict

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

SECRET = b"the secret of the tests"
CALLBACK = "https://kiosk.example/hooks/twilio/status"
PROGRAM = """
program: Kiosk
currency: UAH
time_zone: Europe/Kyiv
locales: [en]
points: {name: {en: [bonus, bonuses]}, scale: 2}
tiers: {levels: [{name: member, from: 0, earn: 5%}]}
earn: {rules: [{rule: base, by: tier}]}
quiet_hours: 21:00-09:00
channels:
  email: {from: "Kiosk <hello@kiosk.example>"}
  sms: {sender: Kiosk, tariff: {UA: 0.85}}
  push: {}
"""
REMINDER = """
when: {bonus_expiring: {at_least: 100, ahead: 3 days}}
steps:
  - {id: first, message: hello, send: [push, sms, email]}
schedule: every day at 10:00
"""
TEXTS = {
    "email.txt": "---\nsubject: Bonuses\n---\n{{ trigger.expiring | points }} {{ links.unsubscribe }}\n",
    "sms.txt": "{{ trigger.expiring | points }}\n",
    "push.txt": "---\ntitle: Bonuses\n---\n{{ trigger.expiring | points }}\n",
    "telegram.txt": "{{ trigger.expiring | points }}\n",
}


class Kiosk:
    """One shop: its files, its customers, its outbox. What a provider does stands in a customer's address."""

    def __init__(
        self, database: Database, clock: MovableClock, folder: Path, patch: pytest.MonkeyPatch
    ) -> None:
        self.database, self.clock, self.folder, self.patch = database, clock, folder, patch
        self.live = Live(database)
        self.links = Links("https://kiosk.example", SECRET)
        self.addresses = Addresses(SECRET)
        self.servers: dict[str, Any] = {}
        self.environments: dict[str, Mapping[str, str]] = {}
        self.settings: dict[str, str] = {}
        self.files = {"program.yaml": PROGRAM, "scenarios/reminder.yaml": REMINDER}
        self.files |= {f"messages/hello/{name}": text for name, text in TEXTS.items()}
        self.pictures: Mapping[str, bytes] = {}
        self.ids: dict[str, int] = {}
        self.naps: list[float] = []

    # --- the files

    def write(self, **changed: str | None) -> None:
        """Change files (`program`, or a scenario's name) and make them live; None removes one."""
        for name, text in changed.items():
            path = "program.yaml" if name == "program" else f"scenarios/{name}.yaml"
            if text is None:
                del self.files[path]
            else:
                self.files[path] = text
        texts = {path: text.encode() for path, text in self.files.items()}
        running = make_ready(Bundle({**texts, **self.pictures}))
        with self.database.write() as connection:
            apply(connection, running, "test", self.clock.now())

    def scenario(self, **parts: str) -> None:
        """The reminder with other parts: `send="[sms]"`, `limits="{valid_for: 2 hours}"`.

        Its step is the last one, unless `then="1 day"`: another one waits for so long after it.
        """
        then = parts.pop("then", "")
        step = "message: hello, send: %s}" % parts.pop("send", "[push, sms, email]")  # noqa: UP031 - braces
        steps = [f"{{id: first, {step}", *([f"{{id: second, wait: {then}, {step}"] if then else [])]
        given = {"when": "{bonus_expiring: {at_least: 100, ahead: 3 days}}", "steps": f"[{', '.join(steps)}]",
                 "schedule": "every day at 10:00"} | parts  # fmt: skip
        self.write(reminder="".join(f"{name}: {text}\n" for name, text in given.items()))

    # --- the customers

    def customer(self, name: str, **person: Any) -> None:
        """Somebody with bonuses that expire in three days; consents to every channel unless told."""
        self.customers({name: person})

    def customers(self, people: Mapping[str, Mapping[str, Any]]) -> None:
        """Many of them at once: name → their profile, and `push`, `consented` and `bonuses`."""
        at, program = self.clock.now(), self.live.running().program
        extra = {"push", "consented", "bonuses"}
        profiles = [
            Profile(
                name,
                name=name.capitalize(),
                registered_at=at,
                **{k: v for k, v in person.items() if k not in extra},
            )
            for name, person in people.items()
        ]
        with self.database.write() as connection:
            saved = customers.save(connection, program, self.addresses, profiles, at, live=False)
            self.ids |= {it.external_id: it.customer_id for it in saved}
            devices = [(self.ids[name], "push", it["push"]) for name, it in people.items() if "push" in it]
            self.addresses.add(connection, devices, at)
            choices = [
                Choice(self.ids[name], channel, True, at, "test")
                for name, it in people.items()
                for channel in _agreed(it)
            ]
            consent.choose(connection, choices, at, live=False)
            gifts = {name: it.get("bonuses", 500) for name, it in people.items()}
            self._accrue(
                connection, {name: gift for name, gift in gifts.items() if gift}, program, live=False
            )

    def _accrue(self, connection: Any, gifts: Mapping[str, int], program: Any, *, live: bool) -> None:
        at = self.clock.now()
        last = program.day_of(at) + timedelta(days=3)
        book = Book(connection, program, [self.ids[name] for name in gifts], at)
        for name, bonuses in gifts.items():
            op = book.operation(self.ids[name], "adjustment", f"gift:{name}:{at}", [name], at)
            points = program.to_points(bonuses)
            book.accrue(op, points, reason="gift", life=Life(at, last, program.end_of(last)))
        book.close()
        append(connection, book.happenings, at, live=live)

    def give(self, name: str, bonuses: int) -> None:
        """Bonuses that a trigger on accruals hears of."""
        program = self.live.running().program
        with self.database.write() as connection:
            self._accrue(connection, {name: bonuses}, program, live=True)

    def spend(self, name: str, points: int) -> None:
        """Redeem bonuses at the till."""
        at = self.clock.now()
        with self.database.write() as connection:
            program = self.live.running().program
            book = Book(connection, program, [self.ids[name]], at)
            op = book.operation(self.ids[name], "redemption", f"till:{name}:{at}", [name], at)
            assert book.redeem(op, points * 100) is None
            book.close()
            append(connection, book.happenings, at, live=True)

    def withdraw(self, name: str, *channels: str) -> None:
        """The customer wants no marketing on these channels any more."""
        at = self.clock.now()
        choices = [Choice(self.ids[name], channel, False, at, "test") for channel in channels]
        with self.database.write() as connection:
            consent.choose(connection, choices, at, live=True)

    # --- the providers

    def server(self, channel: str) -> Any:
        """The provider of a channel, on this machine; from now on the channel sends to it."""
        if channel not in self.servers:
            self.servers[channel] = import_module(f"tests.channels.providers.{channel}").Server()
            self.environments[channel] = self.servers[channel].environment()
        return self.servers[channel]

    def shut_down(self, channel: str) -> None:
        """Nobody answers at the provider's address any more."""
        self.server(channel).close()
        del self.servers[channel]

    def to(self, channel: str, verdict: Verdict, number: int = 0) -> str:
        """An address that the provider of the channel treats in this way."""
        server: Provider = self.server(channel)
        return server.address(verdict, number)

    def channels(self) -> dict[str, Channel[Any, Any, Any]]:
        """The channels, not yet open; those without a provider write into a folder."""
        environment = {f"TIDINGS_{name}_STATUS_CALLBACK": CALLBACK for name in ("SMS", "WHATSAPP")}
        for known in self.environments.values():
            environment |= known
        use(self.patch, environment | self.settings)
        configs = self.live.running().program.channels
        board = CardBoard(self.database, LiveDeck(self.live, lambda _: self.links))
        given: Mapping[str, Any] = {"outbox_dir": self.folder, "board": board}
        return {name: create(name, configs.get(name) or {}, **given) for name in discover()}

    # --- what happens

    def plan(self) -> None:
        """A look at everything that is due."""
        decide(self.database, self.live, self.clock)

    def deliver(self, **options: Any) -> Delivered:
        """One delivery of everything that is due."""
        return asyncio.run(self.delivering(**options))

    async def delivering(self, **options: Any) -> Delivered:
        """The same, in an event loop that runs already."""
        channels = self.channels()
        async with AsyncExitStack() as opened:
            for channel in channels.values():
                await opened.enter_async_context(channel)
            return await self.delivery(channels, **options).run()

    def delivery(self, channels: Mapping[str, Channel[Any, Any, Any]], **options: Any) -> Delivery:
        """A sender that waits by moving the clock, and notes for how long."""
        options = {"sleep": self._nap, **options}
        return Delivery(self.database, self.live, channels, self.links, self.clock, **options)

    async def _nap(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.later(seconds=seconds)

    def later(self, **by: float) -> None:
        """Move the clock."""
        self.clock.move_by(timedelta(**by))

    def report(self, name: str, kind: str, detail: str | None = None, **more: Any) -> Heard:
        """What the provider reports of the customer's message."""
        with self.database.write() as connection:
            provider_id = self.message(name).provider_id
            return confirm(connection, provider_id, kind, detail, self.clock.now(), **more)

    # --- what is seen

    def message(self, name: str) -> Any:
        """The customer's newest message."""
        with self.database.read() as connection:
            own = select(MESSAGE).where(MESSAGE.c.customer_id == self.ids[name])
            return connection.execute(own.order_by(MESSAGE.c.id.desc()).limit(1)).one()

    def state(self, name: str) -> tuple[str, str | None]:
        """State and reason of the customer's newest message."""
        row = self.message(name)
        return row.state, row.reason

    def states(self) -> dict[str, int]:
        """State → how many messages."""
        with self.database.read() as connection:
            found = connection.scalars(select(MESSAGE.c.state)).all()
        return {state: found.count(state) for state in sorted(set(found))}

    def attempts(self, name: str) -> list[tuple[str, int, str, str | None]]:
        """Channel, number, outcome and reason of each try, in order."""
        columns = (ATTEMPT.c.channel, ATTEMPT.c.number, ATTEMPT.c.outcome, ATTEMPT.c.reason)
        with self.database.read() as connection:
            own = select(*columns).where(ATTEMPT.c.message_id == self.message(name).id)
            return [tuple(row) for row in connection.execute(own.order_by(ATTEMPT.c.id))]

    def verdict(self, name: str) -> tuple[str, str | None]:
        """What the customer's history says."""
        with self.database.read() as connection:
            said = verdicts(lambda it: it.c.customer_id == self.ids[name]).c
            own = select(said.verdict, said.detail).order_by(said.at.desc()).limit(1)
            row = connection.execute(own).one()
        return row.verdict, row.detail

    def anchor(self, name: str) -> datetime | None:
        """From when the wait for the next step runs."""
        with self.database.read() as connection:
            return connection.scalar(
                select(ENROLMENT.c.anchor_at).where(ENROLMENT.c.customer_id == self.ids[name])
            )

    def suppressed(self) -> set[tuple[str, str]]:
        """Channel and reason of each suppression."""
        with self.database.read() as connection:
            return {(row.channel, row.reason) for row in connection.execute(select(SUPPRESSION))}

    def set(self, name: str, **values: Any) -> None:
        """Change the customer's newest message as another process would."""
        with self.database.write() as connection:
            connection.execute(update(MESSAGE).where(MESSAGE.c.id == self.message(name).id).values(**values))

    def close(self) -> None:
        """Stop the providers."""
        for server in self.servers.values():
            server.close()


def _agreed(person: Mapping[str, Any]) -> list[str]:
    if "consented" in person:
        return [*person["consented"]]
    return [
        channel for channel, key in (("email", "email"), ("sms", "phone"), ("push", "push")) if key in person
    ]


def at(text: str) -> datetime:
    """A UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
