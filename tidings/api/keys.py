"""Who calls: the keys that requests carry, remembered for a moment so that most cost no query.

A key that is revoked in another process is believed for at most `REMEMBERED` seconds more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from core.clock import Clock
from core.db import Database
from core.errors import EnvironmentFault
from core.units import Rate
from tidings.keys import PREFIX, SCOPES, Key, digest_of, find, same, used

LOG = structlog.get_logger("tidings.api")
REMEMBERED = 1.0
# How old what is written about the last use may become.
STALE = timedelta(minutes=10)
# Nobody has so many keys: whoever tries that many has none.
MOST = 10_000
TOKEN_NAME = "TIDINGS_API_TOKEN"  # noqa: S105 - the name of a setting


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `id` is 0 for the token of the settings, which may do everything."""

    id: int
    name: str
    scopes: frozenset[str]
    stores: frozenset[str] = frozenset()
    rate: Rate | None = None
    last_used_at: datetime | None = None

    def may(self, scope: str) -> bool:
        """Whether it was given this scope."""
        return scope in self.scopes

    def sends_for(self, store: str | None) -> bool:
        """Whether it may send receipts of this store."""
        return not self.stores or store in self.stores


class Keeper:
    """The keys of one server. `ticks` counts seconds, from anywhere."""

    def __init__(
        self, database: Callable[[], Database], clock: Clock, token: str | None, ticks: Callable[[], float]
    ) -> None:
        self._database, self._clock, self._ticks = database, clock, ticks
        self._token = token
        self._known: dict[str, tuple[Caller, float]] = {}
        self._noted: dict[int, datetime] = {}

    def remembered(self, secret: str) -> Caller | None:
        """Who this is, if that was looked up a moment ago."""
        if self._token is not None and same(secret, self._token):
            return Caller(0, TOKEN_NAME, frozenset(SCOPES))
        known = self._known.get(digest_of(secret))
        return known[0] if known and known[1] > self._ticks() else None

    def find(self, secret: str) -> Caller | None:
        """Who this is, by the database; None for nobody, and for a key that is over."""
        if not secret.startswith(PREFIX):
            return None
        until = self._ticks() + REMEMBERED
        with self._database().read() as connection:
            key = find(connection, secret, self._clock.now())
        if key is None:
            self._known.pop(digest_of(secret), None)
            return None
        if len(self._known) >= MOST:
            self._known.clear()
        caller = _caller(key)
        self._known[digest_of(secret)] = (caller, until)
        return caller

    def is_stale(self, caller: Caller) -> bool:
        """Whether its use should be written down again."""
        noted = self._noted.get(caller.id) or caller.last_used_at
        return caller.id != 0 and (noted is None or self._clock.now() - noted >= STALE)

    def note_use(self, caller: Caller) -> None:
        """Write down that a key is in use; no request fails for it."""
        now = self._clock.now()
        self._noted[caller.id] = now
        try:
            with self._database().write() as connection:
                used(connection, caller.id, now)
        except EnvironmentFault as error:
            LOG.warning("a key's use was not written down", key=caller.id, reason=str(error))


def _caller(key: Key) -> Caller:
    return Caller(key.id, key.name, key.scopes, frozenset(key.stores), key.rate, key.last_used_at)
