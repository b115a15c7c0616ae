"""Audiences as somebody might write them: every field with every key, and trees of them."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from campaigns.fields import ATTRIBUTE, FIELDS, Field

# For each field, what may be asked of the crowd; the ends and the middle of what there is.
VALUES: dict[str, list[Any]] = {
    "city": ["Kyiv", "Lviv", "Львів", "Odesa"],
    "gender": ["female", "male"],
    "locale": ["uk", "en"],
    "age": [17, 18, 30, 44, 45, 55],
    "birthday.month": [2, 3, 12],
    "birthday.day": [1, 2, 29, 31],
    "known": ["name", "email", "birthday", "card", "phone"],
    "attributes.pet": ["cat", "dog", "fish", "кіт"],
    "attributes.kids": [0, 1, 2],
    "attributes.vip": [True, False],
    "tier": ["bronze", "silver", "gold"],
    "balance": [0, 50, 100, 250],
    "debt": [0, 40, 80],
    "expiring": [0, 50, 100],
    "spent": [0, 50, 120, 300, 1000],
    "purchases": [0, 1, 2, 3],
    "average_receipt": [50, 120, 200],
    "bought": [0, 1, 2],
    "favourite_category": ["coffee", "tea"],
    "favourite_store": ["S1", "S2"],
    "returned": [0, 1, 2],
    "rfm.recency": [1, 2, 3, 4, 5],
    "rfm.frequency": [1, 3, 5],
    "rfm.monetary": [1, 2, 5],
    "reachable": ["sms", "email", "push"],
    "consent": ["sms", "email", "push"],
    "has_card": ["apple", "google", "any", False],
    "opened": [0, 1, 2],
    "clicked": [0, 1, 2],
    "segment": ["rich", "others"],
    "household": ["head", "member", "any", False],
    "referred": [True, False],
    "friends": [0, 1, 2],
    "customer": ["K-1", "K-7", "nobody"],
    "sample": ["10%", "50%", "0%", "100%"],
}
NARROWED: dict[str, list[Any]] = {
    "within": ["1 day", "30 days", "60 days", "36 hours"],
    "account": ["base", "gift"],
    "category": ["coffee", "tea", "milk"],
    "brand": ["Nero", "Ceylon"],
    "sku": ["c1", "cup"],
    "store": ["S1", "S2"],
    "scenario": ["win-back", "hello"],
}
SPANS = ["1 day", "30 days", "60 days", "1000 hours"]
DAYS = ["2025-05-01", "2025-12-31", "2026-01-30", "2026-02-09"]
PARTS_OF_TEXT = ["i", "Ль", "a", "e"]
ATTRIBUTES = ("attributes.pet", "attributes.kids", "attributes.vip")


def names() -> list[str]:
    """The name of every field, as it is written."""
    return [*FIELDS, *ATTRIBUTES]


def table() -> Iterator[tuple[str, str]]:
    """Every field with every key of its mapping; "" where a bare value stands."""
    for name in names():
        field = FIELDS.get(name, ATTRIBUTE)
        if field.equality:
            yield name, ""
        yield from ((name, key) for key in field.keys)


def asked(name: str, key: str) -> st.SearchStrategy[dict[str, Any]]:
    """One field, asked by one key."""
    field = FIELDS.get(name, ATTRIBUTE)
    if not key:
        return _values(name).map(lambda value: {name: value})
    if field.parts:
        return _part(field, key).map(lambda value: {name: {key: value}})
    must = {it: _narrowing(it, field) for it in field.needs[:1] if key not in field.needs}
    if key in field.narrowing:
        comparing = {} if field.counts or field.kind == "messages" else {"at_least": _one(name)}
        return st.fixed_dictionaries(must | {key: _narrowing(key, field)} | comparing).map(
            lambda said: {name: said}
        )
    rest = {it: _narrowing(it, field) for it in field.narrowing if it not in must}
    return st.fixed_dictionaries(must | {key: _operand(name, field, key)}, optional=rest).map(
        lambda said: {name: said}
    )


def trees() -> st.SearchStrategy[dict[str, Any]]:
    """Audiences of some fields, combined as deep as anybody would."""
    leaf = st.sampled_from([*table()]).flatmap(lambda it: asked(*it))
    return st.recursive(leaf, _combined, max_leaves=6)


def _combined(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda parts: {"any": parts}),
        several.map(lambda parts: {"all": parts}),
        several.map(lambda parts: {"not": parts}),
        inner.map(lambda part: {"not": part}),
        st.tuples(inner, inner).map(lambda two: {**two[0], **two[1]}),
    )


def _one(name: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(VALUES[name])


def _values(name: str) -> st.SearchStrategy[Any]:
    return st.one_of(_one(name), st.lists(_one(name), min_size=1, max_size=2))


def _part(field: Field, key: str) -> st.SearchStrategy[Any]:
    part = field.part(key)
    compared = st.sampled_from(part.operators).flatmap(
        lambda op: _operand(part.name, part, op).map(lambda value: {op: value})
    )
    return st.one_of(_values(part.name), compared)


def _operand(name: str, field: Field, op: str) -> st.SearchStrategy[Any]:
    if field.kind == "moment":
        return {
            "within": st.sampled_from(SPANS),
            "before": st.sampled_from(SPANS + DAYS),
            "between": st.lists(st.sampled_from(DAYS), min_size=2, max_size=2).map(sorted),
        }[op]
    if op == "contains":
        return st.sampled_from(PARTS_OF_TEXT)
    numbers = name if isinstance(VALUES[name][0], int) and VALUES[name][0] is not True else "attributes.kids"
    if op == "between":
        return st.lists(_one(numbers), min_size=2, max_size=2).map(sorted)
    return _one(name if field.refers else numbers)


def _narrowing(key: str, field: Field) -> st.SearchStrategy[Any]:
    if key == "within" and field.name == "expiring":
        return st.sampled_from(["1 day", "3 days", "30 days"])
    one = st.sampled_from(NARROWED[key])
    return one if key == "within" else st.one_of(one, st.lists(one, min_size=1, max_size=2))
