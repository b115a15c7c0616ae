"""The totals of all cards, kept for a while: they go over whole tables, and are asked for all the time."""

import threading
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.exc import DatabaseError

from core.clock import Clock
from core.db import Database
from core.errors import EnvironmentFault
from wallet import figures
from wallet.figures import Totals

FRESH_SECONDS = 15.0
# So many times as long as reading took, what was read is good: two per cent of the time, however many cards.
SHARE = 50


class CardFigures:
    """Those of one server. `ticks` counts seconds, from anywhere."""

    def __init__(self, database: Callable[[], Database], clock: Clock, ticks: Callable[[], float]) -> None:
        self._database, self._clock, self._ticks = database, clock, ticks
        self._reading = threading.Lock()
        self._until = 0.0
        self.totals: Totals | None = None
        """As they were when they were last read; None before the first time."""

    def renew(self) -> None:
        """Read them again if it is time, unless somebody is at it. While the database is away they stay as
        they are: nobody is told them then, and the scrape has said that it is away.
        """
        fresh = self.totals is not None and self._ticks() < self._until
        if fresh or not self._reading.acquire(blocking=False):
            return
        try:
            with suppress(EnvironmentFault, DatabaseError):
                self.totals = self._read()
        finally:
            self._reading.release()

    def _read(self) -> Totals:
        began = self._ticks()
        with self._database().read() as connection:
            found = figures.totals(connection, self._clock.now())
        ended = self._ticks()
        self._until = ended + max(FRESH_SECONDS, SHARE * (ended - began))
        return found
