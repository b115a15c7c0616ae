"""Delivery end to end, and the naive way beside it, in one run.

    python -m benchmarks.delivery [--messages 5000 20000] [--message short] [--rounds 3] [--database URL]

Ours is measured from the trigger's look to the last message marked *sent*: look, outbox, claim, rendering,
composition, SMTP to postfix's `smtp-sink`, recorded; SQLite as the product opens it, so that what is
committed is on the disk. The naive way has the same messages, page and sink: a row loaded by the ORM, Jinja2,
`EmailMessage`, a connection by `smtplib`, a commit for each. Every measurement is a process of its own, so
that its memory can be read off. `--nobody` leaves out the wire: composed messages are handed to nobody.
"""

import argparse
import asyncio
import cProfile
import logging
import multiprocessing
import os
import pstats
import re
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import structlog
from jinja2 import Environment
from sqlalchemy import create_engine, func
from sqlmodel import Field, Session, SQLModel, select

from benchmarks.report import Row, at_least, keep, machine
from benchmarks.short_message import shortened
from benchmarks.tools import needed
from campaigns.bundle import Bundle
from campaigns.running import make_ready
from campaigns.tables import Message
from campaigns.versions import Live, apply
from channels import Accepted, Outcome, create
from channels.base import Channel
from channels.transport import Transport
from core.clock import MovableClock
from core.collecting import collect_seldom
from core.customers import profiles as customers
from core.customers.addresses import Addresses
from core.customers.profiles import Profile
from core.db import Database
from core.events import append
from core.ledger.book import Book
from core.links import Links
from core.program import Program
from core.program.lifetime import Life
from scheduler.delivery import Delivery
from scheduler.tick import decide
from tests.support.databases import load_tables

MESSAGE = Message.__table__  # type: ignore[attr-defined]
EXAMPLE = Path(__file__).parents[1] / "examples" / "kavarnia"
SECRET = b"the secret of the benchmark"
LINKS = Links("https://example.org", SECRET)
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
NAIVE = 300
NAIVE_GOAL, LIMIT_GOAL = at_least(80), at_least(0.4)
# As long as our short message.
SOURCE = ("-s", "20", "-l", "2400")
PROCESSES = multiprocessing.get_context("spawn")


# --- the messages


def bundle_with(message: str) -> Bundle:
    """The example workspace, as it is or with the short message; a look may reach any number of customers."""
    files = dict(Bundle.read(EXAMPLE).files)
    files["program.yaml"] = files["program.yaml"].replace(b"max_per_look: 50000", b"max_per_look: 10000000")
    example = Bundle(files)
    return shortened(example) if message == "short" else example


def fill(database: Database, count: int, message: str) -> None:
    """So many customers with an email address and bonuses just given: so many messages are due."""
    database.create_all()
    clock, running = MovableClock(AT), make_ready(bundle_with(message))
    with database.write() as connection:
        apply(connection, running, "benchmark", clock.now())
    people = [
        Profile(
            f"c{number}", name=f"Anna {number}", email=f"anna{number}@example.com", registered_at=AT,
            locale="uk",
        )
        for number in range(count)
    ]  # fmt: skip
    with database.write() as connection:
        saved = customers.save(connection, running.program, Addresses(SECRET), people, AT, live=False)
        ids = [it.customer_id for it in saved]
        book = Book(connection, running.program, ids, AT)
        for customer_id in ids:
            op = book.operation(customer_id, "adjustment", f"gift:{customer_id}", [], AT)
            book.accrue(op, 5000 + customer_id % 700, reason="purchase", life=Life(AT, None, None))
        book.close()
        append(connection, book.happenings, AT, live=True)


def states(database: Database) -> dict[str, int]:
    with database.read() as connection:
        counted = select(MESSAGE.c.state, func.count().label("messages")).group_by(MESSAGE.c.state)
        return {row.state: row.messages for row in connection.execute(counted)}


# --- ours


class Nobody(Transport[Any]):
    """Takes everything over at once."""

    async def transmit(self, wire: Any) -> Outcome:
        return Accepted(wire.key)


def email_channel(program: Program, port: int | None) -> Channel[Any, Any, Any]:
    """The channel of the example without its rate, to the sink at this port; without one to nobody."""
    config = dict(program.channels["email"] or {})
    config.pop("rate", None)
    environment = {"TRANSPORT": "smtp", "HOST": "127.0.0.1", "PORT": str(port), "TLS": "none"} if port else {}
    os.environ.update({f"TIDINGS_EMAIL_{name}": value for name, value in environment.items()})
    channel: Channel[Any, Any, Any] = create("email", config, outbox_dir=Path("unused"))
    if port is None:
        channel._choose_transport = Nobody  # type: ignore[method-assign]
    return channel


def ours(url: str, count: int, port: int | None, profile: bool, message: str, answers: Any) -> None:
    """Look and deliver in this process; tells the seconds of both, and by how many MB delivery grew."""
    load_tables()
    collect_seldom()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    database = Database(url)
    clock, live = MovableClock(AT), Live(database)
    channel = email_channel(live.running().program, port)
    profiler = cProfile.Profile()
    began = time.perf_counter()
    decide(database, live, clock)
    looked, busy = time.perf_counter(), time.process_time()
    before = _peak(reset=True)
    if profile:
        # What threads do would not be seen.
        asyncio.to_thread = _inline  # type: ignore[assignment]
        profiler.enable()

    async def deliver() -> None:
        async with channel:
            await Delivery(database, live, {"email": channel}, LINKS, clock).run()

    asyncio.run(deliver())
    profiler.disable()
    done = time.perf_counter()
    if states(database) != {"sent": count}:
        raise SystemExit(f"not everything was sent: {states(database)}")
    answers.send((looked - began, done - looked, _peak() - before, time.process_time() - busy))
    if profile:
        found = pstats.Stats(profiler)
        found.sort_stats("tottime").print_stats(45)
        found.sort_stats("cumulative").print_stats("/(scheduler|templates|channels|core)/", 70)
    database.close()


async def _inline(work: Callable[..., Any], *given: Any) -> Any:
    return work(*given)


def _peak(*, reset: bool = False) -> float:
    """The most memory of this process so far (Linux), MB; `reset` forgets what was before."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


# --- the naive way


class NaiveCustomer(SQLModel, table=True):
    """A customer as a first version has one."""

    __tablename__ = "naive_customer"
    id: int | None = Field(default=None, primary_key=True)
    name: str
    email: str
    balance: float
    tier: str = "bronze"
    unsubscribed: bool = False


class NaiveGift(SQLModel, table=True):
    """Bonuses that were given."""

    __tablename__ = "naive_gift"
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int = Field(foreign_key="naive_customer.id")
    amount: float
    noticed: bool = False


class NaiveMessage(SQLModel, table=True):
    """A message in the outbox."""

    __tablename__ = "naive_message"
    id: int | None = Field(default=None, primary_key=True)
    customer_id: int = Field(foreign_key="naive_customer.id")
    gift_id: int = Field(foreign_key="naive_gift.id")
    state: str = Field(default="planned", index=True)
    sent_at: datetime | None = None


def naive(url: str, count: int, port: int | None, profile: bool, message: str, answers: Any) -> None:
    """As a first version does it: one customer after the other, each step committed."""
    engine = create_engine(url)
    SQLModel.metadata.create_all(
        engine, tables=[SQLModel.metadata.tables[f"naive_{it}"] for it in ("customer", "gift", "message")]
    )
    with Session(engine) as session:
        for number in range(count):
            name = f"Anna {number}"
            customer = NaiveCustomer(name=name, email=f"anna{number}@example.com", balance=50.0)
            session.add(customer)
            session.flush()
            session.add(NaiveGift(customer_id=customer.id or 0, amount=50.0 + number % 7))
        session.commit()
    subject, text, html = naive_templates(message)
    began = time.perf_counter()
    with Session(engine) as session:
        for gift in session.exec(select(NaiveGift).where(NaiveGift.noticed == False)).all():  # noqa: E712
            session.add(NaiveMessage(customer_id=gift.customer_id, gift_id=gift.id or 0))
            gift.noticed = True
            session.commit()
    looked = time.perf_counter()
    with Session(engine) as session:
        while row := session.exec(
            select(NaiveMessage).where(NaiveMessage.state == "planned").limit(1)
        ).first():
            customer, gift = (
                session.get_one(NaiveCustomer, row.customer_id),
                session.get_one(NaiveGift, row.gift_id),
            )
            if customer.unsubscribed:
                continue
            facts = naive_context(customer, gift)
            mail = EmailMessage()
            mail["From"], mail["To"] = "Kavarnia <hello@kavarnia.example>", customer.email
            mail["Subject"] = subject.render(facts)
            mail["List-Unsubscribe"] = f"<{facts['links']['unsubscribe']}>"
            mail.set_content(text.render(facts))
            mail.add_alternative(html.render(facts), subtype="html")
            if port is not None:
                with smtplib.SMTP("127.0.0.1", port) as server:
                    server.send_message(mail)
            row.state, row.sent_at = "sent", datetime.now(UTC)
            session.commit()
    answers.send((looked - began, time.perf_counter() - looked, 0.0, 0.0))


def naive_templates(message: str) -> list[Any]:
    """Subject, text and page of the same message, compiled once; the words without our filters' care."""
    library = make_ready(bundle_with(message)).library
    parts = {it.name: it.template for it in library.parts(library.slots["bonus-accrued", "email", "uk"])}
    environment = Environment(autoescape=True)
    environment.filters |= {"points": lambda it: f"{it} бонусів", "money": lambda it: f"{it} ₴", "day": str}
    own = (re.sub(r"\{% from .*?%\}", "", parts[name]) for name in ("subject", "text", "html"))
    return [environment.from_string(re.sub(r"level\(([\w.]+)\)", r"\1", text)) for text in own]


def naive_context(customer: NaiveCustomer, gift: NaiveGift) -> dict[str, Any]:
    return {
        "customer": {"first_name": customer.name.split()[0]},
        "trigger": {"amount": gift.amount, "starts_on": None, "expires_on": None},
        "balance": customer.balance,
        "tier": {"name": customer.tier, "next": "silver", "missing": 5000},
        "expiring": {"on": None, "amount": 0},
        "program": {"name": "Kavarnia", "url": "https://kavarnia.example"},
        "links": {
            "card": None,
            "preferences": f"https://example.org/preferences?customer={customer.id}",
            "unsubscribe": f"https://example.org/unsubscribe?customer={customer.id}",
        },
    }


# --- the comparison


@contextmanager
def sink() -> Iterator[int]:
    """The port of an smtp-sink of our own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([needed("smtp-sink"), *as_whom, f"inet:127.0.0.1:{port}", "1000"])
    try:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


Way = Callable[[str, int, "int | None", bool, str, Any], None]


def measure(
    way: Way, url: str | None, count: int, port: int | None, message: str, *, profile: bool = False
) -> tuple[float, float, float, float]:
    """Seconds of the look and of the delivery, MB and processor seconds that this took."""
    with tempfile.TemporaryDirectory() as folder:
        place = url or f"sqlite:///{folder}/bench.db"
        if way is ours:
            database = Database(place)
            fill(database, count, message)
            database.close()
        listen, speak = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=way, args=(place, count, port, profile, message, speak))
        process.start()
        speak.close()
        try:
            found: tuple[float, float, float, float] = listen.recv()
        finally:
            process.join()
        if url:
            emptied = Database(url)
            SQLModel.metadata.drop_all(emptied.engine)
            emptied.close()
        return found


def postfix(port: int, count: int) -> float:
    """Messages a second that Postfix's own generator sends: it only copies bytes."""
    began = time.perf_counter()
    subprocess.run([needed("smtp-source"), *SOURCE, "-m", str(count), f"inet:127.0.0.1:{port}"], check=True)
    return count / (time.perf_counter() - began)


def compare(counts: Sequence[int], rounds: int, url: str | None, port: int | None, message: str) -> list[Row]:
    """Interleaved rounds; messages a second from the look to the last one that is marked."""
    plain = {it: Row(_what(it, message), "the naive way", "/s", NAIVE_GOAL, "naive") for it in counts}
    limit = {it: Row(_what(it, message), "smtp-source -s 20", "/s", LIMIT_GOAL, "limit") for it in counts}
    for number in range(rounds):
        base = NAIVE / sum(measure(naive, None, NAIVE, port, message)[:2])
        for count in counts:
            look, delivery, grown, busy = measure(ours, url, count, port, message)
            rate = count / (look + delivery)
            plain[count].pairs.append((rate, base))
            if port is not None:
                limit[count].pairs.append((rate, postfix(port, count)))
            print(
                f"round {number + 1}: {count:6,} emails  look {look:5.2f} s  delivery {delivery:6.2f} s "
                f"({count / delivery:7,.0f}/s, {busy / count * 1e6:4.0f} µs of processor each, "
                f"grown {grown:4.0f} MB)  naive {base:5.0f}/s"
            )
    return [row for count in counts for row in (plain[count], limit[count]) if row.pairs]


def _what(count: int, message: str) -> str:
    return f"{count:,} emails ({message}), look to marked sent"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument(
        "--message", choices=("short", "example"), default="short",
        help="a short English email, or the example's: 20 KB, in Ukrainian",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", help="a PostgreSQL database of its own; emptied afterwards")
    parser.add_argument("--nobody", action="store_true", help="leave out the wire")
    parser.add_argument("--profile", action="store_true", help="only ours, once, by function")
    asked = parser.parse_args()
    before = machine()
    with sink() as port:
        to = None if asked.nobody else port
        if asked.profile:
            print(measure(ours, asked.database, asked.messages[0], to, asked.message, profile=True))
            return
        rows = compare(asked.messages, asked.rounds, asked.database, to, asked.message)
    for row in rows:
        print(row)
    if not asked.nobody and not asked.database:
        keep("delivery", rows, before, message=asked.message, messages=asked.messages)


if __name__ == "__main__":
    main()
