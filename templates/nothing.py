"""What Jinja's own filters make of a value that is not known: nothing, as those of amounts and days do.

Without this a customer without a name reads `NONE` where a template says `{{ customer.first_name | upper }}`.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from jinja2.filters import do_default, sync_do_join

# Filters of texts and numbers, and what they give for nothing.
_EMPTY: Mapping[str, object] = {
    **dict.fromkeys(("capitalize", "lower", "title", "trim", "upper", "replace", "truncate", "wordwrap"), ""),
    **dict.fromkeys(("e", "escape", "forceescape", "safe", "string", "striptags", "urlencode", "urlize"), ""),
    **dict.fromkeys(("abs", "first", "last", "round"), ""),
    **dict.fromkeys(("count", "length", "wordcount"), 0),
}
_DEFAULT = ("default", "d")


def silent(filters: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Those of Jinja's filters that are asked to write what may be nothing, so that they write nothing."""
    made = {name: _of_nothing(filters[name], empty) for name, empty in _EMPTY.items() if name in filters}
    return {**made, **dict.fromkeys(_DEFAULT, _default), "join": _join}


def _of_nothing(function: Callable[..., Any], empty: object) -> Callable[..., Any]:
    # Some are given the environment first; Jinja knows them by a mark, which `wraps` keeps.
    place = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def filtered(*given: Any, **named: Any) -> Any:
        return empty if len(given) > place and given[place] is None else function(*given, **named)

    return filtered


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """The value, or another where it is not known: a name that nobody told us is None, never undefined."""
    return default_value if value is None else do_default(value, default_value, boolean)


@wraps(sync_do_join)
def _join(eval_ctx: Any, value: Iterable[Any], *given: Any, **named: Any) -> Any:
    """What is there of it, joined."""
    return sync_do_join(eval_ctx, [it for it in value or () if it is not None], *given, **named)
