"""The process that is asked: its requests, its providers, its beats, its connections to the database."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy.pool import QueuePool

from channels.watching import PROVIDER_SECONDS
from scheduler.hands import JOB_SECONDS
from tidings.api.services import Services
from tidings.api.watched import REQUEST_SECONDS
from tidings.metrics.shapes import gauge, histogram

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


def families(here: Services) -> Iterator["Metric"]:
    """What no table knows."""
    yield histogram(
        "tidings_api_request_seconds", "How long this process took to answer requests.", REQUEST_SECONDS
    )
    yield histogram(
        "tidings_provider_seconds", "How long providers took to take over a message.", PROVIDER_SECONDS
    )
    yield histogram("tidings_job_seconds", "How long jobs of this process took, done or failed.", JOB_SECONDS)
    now, pulses = here.now(), here.pulses()
    yield gauge(
        "tidings_beat_failures", "How often a beat has failed since its last good run.",
        by=("beat", {pulse.name: pulse.failures for pulse in pulses}),
    )  # fmt: skip
    yield gauge(
        "tidings_beat_alive", "1 while a beat does its work.",
        by=("beat", {pulse.name: int(pulse.alive(now)) for pulse in pulses}),
    )  # fmt: skip
    pool = here.database.engine.pool
    if isinstance(pool, QueuePool):
        counts = {"busy": pool.checkedout(), "idle": pool.checkedin()}
        yield gauge("tidings_database_connections", "Connections of this process.", by=("state", counts))


def database_up(*, up: bool) -> "Metric":
    """Whether this process can read the database."""
    return gauge("tidings_database_up", "1, or 0 while this process cannot read the database.", int(up))
