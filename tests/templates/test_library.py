"""A message is rendered in the customer's language, or says that it was not."""

from typing import Any

import pytest

from core.errors import Problems, UserError
from templates.environment import RenderError
from templates.sms import segments
from tests.templates.support import Context, MakeLibrary


def test_a_customer_reads_their_own_language(library: MakeLibrary, context: Context) -> None:
    texts = library({"hello/uk/sms.txt": "Привіт", "hello/en/sms.txt": "Hello", "hello/ru/sms.txt": "Привет"})
    for locale, expected in [("uk", "Привіт"), ("en-GB", "Hello"), ("uk_UA", "Привіт"), ("ru", "Привет")]:
        rendered = texts.render("hello", "sms", locale, context)
        assert rendered.parts == {"text": expected}
        assert rendered.locale == rendered.wanted


@pytest.mark.parametrize(
    ("there", "asked", "got"),
    [
        (["uk", "en"], "ru", "uk"),
        (["en", "ru"], "uk", "en"),
        (["ru"], "en", "ru"),
        (["uk", "en"], "ja", "uk"),
        (["uk", "en"], None, "uk"),
    ],
)
def test_a_missing_language_falls_back_in_the_programs_order(
    library: MakeLibrary, context: Context, there: list[str], asked: str | None, got: str
) -> None:
    texts = library({f"hello/{locale}/sms.txt": locale for locale in there})
    rendered = texts.render("hello", "sms", asked, context)
    assert rendered.locale == rendered.parts["text"] == got
    assert (rendered.locale != rendered.wanted) == (texts.wanted(asked) not in there)


@pytest.mark.parametrize(
    ("locales", "there", "asked", "got"),
    [
        (["uk", "en-GB"], ["uk", "en-GB"], "en-US", "en-GB"),
        (["uk", "pt-BR"], ["uk", "pt-BR"], "pt", "pt-BR"),
        (["uk", "en-GB", "en"], ["uk", "en-GB", "en"], "en-US", "en"),
        (["uk", "en", "en-GB"], ["uk", "en"], "en-GB", "en"),
    ],
)
def test_nobody_reads_another_language_while_their_own_is_there_for_another_country(
    library: MakeLibrary, context: Context, locales: list[str], there: list[str], asked: str, got: str
) -> None:
    texts = library({f"hello/{locale}/sms.txt": locale for locale in there}, locales)
    assert texts.render("hello", "sms", asked, context).parts["text"] == got


def test_a_file_without_a_locale_is_of_the_default_one(library: MakeLibrary, context: Context) -> None:
    texts = library({"hello/sms.txt": "Привіт", "hello/en/sms.txt": "Hello"})
    assert texts.has("hello", "sms", "uk") == "uk"
    assert texts.render("hello", "sms", "ru", context).parts["text"] == "Привіт"
    assert texts.render("hello", "sms", "en", context).parts["text"] == "Hello"


def test_a_locale_the_program_does_not_have_is_never_sent(library: MakeLibrary) -> None:
    texts = library({"hello/pl/sms.txt": "Cześć"})
    assert texts.has("hello", "sms", "pl") is None


def test_the_library_says_what_it_has(library: MakeLibrary) -> None:
    texts = library(
        {"b/uk/sms.txt": "", "a/en/push.txt": "", "a/uk/sms.txt": "", "a/en/sms.txt": "", "_parts/x.txt": ""}
    )
    assert texts.messages() == ["a", "b"]
    assert texts.channels("a") == ["push", "sms"]
    assert texts.locales("a", "sms") == ["uk", "en"]
    assert texts.has("a", "email", "uk") is None
    assert texts.has("b", "push", "uk") is None


def test_no_text_at_all_is_the_users_to_mend(library: MakeLibrary, context: Context) -> None:
    with pytest.raises(UserError, match=r"messages/hello/: there is no push text; add push.txt"):
        library({"hello/sms.txt": "x"}).render("hello", "push", "uk", context)


def test_a_push_has_a_title_in_its_front_matter(library: MakeLibrary, context: Context) -> None:
    front = 'title: {{ trigger.expiring | points }}: скоро!\nlink: "{{ links.card }}"'
    text = f"---\n{front}\n---\nДо {{{{ trigger.expires_on | day }}}}\n"
    rendered = library({"hello/push.txt": text}).render("hello", "push", "uk", context)
    assert rendered.parts == {
        "title": "500 бонусів: скоро!",
        "link": "https://k.example/c/1",
        "body": "До 15 березня",
    }


def test_an_sms_is_written_to_cost_little(library: MakeLibrary, context: Context) -> None:
    texts = library({"hello/en/sms.txt": "You’ve {{ balance | points }}, {{ tier.missing | money }} to go\n"})
    text = texts.render("hello", "sms", "en", context).parts["text"]
    assert text == "You've 1,912 bonuses, UAH 4,200 to go"
    assert segments(text).encoding == "GSM-7"


def test_amounts_and_days_without_a_filter_are_still_readable(library: MakeLibrary, context: Context) -> None:
    texts = library({"hello/telegram.txt": "{{ balance }}|{{ trigger.expires_on }}|{{ customer.city }}|"})
    text = texts.render("hello", "telegram", "uk", context).parts["text"]
    assert text == "1\u00a0912|15 березня 2026\u202fр.||"


def test_what_a_template_names_is_known_in_its_blocks_macros_and_parts(
    library: MakeLibrary, context: Context
) -> None:
    text = (
        "{% set own = customer.first_name %}{% macro hi(name) %}Hi {{ name }} {{ own }}{% endmacro %}"
        "{{ hi(balance) }}{% block end %} {{ own }} {{ balance }}{% endblock %} {% include 'parts/end.txt' %}"
    )
    files = {"m/en/sms.txt": text, "parts/end.txt": "{{ own }} {{ balance }}"}
    said = library(files).render("m", "sms", "en", context).parts["text"]
    name = context["customer"].first_name
    assert said.split() == ["Hi", "1,912", name, name, "1,912", name, "1,912"]


def test_only_html_is_escaped(library: MakeLibrary, context: Context) -> None:
    files = {
        "hello/sms.txt": "{{ customer.name }}",
        "hello/email.html": "---\nsubject: {{ customer.name }}\n---\n{{ customer.name }} {{ subject }}",
    }
    texts = library(files)
    assert texts.render("hello", "sms", "uk", context).parts["text"] == "Anna & <Co>"
    email = texts.render("hello", "email", "uk", context).parts
    assert email["subject"] == "Anna & <Co>"
    assert email["html"] == "Anna &amp; &lt;Co&gt; Anna &amp; &lt;Co&gt;"
    assert email["text"] == "Anna & <Co> Anna & <Co>"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("\n{{ nobody }}", r"messages/hello/sms.txt:2:1: 'nobody' is undefined"),
        ("{{ customer.shoe }}", "has no attribute 'shoe'"),
        ("{{ customer.attributes.pet }}", "has no attribute 'pet'"),
        ("{{ customer.name | points }}", "a number is needed"),
    ],
)
def test_what_is_not_there_is_an_error_and_never_an_empty_place(
    library: MakeLibrary, context: Context, template: str, complaint: str
) -> None:
    with pytest.raises(RenderError, match=complaint) as failed:
        library({"hello/sms.txt": template}).render("hello", "sms", "uk", context)
    assert "Anna" not in str(failed.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ customer.__class__ }}",
        "{{ customer.attributes.__class__ }}",
        "{{ (customer | attr('__class__')).__base__ }}",
        "{{ '{0.__class__}'.format(customer) }}",
        "{{ range.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ ''['__class__'] }}",
        "{% for i in range(100000) %}x{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 999999999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ lipsum(100000) }}",
        "{{ trigger.update({'expiring': 1}) }}",
        "{% include '../program.yaml' %}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(library: MakeLibrary, context: Context, template: str) -> None:
    with pytest.raises(RenderError):
        library({"hello/telegram.txt": template}).render("hello", "telegram", "uk", context)


def test_an_attribute_named_like_a_method_is_the_attribute(library: MakeLibrary, context: Context) -> None:
    texts = library({"hello/sms.txt": "{{ customer.attributes.items }}"})
    assert texts.render("hello", "sms", "uk", context).parts["text"] == "tea"


def test_a_part_is_taken_in_the_messages_own_language(library: MakeLibrary, context: Context) -> None:
    files = {
        "_parts/uk/bye.txt": "Бувайте",
        "_parts/en/bye.txt": "Bye, {{ customer.first_name }}",
        "_parts/bye.txt": "?",
        **{f"hello/{locale}/sms.txt": "{% include '_parts/bye.txt' %}" for locale in ("uk", "en")},
    }
    texts = library(files)
    assert texts.render("hello", "sms", "uk", context).parts["text"] == "Бувайте"
    assert texts.render("hello", "sms", "en", context).parts["text"] == "Bye, Anna"


@pytest.mark.parametrize(
    ("front", "complaint"),
    [
        ("subjct: x", "email.html:2:1: front matter has no key 'subjct'; it may have subject, preheader"),
        ("subject: [x]", "email.html:2:10: 'subject' is not a text; put it in quotes"),
        ("subject: x\nsubject: y", "email.html:3:1: 'subject' stands twice; leave one"),
        (
            "subject: 'x",
            "email.html:2:12: front matter is not YAML: found unexpected end of stream; put the",
        ),
        # A line break that Word leaves within a paragraph.
        ("subject: x\x0by", "email.html:2:11: front matter has a character that YAML does not allow; remove"),
        ("subject:", "email.html:1:1: has no subject; begin the file with ---, subject: …, ---"),
        ("preheader: x", "email.html:1:1: has no subject; begin the file with ---, subject: …, ---"),
    ],
)
def test_front_matter_is_checked(library: MakeLibrary, context: Context, front: str, complaint: str) -> None:
    texts = library({"hello/email.html": f"---\n{front}\n---\n<p>x</p>"})
    with pytest.raises(Problems) as wrong:
        texts.render("hello", "email", "uk", context)
    assert complaint in str(wrong.value)


def test_a_template_is_compiled_once(
    library: MakeLibrary, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = library({"hello/sms.txt": "{{ balance | points }}"})
    environment = texts.environment("uk", "sms")
    compiled: list[str] = []
    original = environment.compile

    def counted(*args: Any, **kwargs: Any) -> Any:
        compiled.append(kwargs["name"])
        return original(*args, **kwargs)

    monkeypatch.setattr(environment, "compile", counted)
    for locale in ("uk", "uk-UA", "ja", "xx", None) * 3:
        texts.render("hello", "sms", locale, context)
    assert compiled == ["messages/hello/sms.txt"]


def test_a_file_that_is_not_utf8_is_named(library: MakeLibrary, context: Context) -> None:
    texts = library({})
    broken = type(texts)(
        {"messages/hello/sms.txt": b"ok\n\xff"},
        kinds=texts.kinds,
        default_locale="uk",
        locales=["uk"],
        point_names={},
        currency="UAH",
        scale=2,
    )
    with pytest.raises(Problems, match=r"messages/hello/sms.txt:2:1: is not UTF-8; save the file as UTF-8"):
        broken.render("hello", "sms", "uk", context)
