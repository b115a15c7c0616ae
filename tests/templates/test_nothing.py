"""What a customer reads where something is not known of them: nothing, whatever a template does with it."""

from dataclasses import replace

import pytest

from templates.context import CustomerView
from templates.environment import RenderError
from tests.templates.support import Context, MakeLibrary

KIND = (
    "reckons with, or compares, a value that is not known or is of another kind; "
    "ask first whether there is one: {% if … %}"
)
NOTHING = "a division by nothing; ask first whether there is anything: {% if … %}"
FRONT = "---\nsubject: x\n---\n"


def said(library: MakeLibrary, context: Context, text: str) -> dict[str, str]:
    """One text as an SMS and as a page."""
    files = {"hi/uk/sms.txt": f"<{text}>", "hi/uk/email.html": f"{FRONT}<p>{text}</p>"}
    texts = library(files)
    sms = texts.render("hi", "sms", "uk", context).parts["text"]
    page = texts.render("hi", "email", "uk", context).parts["html"]
    return {"sms": sms.removeprefix("<").removesuffix(">"), "page": page}


@pytest.mark.parametrize(
    "text",
    [
        *(f"{{{{ customer.first_name | {name} }}}}" for name in ("upper", "lower", "capitalize", "title")),
        *(f"{{{{ customer.first_name | {name} }}}}" for name in ("trim", "e", "string", "safe", "first")),
        "{{ customer.first_name | truncate(3) }}",
        "{{ customer.first_name | replace('a', 'o') }}",
        "{{ customer.city | urlencode }}",
        "{{ [customer.first_name, customer.city] | join(' ') }}",
        "{{ customer.city | join(' ') }}",
        "{{ '' ~ customer.first_name }}",
        "{% for name in [customer.city] %}{{ name ~ '' }}{% endfor %}",
        "{{ tier.missing | round }}",
    ],
)
def test_what_is_not_known_leaves_no_trace(library: MakeLibrary, context: Context, text: str) -> None:
    top = replace(context["tier"], next=None, missing=None)
    nobody = {**context, "customer": CustomerView("c-2"), "tier": top}
    assert said(library, nobody, text) == {"sms": "", "page": "<p></p>"}


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("{{ customer.first_name | default('friend') }}", "Anna", "friend"),
        ("{{ customer.first_name | d('friend') | upper }}", "ANNA", "FRIEND"),
        ("{{ customer.attributes.pet | default('pet') }}", "pet", "pet"),
        ("{{ customer.first_name | length }}", "4", "0"),
        ("{{ 'Hi ' ~ customer.first_name ~ '!' }}", "Hi Anna!", "Hi !"),
        ("{{ ['Hi', customer.first_name] | join(' ') }}", "Hi Anna", "Hi"),
        ("{{ customer.first_name | upper | truncate(3, true, '', 0) }}", "ANN", ""),
    ],
)
def test_another_word_stands_where_nothing_is_known(
    library: MakeLibrary, context: Context, text: str, known: str, unknown: str
) -> None:
    assert said(library, context, text) == {"sms": known, "page": f"<p>{known}</p>"}
    nobody = {**context, "customer": CustomerView("c-2")}
    assert said(library, nobody, text) == {"sms": unknown, "page": f"<p>{unknown}</p>"}


def test_what_was_joined_is_still_escaped_once(library: MakeLibrary, context: Context) -> None:
    page = "<p>Anna &amp; &lt;Co&gt;!</p>"
    assert said(library, context, "{{ customer.name ~ '!' }}")["page"] == page
    assert said(library, context, "{{ [customer.name, '!'] | join }}")["page"] == page
    assert said(library, context, "{{ customer.name | e ~ '!' }}")["page"] == page


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("{{ balance * 0.1 }}", "191,2"),
        ("{{ (0.1 * balance) | points }}", "191,2 бонуса"),
        ("{{ balance + 0.1 }} {{ balance - 0.1 }} {{ 1.5 + balance }}", "1 912,1 1 911,9 1 913,5"),
        ("{{ balance / 0.5 }} {{ balance // 2.5 }} {{ balance % 2.5 }}", "3 824 764 2"),
    ],
)
def test_an_amount_is_reckoned_with_a_decimal(
    library: MakeLibrary, context: Context, text: str, read: str
) -> None:
    assert said(library, context, text)["sms"] == read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ tier.missing + 1 }}", KIND),
        ("{% if tier.missing > 100 %}x{% endif %}", KIND),
        ("{{ balance / (tier.have * 0) }}", NOTHING),
        ("{{ 7 / tier.have }}", NOTHING),
        ("{{ 7 % 0 }}", NOTHING),
    ],
)
def test_what_cannot_be_reckoned_says_why_and_what_to_write(
    library: MakeLibrary, context: Context, text: str, reason: str
) -> None:
    top = {**context, "tier": replace(context["tier"], next=None, missing=None)}
    with pytest.raises(RenderError) as failed:
        said(library, top, text)
    assert str(failed.value) == f"messages/hi/uk/sms.txt:1:1: {reason}"
