"""Texts of many levels and many conditions: told before anything is sent, and told soon."""

from typing import Any

import pytest

from templates.check import check
from templates.context import NAMES
from templates.environment import MessageEnvironment
from templates.library import Library
from templates.reckoning import longest, too_long
from tests.templates.support import Context, MakeLibrary

MESSAGE = "bonus-expiring"


def found(texts: Library) -> list[str]:
    names = {**NAMES, "trigger": None}
    return [str(problem) for problem in check(texts, MESSAGE, names, "bonus_expiring")]


SHAPES = {
    "brackets": lambda n: "{{ " + "(" * n + "balance" + ")" * n + " }}",
    "conditions": lambda n: "{% if balance %}" * n + "x" + "{% endif %}" * n,
    "otherwise": lambda n: "{{ " + "1 if balance else " * n + "2 }}",
    "elif": lambda n: "{% if balance == 1 %}a" + "{% elif balance == 2 %}b" * n + "{% endif %}",
    "loops": lambda n: "{% for each in [1] %}" * n + "x" + "{% endfor %}" * n,
    "filters": lambda n: "{{ customer.name" + "|upper" * n + " }}",
    "sums": lambda n: "{{ balance" + " + 1" * n + " }}",
    "and": lambda n: "{% if balance" + " and balance" * n + " %}x{% endif %}",
    "not": lambda n: "{{ " + "not " * n + "balance }}",
    "lists": lambda n: "{{ " + "[" * n + "]" * n + " }}",
    "joined": lambda n: "{{ 'a'" + " ~ 'a'" * n + " }}",
    "items": lambda n: "{{ trigger" + "['x']" * n + " }}",
}


@pytest.mark.parametrize("levels", [30, 110, 1_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_nested_too_deeply_is_told_in_one_sentence_and_anything_else_can_be_rendered(
    library: MakeLibrary, context: Context, shape: str, levels: int
) -> None:
    texts = library({f"{MESSAGE}/sms.txt": f"Hello\n{SHAPES[shape](levels)}"})
    if shape != "items" and not found(texts):
        texts.render(MESSAGE, "sms", "uk", context)
        return
    too_long(texts, MESSAGE, [context], 1)
    if levels > 200 and shape not in ("elif", "joined"):
        [told] = found(texts)
        assert "tags or brackets are nested too deeply: take them apart" in told


def test_what_only_python_refuses_is_found_beforehand(library: MakeLibrary) -> None:
    texts = library({f"{MESSAGE}/sms.txt": "x\n{{ range(1, stop=2, stop=3) }}", "other/sms.txt": "x"})
    assert found(texts) == [f"messages/{MESSAGE}/sms.txt:2:1: keyword argument repeated: stop"]
    texts = library({f"{MESSAGE}/sms.txt": "{{ " + "9" * 5_000 + " }}"})
    assert found(texts) == [f"messages/{MESSAGE}/sms.txt:1:1: a number of so many digits"]


def test_a_text_of_many_conditions_is_compiled_once_for_all_the_ways_that_they_go(
    library: MakeLibrary, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[object] = []
    as_it_is = MessageEnvironment.compile

    def watched(self: MessageEnvironment, source: object, **how: Any) -> object:
        compiled.append(source)
        return as_it_is(self, source, **how)

    monkeypatch.setattr(MessageEnvironment, "compile", watched)
    text = "{% if balance == 0 %}a" + "{% elif balance == 1 %}b" * 30 + "{% else %}ccc{% endif %}"
    texts = library({f"{MESSAGE}/sms.txt": text})
    assert longest(texts, MESSAGE, "uk", [context]) == "ccc"
    assert len(compiled) == 1
