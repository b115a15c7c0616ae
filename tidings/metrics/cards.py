"""Cards: how many there are, who has them, what wallets are still to be told."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from core.errors import EnvironmentFault, UserError
from tidings.api.services import Services
from tidings.metrics.shapes import counter, gauge
from wallet import tally
from wallet.apple.certificates import expires_in
from wallet.figures import BOUNDS, Queues, Totals

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


def families(here: Services, queues: Queues, counted: Mapping[tuple[str, str], int]) -> Iterator["Metric"]:
    """Everything about cards; totals from the second time on."""
    if (totals := here.card_figures.totals) is not None:
        yield from _of_totals(totals)
    yield from _of_queues(queues)
    yield counter(
        "tidings_card_pushes", "Pushes to Apple's devices, by what came of them.",
        by=(("outcome",), _of(counted, tally.PUSH)),
    )  # fmt: skip
    yield counter(
        "tidings_card_google_writes", "Objects written to Google, by what came of it.",
        by=(("outcome",), _of(counted, tally.GOOGLE)),
    )  # fmt: skip
    yield from _of_certificate(here)


def _of(counted: Mapping[tuple[str, str], int], wanted: str) -> dict[tuple[str, ...], float]:
    return {(outcome,): times for (what, outcome), times in counted.items() if what == wanted}


def _of_totals(it: Totals) -> Iterator["Metric"]:
    from prometheus_client.metrics_core import GaugeHistogramMetricFamily

    yield gauge("tidings_card_issued", "Passes that are good.", it.issued)
    yield gauge("tidings_card_revoked", "Customers whose card was revoked, or who are gone.", it.revoked)
    yield gauge("tidings_card_installed", "Cards that are in a wallet.", by=("wallet", it.installed))
    yield gauge("tidings_card_held", "Cards that are in one wallet or both.", it.held)
    yield gauge("tidings_card_active", "Cards in a wallet that was heard of within 30 days.", it.active)
    yield gauge("tidings_card_devices", "Apple's devices that carry a card.", it.devices)
    yield gauge("tidings_card_devices_dormant", "Devices pushed in vain and left alone.", it.dormant)
    yield counter("tidings_card_added", "Times that a customer added the card.", it.added)
    yield counter("tidings_card_removed", "Times that a customer removed the card.", it.removed)
    bounds = [*((str(bound), count) for bound, count in zip(BOUNDS, it.answers, strict=False)),
              ("+Inf", it.answers[-1])]  # fmt: skip
    name, about = (
        "tidings_card_push_to_fetch_seconds",
        "Devices of the last day: from the push to their asking.",
    )
    yield GaugeHistogramMetricFamily(name, about, bounds, it.answers_seconds)


def _of_queues(it: Queues) -> Iterator["Metric"]:
    yield gauge("tidings_card_devices_waiting", "Devices that wait for a push.", it.devices)
    yield gauge("tidings_card_devices_retried", "Of these, whose push failed before.", it.retried)
    yield gauge(
        "tidings_card_devices_oldest_wait_seconds", "How long the first push is due.", it.devices_wait
    )
    yield gauge("tidings_card_google_waiting", "Google objects that are behind.", it.objects)
    yield gauge(
        "tidings_card_google_oldest_wait_seconds", "How long the first of them is due.", it.objects_wait
    )


def _of_certificate(here: Services) -> Iterator["Metric"]:
    """Nothing where the program has no Apple card; 0 for a certificate that cannot be used."""
    name, about = "tidings_apple_certificate_expires_seconds", "Until the pass certificate ends."
    try:
        kit = here.cards.kit()
    except (EnvironmentFault, UserError):
        yield gauge(name, about, 0)
        return
    if kit is not None and kit.packager is not None:
        yield gauge(name, about, expires_in(kit.packager.signer, here.now()).total_seconds())
