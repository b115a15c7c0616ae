"""A year of a shop, lived through by the product's own ways: tills, looks, delivery, reactions, the card.

Everything is drawn from one seed: the same year each time, on each database.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import func, select

from benchmarks.shop import PRODUCTS, accept
from campaigns.bundle import Bundle
from campaigns.running import make_ready
from campaigns.tables import Message
from campaigns.versions import Live, apply
from channels import Channel, create
from channels.outcome import Accepted, Outcome
from channels.transport import Transport
from core.clock import MovableClock
from core.customers.addresses import Addresses
from core.customers.consent import Choice, choose
from core.customers.profiles import Profile, save
from core.db import Database
from core.db.bulk import insert_rows
from core.links import Links
from core.purchases.receipts import Line, Purchase, record
from core.tables import Product
from scheduler import reactions
from scheduler.delivery import Delivery
from scheduler.tick import decide
from tests.support.databases import load_tables
from wallet import happenings
from wallet.tables import DEVICE, PASS, REGISTRATION

EXAMPLE = Path(__file__).parents[1] / "examples" / "kavarnia"
KYIV = ZoneInfo("Europe/Kyiv")
FIRST = datetime(2026, 3, 2, 12, 0, tzinfo=KYIV)
WEEKS, BATCH = 52, 1_000
# A customer of a grocer or a chain of cafés: so many receipts a year, lines on one, and every so many pay
# with bonuses, carry the card, open a mail.
RECEIPTS, LINES, PAYS, CARRIES, OPENS = 24, (1, 7), 6, 3, 4
LINKS = Links("https://kavarnia.example", b"the secret of the benchmark")
MESSAGE = Message.__table__  # type: ignore[attr-defined]
NEWS = """
when: {schedule: {cron: "0 10 * * 2"}}
steps: [{message: news, send: [email, sms]}]
limits: {valid_for: 2 days}
"""
TEXTS = {
    "email.txt": "---\nsubject: {{ customer.first_name }}, it is new\n---\n"
    "New in our shops. {{ links.unsubscribe }}\n",
    "sms.txt": "New in our shops\n",
}


class Recording(Transport[Any]):
    """A provider that takes everything over at once, under a name as long as theirs are."""

    async def transmit(self, wire: Any) -> Outcome:
        """Accepted."""
        return Accepted(f"0100018f{wire.key.rjust(32, '0')[-32:]}-000000")


class Year:
    """`customers` people in a new database, and what they do."""

    def __init__(self, database: Database, customers: int) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        load_tables()
        self.database, self.count, self.random = database, customers, Random(7)
        self.clock, self.live = MovableClock(FIRST - timedelta(days=1)), Live(database)
        self.receipts, self.opened = 0, 0
        with database.write() as connection:
            apply(connection, make_ready(_bundle()), "benchmark", self.clock.now())
        self._goods()
        for start in range(0, customers, BATCH):
            self._join(range(start, min(start + BATCH, customers)))

    def weeks(self, count: int = WEEKS) -> Iterator[int]:
        """Live through the year, or its beginning; yields after each week."""
        for week in range(count):
            self.clock.move_to(FIRST + timedelta(weeks=week))
            self._buy()
            # What a purchase brought is told at once, the rest on Tuesday morning.
            self._tell()
            self.clock.move_to(FIRST + timedelta(weeks=week, days=1, hours=-1))
            self._tell()
            self._react()
            yield week

    def _goods(self) -> None:
        rows = [
            (f"sku{it}", f"Goods {it}", f"category {it % 40}", f"brand {it % 90}") for it in range(PRODUCTS)
        ]
        with self.database.write() as connection:
            insert_rows(connection, Product.__table__, ("sku", "name", "category", "brand"), rows)  # type: ignore[attr-defined]

    def _join(self, numbers: range) -> None:
        """With a phone, most with an email; they agree to marketing, a third puts the card on a phone."""
        at, program = self.clock.now(), self.live.running().program
        people = [
            Profile(
                f"{4_000_000_000_000 + it}", card=f"KV{it:010}", name=f"Olena Kovalenko {it}", locale="uk",
                phone=f"+38050{it:07}", email=f"olena.kovalenko.{it}@example.com" if it % 5 else None,
                birthday=date(1960 + it % 45, 1 + it % 12, 1 + it % 28), city="Kyiv", gender="f",
                registered_at=at,
            )
            for it in numbers
        ]  # fmt: skip
        with self.database.write() as connection:
            saved = save(connection, program, Addresses(b"benchmark"), people, at, live=True)
            ids = [it.customer_id for it in saved]
            choices = [Choice(it, channel, True, at, "shop", wording="2026-03") for it in ids
                       for channel in ("email", "sms")]  # fmt: skip
            choose(connection, choices, at, live=True)
            self._carry(connection, ids[::CARRIES], at)

    def _carry(self, connection: Any, ids: list[int], at: datetime) -> None:
        named = [(it, self._name(), self._name(), self._name()) for it in ids]
        when = at.replace(microsecond=0)
        insert_rows(
            connection, PASS,
            ("serial", "customer_id", "token", "digest", "changed_at", "issued_at", "voided",
             "google_notices", "google_saved", "google_attempts", "tag"),
            [(serial, it, token, token * 2, when, at, False, "", False, 0, 0)
             for it, serial, token, _ in named],
        )  # fmt: skip
        insert_rows(
            connection,
            DEVICE,
            ("device", "push_token", "registered_at", "owed_tag", "pushed_tag", "unasked", "attempts"),
            [(device, device * 2, at, 0, 0, 0, 0) for _, _, _, device in named],
        )
        insert_rows(
            connection, REGISTRATION, ("device", "serial", "customer_id", "at", "tag", "late"),
            [(device, serial, it, at, 0, 0) for it, serial, _, device in named],
        )  # fmt: skip
        for _, serial, _, _ in named:
            happenings.came(connection, serial, "apple", at)

    def _name(self) -> str:
        return f"{self.random.getrandbits(128):032x}"

    def _buy(self) -> None:
        """A week's receipts, as tills send them."""
        due = self.count * RECEIPTS // WEEKS
        now, program = self.clock.now(), self.live.running().program
        for start in range(0, due, BATCH):
            bought = [self._purchase(now) for _ in range(start, min(start + BATCH, due))]
            with self.database.write() as connection:
                for outcome in record(connection, program, bought, now, live=True):
                    accept(outcome)

    def _purchase(self, now: datetime) -> Purchase:
        draw, self.receipts = self.random, self.receipts + 1
        lines = tuple(
            Line(f"sku{draw.randrange(PRODUCTS)}", 1000, draw.randrange(2_000, 20_000))
            for _ in range(draw.randint(*LINES))
        )
        # The program takes none on a small receipt.
        large = sum(line.total for line in lines) >= 10_000
        pays = 100 if large and self.receipts % PAYS == 0 else 0
        customer = 4_000_000_000_000 + draw.randrange(self.count)
        return Purchase(
            f"{draw.randrange(1, 60):03}-{self.receipts:010}", str(customer), now, lines,
            f"{draw.randrange(1, 60):03}", pays, offline=True,
        )  # fmt: skip

    def _tell(self) -> None:
        decide(self.database, self.live, self.clock)
        asyncio.run(self._deliver())

    async def _deliver(self) -> None:
        configs = self.live.running().program.channels
        made = {name: _recording(name, configs.get(name) or {}) for name in ("email", "sms")}
        async with AsyncExitStack() as stack:
            for channel in made.values():
                await stack.enter_async_context(channel)
            await Delivery(self.database, self.live, made, LINKS, self.clock).run()

    def _react(self) -> None:
        """Some open their mails, and some of these follow a link."""
        with self.database.write() as connection:
            last = connection.scalar(select(func.max(MESSAGE.c.id))) or 0
            at = self.clock.now() + timedelta(minutes=30)
            seen = range(self.opened + 1, last + 1, OPENS)
            found = [reactions.Reaction(it, "opened", at) for it in seen]
            found += [reactions.Reaction(it, "clicked", at, "card") for it in seen[::3]]
            for start in range(0, len(found), BATCH):
                reactions.keep(connection, found[start : start + BATCH])
            self.opened = last


def _recording(name: str, config: dict[str, Any]) -> Channel[Any, Any, Any]:
    config = {key: value for key, value in config.items() if key != "rate"}
    channel = create(name, config, outbox_dir=Path("unused"))
    channel._choose_transport = Recording  # type: ignore[method-assign]
    return channel


def _bundle() -> Bundle:
    """The example, without push and the card's own scenario, with news each Tuesday."""
    files = dict(Bundle.read(EXAMPLE).files)
    program = files["program.yaml"].decode().replace("max_per_look: 50000", "max_per_look: 10000000")
    program = program.replace("{opens: false, clicks: false}", "{opens: true, clicks: true}")
    files["program.yaml"] = program.encode()
    files["scenarios/news.yaml"] = NEWS.encode()
    for name in [it for it in files if it.startswith("scenarios/card-added")]:
        del files[name]
    for name in [it for it in files if it.startswith("scenarios/")]:
        files[name] = files[name].replace(b"[push, email, sms]", b"[email, sms]").replace(
            b"[push, email]", b"[email]").replace(b"[email, push]", b"[email]")  # fmt: skip
    return Bundle({**files, **{f"messages/news/{name}": text.encode() for name, text in TEXTS.items()}})
