"""Google's published root keys: kept, fetched anew when they must be, and never more often than that."""

import json
import threading
from datetime import datetime, timedelta

from core.clock import Clock

LAST = timedelta(hours=12)
# Somebody who sends us forgeries must not make us a nuisance to Google.
NOT_BEFORE = timedelta(minutes=5)
TIMEOUT_SECONDS = 10.0


class RootKeys:
    """The keys as JSON: fetched twice a day, and at once when a callback is signed by one that is not there.

    Between two attempts at least five minutes pass, whatever comes in. While Google cannot be reached the
    keys that are known go on; each of them says itself when it expires.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self._keys = b""
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fetching = threading.Lock()

    def __call__(self, *, anew: bool = False) -> bytes:
        """The keys; `anew` if those known do not fit. Raises `httpx.HTTPError` if there are none at all."""
        with self._fetching:
            now = self._clock.now()
            if (anew or self._old(now)) and self._may_try(now):
                self._tried_at = now
                self._fetch(now)
            return self._known()

    def _old(self, now: datetime) -> bool:
        return self._fetched_at is None or now - self._fetched_at >= LAST

    def _may_try(self, now: datetime) -> bool:
        return self._tried_at is None or now - self._tried_at >= NOT_BEFORE

    def _fetch(self, now: datetime) -> None:
        import httpx

        try:
            answer = httpx.get(self._url, timeout=TIMEOUT_SECONDS).raise_for_status()
        except httpx.HTTPError:
            return
        # Somebody between us and Google may answer with a page of theirs.
        if _are_keys(answer.content):
            self._keys, self._fetched_at = answer.content, now

    def _known(self) -> bytes:
        from httpx import ConnectError

        if not self._keys:
            raise ConnectError("Google's keys cannot be had")
        return self._keys


def _are_keys(content: bytes) -> bool:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("keys"), list)
