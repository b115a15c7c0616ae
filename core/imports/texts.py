"""Rows as text, for another process or for later: what CSV, JSON Lines and Parquet know comes back."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from core.imports.reading import Row


def written(groups: Sequence[Sequence[Row]]) -> str:
    """Groups of rows as text."""
    return text_of([[list(row) for row in group] for group in groups])


def groups_of(text: str) -> list[list[Row]]:
    """The groups that `written` wrote."""
    return [[Row(*row) for row in group] for group in read_back(text)]


def text_of(value: Any) -> str:
    """A value as one line of text."""
    return json.dumps(value, default=_tagged, separators=(",", ":"))


def read_back(text: str) -> Any:
    """A value that was written as text."""
    return json.loads(text, object_pairs_hook=_untagged)


_TAG = "\0"
_TAGGED: dict[type, tuple[str, Callable[[Any], str]]] = {
    Decimal: ("decimal", str), datetime: ("moment", datetime.isoformat), date: ("day", date.isoformat),
}  # fmt: skip
_READ: dict[str, Callable[[str], Any]] = {
    "decimal": Decimal, "moment": datetime.fromisoformat, "day": date.fromisoformat, "other": bytes.fromhex,
}  # fmt: skip


def _tagged(value: object) -> dict[str, str]:
    """What JSON does not know; no import reads anything else, which it refuses by the row."""
    name, write = _TAGGED.get(type(value), ("other", lambda _: ""))
    return {_TAG + name: write(value)}


def _untagged(pairs: list[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0].startswith(_TAG):
        # A file may hold such a name as well: it is no column of any kind, and is refused as what it is.
        with suppress(KeyError, TypeError, ValueError, ArithmeticError):
            return _READ[pairs[0][0].removeprefix(_TAG)](pairs[0][1])
    return dict(pairs)
