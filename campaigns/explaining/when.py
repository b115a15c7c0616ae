"""When: a trigger and its schedule in words."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from campaigns.explaining.words import Speech
from campaigns.scenario import Scenario
from core.units import Duration
from triggers import discover


def when(speech: Speech, scenario: Scenario) -> str:
    """What is waited for, and when it is looked for."""
    said = trigger(speech, scenario.trigger, scenario.parameters)
    if scenario.schedule is None:
        return said
    return f"{said} {speech.say(speech.phrase('schedule', 'looked'), schedule=scenario.schedule)}"


def trigger(speech: Speech, name: str, parameters: BaseModel) -> str:
    """One sentence; of a trigger that the phrasebook does not know, what its own documentation says."""
    phrases = speech.phrase("triggers", name)
    given = {field.alias or key: getattr(parameters, key) for key, field in _fields(parameters)}
    if phrases is None:
        about = (type(discover()[name]).__doc__ or name).split("\n")[0]
        listed = "; ".join(
            f"{key}: {_text(value)}" for key, value in given.items() if value not in (None, ())
        )
        shown = f"({listed})" if listed else ""
        return speech.say(speech.phrase("triggers", "other"), about=about, parameters=shown).strip()
    said = {key: _parameter(speech, phrases.get(key, {}), value) for key, value in given.items()}
    text = str(phrases["says"]).format(**said)
    return text[:1].upper() + text[1:]


def _fields(parameters: BaseModel) -> Any:
    return type(parameters).model_fields.items()


def _parameter(speech: Speech, phrases: Mapping[str, Any], value: Any) -> str:
    """By its value where the phrases name values (`up`), by its sign for days, else given or absent.

    Values of a list that the phrases have `names` of are called so.
    """
    if "before" in phrases:
        word = "before" if value < 0 else "after" if value > 0 else "on"
        return speech.say(phrases[word], value=Duration(days=abs(value)))
    if isinstance(value, str) and value in phrases:
        return str(phrases[value])
    if not value:
        return str(phrases.get("absent", ""))
    if isinstance(value, dict):
        value = _conditions(speech, value)
    elif isinstance(value, tuple) and "names" in phrases:
        value = tuple(_named(speech, phrases["names"], each) for each in value)
    return speech.say(phrases["given"], value=value)


def _named(speech: Speech, names: Any, value: str) -> str:
    return str(names.get(value) or format(speech.of(value), "quote"))


def _conditions(speech: Speech, where: Mapping[str, Any]) -> str:
    """`city is Kyiv and total at least 100`: what is asked of an event's attributes."""
    said = []
    for name, asked in where.items():
        quoted = format(speech.of(name), "quote")
        for op, value in asked:
            if value is None or value == ():
                continue
            compared = _one_of(speech, value) if op == "values" else _compared(speech, op, value)
            said.append(f"{quoted} – {compared}")
    return speech.several(said)


def _one_of(speech: Speech, values: Any) -> str:
    return format(speech.of(tuple(values)), "or")


def _compared(speech: Speech, op: str, value: Any) -> str:
    template = speech.phrase("comparisons", op)
    if isinstance(value, tuple):
        low, high = value
        return speech.say(template, low=low, high=high)
    return speech.say(template, value=value)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
