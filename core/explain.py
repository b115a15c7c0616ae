"""What a schema found wrong, said in the words of the person who wrote the file.

Pydantic speaks of models and types; a marketer is told what was expected, what stands there, and what to
write.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError

from core.letters import look_alike

# A value longer than this is cut when it is quoted back.
QUOTED = 40
# Below this likeness a suggestion would puzzle rather than help.
ALIKE = 0.6
# More choices than these are a page, not a hint.
LISTED = 10

Explanation = tuple[str, str]


def complaint(what: str, fix: str = "", at: Sequence[str | int] = ()) -> PydanticCustomError:
    """An error for a validator to raise: what is wrong, and what to write instead.

    A validator of a whole model says `at` which path below it.
    """
    # The template takes the whole text, so that a brace in a value is not read as a placeholder.
    return PydanticCustomError("complaint", "{what}; {fix}", {"what": what, "fix": fix, "at": tuple(at)})


def describe(value: object) -> str:
    """A value as it is quoted back: `'many'`, `5`, `true`, `a list`, `a mapping`, `nothing`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    # A finding is one line, whatever was written.
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    text = text if len(text) <= QUOTED else text[:QUOTED] + "…"
    return f"'{text}'" if isinstance(value, str) else text


def expected(thing: str, value: object, fix: str = "") -> PydanticCustomError:
    """An error that says what was expected and what stands there."""
    return complaint(f"expected {thing}, got {describe(value)}", fix)


def by_likeness(word: str, choices: Iterable[str]) -> list[str]:
    """The choices, the one most like `word` first; equals keep their order."""
    return sorted(choices, key=lambda choice: -_likeness(word, choice))


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant; None when nothing is alike."""
    return next((it for it in by_likeness(word, choices) if _likeness(word, it) >= ALIKE), None)


def suggest(word: str, choices: Iterable[str], otherwise: str = "") -> str:
    """`did you mean 'ahead'?`; when nothing is alike `otherwise`, or what may be written."""
    ranked = by_likeness(word, choices)
    if meant := nearest(word, ranked[:1]):
        return did_you_mean(word, meant)
    if otherwise or not ranked:
        return otherwise or "remove it"
    if len(ranked) > LISTED:
        return f"the nearest are {', '.join(ranked[:LISTED])}"
    return f"write {one_of(ranked)}"


def did_you_mean(word: str, meant: str) -> str:
    """`did you mean 'ahead'?`, and which letter is another one where both look alike."""
    odd = look_alike(word, meant)
    return f"did you mean '{meant}'?{f' {odd}' if odd else ''}"


def one_of(choices: Sequence[str]) -> str:
    """`marketing, service or transactional`."""
    if len(choices) < 2:
        return "".join(choices)
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _likeness(word: str, choice: str) -> float:
    return SequenceMatcher(None, word.lower(), choice.lower()).ratio()


def keys_at(model: type[BaseModel], path: Iterable[str | int]) -> tuple[list[str], list[Any]]:
    """What a mapping at `path` inside `model` may hold.

    Returns the known keys in their order, and the example values of the field at `path` itself.
    """
    models, examples = _walked(model, path)
    known = [name for each in models for name, _ in _fields(each)]
    return list(dict.fromkeys(known)), examples


def instead_at(model: type[BaseModel], path: Iterable[str | int], key: str) -> str:
    """What to write in place of a key as others call it: a known key, or a sentence; empty if neither is."""
    models, _ = _walked(model, path)
    told: Iterator[Mapping[str, str]] = (getattr(each, "instead", {}) for each in models)
    return next((each[key] for each in told if key in each), "")


def wrapped_at(model: type[BaseModel], path: Iterable[str | int], value: object) -> str:
    """`{for: 45 days}`: a bare value in the place of keys and values, under the one key that must be."""
    models, _ = _walked(model, path)
    needed = [(name, field) for each in models for name, field in _fields(each) if field.is_required()]
    if len(needed) != 1 or isinstance(value, (Mapping, list, tuple)) or value is None:
        return ""
    [(name, field)] = needed
    if any(_models(field.annotation)):
        return f"{{{name}: {field.examples[0]}}}" if field.examples else ""
    # What has an example of its own is no plain value.
    return "" if field.examples else f"{{{name}: {value}}}"


def _walked(model: type[BaseModel], path: Iterable[str | int]) -> tuple[list[type[BaseModel]], list[Any]]:
    """The models of what may stand at a path, and the examples of the field there."""
    models, examples = [model], []
    for part in path:
        if isinstance(part, int):
            continue
        fields = [field for each in models for name, field in _fields(each) if name == part]
        # A key of a free mapping (a channel's name, a tier's name) leaves us among its values' models.
        if fields:
            models = [found for field in fields for found in _models(field.annotation)]
            examples = [example for field in fields for example in field.examples or []]
    return models, examples


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in get_args(annotation):
        yield from _models(argument)


def explain(error: ErrorDetails, noun: str = "key") -> Explanation:
    """What is wrong and what to write, for one pydantic error (not for unknown and missing keys)."""
    context = error.get("ctx", {})
    if error["type"] == "complaint":
        return context["what"], context["fix"]
    if error["type"] == "value_error":
        what, _, fix = str(context["error"]).partition("; ")
        return what, fix
    if error["type"] == "literal_error":
        return _bad_choice(error)
    if error["type"] in _LIMITS:
        return _LIMITS[error["type"]](context, describe(error["input"])), ""
    for start, thing, advise in _KINDS:
        if error["type"].startswith(start):
            return f"expected {thing}, got {describe(error['input'])}", advise(error["input"])
    return error["msg"][:1].lower() + error["msg"][1:], f"check this {noun}"


def _bad_choice(error: ErrorDetails) -> Explanation:
    # Pydantic tells the choices as text: 'marketing', 'service' or 'transactional'.
    choices = error["ctx"]["expected"].replace(" or ", ", ").split(", ")
    ranked = by_likeness(str(error["input"]), [choice.strip("'") for choice in choices])
    meant = nearest(str(error["input"]), ranked[:1])
    fix = did_you_mean(str(error["input"]), meant) if meant else f"write {one_of(ranked)}"
    return f"no such choice: {describe(error['input'])}", fix


def _no_fix(_: object) -> str:
    return ""


def _quote_it(value: object) -> str:
    return "" if value is None or isinstance(value, (list, tuple, Mapping)) else "put it in quotes"


_KINDS: tuple[tuple[str, str, Callable[[object], str]], ...] = (
    ("int_", "a whole number", _no_fix),
    ("decimal_", "a number", _no_fix),
    ("float_", "a number", _no_fix),
    ("string_type", "text", _quote_it),
    ("bool_", "true or false", _no_fix),
    ("list_type", "a list", lambda value: f"write [{value}]" if isinstance(value, (str, int)) else ""),
    ("tuple_type", "a list", lambda value: f"write [{value}]" if isinstance(value, (str, int)) else ""),
    ("dict_type", "keys and values", _no_fix),
    ("mapping_type", "keys and values", _no_fix),
    ("model_type", "keys and values", _no_fix),
    ("date_", "a date such as 2026-03-15", _no_fix),
    ("datetime_", "a time such as 2026-03-15 10:00", _no_fix),
)
_LIMITS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "greater_than_equal": lambda context, got: f"expected at least {context['ge']}, got {got}",
    "greater_than": lambda context, got: f"expected more than {context['gt']}, got {got}",
    "less_than_equal": lambda context, got: f"expected at most {context['le']}, got {got}",
    "less_than": lambda context, got: f"expected less than {context['lt']}, got {got}",
    "too_short": lambda context, got: (
        f"expected at least {context['min_length']} here, got {context['actual_length']}"
    ),
    "too_long": lambda context, got: (
        f"expected at most {context['max_length']} here, got {context['actual_length']}"
    ),
    "string_too_short": lambda context, got: "must not be empty",
    "string_too_long": lambda context, got: f"longer than {context['max_length']} characters",
}
