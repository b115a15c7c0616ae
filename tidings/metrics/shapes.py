"""Prometheus' shapes, made from what we have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.meters import Histogram

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

Values = Mapping[str, float]


def gauge(
    name: str, about: str, value: float | None = None, by: tuple[str, Values] | None = None
) -> "Metric":
    """What goes up and down: one value, or one for each value of a label."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    if by is None:
        return GaugeMetricFamily(name, about, value=value)
    label, values = by
    made = GaugeMetricFamily(name, about, labels=[label])
    for key, number in values.items():
        made.add_metric([key], number)
    return made


def counter(
    name: str, about: str, value: float | None = None,
    by: tuple[tuple[str, ...], Mapping[tuple[str, ...], float]] | None = None,
) -> "Metric":  # fmt: skip
    """What only goes up: one value, or one for each combination of labels."""
    from prometheus_client.metrics_core import CounterMetricFamily

    if by is None:
        return CounterMetricFamily(name, about, value=value)
    labels, values = by
    made = CounterMetricFamily(name, about, labels=labels)
    for key, number in sorted(values.items()):
        made.add_metric(list(key), number)
    return made


def histogram(name: str, about: str, measured: Histogram) -> "Metric":
    """What this process has measured."""
    from prometheus_client.metrics_core import HistogramMetricFamily

    made = HistogramMetricFamily(name, about, labels=measured.labels)
    bounds = [*(str(bound) for bound in measured.bounds), "+Inf"]
    for key, counts, seconds in measured.rows():
        made.add_metric(list(key), list(zip(bounds, counts, strict=True)), seconds)
    return made
