"""Requests with an Idempotency-Key that are being worked on in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

Name = tuple[int, str]


class RunningRequests:
    """Each request's key while it runs; another process is told by the database (tidings.api.idempotency)."""

    def __init__(self) -> None:
        self._lock, self._names = Lock(), set[Name]()

    @contextmanager
    def running(self, name: Name) -> Iterator[bool]:
        """Whether nobody else works on it; it is ours until the end of the block."""
        with self._lock:
            ours = name not in self._names
            self._names.add(name)
        try:
            yield ours
        finally:
            if ours:
                with self._lock:
                    self._names.discard(name)
