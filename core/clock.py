"""The one way in which time enters. Every time is an aware UTC `datetime`."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


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
