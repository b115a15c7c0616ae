"""Who: an audience in words."""

from collections.abc import Iterable, Mapping
from typing import Any

from campaigns.audience import And, Node, Not, Or, Segment, Test
from campaigns.explaining.words import Speech
from campaigns.fields import COMPARISONS, field_named


def who(speech: Speech, audience: Node) -> str:
    """One sentence: `Only customers whose tier is gold, except those who are in the segment “staff”.`"""
    parts = audience.parts if isinstance(audience, And) else (audience,)
    asked = [part for part in parts if not isinstance(part, Not)]
    refused = [part.part for part in parts if isinstance(part, Not)]
    alone = len(asked) == 1
    clauses = _joined(
        speech, "and", [clause(speech, part) if alone else _inside(speech, part, Or) for part in asked]
    )
    except_for: str = speech.phrase("who", "except")
    others = speech.several([except_for.format(clause=clause(speech, part)) for part in refused])
    if asked and refused:
        return speech.say(speech.phrase("who", "only_but"), clauses=clauses, others=others)
    if refused:
        return speech.say(speech.phrase("who", "all_but"), others=others)
    if asked:
        return speech.say(speech.phrase("who", "only"), clauses=clauses)
    return str(speech.phrase("who", "everybody"))


def clause(speech: Speech, node: Node) -> str:
    """What is said of customers: `who are in the segment “staff”`; brackets where it would be doubtful."""
    if isinstance(node, Test):
        return _test(speech, node)
    if isinstance(node, Segment):
        return speech.say(speech.phrase("who", "segment"), value=node.name)
    if isinstance(node, Not):
        return speech.say(speech.phrase("who", "not_inside"), clause=clause(speech, node.part))
    if not node.parts:
        return str(speech.phrase("who", "nobody_named"))
    word, other = ("and", Or) if isinstance(node, And) else ("or", And)
    return _joined(speech, word, [_inside(speech, part, other) for part in node.parts])


def _inside(speech: Speech, part: Node, doubtful: type[And] | type[Or]) -> str:
    said = clause(speech, part)
    if isinstance(part, doubtful) and len(part.parts) > 1:
        return str(speech.say(speech.phrase("who", "inside"), clause=said))
    return said


def _joined(speech: Speech, word: str, clauses: Iterable[str]) -> str:
    first, *others = [*clauses] or [""]
    for each in others:
        first = speech.say(speech.phrase("who", word), one=first, other=each)
    return first


def _test(speech: Speech, test: Test) -> str:
    part, _, name = test.field.partition(".")
    phrases = speech.phrase("fields", "attributes.*" if part == "attributes" else test.field)
    template = _template(speech, phrases or {}, test)
    if template is None:
        other: str = speech.phrase("fields", "other")
        return speech.say(other, name=test.field, op=test.op, value=test.value)
    values: dict[str, Any] = {"name": name, "where": _where(speech, test), "within": "", "ahead": test.within}
    if test.within is not None:
        values["within"] = speech.say(speech.phrase("who", "fragments", "within"), value=test.within)
    if isinstance(test.value, tuple) and test.op == "between":
        values |= dict(zip(("low", "high"), test.value, strict=True))
    values["compared"] = _compared(speech, test, str((phrases or {}).get("noun", "")))
    value = test.value
    if part == "attributes" and isinstance(value, tuple) and test.op == "one_of":
        # Equal is what is written so: the year 2024 has no thousands to tell apart.
        value = tuple(it if isinstance(it, bool) else str(it) for it in value)
    return speech.say(template, value=value, **values)


def _template(speech: Speech, phrases: Mapping[str, Any], test: Test) -> str | None:
    """The phrase of this field and operator; the field may have one for all comparisons."""
    if shortly := phrases.get(_any_or_none(test)):
        return str(shortly)
    if test.op == "before" and not hasattr(test.value, "total_seconds"):
        return phrases.get("before_day")
    found = phrases.get(test.op)
    if isinstance(found, Mapping):
        return _choices(speech, found, test)
    return found or (phrases.get("compared") if test.op in (*COMPARISONS, "one_of") else None)


def _any_or_none(test: Test) -> str:
    """Nobody speaks of more than 0 bonuses: `any`, `none`, or empty where there is a number to tell."""
    field = field_named(test.field)
    asked = (test.op, test.value)
    counted = field is not None and field.unit == "count"
    if asked == ("more_than", 0) or (counted and asked == ("at_least", 1)):
        return "any"
    if asked in (("at_most", 0), ("one_of", (0,))) or (counted and asked == ("less_than", 1)):
        return "none"
    return ""


def _choices(speech: Speech, phrases: Mapping[str, str], test: Test) -> str | None:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    names = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    found = [phrases[name] for name in names if name in phrases]
    return _joined(speech, "or", found) if found else None


def _compared(speech: Speech, test: Test, noun: str) -> str:
    template = speech.phrase("comparisons", test.op)
    if template is None:
        return ""
    if isinstance(test.value, tuple) and test.op == "between":
        low, high = (speech.of(each, noun) for each in test.value)
        return speech.say(template, low=low, high=high)
    return speech.say(template, value=speech.of(test.value, noun))


def _where(speech: Speech, test: Test) -> str:
    fragments: Mapping[str, str] = speech.phrase("who", "fragments")
    return "".join(speech.say(fragments[key], value=names) for key, names in test.where)
