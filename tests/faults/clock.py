"""A clock that every process of a scene reads, and that a scene moves: an hour, a day, forward and back.

What is moved stands in a file of eight bytes, so that a running process sees the jump at once, as it would
see that of the machine's clock. It is the time that the product asks for (`core.clock`); timers go on by the
machine's own.
"""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SECONDS = struct.Struct("<d")


class MovedClock:
    """The machine's time, moved by as many seconds as stand in the file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.exists():
            file.write_bytes(_SECONDS.pack(0.0))
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _SECONDS.size)

    def now(self) -> datetime:
        """Aware UTC time."""
        return datetime.now(UTC) + timedelta(seconds=self.moved)

    @property
    def moved(self) -> float:
        """By how many seconds."""
        seconds: float = _SECONDS.unpack(self._shared[:])[0]
        return seconds

    def jump(self, by: timedelta) -> None:
        """Forward, or back."""
        self._shared[:] = _SECONDS.pack(self.moved + by.total_seconds())

    def show(self, moment: datetime) -> None:
        """From now on it is then."""
        self.jump(moment - self.now())
