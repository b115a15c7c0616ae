"""Texts that a condition leaves empty for some customers, told before they fail."""

import pytest

from templates.blank import check_blank
from tests.templates.support import Context, MakeLibrary

ELSE = (
    "is not so, and the message fails; "
    "write {% else %} and another text, or leave the condition to the scenario's audience"
)
NAMED = "{% if customer.first_name %}Hi{% endif %}"


def told(library: MakeLibrary, path: str, text: str) -> list[str]:
    found = check_blank(library({f"hello/{path}": text}))
    assert {problem.severity for problem in found} <= {"warning"}
    return [str(problem) for problem in found]


@pytest.mark.parametrize("channel", ["sms", "telegram", "call_list"])
def test_a_text_within_one_condition_is_told_where_it_begins(library: MakeLibrary, channel: str) -> None:
    text = "{% set drink = 'tea' %}\n\n  {%- if  balance > 3 %}Some {{ drink }}{% endif %}\n"
    [found] = told(library, f"{channel}.txt", text)
    assert found == f"messages/hello/{channel}.txt:3:3: there is no text where 'balance > 3' {ELSE}"


def test_such_a_text_is_empty_indeed(library: MakeLibrary, context: Context) -> None:
    made = library({"hello/sms.txt": NAMED})
    unknown = {**context, "customer": type(context["customer"])("c-2")}
    assert made.render("hello", "sms", "uk", unknown).parts["text"] == ""


def test_the_body_of_a_push_and_the_subject_of_an_email_are_needed_too(library: MakeLibrary) -> None:
    [found] = told(library, "push.txt", f"---\ntitle: Hello\n---\n{NAMED}")
    assert found == f"messages/hello/push.txt:4:1: there is no text where 'customer.first_name' {ELSE}"
    [found] = told(library, "email.html", f'---\nsubject: "{NAMED}"\n---\n<p>Hi</p>')
    assert found.endswith(
        ": there is no subject where 'customer.first_name' is not so; write {% else %} and another one"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"{NAMED}!",
        "{% if balance %}a{% else %}b{% endif %}",
        "{% if balance == 1 %}a{% elif balance == 2 %}b{% endif %}",
        "{% if balance %}a{% endif %}{% if not balance %}b{% endif %}",
        "{% if 1 > 0 %}Hi{% endif %}",
        "{{ 'Hi' if balance else 'Ho' }}",
        "{% for each in ['a', 'b'] %}{{ each }}{% endfor %}",
    ],
)
def test_a_text_of_which_something_may_stay_is_let_be(library: MakeLibrary, text: str) -> None:
    assert told(library, "sms.txt", text) == []


def test_what_may_be_empty_is_let_be(library: MakeLibrary) -> None:
    assert told(library, "push.txt", f'---\ntitle: "{NAMED}"\n---\nHello') == []
    assert told(library, "webhook.txt", f"---\ndata: {{a: b}}\n---\n{NAMED}") == []
    assert told(library, "sms.txt", "{% if") == []
    beside = {"hello/email.txt": NAMED, "hello/email.html": "---\nsubject: x\n---\n<p>Hi</p>"}
    assert check_blank(library(beside)) == []


def test_a_language_that_the_program_has_not_is_sent_to_nobody(library: MakeLibrary) -> None:
    assert check_blank(library({"hello/ua/sms.txt": NAMED})) == []
