"""Numbers for Prometheus: `GET /metrics`, for keys with the scope `metrics:read` (role `metrics`).

They are read from the tables, so that several processes tell the same and a restart begins nothing anew: what
waits when it is asked for, totals after an answer, for the next one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from core.errors import EnvironmentFault, UserError
from scheduler.presence import MISSING
from scheduler.standing import Queue, Standing, standing
from tidings.api.access import Here, asks, authorized
from tidings.api.services import Services
from wallet import tally
from wallet.apple.certificates import expires_in
from wallet.figures import BOUNDS, Queues, Totals

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

routes = APIRouter(include_in_schema=False, dependencies=[Depends(authorized)])


@routes.get("/metrics", **asks("metrics:read"))
def metrics(here: Here, later: BackgroundTasks) -> Response:
    """Everything in Prometheus' text form."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(here))
    later.add_task(here.card_figures.renew)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Collector:
    """What prometheus_client asks for its metrics."""

    def __init__(self, here: Services) -> None:
        self._here = here

    def collect(self) -> Iterator["Metric"]:
        here = self._here
        running = here.workspace.live.running()
        channels = here.workspace.channels(running.program)
        with here.database.read() as connection:
            found = standing(connection, channels, running, here.now())
            counted = tally.counted(connection)
        yield from _of_delivery(found)
        if (totals := self._here.card_figures.totals) is not None:
            yield from _of_totals(totals)
        yield from _of_queues(found.cards)
        yield _counter(
            "tidings_card_pushes",
            "Pushes to Apple's devices, by what came of them.",
            "outcome",
            {name: it for (what, name), it in counted.items() if what == tally.PUSH},
        )
        yield _counter(
            "tidings_card_google_writes",
            "Objects written to Google, by what came of it.",
            "outcome",
            {name: it for (what, name), it in counted.items() if what == tally.GOOGLE},
        )
        yield from _of_certificate(self._here)


def _of_delivery(it: Standing) -> Iterator["Metric"]:
    processes = [process for process in it.processes if it.at - process.seen_at <= MISSING]
    yield _gauge("tidings_processes", "Processes that work on this database.", len(processes))
    yield _gauge("tidings_trouble", "Sentences that `tidings status` has for somebody.", len(it.trouble))
    held = it.scenarios.get("held", ())
    yield _gauge("tidings_looks_held", "Scenarios whose look was stopped as too large.", len(held))
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
            lambda queue: _open(queue, it),
        ),
    ):
        yield _gauge(
            name, about, by=("channel", {queue.condition.channel: value(queue) for queue in it.queues})
        )
    yield _gauge("tidings_letters_waiting", "Letters that somebody waits for.", it.letters)


def _open(queue: Queue, it: Standing) -> int:
    rests = queue.condition.open_until is not None and queue.condition.open_until > it.at
    return int(queue.condition.paused_at is None and not rests)


def _of_totals(it: Totals) -> Iterator["Metric"]:
    from prometheus_client.metrics_core import GaugeHistogramMetricFamily

    yield _gauge("tidings_card_issued", "Passes that are good.", it.issued)
    yield _gauge("tidings_card_revoked", "Customers whose card was revoked, or who are gone.", it.revoked)
    yield _gauge("tidings_card_installed", "Cards that are in a wallet.", by=("wallet", it.installed))
    yield _gauge("tidings_card_held", "Cards that are in one wallet or both.", it.held)
    yield _gauge("tidings_card_active", "Cards in a wallet that was heard of within 30 days.", it.active)
    yield _gauge("tidings_card_devices", "Apple's devices that carry a card.", it.devices)
    yield _gauge("tidings_card_devices_dormant", "Devices pushed in vain and left alone.", it.dormant)
    yield _counter("tidings_card_added", "Times that a customer added the card.", value=it.added)
    yield _counter("tidings_card_removed", "Times that a customer removed the card.", value=it.removed)
    bounds = [*((str(bound), count) for bound, count in zip(BOUNDS, it.answers, strict=False)),
              ("+Inf", it.answers[-1])]  # fmt: skip
    name, about = (
        "tidings_card_push_to_fetch_seconds",
        "Devices of the last day: from the push to their asking.",
    )
    yield GaugeHistogramMetricFamily(name, about, bounds, it.answers_seconds)


def _of_queues(it: Queues) -> Iterator["Metric"]:
    yield _gauge("tidings_card_devices_waiting", "Devices that wait for a push.", it.devices)
    yield _gauge("tidings_card_devices_retried", "Of these, whose push failed before.", it.retried)
    yield _gauge(
        "tidings_card_devices_oldest_wait_seconds", "How long the first push is due.", it.devices_wait
    )
    yield _gauge("tidings_card_google_waiting", "Google objects that are behind.", it.objects)
    yield _gauge(
        "tidings_card_google_oldest_wait_seconds", "How long the first of them is due.", it.objects_wait
    )


def _of_certificate(here: Services) -> Iterator["Metric"]:
    """Nothing where the program has no Apple card; 0 for a certificate that cannot be used."""
    name, about = "tidings_apple_certificate_expires_seconds", "Until the pass certificate ends."
    try:
        kit = here.cards.kit()
    except (EnvironmentFault, UserError):
        yield _gauge(name, about, 0)
        return
    if kit is not None and kit.packager is not None:
        yield _gauge(name, about, expires_in(kit.packager.signer, here.now()).total_seconds())


def _gauge(name: str, about: str, value: float | None = None, by: Any = None) -> "Metric":
    from prometheus_client.metrics_core import GaugeMetricFamily

    if by is None:
        return GaugeMetricFamily(name, about, value=value)
    label, values = by
    made = GaugeMetricFamily(name, about, labels=[label])
    for key, number in values.items():
        made.add_metric([key], number)
    return made


def _counter(name: str, about: str, label: str | None = None, values: Any = None, value: float | None = None,
             ) -> "Metric":  # fmt: skip
    from prometheus_client.metrics_core import CounterMetricFamily

    if label is None:
        return CounterMetricFamily(name, about, value=value)
    made = CounterMetricFamily(name, about, labels=[label])
    for key, number in sorted(values.items()):
        made.add_metric([key], number)
    return made
