"""What an aggregator's codes mean, in the words that every channel has: `dead number_invalid`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from channels.outcome import AddressFault, Failed, Outcome, Unknown
from core.explain import complaint, describe, suggest

Kind = Literal["accepted", "temporary", "permanent", "configuration", "dead", "opted_out", "unknown"]
# Where only the kind is said.
_REASONS: Mapping[str, str] = {
    "accepted": "accepted",
    "temporary": "provider_busy",
    "permanent": "refused",
    "configuration": "provider_refused",
    "dead": "number_invalid",
    "opted_out": "opted_out",
    "unknown": "provider_error",
}
_REPORTED: Mapping[str, str | None] = {
    "delivered": None,
    "read": None,
    "undelivered": None,
    "dead": "number_invalid",
    "opted_out": "opted_out",
}
_REASON = re.compile(r"[a-z][a-z0-9_]{1,39}")
_STEP = re.compile(r"@key|[^.\s]+")


@dataclass(frozen=True, slots=True)
class Meaning:
    """One word of the aggregator in ours: what to do, and the reason that is counted and shown."""

    kind: str
    reason: str | None

    @property
    def address(self) -> AddressFault | None:
        """What it tells of the address."""
        return "dead" if self.kind == "dead" else "opted_out" if self.kind == "opted_out" else None

    def outcome(self, detail: str, retry_after: float | None = None) -> Outcome:
        """The outcome of a request that was not accepted."""
        reason = self.reason or self.kind
        match self.kind:
            case "unknown":
                return Unknown(reason, detail)
            case "temporary":
                return Failed("temporary", reason, detail, None, retry_after)
            case "configuration":
                return Failed("configuration", reason, detail)
            case _:
                return Failed("permanent", reason, detail, self.address)


def _meaning(given: Any, kinds: Mapping[str, str | None]) -> Meaning:
    if isinstance(given, Meaning):
        return given
    words = given.split() if isinstance(given, str) else []
    if not words or len(words) > 2:
        raise complaint(
            f"expected what it means, got {describe(given)}", f"write for example '{next(iter(kinds))}'"
        )
    if words[0] not in kinds:
        raise complaint(f"no such outcome: '{words[0]}'", suggest(words[0], list(kinds)))
    if len(words) == 2 and not _REASON.fullmatch(words[1]):
        raise complaint(f"'{words[1]}' is no reason", "write small letters, digits and _")
    return Meaning(words[0], words[1] if len(words) == 2 else kinds[words[0]])


def _path(given: Any) -> str:
    path = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if not path or not all(_STEP.fullmatch(step) for step in path.split(".")):
        raise complaint(f"expected a path, got {describe(given)}", "write for example result.0.message_id")
    return path


def _schema(kinds: Mapping[str, str | None]) -> dict[str, str]:
    return {"type": "string", "pattern": rf"^({'|'.join(kinds)})( [a-z][a-z0-9_]*)?$"}


AnswerMeaning = Annotated[
    Meaning, PlainValidator(lambda it: _meaning(it, _REASONS)), WithJsonSchema(_schema(_REASONS))
]
ReportMeaning = Annotated[
    Meaning, PlainValidator(lambda it: _meaning(it, _REPORTED)), WithJsonSchema(_schema(_REPORTED))
]
# `result.0.id`: keys and places in lists, one after another; `@key` is the only key of a mapping.
Path = Annotated[str, BeforeValidator(_path)]


def at(path: str, document: Any) -> str | None:
    """The text, number or truth at a path, as YAML writes it; None if there is nothing of that kind."""
    found = thing(path, document)
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) and str(found) else None


def thing(path: str, document: Any) -> Any:
    """Whatever stands at a path; None for nothing."""
    for step in path.split("."):
        document = _step(step, document)
    return document


def _step(step: str, document: Any) -> Any:
    if isinstance(document, Mapping):
        if step == "@key":
            return next(iter(document)) if len(document) == 1 else None
        return document.get(step)
    if isinstance(document, list) and step.isdecimal() and int(step) < len(document):
        return document[int(step)]
    return None
