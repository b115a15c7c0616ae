"""Opens and clicks on their way into the database: those that come at one moment share a transaction."""

import threading
from collections import deque
from collections.abc import Callable

import structlog

from core.db import Database
from core.errors import EnvironmentFault
from core.program.tracking import Tracking
from scheduler.reactions import Reaction, keep

LOG = structlog.get_logger("tidings.tracking")
# How many wait while the database is away; the oldest are given up.
MOST_WAITING = 10_000
MOST_AT_ONCE = 500


class Reactions:
    """Whoever finds nobody writing writes for all. Nobody's answer waits for it.

    What the database could not take is written with the next. `tracking` says what the live program tracks:
    once it is switched off nothing more is kept, though links lead on.
    """

    def __init__(self, database: Callable[[], Database], tracking: Callable[[], Tracking]) -> None:
        self._database, self._tracking = database, tracking
        self._waiting: deque[Reaction] = deque(maxlen=MOST_WAITING)
        self._writing = threading.Lock()

    def note(self, reaction: Reaction) -> None:
        """Take one in; it is written by `write`."""
        self._waiting.append(reaction)

    def write(self) -> None:
        """Write what waits, unless somebody else does; never raises."""
        while self._waiting and self._writing.acquire(blocking=False):
            try:
                if not self._write_some():
                    return
            finally:
                self._writing.release()

    def _write_some(self) -> bool:
        some = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
        try:
            tracking = self._tracking()
            tracked = [it for it in some if (tracking.clicks if it.kind == "clicked" else tracking.opens)]
            if tracked:
                with self._database().write() as connection:
                    keep(connection, tracked)
        except EnvironmentFault as fault:
            self._waiting.extendleft(reversed(some))
            LOG.warning("reactions not kept yet", waiting=len(self._waiting), reason=str(fault))
            return False
        except Exception as error:  # noqa: BLE001 - the link was followed all the same; its words may be personal
            LOG.error("reactions not kept", lost=len(some), error=type(error).__name__)  # noqa: TRY400 - no tracebacks
        return True
