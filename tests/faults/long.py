"""The long form: 10,000 messages, twenty kills, and restarts of the database and of the mail server.

    python -m tests.faults.long [--messages 10000] [--kills 20] [--seed 20260301]

Senders are processes of their own, killed (SIGKILL) at random moments; email, SMS and push go to servers on
this machine that write down what they took over. Then PostgreSQL is restarted twice under a running sender,
once by a crash, and the mail server once. The audit at the end compares what the providers took over with
what the database says. Exit code 1 if something is not as promised.
"""

import argparse
import logging
import random
import socketserver
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.clock import MovableClock
from core.db import Database
from tests.faults.scene import Scene
from tests.scheduler.kiosk import Kiosk
from tests.support.databases import load_tables
from tests.support.postgres_binaries import find
from tests.support.postgres_server import Server

CHANNELS = ("email", "sms", "push")
# Longer than a restart takes, short enough that what a killed sender held is soon taken up.
LEASE_SECONDS = 6.0
LONGEST_SECONDS = 900.0


@dataclass(slots=True)
class Story:
    """What is done to the senders, and how many emails were on their way when it was."""

    scene: Scene
    server: Server
    dice: random.Random
    in_flight: int = 0

    def kills(self, count: int) -> None:
        """Kill one sender after another, at random moments in the first half of the messages."""
        longest = 3 * self.scene.each // count
        for number in range(1, count + 1):
            held = self.scene.kill_one(self.dice.randint(1, max(2, longest)))
            self.in_flight += held
            say(f"kill {number:2}: {self.scene.accepted():6,} taken over, {held} emails on their way")

    def restarts(self) -> None:
        """Restart the database in two ways and the mail server, under one sender; let it finish."""
        scene = self.scene
        process, step = scene.sender(), (3 * scene.each - scene.accepted()) // 5
        for mode in ("fast", "immediate"):
            scene.wait_for(scene.accepted() + step, process)
            self.server.stop(mode)
            self.server.start()
            say(f"PostgreSQL restarted ({mode}): {scene.accepted():6,} taken over")
        scene.wait_for(scene.accepted() + step, process)
        mail = scene.kiosk.server("email")
        mail.go_down()
        scene.kiosk.database.engine.dispose()
        held = scene.in_flight()
        self.in_flight += held
        time.sleep(1)
        mail.come_up()
        say(f"mail server restarted: {scene.accepted():6,} taken over, {held} emails on their way")
        scene.finish(process, LONGEST_SECONDS)


def audit(scene: Scene, in_flight: int) -> Iterator[tuple[str, bool]]:
    """What was promised, each with whether it was kept."""
    for channel in CHANNELS:
        states, taken = scene.states(channel), scene.taken(channel)
        twins = taken.total() - len(taken)
        said = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
        yield (
            f"{channel}: {states.total():,} messages ({said}); {taken.total():,} taken over",
            (states.total() == scene.each and set(states) <= {"sent", "unknown"}),
        )
        if channel == "email":
            yield f"{channel}: {twins} twins, at most {in_flight} were on their way", twins <= in_flight
            yield (
                f"{channel}: every twin under the same Message-ID",
                len(scene.names()) == len(taken) == scene.each,
            )
        else:
            yield f"{channel}: {twins} twins", twins == 0
            perhaps = len(set(taken) - scene.sent(channel))
            yield (
                f"{channel}: every sent message was taken over, and {perhaps} of the unknown ones",
                scene.sent(channel) <= set(taken) and perhaps <= states["unknown"],
            )
    unknown = sum(scene.states(channel)["unknown"] for channel in CHANNELS)
    missed = len(scene.unreported())
    yield f"{unknown} unknown, all but {missed} told of in their customer's history and tries", missed == 0


def say(sentence: str) -> None:
    """To the terminal."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def main() -> int:
    """Run it; 0 if every promise was kept."""
    given = _arguments()
    # Clients that die in the middle of a request are what this is about.
    logging.disable(logging.CRITICAL)
    load_tables()
    began = time.monotonic()
    with ExitStack() as stack:
        server = Server(find())
        stack.callback(server.remove)
        server.start()
        scene = _scene(stack, server, given.messages // 3)
        say(f"{3 * scene.each:,} messages planned in {time.monotonic() - began:.0f} s")
        story = Story(scene, server, random.Random(given.seed))
        story.kills(given.kills)
        story.restarts()
        found = list(audit(scene, story.in_flight))
    say(f"\nAudit after {time.monotonic() - began:.0f} s")
    for sentence, kept in found:
        say(f"{'ok    ' if kept else 'BROKEN'}  {sentence}")
    return 0 if all(kept for _, kept in found) else 1


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description="Kill senders and restart servers amid a large campaign.")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20260301)
    return parser.parse_args()


def _scene(stack: ExitStack, server: Server, each: int) -> Scene:
    database = Database(server.url())
    stack.callback(database.close)
    database.create_all()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(socketserver.BaseServer, "handle_error", lambda *_: None)
    clock = MovableClock(datetime(2026, 3, 1, 10, 0, tzinfo=ZoneInfo("Europe/Kyiv")))
    kiosk = Kiosk(database, clock, folder, patch)
    stack.callback(kiosk.close)
    return Scene(kiosk, stack, each, LEASE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
