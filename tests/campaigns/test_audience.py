"""Audiences: what each way of writing means as a tree."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from campaigns import conditions
from campaigns.audience import EVERYBODY, And, Names, Node, Not, Or, Segment, Test, read_audience, walk
from campaigns.audience.json_schema import audience_schema
from campaigns.fields import ATTRIBUTE, FIELDS, MEANINGS, NARROWING, OPERATORS, Field, field_named
from core.errors import Problem
from core.source import load
from core.units import Duration
from tests.support.reference import made

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
        ("tier: {at_least: silver}", Test("tier", "at_least", "silver")),
        ("birthday: {month: [6, 7], day: {at_most: 15}}",
         And((Test("birthday.month", "one_of", (Decimal(6), Decimal(7))),
              Test("birthday.day", "at_most", Decimal(15))))),
        ("rfm: {recency: [4, 5], monetary: {at_least: 3}}",
         And((Test("rfm.recency", "one_of", (Decimal(4), Decimal(5))),
              Test("rfm.monetary", "at_least", Decimal(3))))),
        ("registered: {before: 2026-03-01}", Test("registered", "before", date(2026, 3, 1))),
        ("last_purchase: {between: [2026-01-01, 2026-01-31]}",
         Test("last_purchase", "between", (date(2026, 1, 1), date(2026, 1, 31)))),
        ("balance: {account: [gift, welcome], at_least: 50}",
         Test("balance", "at_least", Decimal(50), where=(("account", ("gift", "welcome")),))),
        ("expiring: {within: 2 weeks}", Test("expiring", "more_than", Decimal(0), Duration(days=14))),
        ("purchases: 1", Test("purchases", "one_of", (Decimal(1),))),
        ("returned: {within: 30 days}", Test("returned", "at_least", Decimal(1), Duration(days=30))),
        ("bought: {store: S1}", Test("bought", "at_least", Decimal(1), where=(("store", ("S1",)),))),
        ("has_card: false", Test("has_card", "one_of", (False,))),
        ("has_card: [apple, google]", Test("has_card", "one_of", ("apple", "google"))),
        ("referred: true", Test("referred", "one_of", (True,))),
        ("sample: 10%", Test("sample", "one_of", (Decimal("0.1"),))),
        ("customer: [K-1, K-2]", Test("customer", "one_of", ("K-1", "K-2"))),
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
    assert field_named("rfm.shoes") is None
    recency = field_named("rfm.recency")
    assert recency is not None
    assert recency.bounds == (1, 5)


def test_a_test_knows_where_it_stands_and_is_equal_wherever_that_is() -> None:
    there, here = read("not: {tier: gold}"), read("not: [{tier: gold}]")
    assert isinstance(there, Not)
    assert isinstance(there.part, Test)
    assert there.part.place == ("not", "tier")
    assert here == Not(Or((GOLD,)))


# --- one table, from which everything else is made

EVERY_FIELD = [*FIELDS.values(), ATTRIBUTE]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: field.name)
def test_every_key_of_a_field_has_a_meaning(field: Field) -> None:
    parts = {part.name for part in field.parts}
    assert set(field.keys) <= {*MEANINGS, *NARROWING, *parts}
    assert set(field.needs) <= set(field.narrowing)


@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: field.name)
def test_every_field_means_something_in_sql(field: Field) -> None:
    # A segment stands for the tree of its file.
    assert field.kind == "segment" or field.name.partition(".")[0] in conditions.MEANINGS


def test_nothing_means_something_in_sql_that_cannot_be_asked() -> None:
    assert {*conditions.MEANINGS, "segment"} == {*FIELDS, "attributes"}


@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: field.name)
def test_the_editors_schema_knows_every_key_and_takes_the_example(field: Field) -> None:
    schema = audience_schema()
    known = schema["properties"].get(field.name) or schema["patternProperties"][r"^attributes\..+"]
    keys = {key for it in known["anyOf"] for key in it.get("properties", ())}
    assert keys == set(field.keys)
    validator = jsonschema.Draft202012Validator({**schema, "$defs": {"audience": schema}})
    document = load(field.example, "x.yaml", [])
    assert document is not None
    validator.validate(document.data)


@pytest.mark.parametrize("page", ["audience.md", "reference/audience.md"])
@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: field.name)
def test_every_field_and_its_keys_are_documented(field: Field, page: str) -> None:
    said = made()["audience.md"] if page.startswith("reference") else (ROOT / "docs" / page).read_text()
    assert f"`{field.name}`" in said
    assert field.example in said or not page.startswith("reference")
    for key in field.keys:
        assert f"`{key}`" in said, key


def test_every_example_of_the_docs_page_is_right() -> None:
    page = (ROOT / "docs" / "audience.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(examples) > 5
    for example in examples:
        problems: list[Problem] = []
        document = load(example, "x.yaml", problems)
        assert document is not None
        path: tuple[str, ...] = ("audience",) if "audience" in document.data else ()
        read_audience(document, path, Names(), problems, skip=("about",))
        assert not problems, (example, problems)


# --- what is wrong is said, with its place


def faults() -> list[tuple[str, str]]:
    """Each fault of `files/segment.fields.bad.yaml`, as one line of it, with what is said of it."""
    folder = Path(__file__).parent / "files"
    lines = (folder / "segment.fields.bad.yaml").read_text("utf-8").splitlines()
    said = (folder / "segment.fields.bad.txt").read_text("utf-8").splitlines()
    return [(lines[int(line.split(":")[1]) - 1].strip().removeprefix("- "), line) for line in said]


@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: field.name)
def test_every_key_of_every_field_has_an_example_of_an_error(field: Field) -> None:
    name = field.name.replace("*", "pet")
    wrong = [line.split(": ")[1] for fault, line in faults() if fault.startswith(f"{name}:")]
    assert wrong
    for key in field.keys:
        assert any(f".{name}.{key}" in path for path in wrong), key
