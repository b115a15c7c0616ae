"""Numbers for Prometheus, in families of one noun each; what each means: docs/monitoring.md.

Numbers of the installation are read from the tables, so that several processes tell the same and a restart
begins nothing anew: what waits when it is asked for, totals of cards after an answer, for the next one.
How long requests and providers took, and how the process itself is, each process tells of itself.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy.exc import DatabaseError

from campaigns.versions import live_version
from core.errors import EnvironmentFault, UserError
from scheduler.standing import standing
from tidings.api.services import Services
from tidings.metrics import books, cards, delivery, looks, process
from wallet import tally

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


def text(here: Services) -> bytes:
    """Everything in Prometheus' text form."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(here))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collector:
    """What prometheus_client asks for its metrics."""

    def __init__(self, here: Services) -> None:
        self._here = here

    def collect(self) -> Iterator["Metric"]:
        """Of the process in any case: it is asked above all when the database is away."""
        yield from process.families(self._here)
        try:
            yield from self._installation()
        except (EnvironmentFault, UserError, DatabaseError):
            # Another setting that cannot be used ends here as well.
            yield process.database_up(up=self._readable())
        else:
            yield process.database_up(up=True)

    def _readable(self) -> bool:
        try:
            with self._here.database.read() as connection:
                live_version(connection)
        except (EnvironmentFault, DatabaseError):
            return False
        return True

    def _installation(self) -> Iterator["Metric"]:
        here = self._here
        running = here.running
        channels = here.workspace.each_channel(running.program)
        with here.database.read() as connection:
            found = standing(connection, channels, running, here.now())
            counted = tally.counted(connection)
            families = [
                *delivery.families(connection, found), *looks.families(connection, running, found),
                *books.families(connection),
            ]  # fmt: skip
        yield from families
        yield from cards.families(here, found.cards, counted)
