"""Audiences: what each way of writing means as a tree."""

from decimal import Decimal

import pytest

from campaigns.audience import EVERYBODY, And, Names, Node, Not, Or, Segment, Test, read_audience, walk
from campaigns.fields import FIELDS, LATER, OPERATORS, Field, field_named
from core.errors import Problem
from core.source import load
from core.units import Duration

GOLD = Test("tier", "one_of", ("gold",))
KYIV = Test("city", "one_of", ("Kyiv",))


def read(text: str, names: Names | None = None) -> Node:
    problems: list[Problem] = []
    document = load(text, "x.yaml", problems)
    assert document is not None
    node = read_audience(document, (), names or Names(), problems)
    assert not problems, [str(problem) for problem in problems]
    return node


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("tier: gold", GOLD),
        ("tier: [silver, gold]", Test("tier", "one_of", ("silver", "gold"))),
        ("{tier: gold, city: Kyiv}", And((GOLD, KYIV))),
        ("any: [{tier: gold}, {city: Kyiv}]", Or((GOLD, KYIV))),
        ("all: [{tier: gold}, {city: Kyiv}]", And((GOLD, KYIV))),
        ("not: {tier: gold}", Not(GOLD)),
        ("not: {tier: gold, city: Kyiv}", Not(And((GOLD, KYIV)))),
        ("not: [{tier: gold}, {city: Kyiv}]", Not(Or((GOLD, KYIV)))),
        ("not: {not: {tier: gold}}", Not(Not(GOLD))),
        ("city: {contains: yiv}", Test("city", "contains", "yiv")),
        ("age: 30", Test("age", "one_of", (Decimal(30),))),
        ("age: {between: [25, 45]}", Test("age", "between", (Decimal(25), Decimal(45)))),
        ("age: {at_least: 25, less_than: 45}",
         And((Test("age", "at_least", Decimal(25)), Test("age", "less_than", Decimal(45))))),
        ("balance: {at_least: 100.5}", Test("balance", "at_least", Decimal("100.5"))),
        ("spent: {at_least: 5000, within: 90 days}",
         Test("spent", "at_least", Decimal(5000), within=Duration(days=90))),
        ("purchases: {at_most: 1}", Test("purchases", "at_most", Decimal(1))),
        ("last_purchase: {before: 30 days}", Test("last_purchase", "before", Duration(days=30))),
        ("registered: {within: 12 hours}", Test("registered", "within", Duration(seconds=43200))),
        ("bought: {category: coffee}",
         Test("bought", "at_least", Decimal(1), where=(("category", ("coffee",)),))),
        ("bought: {brand: A, category: [tea, coffee], at_least: 3, within: 60 days}",
         Test("bought", "at_least", Decimal(3), Duration(days=60),
              (("category", ("tea", "coffee")), ("brand", ("A",))))),
        ("reachable: [push, email]", Test("reachable", "one_of", ("push", "email"))),
        ("attributes.pet: cat", Test("attributes.pet", "one_of", ("cat",))),
        ("attributes.staff: true", Test("attributes.staff", "one_of", (True,))),
        ("attributes.size: {at_least: 40}", Test("attributes.size", "at_least", Decimal(40))),
        ("segment: staff", Segment("staff")),
        ("segment: [staff, loyal]", Or((Segment("staff"), Segment("loyal")))),
        ("received: {scenario: win-back, within: 30 days}",
         Test("received", "one_of", ("win-back",), Duration(days=30))),
    ],
)  # fmt: skip
def test_what_is_written_and_what_is_meant(text: str, node: Node) -> None:
    assert read(text) == node


def test_names_are_checked_only_where_they_are_known() -> None:
    assert read("tier: platinum", Names(tiers=None)) == Test("tier", "one_of", ("platinum",))


def test_walking_meets_everything() -> None:
    node = read("{tier: gold, not: {any: [{city: Kyiv}, {segment: staff}]}}")
    assert [type(each).__name__ for each in walk(node)] == ["And", "Test", "Not", "Or", "Test", "Segment"]


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_every_field_is_documented_and_its_example_is_right(field: Field) -> None:
    assert field.about.endswith(".")
    assert set(field.operators) <= set(OPERATORS)
    assert read(field.example) != EVERYBODY


def test_fields_are_found_by_name() -> None:
    attribute = field_named("attributes.pet")
    assert attribute is not None
    assert attribute.kind == "anything"
    assert field_named("attributes.") is None
    assert field_named("attributes") is None
    assert field_named("shoe_size") is None
    assert not LATER & set(FIELDS)
