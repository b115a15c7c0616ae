"""What a schema found wrong with a request, in plain words and without what was sent.

core.explain says the same of files, and quotes them back; what a till sends may be somebody's address.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from core.explain import keys_at, one_of, suggest

Context = Mapping[str, Any]

TIME = "must be a time with its offset from UTC, such as 2026-03-01T10:15:00+02:00"
WHOLE = "must be a whole number"
_DATE = "must be a date such as 1990-03-14"
DECIMAL = "must be a plain number in whole units, such as 170.50"


def _number(value: object) -> str:
    return {"0": "zero", "1": "one"}.get(str(value), str(value))


def _choices(context: Context) -> str:
    parts = str(context["expected"]).replace(" or ", ", ").split(", ")
    return f"must be {one_of([part for part in parts if part != repr('')])}"


_SAID: Mapping[str, Callable[[Context], str]] = {
    "missing": lambda _: "is missing",
    "json_invalid": lambda it: f"is not valid JSON from its character {it['at']} on",
    "greater_than_equal": lambda it: f"must be {_number(it['ge'])} or more",
    "greater_than": lambda it: f"must be more than {_number(it['gt'])}",
    "less_than_equal": lambda it: f"must be {_number(it['le'])} or less",
    "less_than": lambda it: f"must be less than {_number(it['lt'])}",
    "decimal_max_places": lambda it: f"has more than {it['decimal_places']} decimal places",
    "decimal_max_digits": lambda it: f"has more than {it['max_digits']} digits; no amount is that large",
    "decimal_whole_digits": lambda it: (
        f"has more than {it['whole_digits']} digits before the point; no amount is that large"
    ),
    "finite_number": lambda _: "must be a number, neither NaN nor infinity",
    "timezone_aware": lambda _: "must carry its offset from UTC (a timezone), such as +02:00",
    "literal_error": _choices,
    "enum": _choices,
    "string_pattern_mismatch": lambda _: (
        "must not begin or end with a space, nor hold a slash or other unusual characters"
    ),
    "string_too_short": lambda it: (
        "must not be empty" if it["min_length"] == 1 else f"must have {it['min_length']} characters at least"
    ),
    # Whatever the field wants: JSON may name one half of a character that takes two (\\ud83d).
    "string_unicode": lambda _: "has half a character, which cannot be kept",
    "string_too_long": lambda it: f"must have {it['max_length']} characters at most",
    "too_short": lambda it: f"must hold {_number(it['min_length'])} or more",
    "too_long": lambda it: f"must hold {it['max_length']} at most",
}
_KINDS: Sequence[tuple[str, str]] = (
    ("datetime_", TIME),
    ("timezone_", TIME),
    ("date_", _DATE),
    ("decimal_", DECIMAL),
    ("float_", "must be a number"),
    ("int_", WHOLE),
    ("bool_", "must be true or false"),
    ("string_", "must be text"),
    ("list_", "must be a list"),
    ("dict_", "must be an object"),
    ("model_", "must be an object"),
)


def said(error: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """One error of pydantic; `model` is the body's, for a word about misspelt fields."""
    kind = str(error["type"])
    if kind == "extra_forbidden":
        return _unknown(error["loc"], model)
    if kind in _SAID:
        return _SAID[kind](error.get("ctx", {}))
    if kind == "value_error":
        text = str(error["msg"]).removeprefix("Value error, ")
        return text[:1].lower() + text[1:]
    return next((words for start, words in _KINDS if kind.startswith(start)), "cannot be read")


def _unknown(place: Sequence[str | int], model: type[BaseModel] | None) -> str:
    what = "this field is not permitted"
    if model is None:
        return what
    path = [part for part in place if part != "body"]
    known, _ = keys_at(model, path[:-1])
    return f"{what}; {suggest(str(path[-1]), known)}" if known else what
