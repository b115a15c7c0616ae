"""A shop with planned messages, three providers that write down what they took over, and senders to kill."""

import asyncio
import multiprocessing
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

from sqlalchemy import func, select

from campaigns.tables import Attempt, Message, MessageState
from channels import discover
from core.customers import profiles as customers
from core.customers.addresses import ADDRESS
from core.customers.profiles import Profile
from core.events import append
from core.ledger.book import Book
from core.program.lifetime import Life
from tests.channels.providers import email, push, sms
from tests.channels.providers.email import PATIENCE
from tests.channels.providers.http import Answer, Request
from tests.faults.sender import LEASE, RunningClock, run
from tests.scheduler.kiosk import PROGRAM, Kiosk

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
STATE = MessageState.__table__  # type: ignore[attr-defined]

# Forked from a process that has loaded everything: real processes, but no second for each to start.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.sender"])
THANKS = """
purpose: service
when: {bonus_accrued: {at_least: 1}}
steps: [{id: first, message: thanks, send: [push, sms, email]}]
"""
TEXTS = {
    "email.txt": "---\nsubject: Thanks\n---\n{{ trigger.amount | points }}\n",
    "sms.txt": "{{ trigger.amount | points }}\n",
    "push.txt": "---\ntitle: Thanks\n---\n{{ trigger.amount | points }}\n",
}
# As long as a near provider takes to answer: so that a kill meets messages on their way.
ANSWER_SECONDS = 0.03


class SlowMail(email.Server):
    """An SMTP server that can be restarted at its address; what it has taken over stays taken over."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        await asyncio.sleep(ANSWER_SECONDS)
        return "250 2.0.0 taken over"

    def go_down(self) -> None:
        """Every connection breaks, and nobody answers."""
        self._at = self.port
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)

    def come_up(self) -> None:
        """At the same address."""
        self._released = asyncio.Event()
        self._server = asyncio.run_coroutine_threadsafe(self._again(), self._loop).result(PATIENCE)

    async def _again(self) -> asyncio.Server:
        return await self._loop.create_server(self._session_of(None), "127.0.0.1", self._at)


class SlowSms(sms.Server):
    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        time.sleep(ANSWER_SECONDS)
        return answer


class SlowPush(push.Server):
    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        time.sleep(ANSWER_SECONDS)
        return answer


class Scene:
    """`each` messages for each of three channels, planned; `lease` is that of the senders, seconds."""

    def __init__(
        self, kiosk: Kiosk, stack: ExitStack, each: int, lease: float = LEASE.total_seconds()
    ) -> None:
        self.kiosk, self.stack, self.each, self.lease = kiosk, stack, each, lease
        kiosk.servers = {"email": SlowMail(), "sms": SlowSms(), "push": SlowPush()}
        kiosk.environments = {name: server.environment() for name, server in kiosk.servers.items()}
        kiosk.files = {"program.yaml": PROGRAM.replace("quiet_hours: 21:00-09:00\n", "")}
        kiosk.files |= {f"messages/thanks/{name}": text for name, text in TEXTS.items()}
        kiosk.write(thanks=THANKS)
        self._people()
        kiosk.plan()
        self.started = time.time()

    def _people(self) -> None:
        kiosk, at = self.kiosk, self.kiosk.clock.now()
        numbers = range(self.each)
        people = [Profile(f"p{n}", registered_at=at) for n in numbers]
        people += [Profile(f"s{n}", phone=kiosk.to("sms", "accept", n), registered_at=at) for n in numbers]
        people += [Profile(f"e{n}", email=kiosk.to("email", "accept", n), registered_at=at) for n in numbers]
        with kiosk.database.write() as connection:
            program = kiosk.live.running().program
            saved = customers.save(connection, program, kiosk.addresses, people, at, live=False)
            ids = [it.customer_id for it in saved]
            devices = [(ids[n], "push", kiosk.to("push", "accept", n)) for n in numbers]
            kiosk.addresses.add(connection, devices, at)
            book = Book(connection, program, ids, at)
            for customer_id in ids:
                op = book.operation(customer_id, "adjustment", f"gift:{customer_id}", [], at)
                book.accrue(op, 5000, reason="gift", life=Life(at, None, None))
            book.close()
            append(connection, book.happenings, at, live=True)

    def accepted(self) -> int:
        """How many messages the providers took over so far, twins included."""
        return sum(len(server.accepted) for server in self.kiosk.servers.values())

    def sender(self) -> Any:
        """A sender as a process of its own."""
        environment: dict[str, str] = {}
        for known in self.kiosk.environments.values():
            environment |= known
        url = self.kiosk.database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        clock = RunningClock(self.started, self.kiosk.clock.now())
        process = PROCESSES.Process(target=run, args=(url, self.kiosk.folder, clock, environment, self.lease))
        process.start()
        self.stack.callback(process.kill)
        return process

    def kill_one(self, after: int) -> int:
        """Start a sender and kill it (SIGKILL) as soon as so many more messages were taken over.

        Returns how many emails it had on their way: so many may come twice.
        """
        process, before = self.sender(), self.claims()
        self.wait_for(self.accepted() + after, process)
        process.kill()
        process.join()
        return len(self.claims() - before)

    def wait_for(self, accepted: int, process: Any) -> None:
        """Until the providers have taken over so many in all, or the sender has come to its end."""
        while self.accepted() < accepted and process.is_alive():
            process.join(0.002)

    def later(self, seconds: float) -> None:
        """Senders begun from now on have a clock that is so much ahead."""
        self.started -= seconds

    def in_flight(self, channel: str = "email") -> int:
        """How many messages of a channel are claimed, and nobody has said what became of them."""
        return len(self.claims(channel))

    def claims(self, channel: str = "email") -> set[tuple[int, str]]:
        """These messages, each with the fence of its claim."""
        mine = (MESSAGE.c.channel == channel) & (MESSAGE.c.state == "sending")
        with self.kiosk.database.read() as connection:
            found = connection.execute(select(MESSAGE.c.id, MESSAGE.c.fence).where(mine))
            return {(row.id, row.fence) for row in found}

    def finish(self, process: Any = None, seconds: float = 50.0) -> None:
        """One more sender, or the one that runs, is left alone until everything has come to an end."""
        process = process or self.sender()
        process.join(seconds)
        assert process.exitcode == 0, "the sender did not come to its end"

    # --- what became of it

    def states(self, channel: str) -> Counter[str]:
        """State → how many messages of a channel."""
        counted = select(MESSAGE.c.state, func.count().label("messages")).where(MESSAGE.c.channel == channel)
        with self.kiosk.database.read() as connection:
            found = connection.execute(counted.group_by(MESSAGE.c.state)).all()
        return Counter({row.state: row.messages for row in found})

    def taken(self, channel: str) -> Counter[str]:
        """Address → how often its provider took a message over."""
        return Counter(self.kiosk.server(channel).accepted)

    def sent(self, channel: str) -> set[str]:
        """The addresses whose message we call *sent*."""
        kind = discover()[channel].address_kind
        own = (ADDRESS.c.customer_id == MESSAGE.c.customer_id) & (ADDRESS.c.kind == kind)
        mine = (MESSAGE.c.channel == channel) & (MESSAGE.c.state == "sent")
        with self.kiosk.database.read() as connection:
            return set(connection.scalars(select(ADDRESS.c.value).join(MESSAGE, own).where(mine)))

    def names(self) -> set[tuple[str, bytes]]:
        """Recipient and Message-ID of each email that was taken over."""
        envelopes = self.kiosk.server("email").envelopes
        return {(envelope.rcpt_tos[0], _message_id(envelope.content)) for envelope in envelopes}

    def unreported(self) -> set[int]:
        """Unknown messages that history or tries do not tell of: none, if all is well."""
        with self.kiosk.database.read() as connection:
            unknown = connection.execute(select(MESSAGE).where(MESSAGE.c.state == "unknown")).all()
            told = set(connection.scalars(select(STATE.c.message_id).where(STATE.c.state == "unknown")))
            tried = set(
                connection.scalars(select(ATTEMPT.c.message_id).where(ATTEMPT.c.outcome == "unknown"))
            )
        return {row.id for row in unknown if row.id not in told or row.id not in tried}


def _message_id(content: bytes) -> bytes:
    return next(line for line in content.splitlines() if line.lower().startswith(b"message-id:"))
