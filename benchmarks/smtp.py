"""Composing and sending email: the channel beside nodemailer's pool and Postfix's own load generator.

    python -m benchmarks.smtp [--messages 5000] [--rounds 5] [--memory] [--profile]

All send to `smtp-sink` of Debian's postfix package, one after the other in each round. nodemailer composes by
its own composer and keeps a pool of connections; `smtp-source -s 20` only copies bytes of the same length.
`make bench-tools` installs both.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.report import Row, at_least, keep, machine
from benchmarks.tools import needed, node, without
from channels import Accepted, Outcome, Outgoing, create
from core.collecting import collect_seldom

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SESSIONS = 20
# A pool of nodemailer is renewed after so many messages too.
SHARE = 100
CHUNK = 1000

TEXT = "Hello Anna,\n\n" + "Your 500 bonuses are waiting for you until 15 March.\n" * 12
PAGE = "<html><body>" + "<p>Your <b>500 bonuses</b> are waiting for you until 15 March.</p>\n" * 20
NODE = """
const mailer = require('nodemailer');
const [port, count, connections, share, text, html] = process.argv.slice(1);
const pool = mailer.createTransport({pool: true, host: '127.0.0.1', port: +port, secure: false,
  ignoreTLS: true, maxConnections: +connections, maxMessages: +share});
const mail = n => ({from: 'Kavarnia <hello@kavarnia.example>', to: `anna${n}@example.com`,
  subject: 'You have 500 bonuses', text, html, list: {unsubscribe: `https://kavarnia.example/u/${n}`}});
const start = process.hrtime.bigint();
Promise.all(Array.from({length: +count}, (_, n) => pool.sendMail(mail(n)))).then(() => {
  console.log(Number(process.hrtime.bigint() - start) / 1e9);
  pool.close();
});
"""


@contextmanager
def sink() -> Iterator[int]:
    """A server that takes everything; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [needed("smtp-sink"), f"127.0.0.1:{port}", "1000"]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "nobody"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int) -> None:
    """Return once somebody listens."""
    for _ in range(100):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("smtp-sink did not start; run it by hand to see why")


def message(number: int) -> Outgoing:
    """A newsletter of 2.5 KB."""
    return Outgoing(
        key=f"m{number}",
        to=f"anna{number}@example.com",
        parts={"subject": "You have 500 bonuses", "text": TEXT, "html": PAGE},
        purpose="marketing",
        at=AT,
        tag="bonus-expiring",
        unsubscribe_url=f"https://kavarnia.example/u/{number}",
    )


async def send(port: int, count: int) -> float:
    """Seconds to compose and send, opening and closing the sessions included."""
    collect_seldom()  # as `serve` does
    settings = {"TRANSPORT": "smtp", "HOST": "127.0.0.1", "PORT": str(port), "TLS": "none", "HELO": "bench"}
    settings |= {"CONCURRENCY": str(SESSIONS), "MESSAGES_PER_CONNECTION": str(SHARE)}
    os.environ.update({f"TIDINGS_EMAIL_{name}": value for name, value in settings.items()})
    accepted = 0

    def record(key: str, outcome: Outcome) -> None:
        nonlocal accepted
        accepted += isinstance(outcome, Accepted)

    channel = create("email", {"from": "Kavarnia <hello@kavarnia.example>"}, outbox_dir=Path("unused"))
    start = time.perf_counter()
    async with channel:
        for first in range(0, count, CHUNK):
            await channel.send([message(n) for n in range(first, min(first + CHUNK, count))], record)
    seconds = time.perf_counter() - start
    if accepted != count:
        raise SystemExit(f"{accepted} of {count} messages were accepted")
    return seconds


def nodemailer(port: int, count: int) -> float:
    """Seconds that nodemailer's pool takes to compose and send as much."""
    return float(node(NODE, str(port), str(count), str(SESSIONS), str(SHARE), TEXT, PAGE))


def smtp_source(port: int, count: int, length: int) -> float:
    """Seconds that Postfix's generator takes, its start included (a few milliseconds)."""
    options = ["-s", str(SESSIONS), "-m", str(count), "-l", str(length), "-t", "anna@example.com"]
    start = time.perf_counter()
    subprocess.run([needed("smtp-source"), *options, f"127.0.0.1:{port}"], check=True)
    return time.perf_counter() - start


def measure(count: int, rounds: int) -> None:
    """Every round runs all three; ratios are of one round."""
    before, why_not = machine(), without("nodemailer")
    limit = Row("compose and send", "smtp-source -s 20", "/s", at_least(1), "limit")
    beside = Row("compose and send", "nodemailer's pool", "/s", at_least(15), "peer")
    length = len(create_one())
    with sink() as port:
        asyncio.run(send(port, 200))
        for _ in range(rounds):
            ours = count / asyncio.run(send(port, count))
            limit.pairs.append((ours, count / smtp_source(port, count, length)))
            if not why_not:
                ours = count / asyncio.run(send(port, count))
                beside.pairs.append((ours, count / nodemailer(port, count)))
    rows = [limit] if why_not else [limit, beside]
    print(*rows, sep="\n")
    keep("smtp", rows, before, [why_not] if why_not else [], messages=count, octets=length)


def create_one() -> bytes:
    """A composed message."""
    channel = create("email", {"from": "Kavarnia <hello@kavarnia.example>"}, outbox_dir=Path("unused"))
    return bytes(channel.compose(message(1)).data)


def memory(count: int) -> None:
    """The peak of the process's memory for more and more messages, each in a process of its own."""
    program = "import sys; from benchmarks import smtp; smtp.peak(int(sys.argv[1]), int(sys.argv[2]))"
    with sink() as port:
        for messages in (count, 4 * count, 16 * count):
            run = [sys.executable, "-c", program, str(port), str(messages)]
            said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
            print(f"{messages:8,} messages: {said} MB at most")


def peak(port: int, count: int) -> None:
    """Send, and print the most megabytes that it took."""
    asyncio.run(send(port, count))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def profile(count: int) -> None:
    """Where the time goes."""
    with sink() as port:
        profiler = cProfile.Profile()
        profiler.runcall(asyncio.run, send(port, count))
    pstats.Stats(profiler).sort_stats("tottime").print_stats(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="only the memory for more and more messages")
    parser.add_argument("--profile", action="store_true", help="only where our time goes")
    asked = parser.parse_args()
    if asked.memory:
        memory(asked.messages)
    elif asked.profile:
        profile(asked.messages)
    else:
        measure(asked.messages, asked.rounds)


if __name__ == "__main__":
    main()
