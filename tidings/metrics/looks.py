"""Looks: how late the last one of each scenario was, what nobody looks at, how far readers of events are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from campaigns.running import Running
from campaigns.versions import STATE
from scheduler.readers import lags
from scheduler.standing import Standing
from tidings.metrics.shapes import gauge

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


def families(connection: Connection, running: Running, it: Standing) -> Iterator["Metric"]:
    """Everything about looks."""
    held, live = it.scenarios.get("held", ()), it.scenarios.items()
    yield gauge("tidings_looks_held", "Scenarios whose look was stopped as too large.", len(held))
    yield gauge("tidings_looks_overdue", "Scenarios that are due and at which nobody looks.", len(it.overdue))
    yield gauge(
        "tidings_scenarios", "Scenarios by their status.",
        by=("status", {status: len(names) for status, names in live}),
    )  # fmt: skip
    yield gauge("tidings_version", "The version that is live.", it.version)
    delays = select(STATE.c.name, STATE.c.late_seconds).where(STATE.c.late_seconds.is_not(None))
    late = {row.name: row.late_seconds for row in connection.execute(delays.order_by(STATE.c.name))}
    yield gauge(
        "tidings_look_delay_seconds", "How late the last look of a scenario was.",
        by=("scenario", {name: late[name] for name in late if name in running.scenarios}),
    )  # fmt: skip
    yield gauge(
        "tidings_event_lag_seconds", "How old the oldest event is that a reader has not read.",
        by=("reader", lags(connection, running, it.at)),
    )  # fmt: skip
