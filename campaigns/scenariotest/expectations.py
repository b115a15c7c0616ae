"""What a test expects of one customer: outcomes, texts by channel, gates, the card, balance and tier."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from core.explain import complaint, describe, suggest
from core.source import Model
from core.units import Amount

NOTHING = "nothing"
# What may hold a message back, in the order of the language's table.
GATES = (
    "not_in_audience", "already_entered", "no_consent", "suppressed", "unreachable", "holdout", "exited",
    "capped", "displaced", "missing_text", "quiet_hours", "expired", "no_longer_true",
)  # fmt: skip
OUTCOMES = (NOTHING, *GATES)


class Exactly(Model):
    """The whole text, to the letter; runs of blanks and line breaks are one blank."""

    is_: str = Field(alias="is")


def _wording(value: object) -> object:
    if isinstance(value, (str, Mapping)):
        return value
    raise complaint(f"expected text, got {describe(value)}", "write a part of the text, or '{is: the whole}'")


# A part of a text, or `{is: …}`.
Wording = Annotated[str | Exactly, BeforeValidator(_wording)]


class Message(Model):
    """One message: a part of it (`has`), the whole (`is`), or a part of one of its parts.

    `message` is the folder of its text, `scenario` whose it is where a test has several.
    """

    has: str | None = None
    is_: str | None = Field(None, alias="is")
    subject: Wording | None = None
    preheader: Wording | None = None
    title: Wording | None = None
    body: Wording | None = None
    locale: str | None = None
    message: str | None = None
    scenario: str | None = None

    def __str__(self) -> str:
        """As it stands in the file."""
        if self.model_fields_set == {"has"}:
            return f"“{self.has}”"
        return ", ".join(
            f"{name.rstrip('_')} {_said(getattr(self, name))}"
            for name in type(self).model_fields
            if name in self.model_fields_set
        )


def _said(value: object) -> str:
    return f"is “{value.is_}”" if isinstance(value, Exactly) else f"“{value}”"


def _message(value: object) -> object:
    if isinstance(value, str):
        return {"has": value}
    if isinstance(value, Mapping) and value:
        return value
    what = f"expected the text of a message, got {describe(value)}"
    raise complaint(what, "write a part of the text, or '{is: the whole text}'")


OneMessage = Annotated[
    Message, BeforeValidator(_message), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
]


class Expected(Model):
    """All that is expected of one customer at one moment."""

    outcome: str | None = None
    messages: dict[str, tuple[OneMessage, ...]] = Field(default_factory=dict)
    gate: dict[str, str] = Field(default_factory=dict)
    gates: dict[str, str] = Field(default_factory=dict)
    card: dict[str, Wording] | None = None
    balance: Amount | None = None
    tier: str | None = None


KEYS = ("gate", "gates", "card", "balance", "tier")
# What one writes who means that a message was sent; it is said by words of its text.
_SENT = ("sent", "send", "message", "ok", "yes", True, "planned", "delivered")
_EXAMPLE = "write 'nothing', a gate such as 'no_consent', or '{sms: \"500 bonuses\"}'"


def _expectation(value: object) -> object:
    if isinstance(value, str):
        return {"outcome": _outcome(value, OUTCOMES)}
    if not isinstance(value, Mapping) or not value:
        raise complaint(f"expected an outcome or texts by channel, got {describe(value)}", _EXAMPLE)
    read: dict[str, Any] = {key: value[key] for key in ("gates", "card", "balance", "tier") if key in value}
    if isinstance(value.get("gate"), str):
        read["outcome"] = _outcome(value["gate"], OUTCOMES)
    elif "gate" in value:
        read["gate"] = value["gate"]
    read["messages"] = {channel: _texts(told) for channel, told in value.items() if channel not in KEYS}
    for found in (read.get("gate"), read.get("gates")):
        for word in found.values() if isinstance(found, Mapping) else ():
            _outcome(word, OUTCOMES)
    return read


def _texts(told: object) -> object:
    listed = told if isinstance(told, list) else [told]
    if not listed or not all(isinstance(it, (str, Mapping)) and it for it in listed):
        raise complaint("expected an outcome or texts by channel, got a mapping", _EXAMPLE)
    return tuple(listed)


def _outcome(word: object, known: tuple[str, ...]) -> str:
    if not isinstance(word, str) or word not in known:
        fix = _EXAMPLE if word in _SENT else suggest(str(word), known)
        raise complaint(f"no such outcome: {describe(word)}", fix)
    return word


_WORDING = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"is": {"type": "string"}}}]}
_TEXT = {"anyOf": [{"type": "string"}, {"type": "object"}]}
_SCHEMA = {
    "anyOf": [
        {"enum": list(OUTCOMES)},
        {
            "type": "object",
            "properties": {
                "gate": {"anyOf": [{"enum": list(OUTCOMES)}, {"type": "object"}]},
                "gates": {"type": "object", "additionalProperties": {"enum": list(GATES)}},
                "card": {"type": "object", "additionalProperties": _WORDING},
                "balance": {"type": "number"},
                "tier": {"type": "string"},
            },
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"}, {"type": "object"},
                    {"type": "array", "items": _TEXT, "minItems": 1},
                ]
            },
        },
    ]
}  # fmt: skip
# `nothing`, a gate, or a mapping: channels with what their messages say, and what stands afterwards.
Expectation = Annotated[Expected, BeforeValidator(_expectation), WithJsonSchema(_SCHEMA)]
