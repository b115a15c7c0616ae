"""Audiences that nobody can belong to are said to be so, with both places, and no others are."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.audience import Names, Node, read_audience
from campaigns.contradictions import contradictions
from core.errors import Problem
from core.source import Document, load
from tests.campaigns.audiences.crowd import Crowd, crowd
from tests.campaigns.audiences.plain import Plain
from tests.campaigns.audiences.written import asked, table, trees

MANY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])


def read(text: str, name: str = "x") -> tuple[Document, Node]:
    problems: list[Problem] = []
    document = load(text, f"segments/{name}.yaml", problems)
    assert document is not None
    node = read_audience(document, (), Names(), problems)
    assert not problems, problems
    return document, node


def said(text: str, **segments: str) -> list[str]:
    document, node = read(text)
    named = {name: read(it, name) for name, it in segments.items()}
    return [f"{it.severity}: {it}" for it in contradictions(document, (), node, named)]


@pytest.mark.parametrize(
    ("text", "where", "first", "second"),
    [
        ("tier: gold\nnot: {tier: gold}", "2:7: not.tier", "tier gold", "not tier gold"),
        ("tier: gold\nnot: {tier: [gold, silver]}", "2:7: not.tier", "tier gold", "not tier gold or silver"),
        ("all: [{city: Kyiv}, {city: Lviv}]", "1:22: all[1].city", "city Kyiv", "city Lviv"),
        ("age: {at_least: 10, at_most: 5}", "1:21: age.at_most", "age at least 10", "age at most 5"),
        ("purchases: {more_than: 5, less_than: 6}", "1:27: purchases.less_than",
         "purchases more than 5", "purchases less than 6"),
        ("all: [{age: 30}, {age: {between: [40, 50]}}]", "1:25: all[1].age.between",
         "age 30", "age between 40 and 50"),
        ("last_purchase: {within: 30 days, before: 60 days}", "1:34: last_purchase.before",
         "last_purchase within 30 days", "last_purchase before 60 days"),
        ("registered: {before: 2026-01-01, between: [2026-01-01, 2026-02-01]}", "1:34: registered.between",
         "registered before 2026-01-01", "registered between 2026-01-01 and 2026-02-01"),
        ("age: {at_least: 20}\nnot: {age: {at_least: 18}}", "2:13: not.age.at_least",
         "age at least 20", "not age at least 18"),
        ("all: [{spent: {at_least: 500, within: 30 days}}, {spent: {at_most: 100}}]",
         "1:59: all[1].spent.at_most", "spent at least 500 within 30 days", "spent at most 100"),
        ("rfm: {recency: [1, 2]}\nnot: {rfm: {recency: {at_most: 3}}}", "2:23: not.rfm.recency.at_most",
         "rfm.recency 1 or 2", "not rfm.recency at most 3"),
        ("all: [{has_card: apple}, {has_card: false}]", "1:27: all[1].has_card",
         "has_card apple", "has_card false"),
        ("has_card: apple\nnot: {has_card: any}", "2:7: not.has_card",
         "has_card apple", "not has_card any"),
        ("segment: staff\nnot: [{segment: staff}, {city: Kyiv}]", "2:8: not[0].segment",
         "segment staff", "not segment staff"),
        ("bought: {category: tea}\nnot: {bought: {category: tea}}", "2:7: not.bought",
         "bought of category tea at least 1", "not bought of category tea at least 1"),
    ],
)  # fmt: skip
def test_two_conditions_that_exclude_each_other_are_named(
    text: str, where: str, first: str, second: str
) -> None:
    (finding,) = said(text)
    assert finding.startswith(f"error: segments/x.yaml:{where}: '{second}' excludes '{first}' (")
    assert " at segments/x.yaml:" in finding
    assert finding.endswith("): nobody is both; remove one of them")


@pytest.mark.parametrize(
    "text",
    [
        "any: [{city: Kyiv}, {city: Lviv}]",
        "all: [{attributes.pet: cat}, {attributes.pet: dog}]",
        "all: [{reachable: sms}, {reachable: email}]",
        "all: [{consent: sms}, {not: {consent: email}}]",
        "age: {at_least: 20}\nnot: {age: {at_least: 30}}",
        "spent: {at_least: 100}\nnot: {spent: {at_least: 100, within: 30 days}}",
        "all: [{bought: {category: tea}}, {not: {bought: {category: coffee}}}]",
        "registered: {before: 30 days, between: [2026-01-01, 2026-02-01]}",
        "balance: {more_than: 5, less_than: 6}",
        "not: {tier: gold, city: Kyiv}\ntier: gold",
        "tier: [gold, silver]\nnot: {tier: gold}",
        "segment: staff\nnot: {segment: loyal}",
    ],
)
def test_what_can_be_true_together_is_left_alone(text: str) -> None:
    assert said(text) == []


def test_one_branch_in_vain_is_a_warning() -> None:
    (finding,) = said("tier: gold\nany: [{not: {tier: [gold, silver]}}, {city: Kyiv}]")
    assert finding.startswith("warning: segments/x.yaml:2:14: any[0].not.tier: ")


def test_every_branch_in_vain_is_an_error() -> None:
    findings = said("tier: gold\nany: [{tier: silver}, {all: [{tier: bronze}, {city: Kyiv}]}]")
    assert [finding.partition(":")[0] for finding in findings] == ["error", "error"]


def test_a_named_segment_says_what_stands_in_its_file() -> None:
    (finding,) = said("tier: gold\nsegment: beginners", beginners="city: Kyiv\ntier: [bronze, silver]")
    assert finding == (
        "error: segments/x.yaml:2:1: segment: 'segment beginners', which says 'tier bronze or silver' at "
        "segments/beginners.yaml:2:1, excludes 'tier gold' (tier at segments/x.yaml:1:1): nobody is both; "
        "remove one of them"
    )


def test_two_segments_that_exclude_each_other_are_named_with_what_each_says() -> None:
    (finding,) = said(
        "all: [{segment: best}, {segment: new}]", best="segment: gold", gold="tier: gold", new="tier: bronze"
    )
    assert finding == (
        "error: segments/x.yaml:1:25: all[1].segment: 'segment new', which says 'tier bronze' at "
        "segments/new.yaml:1:1, excludes 'segment best', which says 'tier gold' at segments/gold.yaml:1:1, "
        "(all[0].segment at segments/x.yaml:1:8): nobody is both; remove one of them"
    )


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("not: {segment: loyal}\ntier: gold", {"loyal": "tier: [gold, silver]"}),
        ("not: {segment: loyal}\nsegment: best", {"loyal": "segment: best", "best": "tier: gold"}),
        ("segment: loyal\ncity: Kyiv", {"loyal": "any: [{city: Lviv}, {city: Odesa, tier: gold}]"}),
        ("segment: loyal\nall: [{not: {segment: loyal}}]", {"loyal": "tier: gold"}),
    ],
)
def test_what_segments_leave_is_nobody(text: str, segments: dict[str, str]) -> None:
    findings = said(text, **segments)
    assert findings
    assert all(it.startswith("error: segments/x.yaml:") for it in findings)
    assert len({it.partition(" which says")[0] for it in findings}) == 1


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        # It has other members too.
        ("segment: loyal\ntier: gold", {"loyal": "any: [{tier: silver}, {spent: {at_least: 500}}]"}),
        ("not: {segment: loyal}\ntier: gold", {"loyal": "{tier: gold, city: Kyiv}"}),
        ("segment: best", {"best": "all: [{tier: gold}, {tier: silver}]"}),  # told at its own file
        ("segment: one", {"one": "segment: two", "two": "segment: one"}),
        ("segment: [best, new]", {"best": "tier: gold", "new": "tier: bronze"}),
    ],
)
def test_what_segments_leave_somebody_for_is_left_alone(text: str, segments: dict[str, str]) -> None:
    assert said(text, **segments) == []


def test_one_of_two_segments_in_vain_is_a_warning() -> None:
    (finding,) = said("tier: gold\nsegment: [best, new]", best="tier: gold", new="tier: bronze")
    assert finding.startswith("warning: segments/x.yaml:2:1: segment: 'segment new', which says")


PEOPLE: Crowd = crowd()


def clashing() -> st.SearchStrategy[dict[str, Any]]:
    """One field asked several times, in all the ways that may exclude each other."""
    ways = (lambda it: it, lambda it: {"not": it}, lambda it: {"any": [it, {"city": "Kyiv"}]})

    def of(name: str) -> st.SearchStrategy[dict[str, Any]]:
        keys = [key for field, key in table() if field == name]
        one = st.sampled_from(keys).flatmap(lambda key: asked(name, key))
        turned = st.tuples(st.sampled_from(ways), one).map(lambda it: it[0](it[1]))
        return st.lists(turned, min_size=2, max_size=3).map(lambda parts: {"all": parts})

    return st.sampled_from(sorted({name for name, _ in table()})).flatmap(of)


@MANY
@given(st.one_of(clashing(), trees()))
def test_nobody_belongs_to_an_audience_that_contradicts_itself(written: dict[str, Any]) -> None:
    document, node = read(json.dumps(written, ensure_ascii=False))
    found = contradictions(document, (), node, {})
    if any(problem.severity == "error" for problem in found):
        assert Plain(PEOPLE).who(node) == []
