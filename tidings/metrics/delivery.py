"""Messages: what waits, what became of them, who works on it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from scheduler import tally
from scheduler.standing import Standing
from tidings.metrics.shapes import counter, gauge

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

KINDS = ("serve", "worker")


def families(connection: Connection, it: Standing) -> Iterator["Metric"]:
    """Everything about messages."""
    yield from _of_processes(it)
    yield gauge("tidings_trouble", "Sentences that `tidings status` has for somebody.", len(it.trouble))
    yield from _of_queues(it)
    yield gauge("tidings_letters_waiting", "Letters that somebody waits for.", it.letters)
    yield gauge(
        "tidings_letters_oldest_wait_seconds", "How long the first of them has waited.", it.letters_wait
    )
    yield from _of_outcomes(tally.counted(connection))
    yield from _of_jobs(it)


def _of_processes(it: Standing) -> Iterator["Metric"]:
    running = Counter(process.kind for process in it.here)
    yield gauge(
        "tidings_processes", "Processes that work on this database, by their command.",
        by=("kind", {kind: running[kind] for kind in (*KINDS, *sorted(set(running) - set(KINDS)))}),
    )  # fmt: skip
    silent = len(it.processes) - len(it.here)
    yield gauge("tidings_processes_silent", "Processes that died, and were not started again.", silent)
    if it.jobs is not None:
        yield gauge("tidings_leaders", "Processes that lead: one.", len(it.leaders))
    yield gauge(
        "tidings_hands", "Chunks of a channel that may be under way at a time.",
        by=("channel", {name: it.hands(name) for name in (queue.condition.channel for queue in it.queues)}),
    )  # fmt: skip


def _of_queues(it: Standing) -> Iterator["Metric"]:
    for name, about, value in (
        ("tidings_messages_due", "Messages that may leave now.", lambda queue: queue.due),
        (
            "tidings_messages_oldest_wait_seconds",
            "How long the first of them is due.",
            lambda queue: queue.waited,
        ),
        (
            "tidings_messages_later",
            "Messages planned for later.",
            lambda queue: queue.condition.waiting - queue.due,
        ),
        ("tidings_messages_sending", "Messages that are leaving.", lambda queue: queue.sending),
        ("tidings_messages_unknown", "Messages that may have left.", lambda queue: queue.unknown),
        (
            "tidings_channel_open",
            "1, or 0 while a channel is paused or its provider left alone.",
            lambda queue: int(queue.condition.paused_at is None and not queue.condition.left_alone(it.at)),
        ),
        (
            "tidings_channel_paused",
            "1 while somebody has paused the channel.",
            lambda queue: int(queue.condition.paused_at is not None),
        ),
    ):
        yield gauge(
            name, about, by=("channel", {queue.condition.channel: value(queue) for queue in it.queues})
        )
    places = {
        queue.condition.channel: max(0, queue.condition.places - queue.condition.used)
        for queue in it.queues if queue.condition.places is not None
    }  # fmt: skip
    yield gauge("tidings_channel_places", "What a warm-up plan leaves of today.", by=("channel", places))


def _of_outcomes(counted: Mapping[tally.Key, int]) -> Iterator["Metric"]:
    yield counter(
        "tidings_messages", "What became of messages at each try, and why.",
        by=(("channel", "outcome", "reason"), {
            (channel, outcome, reason): times
            for (what, channel, outcome, reason), times in counted.items() if what == tally.MESSAGE
        }),
    )  # fmt: skip
    yield counter(
        "tidings_reports", "What providers reported of messages afterwards.",
        by=(("channel", "report"), {
            (channel, kind): times
            for (what, channel, kind, _), times in counted.items() if what == tally.REPORT
        }),
    )  # fmt: skip


def _of_jobs(it: Standing) -> Iterator["Metric"]:
    """Nothing on SQLite, where one process does everything and there are no jobs."""
    if it.jobs is None:
        return
    from prometheus_client.metrics_core import GaugeMetricFamily

    made = GaugeMetricFamily("tidings_jobs", "Jobs for the workers.", labels=["task", "status"])
    for status, counted in it.jobs.items():
        for task, jobs in counted.items():
            made.add_metric([task, status], jobs)
    yield made
