"""An email is MJML or HTML, with a subject, a preheader and a text that can be read on its own."""

from collections.abc import Mapping

import pytest

from core.errors import Problems
from templates.plain import plain
from tests.templates.support import Context, MakeLibrary

FRONT = """---
subject: {{ trigger.expiring | points }} & more
preheader: До {{ trigger.expires_on | day }}
---
"""


def page(body: str) -> str:
    """An MJML page with one column."""
    return f"{FRONT}<mjml><mj-body><mj-section><mj-column>{body}</mj-column></mj-section></mj-body></mjml>"


def render(library: MakeLibrary, context: Context, body: str, **parts: str) -> Mapping[str, str]:
    files = {"hello/email.mjml": page(body), **{f"_parts/{name}.mjml": text for name, text in parts.items()}}
    return library(files).render("hello", "email", "uk", context).parts


def test_subject_and_preheader_stand_in_headers_and_page(library: MakeLibrary, context: Context) -> None:
    parts = render(library, context, "<mj-text>Hi</mj-text>")
    assert parts["subject"] == "500 бонусів & more"
    assert parts["preheader"] == "До 15 березня"
    assert "<title>500 бонусів &amp; more</title>" in parts["html"]
    assert 'lang="uk"' in parts["html"]
    hidden = parts["html"].index("До 15 березня")
    assert "display:none" in parts["html"][hidden - 200 : hidden]
    assert "До 15 березня" not in parts["text"]


def test_a_subject_is_one_line_whatever_stands_in_it(library: MakeLibrary, context: Context) -> None:
    files = {"hello/email.txt": "---\nsubject: A {{ trigger.goods }} for you\n---\nHi"}
    facts = {**context, "trigger": {"goods": "tall\t\x92latte\x92\r\nwith milk\x1b"}}
    parts = library(files).render("hello", "email", "uk", facts).parts
    assert parts["subject"] == "A tall latte with milk for you"


def test_nothing_is_fetched_from_others(library: MakeLibrary, context: Context) -> None:
    assert "googleapis" not in render(library, context, "<mj-text>Hi</mj-text>")["html"]


def test_tags_survive_the_compiler(library: MakeLibrary, context: Context) -> None:
    body = """
      {% if balance < 3 %}<mj-text>poor</mj-text>{% else %}
      <mj-text>rich "{{ tier.name if 1 > 0 else "" }}"</mj-text>{% endif %}
      <mj-text>{% for each in ['a', 'b'] %}<p>{{ each }}</p>{% endfor %}{# <never> #}</mj-text>
      <mj-button href="{{ links.unsubscribe }}">Go</mj-button>"""
    parts = render(library, context, body)
    assert "poor" not in parts["html"]
    assert 'rich "silver"' in parts["html"]
    assert "<p>a</p><p>b</p>" in parts["html"]
    assert 'href="https://k.example/u/1?a=1&amp;b=2"' in parts["html"]
    assert "never" not in parts["html"]
    assert parts["text"] == 'rich "silver"\n\na\n\nb\n\nGo: https://k.example/u/1?a=1&b=2'


def test_parts_are_included(library: MakeLibrary, context: Context) -> None:
    parts = render(
        library,
        context,
        '<mj-include path="_parts/hi.mjml" />',
        hi="<mj-text>{{ customer.first_name }}</mj-text>",
    )
    assert parts["text"] == "Anna"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("\n <mj-txt>x</mj-txt>", "email.mjml:6:2: no MJML element <mj-txt>; did you mean <mj-text>?"),
        ("\n<mj-text>x", "email.mjml:6:1: <mj-text> is not closed; write </mj-text> before </mj-column>"),
        ("</mj-text>", "</mj-text> closes nothing"),
        ("\n<mj-text>{{ 1 }} 1 < 2</mj-text>", "email.mjml:6:20: '<' in text; write &lt;"),
        ('\n<mj-include path="x.mjml"/>', "email.mjml:6:1: there is no part 'x.mjml'; parts stand in"),
        ('<mj-include path="_parts/me.mjml"/>', "_parts/me.mjml:2:1: '_parts/me.mjml' includes itself"),
        ('<mj-include path="_parts/bad.mjml"/>', "_parts/bad.mjml:2:3: no MJML element <mj-buton>"),
    ],
)  # fmt: skip
def test_wrong_mjml_is_shown_where_it_stands(
    library: MakeLibrary, context: Context, body: str, complaint: str
) -> None:
    me, bad = '\n<mj-include path="_parts/me.mjml"/>', "\n  <mj-buton>x</mj-buton>"
    with pytest.raises(Problems) as wrong:
        render(library, context, body, me=me, bad=bad)
    assert complaint in str(wrong.value)


def test_what_is_not_mjml_is_named(library: MakeLibrary, context: Context) -> None:
    with pytest.raises(Problems, match="there is no <mjml>"):
        library({"hello/email.mjml": f"{FRONT}<p>x</p>"}).render("hello", "email", "uk", context)


def test_a_text_file_replaces_the_text_made_from_html(library: MakeLibrary, context: Context) -> None:
    files = {"hello/email.mjml": page("<mj-text>Long</mj-text>"), "hello/email.txt": "Short, {{ subject }}\n"}
    assert library(files).render("hello", "email", "uk", context).parts["text"] == "Short, 500 бонусів & more"


def test_an_email_may_be_text_only(library: MakeLibrary, context: Context) -> None:
    parts = library({"hello/email.txt": f"{FRONT}Hi\n"}).render("hello", "email", "uk", context).parts
    assert parts == {"subject": "500 бонусів & more", "preheader": "До 15 березня", "text": "Hi"}


def test_plain_html_hides_its_preheader_first(library: MakeLibrary, context: Context) -> None:
    files = {"hello/email.html": f'{FRONT}<html><body class="x"><p>Hi</p></body></html>'}
    parts = library(files).render("hello", "email", "uk", context).parts
    assert parts["html"].startswith('<html><body class="x"><div style="display:none')
    assert parts["text"] == "Hi"


@pytest.mark.parametrize("template", ["{{ '<b>bold</b>' | safe }}", "{% include '_parts/bold.html' %}"])
def test_html_from_elsewhere_is_read_as_html_in_the_text(
    library: MakeLibrary, context: Context, template: str
) -> None:
    files = {"hello/email.html": f"{FRONT}<p>{template}</p>", "_parts/bold.html": "<b>bold</b>"}
    parts = library(files).render("hello", "email", "uk", context).parts
    assert "<b>bold</b>" in parts["html"]
    assert parts["text"] == "bold"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>One</h1><p>two<br>three</p>", "One\n\ntwo\nthree"),
        ("<ul><li>a</li><li>b <b>c</b></li></ul>", "• a\n• b c"),
        ('<a href="https://x.example">here</a>', "here: https://x.example"),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ('<a href="https://x.example"><img src="i.png" alt="Shop"></a>', "Shop: https://x.example"),
        ('<a href="#top">top</a>', "top"),
        ("<style>p {}</style><title>t</title><p>x</p><script>1</script>", "x"),
        ('<div style="display: none">no</div><div>yes</div><div>too</div>', "yes\ntoo"),
        ("<table><tr><td>a</td><td>90</td></tr><tr><td>b</td><td>60</td></tr></table>", "a · 90\nb · 60"),
        ('<table role="presentation"><tr><td>a</td></tr><tr><td>b</td></tr></table>', "a\n\nb"),
        ("<p>a</p><hr><p>b</p>", "a\n\n---\n\nb"),
        ("<p>1 &lt; 2 &amp; 3</p>", "1 < 2 & 3"),
        ("<!-- no --><p>a\n   b</p>", "a b"),
    ],
)  # fmt: skip
def test_html_becomes_text_a_person_can_read(html: str, text: str) -> None:
    assert plain(html) == text
