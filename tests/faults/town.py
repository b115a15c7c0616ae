"""A town: a shop with its customers, its service in as many processes as a scene wants, and its providers."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from sqlalchemy import func, select, update

from campaigns.bundle import Bundle
from campaigns.running import make_ready
from campaigns.versions import apply
from core.customers import consent
from core.customers.addresses import Addresses
from core.customers.consent import Choice
from core.customers.profiles import Profile, save
from core.db import Database
from core.ledger.book import Book
from core.program.lifetime import Life
from scheduler.presence import PROCESS
from tests.faults import audit
from tests.faults.clock import MovedClock
from tests.faults.evidence import MESSAGE, Evidence, is_locked, on_their_way
from tests.faults.launch import Orders, run
from tests.faults.phones import Phones
from tests.faults.processes import PROCESSES
from tests.faults.providers import Taken, providers
from tests.faults.till import BONUSES, PUBLIC_URL, TOKEN, Till
from tests.support.databases import PROJECT
from tests.support.ports import free_port
from tidings.service import CONCURRENCY
from tidings.workspace import Workspace

INSTALLATION = "the secret of the scenes of faults"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)  # 10:00 in Kyiv
# How long a lease is (scheduler.claim.LEASE), and a little.
PAST_THE_LEASE = timedelta(minutes=6)
READY_SECONDS = 60.0
EMPTY: Mapping[str, str] = MappingProxyType({})
CHANNELS = ("push", "sms", "email")
PROGRAM = """
program: Kavarnia
currency: UAH
time_zone: Europe/Kyiv
locales: [en]
points: {name: {en: [bonus, bonuses]}, scale: 2, starts: at once, lasts: 180 days}
tiers: {levels: [{name: member, from: 0, earn: 5%}]}
earn: {rules: [{rule: base, by: tier}]}
spend: {share_at_most: 50%}
holdout: 5%
QUIET
channels:
  email: {from: "Kavarnia <hello@kavarnia.example>"}
  sms: {sender: Kavarnia, tariff: {UA: 0.85}}
  push: {}
  wallet: {}
wallet:
  apple: {pass_type: pass.example.kavarnia, team: ABCDE12345}
"""
FILES = {
    "scenarios/reminder.yaml": """
purpose: marketing
when: {bonus_expiring: {at_least: 100, ahead: 3 days}}
steps: [{id: first, message: reminder, send: [push, sms, email]}]
schedule: every day at 10:00
""",
    "scenarios/thanks.yaml": """
purpose: service
when: {bonus_accrued: {at_least: 1, reason: purchase}}
steps: [{id: first, message: thanks, send: [push, sms, email]}]
""",
    "cards/loyalty.yaml": """
about: Kavarnia loyalty card
colours: {background: "#1f3b2d", text: "#ffffff", label: "#b9d3c2"}
images: {icon: images/icon.png, logo: images/logo.png}
barcode: {kind: qr, message: "{{ customer.external_id }}"}
front:
  header: [{key: balance, label: Bonuses, value: "{{ balance }}", notify: "You now have %@"}]
""",
}
# What a message says tells which one it is, in the provider's record, too.
SAYS = {"reminder": "reminder {{ customer.external_id }}", "thanks": "thanks {{ trigger.receipt }}"}


@dataclass(slots=True)
class Hand:
    """A process of the service."""

    words: tuple[str, ...]
    process: Any
    log: Path
    port: int = 0
    frozen: bool = False

    @property
    def lives(self) -> bool:
        """It was not killed, and has not ended."""
        return bool(self.process.is_alive())

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join()

    def freeze(self) -> None:
        """SIGSTOP, until every thread stands still: sent, the signal is only on its way."""
        os.kill(self.process.pid, signal.SIGSTOP)
        self.frozen = True
        while any(_moves(task) for task in Path(f"/proc/{self.process.pid}/task").glob("*/stat")):
            time.sleep(0.001)

    def thaw(self) -> None:
        """SIGCONT."""
        if self.frozen and self.lives:
            os.kill(self.process.pid, signal.SIGCONT)
        self.frozen = False


def _moves(stat: Path) -> bool:
    """Whether a thread is neither stopped nor over; see proc(5)."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "TtZX"
    except OSError:
        return False


@dataclass(slots=True)
class Plan:
    """What a town is like: `each` customers for each of three channels; `url` of its database, a file of
    SQLite if empty; the bonuses that they begin with end in `expires_in` days.
    """

    each: int = 60
    url: str = ""
    seed: int = 20260301
    quiet: str = ""
    expires_in: int = 3
    start: datetime = START


class Town:
    """The shop, begun: its messages are due at once, its till is open whenever a scene opens it."""

    def __init__(self, folder: Path, stack: ExitStack, plan: Plan) -> None:
        self.folder, self.stack, self.plan = folder / "shop", stack, plan
        self.dice = random.Random(plan.seed)
        self.clock = MovedClock(folder / "clock")
        # Applied a minute before its day begins: the look of that moment is the first one.
        self.clock.show(plan.start - timedelta(minutes=1))
        self.providers = providers()
        for server in self.providers.values():
            stack.callback(server.close)
        self._write()
        self.hands: list[Hand] = []
        stack.callback(self._end)
        self.workspace = Workspace(self.folder)
        self.database: Database = self.workspace.database
        stack.callback(self.database.close)
        self.evidence = Evidence(self.database)
        # On PostgreSQL that many jobs of one channel are done at a time by each process.
        self.evidence.at_most *= CONCURRENCY if plan.url else 1
        self.phones = Phones(self.folder / "outbox" / "apple-wallet")
        stack.callback(self.phones.switch_off)
        self.addresses: dict[str, tuple[str, str]] = {}
        self._apply()
        self._people()
        self.clock.show(plan.start)
        self.till = Till(
            self.evidence, self.clock, self.ports, sorted(self.addresses), self.addresses,
            random.Random(plan.seed + 1),
        )  # fmt: skip
        stack.callback(self.till.leave)

    # --- how it begins

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        images = PROJECT / "examples" / "kavarnia" / "cards" / "images"
        shutil.copytree(images, self.folder / "cards" / "images", dirs_exist_ok=True)
        texts = {"program.yaml": PROGRAM.replace("QUIET", self.plan.quiet), **FILES}
        for name, says in SAYS.items():
            texts[f"messages/{name}/email.txt"] = (
                f"---\nsubject: {says}\n---\n{says} {{{{ links.unsubscribe }}}}\n"
            )
            texts[f"messages/{name}/sms.txt"] = f"{says}\n"
            texts[f"messages/{name}/push.txt"] = f"---\ntitle: Kavarnia\n---\n{says}\n"
        texts[".env"] = f"TIDINGS_SECRET={INSTALLATION}\nTIDINGS_DATABASE={self.plan.url}\n"
        for name, text in texts.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")

    def _apply(self) -> None:
        running = make_ready(Bundle.read(self.folder))
        with self.database.write() as connection:
            apply(connection, running, "test", self.clock.now())

    def _people(self) -> None:
        """Who can be reached in one way each, with bonuses that expire soon; one in ten has agreed
        to nothing.
        """
        program, at = self.workspace.live.running().program, self.clock.now()
        kept = Addresses(INSTALLATION.encode())
        profiles: list[Profile] = []
        for channel in CHANNELS:
            for number in range(self.plan.each):
                name, to = f"{channel[0]}{number}", self.providers[channel].address("accept", number)
                self.addresses[name] = (channel, to)
                own = {"sms": {"phone": to}, "email": {"email": to}}.get(channel, {})
                profiles.append(Profile(name, registered_at=at, **own))
        with self.database.write() as connection:
            saved = save(connection, program, kept, profiles, at, live=False)
            ids = {it.external_id: it.customer_id for it in saved}
            devices = [(ids[name], "push", to) for name, (way, to) in self.addresses.items() if way == "push"]
            kept.add(connection, devices, at)
            agreed = [name for name in self.addresses if not name.endswith("9")]
            choices = [Choice(ids[name], self.addresses[name][0], True, at, "test") for name in agreed]
            consent.choose(connection, choices, at, live=False)
            last = program.day_of(at) + timedelta(days=self.plan.expires_in)
            book = Book(connection, program, list(ids.values()), at)
            for name, customer in ids.items():
                op = book.operation(customer, "adjustment", f"gift:{name}", [name], at)
                points = program.to_points(BONUSES)
                book.accrue(op, points, reason="gift", life=Life(at, last, program.end_of(last)))
            book.close()

    # --- its processes

    def start(
        self, *words: str, namespace: str | None = None, leads: bool = False, more: Mapping[str, str] = EMPTY
    ) -> Hand:
        """A command as a process of its own; one with an API is waited for."""
        # Who lives in a network of its own is not asked by the till.
        served = words[0] == "serve" and namespace is None
        port = free_port() if served else 0
        given = (*words, "--port", str(port)) if served else words
        log = self.folder / f"{len(self.hands)}-{words[0]}.log"
        orders = Orders(
            given, self.folder, self._environment() | dict(more), self.clock.file, log, namespace, leads
        )
        process = PROCESSES.Process(target=run, args=(orders,))
        process.start()
        hand = Hand(given, process, log, port)
        self.hands.append(hand)
        if served:
            self.until(lambda: self._answers(port) or not hand.lives, READY_SECONDS, every=0.05)
            assert hand.lives, f"`serve` does not begin: {log.read_text('utf-8')[-500:]}"
        return hand

    def _environment(self) -> dict[str, str]:
        found = {"TIDINGS_API_TOKEN": TOKEN, "TIDINGS_PUBLIC_URL": PUBLIC_URL, "TIDINGS_LOG_LEVEL": "info"}
        for server in self.providers.values():
            found |= server.environment()
        return found

    def command(self, *words: str, seconds: float = 60.0) -> int | None:
        """A command that comes to its end; its exit code."""
        hand = self.start(*words)
        hand.process.join(seconds)
        return hand.process.exitcode  # type: ignore[no-any-return]

    def ports(self) -> list[int]:
        """Of who may answer, in the order in which they were started."""
        return [it.port for it in self.hands if it.port and it.lives and not it.frozen]

    def living(self) -> list[Hand]:
        """The processes that live, frozen or not."""
        return [it for it in self.hands if it.lives]

    def _end(self) -> None:
        for hand in self.hands:
            hand.kill()

    @staticmethod
    def _answers(port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2, trust_env=False).status_code < 500
        except httpx.TransportError:
            return False

    # --- what is done to it

    def interrupt(self, hand: Hand) -> None:
        """Kill a process."""
        self.evidence.interruptions += 1
        hand.kill()
        self.evidence.keep_entries()

    def interrupt_amid_work(self, hand: Hand) -> None:
        """Kill a process while it sends what may be sent once alone, and, if it has an API, owes the till an
        answer: it is stopped first, so that neither is left to how quick this machine is.
        """
        self.until(lambda: self._is_caught(hand), 3.0)
        self.interrupt(hand)

    def _is_caught(self, hand: Hand) -> bool:
        """Stop it at its work; let it go on if it has none."""
        if not on_their_way(self.database, "sms", "push"):
            return False
        # The till does not know: it goes on asking.
        os.kill(hand.process.pid, signal.SIGSTOP)
        time.sleep(0.1)
        if (not hand.port or self.till.asks) and on_their_way(self.database, "sms", "push"):
            return True
        os.kill(hand.process.pid, signal.SIGCONT)
        return False

    def freeze_past_the_lease(self, hand: Hand) -> None:
        """Stop a process, not amid a write on SQLite, which would hold up everybody until it goes on; what it
        had on its way is anybody's by then.
        """
        self.until(lambda: self._is_frozen(hand), 5.0)
        self.outlast_the_lease()

    def _is_frozen(self, hand: Hand) -> bool:
        hand.freeze()
        if not is_locked(self.database):
            return True
        hand.thaw()
        return False

    def jump(self, by: timedelta) -> None:
        """Move the clock: a lease that is over by it is an interruption."""
        self.evidence.interruptions += 1
        self.evidence.frozen.update(on_their_way(self.database, *CHANNELS))
        self.clock.jump(by)

    def outlast_the_lease(self) -> None:
        """So much time goes by that what is on its way is anybody's."""
        self.jump(PAST_THE_LEASE)
        self._go_on_living(PAST_THE_LEASE)

    def later(self, by: timedelta = PAST_THE_LEASE) -> None:
        """Time goes by while nothing is on its way."""
        self.clock.jump(by)
        self._go_on_living(by)

    def _go_on_living(self, by: timedelta) -> None:
        """Who lives has said so meanwhile: nothing is handed to a process that gives no sign of life."""
        well = [it.process.pid for it in self.living() if not it.frozen]
        with self.database.write() as connection:
            for name, seen in connection.execute(
                select(PROCESS.c.name, PROCESS.c.seen_at).where(PROCESS.c.pid.in_(well))
            ).all():
                said = update(PROCESS).where(PROCESS.c.name == name, PROCESS.c.seen_at == seen)
                connection.execute(said.values(seen_at=seen + by))

    # --- how it goes

    def taken(self) -> list[Taken]:
        """What the providers took over, in order."""
        return sorted(
            (it for server in self.providers.values() for it in server.record), key=lambda it: it.at
        )

    def accepted(self) -> int:
        """How many messages the providers took over so far, twins included."""
        return sum(len(server.record) for server in self.providers.values())

    def wait_for(self, more: int, seconds: float = 20.0) -> bool:
        """Until so many more messages were taken over; false if they were not."""
        wanted = self.accepted() + more
        return self.until(lambda: self.accepted() >= wanted, seconds)

    @staticmethod
    def until(condition: Callable[[], Any], seconds: float, every: float = 0.005) -> bool:
        """Wait for something to become true; whether it has."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(every)
        return True

    def open_messages(self) -> int:
        """Messages that have not come to an end."""
        waiting = MESSAGE.c.state.in_(("planned", "deferred", "sending"))
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(MESSAGE).where(waiting)) or 0

    def some(self, channels: Sequence[str], count: int) -> list[str]:
        """Customers who have agreed to be told by these channels, drawn by the seed."""
        names = [it for it, (way, _) in self.addresses.items() if way in channels and not it.endswith("9")]
        return self.dice.sample(names, count)

    def finish(self, seconds: float = 90.0) -> None:
        """Nothing is broken any more: the service is left alone until everything has come to an end."""
        self.till.close()
        for hand in self.hands:
            hand.thaw()
        if not self.ports():
            self.start("serve")
        end = time.monotonic() + seconds
        while not self._is_over() and time.monotonic() < end:
            self.till.send_again()
            # What was refused waits a while, and a dead sender's lease must be over: nobody sends meanwhile.
            if not on_their_way(self.database, *CHANNELS) or not self._anybody_sends():
                self.later()
            self.until(self._is_over, 1.0, every=0.1)
        self.evidence.taken = self.taken()
        self.until(self._phones_are_told, 60.0, every=0.1)
        self.evidence.shown = self.phones.show()

    def _phones_are_told(self) -> bool:
        self.phones.listen(self.ports()[0])
        self.evidence.shown = self.phones.show()
        return audit.cards_agree(self.evidence)

    def _is_over(self) -> bool:
        return not self.open_messages() and not audit.unanswered(self.evidence)

    def _anybody_sends(self) -> bool:
        """Whether another message leaves within a moment."""
        return self.wait_for(1, 0.5)
