"""The one way in which time enters. Every time is an aware UTC `datetime`."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

# What a shop can mean. Beyond it lie the defaults of other systems (year 1, year 9999), which are no times.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def possible(at: datetime) -> datetime:
    """The aware time itself; ValueError if it is none that anything could have happened at."""
    # Compared without conversion: the first and last days of the calendar have no UTC.
    if not EARLIEST.year <= at.year < LATEST.year:
        raise ValueError(f"the year {at.year} is not between {EARLIEST.year} and {LATEST.year}")
    return at


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Aware UTC time."""
        return datetime.now(UTC)


class MovableClock:
    """A clock that stands still until it is moved: dry runs, scenario tests, `--at`."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """The time it was last set to, aware UTC."""
        return self._at

    def move_to(self, at: datetime) -> None:
        """Set the clock; it may only go forward, as time does."""
        if at < self._at:
            raise ValueError(
                f"the clock stands at {self._at:%Y-%m-%d %H:%M}; it cannot go back to {at:%Y-%m-%d %H:%M}"
            )
        self._at = at.astimezone(UTC)

    def move_by(self, step: timedelta) -> None:
        """Move forward by `step`."""
        self.move_to(self._at + step)
