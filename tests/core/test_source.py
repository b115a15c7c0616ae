"""YAML with positions, and problems in the words of whoever wrote it."""

from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import Field

from core.errors import Problem
from core.explain import complaint, suggest
from core.source import Document, Model, dotted, load
from core.units import Amount, Duration, Series


class Inner(Model):
    at_least: Amount = Decimal(0)
    ahead: Series[Duration] = Field(examples=["3 days"])


class Whole(Model):
    about: str = ""
    number: int = Field(0, ge=0, le=100)
    sure: bool = False
    kind: Literal["marketing", "service", "transactional"] = "marketing"
    inner: Inner | None = None
    items: list[Inner] = Field(default_factory=list)
    free: dict[str, Inner] = Field(default_factory=dict)


def document(text: str) -> Document:
    problems: list[Problem] = []
    found = load(text, "x.yaml", problems)
    assert not problems
    assert found is not None
    return found


def findings(text: str) -> list[str]:
    """Everything that is wrong with a text read as `Whole`."""
    problems: list[Problem] = []
    found = load(text, "x.yaml", problems)
    if found is not None:
        found.validate(Whole, problems)
    return [str(problem) for problem in sorted(problems)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("10:00", "10:00"),
        ("21:00-09:00", "21:00-09:00"),
        ("2026-03-15", "2026-03-15"),
        ("2026-03-01 10:00", "2026-03-01 10:00"),
        ("12-31", "12-31"),
        ("true", True),
        ("5", 5),
        ("1_000", 1000),
        ("007", 7),
        ("0x1F", 31),
        ("1.10", Decimal("1.10")),
        (".nan", ".nan"),
        ("", None),
        ("~", None),
        ("'5'", "5"),
        ("9" * 60, "9" * 60),
    ],
)
def test_a_value_is_what_it_looks_like(written: str, read: Any) -> None:
    assert document(f"value: {written}").data == {"value": read}


def test_keys_are_always_text() -> None:
    assert document("no: 1\n2026-08-24: 2\n5: 3\n").data == {"no": 1, "2026-08-24": 2, "5": 3}


def test_every_key_and_value_knows_its_place() -> None:
    found = document("# a comment\nwhen:\n  expiring: {ahead: [14 days, 3 days]}\n")
    assert found.position(("when",), key=True) == (2, 1)
    assert found.position(("when", "expiring", "ahead"), key=True) == (3, 14)
    assert found.position(("when", "expiring", "ahead"), key=False) == (3, 21)
    assert found.position(("when", "expiring", "ahead", 1), key=True) == (3, 31)


def test_a_place_that_is_not_there_is_its_parents_place() -> None:
    assert document("a:\n  b: 1\n").position(("a", "c", 3)) == (1, 1)


def test_columns_count_letters_not_bytes() -> None:
    assert document("{бонус: 1, мета: 2}").position(("мета",), key=True) == (1, 12)


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert document("\ufeffabout: hello").data == {"about": "hello"}


def test_anchors_and_merges_work_and_what_is_written_wins() -> None:
    found = document("base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n")
    assert found.data["other"] == {"a": 1, "b": 3}
    assert found.position(("other", "b")) == (4, 3)


def test_one_anchor_may_be_used_again() -> None:
    assert document("a: &x 1\nb: &x 2\nc: *x").data == {"a": 1, "b": 2, "c": 2}


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (finding,) = findings("\n".join(lines))
    assert finding.endswith("more than 100000 values once its aliases are followed; use fewer aliases")


def test_a_value_that_contains_itself_is_refused() -> None:
    assert findings("a: &a [*a]") == ["x.yaml:1:4: a[0]: contains itself; remove the alias"]


def test_a_key_written_twice_is_named_with_the_line_of_the_first() -> None:
    found = findings("about: one\ninner:\n  ahead: 3 days\n  ahead: 2 days\n")
    assert found == ["x.yaml:4:3: inner.ahead: duplicate key; it already stands on line 3; keep one"]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "about: a: b",
            (
                "x.yaml:1:9: not valid YAML: a second ':' in one value, or a line too far to the right; "
                "put the value in quotes, or begin the line where its neighbours begin"
            ),
        ),
        ("free:\n\ta: 1", "x.yaml:2:1: a tab where YAML wants spaces; indent with spaces"),
        (
            "about: @here",
            "x.yaml:1:8: not valid YAML: a value cannot begin like this; put the value in quotes",
        ),
        (
            "about: * 9 * * mon",
            "x.yaml:1:9: not valid YAML: a value cannot begin with '*' or '&'; put the value in quotes",
        ),
        (
            "inner:\n    ahead: 1 day\n  about: one",
            (
                "x.yaml:3:3: not valid YAML: a line does not begin where its neighbours begin; "
                "give it their indentation"
            ),
        ),
        (
            "inner:\n\u00a0 ahead: 1 day\n\u00a0 at_least: 5",
            "x.yaml:2:1: a space that YAML does not take for one (U+00A0); write an ordinary space",
        ),
        (
            "about: one\ninner:\u00a0{ahead: 1 day}",
            "x.yaml:2:7: a space that YAML does not take for one (U+00A0); write an ordinary space",
        ),
        ("about:one\nkind: service", "x.yaml:1:6: no space after ':'; write 'about: …'"),
        (
            "about： one\nkind: service",
            "x.yaml:1:6: a ':' that YAML does not take for one (U+FF1A); write 'about: …'",
        ),
        (
            "about: 'it's a try'",
            (
                "x.yaml:1:11: the text goes on after the ' that ends it; "
                "write '' for one that belongs to the text"
            ),
        ),
        (
            'inner: {ahead: "say "hi" now"}',
            (
                'x.yaml:1:21: the text goes on after the " that ends it; '
                'write \\" for one that belongs to the text'
            ),
        ),
        ("items: [1, 2", "x.yaml:1:13: a bracket that is never closed; close it"),
        ("about: 'x", "x.yaml:1:10: a quote that is never closed; close it"),
        (
            "about: *x",
            "x.yaml:1:8: '*' refers to a name that nothing has; put the value in quotes if it is text",
        ),
        ("about: a\n---\nabout: b", "x.yaml:2:1: a second document in one file; remove the '---'"),
        ("about: one\nfree: \x01", "x.yaml:2:1: a character that YAML does not allow; remove it"),
        ("", "x.yaml:1:1: the file is empty; write something or remove it"),
        ("# nothing yet", "x.yaml:1:1: the file is empty; write something or remove it"),
        ("- a\n- b", "x.yaml:1:1: expected keys and values; write for example 'about: …'"),
        (
            "about: !secret x",
            "x.yaml:1:1: about: no such YAML tag: !secret; remove it, or put the value in quotes",
        ),
        ("? [a]\n: b", "x.yaml:1:1: a key must be text; write 'key: value'"),
        ("<<: 5\nabout: x", "x.yaml:1:1: '<<' takes in keys and values, and nothing else; remove it"),
        (
            "<<: {about: one}\n<<: {about: two}",
            "x.yaml:2:1: a second '<<' in one mapping; write '<<: [*one, *other]'",
        ),
        ("about: " + "[" * 3000, "x.yaml:1:1: nested too deeply; flatten it"),
    ],
)
def test_what_is_no_yaml_is_explained(text: str, finding: str) -> None:
    assert findings(text) == [finding]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("number: many", "x.yaml:1:1: number: expected a whole number, got 'many'"),
        ('number: "a\\nb\\e[0m"', "x.yaml:1:1: number: expected a whole number, got 'a b [0m'"),
        ("number: 1.5", "x.yaml:1:1: number: expected a whole number, got 1.5"),
        ("number: true", "x.yaml:1:1: number: expected a whole number, got true"),
        ("number:", "x.yaml:1:1: number: expected a whole number, got nothing"),
        ("number: 101", "x.yaml:1:1: number: expected at most 100, got 101"),
        ("about: 5", "x.yaml:1:1: about: expected text, got 5; put it in quotes"),
        ("about: [a]", "x.yaml:1:1: about: expected text, got a list"),
        ("sure: no", "x.yaml:1:1: sure: expected true or false, got 'no'"),
        (
            "inner: 3 days",
            "x.yaml:1:1: inner: expected keys and values, got '3 days'; its keys are at_least, ahead",
        ),
        ("items: {ahead: 1 day}", "x.yaml:1:1: items: expected a list, got a mapping"),
        (
            "kind: servise",
            "x.yaml:1:1: kind: no such choice: 'servise'; did you mean 'service'?",
        ),
        ("knd: service", "x.yaml:1:1: knd: no such key; did you mean 'kind'?"),
        (
            "kіnd: service",
            "x.yaml:1:1: kіnd: no such key; did you mean 'kind'? the 'і' in it is a Cyrillic letter",
        ),
        (
            "kind: \u0455ervice",
            (
                "x.yaml:1:1: kind: no such choice: '\u0455ervice'; "
                "did you mean 'service'? the '\u0455' in it is a Cyrillic letter"
            ),
        ),
        (
            "kind\u200b: service",
            (
                "x.yaml:1:1: kind\u200b: no such key; "
                "did you mean 'kind'? a character in it is not seen (U+200B): write it anew"
            ),
        ),
        ("inner: {}", "x.yaml:1:1: inner.ahead: is missing; write for example 'ahead: 3 days'"),
        ("items: [{ahead: 1 day}, {aheads: 1 day}]",
         "x.yaml:1:26: items[1].aheads: no such key; did you mean 'ahead'?"),
        ("free: {x: {ahead: 1 day, at_leest: 5}}",
         "x.yaml:1:26: free.x.at_leest: no such key; did you mean 'at_least'?"),
        ("inner: {ahead: soon}",
         "x.yaml:1:9: inner.ahead: expected a length of time, got 'soon'; write for example '14 days'"),
        ("inner: {ahead: [1 day, soon]}",
         "x.yaml:1:24: inner.ahead[1]: expected a length of time, got 'soon'; write for example '14 days'"),
        ("inner: {ahead: []}",
         ("x.yaml:1:9: inner.ahead: expected at least one, got an empty list; "
          "write for example 'ahead: 3 days'")),
    ],
)  # fmt: skip
def test_a_wrong_value_says_what_was_expected_and_what_to_write(text: str, finding: str) -> None:
    assert findings(text) == [finding]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (r'about: "a\0b"', "x.yaml:1:1: about: has a NUL character, which cannot be kept; remove the '\\0'"),
        ('items:\n  - {ahead: "1 day\\x00"}',
         "x.yaml:2:6: items[0].ahead: has a NUL character, which cannot be kept; remove the '\\0'"),
        ('free: {"a\\u0000b": {ahead: 1 day}}',
         "x.yaml:1:8: free: has a NUL character, which cannot be kept; remove the '\\0'"),
        (r'about: "\ud83d\ude00"',
         ("x.yaml:1:1: about: has half a character, which cannot be kept; "
          "write the whole one as it is, or by '\\U0001F600'")),
    ],
)  # fmt: skip
def test_what_no_database_keeps_is_refused_where_it_stands(text: str, finding: str) -> None:
    assert findings(text) == [finding]


def test_everything_is_said_at_once() -> None:
    found = findings("abuot: x\nnumber: many\ninner: {at_least: lots}\nabuot: y\n")
    assert [line.split(": ", 2)[0] for line in found] == [
        "x.yaml:1:1",
        "x.yaml:2:1",
        "x.yaml:3:1",
        "x.yaml:3:9",
        "x.yaml:4:1",
    ]


def test_a_part_of_a_file_is_read_by_its_own_model_and_its_keys_have_their_own_name() -> None:
    found = document("when:\n  bonus_expiring:\n    aheads: 3 days\n    ahead: 3 days\n")
    problems: list[Problem] = []
    found.validate(Inner, problems, at=("when", "bonus_expiring"), noun="parameter")
    (problem,) = problems
    assert str(problem) == (
        "x.yaml:3:5: when.bonus_expiring.aheads: no such parameter; did you mean 'ahead'?"
    )


def test_what_has_misspelt_keys_alone_is_read_as_it_was_meant() -> None:
    problems: list[Problem] = []
    found = document("numbr: 2\ninner: {at_leest: 5, ahead: 1 day}\nfoo: 1").validate(Whole, problems)
    assert found is not None
    assert found.inner is not None
    assert (found.number, found.inner.at_least) == (2, 5)
    assert {it.path for it in problems} == {"inner.at_leest", "numbr", "foo"}
    # What is written properly counts; what cannot be read is not.
    assert document("numbr: 2\nnumber: 3").validate(Whole, problems) == Whole(number=3)
    assert document("numbr: many").validate(Whole, problems) is None


def test_a_key_with_nothing_under_it_is_read_as_an_empty_mapping() -> None:
    problems: list[Problem] = []
    assert document("inner:").validate(Whole, problems) == Whole()


def test_a_long_value_is_cut_when_it_is_quoted_back() -> None:
    (finding,) = findings("number: " + "x" * 100)
    assert finding.endswith(f"got '{'x' * 40}…'")


def test_an_error_with_braces_in_it_is_shown_as_it_is() -> None:
    assert str(complaint("'{x}' is wrong", "write '{a: 1}'")) == "'{x}' is wrong; write '{a: 1}'"


def test_suggestions_name_the_nearest_or_everything_there_is() -> None:
    assert suggest("emial", ["sms", "email"]) == "did you mean 'email'?"
    assert suggest("fax", ["sms", "email"]) == "write email or sms"
    assert suggest("fax", []) == "remove it"
    assert suggest("zzz", [f"name-{n}" for n in range(20)]).startswith("the nearest are name-0, ")


def test_paths_read_like_paths() -> None:
    assert dotted(("steps", 0, "send", 1)) == "steps[0].send[1]"
    assert dotted(("audience", "attributes.pet")) == "audience.attributes.pet"
