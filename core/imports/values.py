"""Single values of a file: text from CSV, and whatever JSON and Parquet know (numbers, dates, times).

Each reader takes the value and returns None for an empty one; ValueError says what to write instead.
"""

import math
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import possible
from core.money import to_units

MOST = 10**9
# How far the nearest amount may be from a binary fraction, in its smallest unit.
TAIL = 1e-4
ZEROS = "000000"
NUL, NO_NUL = "\0", "has a NUL character, which cannot be kept"
_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$")
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


def text(value: object) -> str | None:
    """Text without the spaces around it; numbers as they are written, so that 1001 names a customer."""
    if type(value) is str:
        if NUL in value:
            raise ValueError(NO_NUL)
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # tables that miss a value keep whole numbers as 1001.0
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("is no text")
    return str(value)


def units(value: object, scale: int) -> int | None:
    """An amount in whole units to an integer at `scale`."""
    if type(value) is int and -MOST < value < MOST:
        return int(value * 10**scale)
    if type(value) is float and -MOST < value < MOST:
        return _of_float(value, scale)
    if type(value) is str:
        value = value.strip()
        whole, _, part = value.partition(".")
        # What nearly every amount looks like, at a fraction of what Decimal takes.
        if whole.isascii() and whole.isdigit() and len(whole) < 13 and len(part) <= scale:
            if not part:
                return int(whole + ZEROS[:scale])
            if part.isascii() and part.isdigit():
                return int(whole + part + ZEROS[len(part) : scale])
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError("is no number")
    return to_units(_plain(value) if isinstance(value, str) else str(value), scale)


def _plain(written: str, example: str = "170.50") -> str:
    # Python reads more than people write: "1_000", "1e1", digits of other scripts.
    if _PLAIN.fullmatch(written):
        return written
    if _PLAIN.fullmatch(pointed := written.replace(",", ".")):
        raise ValueError(f"has a comma; write {pointed!r} with a point")
    raise ValueError(f"{written!r} is not a plain number, such as {example}")


def _of_float(value: float, scale: int) -> int:
    """A binary fraction is taken for the amount it is nearest to: 0.1 + 0.2 is 0.3."""
    exact: float = value * 10**scale
    near = round(exact)
    if abs(exact - near) > TAIL:
        raise ValueError(f"has more than {scale} decimal places")
    return near


def moment(value: object, zone: ZoneInfo) -> datetime | None:
    """A time, aware UTC; one without an offset is the clock of the program's zone."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("is no time; write for example '2026-03-01T10:15:00+02:00'") from None
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(0))
    if not isinstance(value, datetime):
        raise ValueError("is no time; write for example '2026-03-01T10:15:00+02:00'")
    return possible(value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def day(value: object) -> date | None:
    """A calendar day; a moment without an offset, as tables keep days, is the day that it is on."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date) or value is None:
        return value
    if isinstance(value, str) and not value.strip():
        return None
    try:
        written = str(value).strip()
        return date.fromisoformat(_MIDNIGHT.sub("", written))
    except ValueError:
        raise ValueError("is no date; write for example '1990-03-15'") from None


def yes_no(value: object) -> bool | None:
    """A choice."""
    if isinstance(value, bool) or value is None:
        return value
    word = str(value).strip().lower()
    if word in YES or word in NO:
        return word in YES
    if not word:
        return None
    raise ValueError("is neither yes nor no")


def anything(value: object) -> Any | None:
    """Whatever else is known: text, a number, yes or no, or a list of them. Times become text."""
    if isinstance(value, str):
        if NUL in value:
            raise ValueError(NO_NUL)
        return value or None
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    if value is None or isinstance(value, (bool, int)):
        return compared(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (float, Decimal)) and math.isfinite(value):
        return float(value)
    if isinstance(value, list):
        return [it for it in map(anything, value) if it is not None]
    raise ValueError("is neither text, a number, yes or no, nor a list of them")


def compared(value: Any) -> Any:
    """The value. ValueError for a whole number that databases compare in ways of their own, or fail at."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("is a whole number beyond 64 bits; write it as text")
    return value


def degrees(value: object, limit: int) -> float | None:
    """A coordinate."""
    written = value.strip() if isinstance(value, str) else value
    if written is None or written == "":
        return None
    if isinstance(written, bool) or not isinstance(written, (str, int, float, Decimal)):
        raise ValueError("is no number")
    number = float(_plain(written, "49.8419") if isinstance(written, str) else str(written))
    if not -limit <= number <= limit:
        raise ValueError(f"is not between -{limit} and {limit}")
    return number
