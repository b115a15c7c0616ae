"""Links of emails that lead nowhere, told before anything is sent."""

import pytest

from templates.nowhere import check_addresses
from tests.templates.support import MakeLibrary

HEAD = "---\nsubject: x\n---\n"
CASES = "messages/hello/email.html"


def told(library: MakeLibrary, page: str) -> list[str]:
    found = check_addresses(library({"hello/email.html": HEAD + page}), inline=False)
    assert {problem.severity for problem in found} <= {"warning"}
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    ("link", "fix"),
    [
        ("www.shop.example/sale", "write https://www.shop.example/sale"),
        ("shop.example", "write https://shop.example"),
        ("shop.example/{{ customer.external_id }}", "write https://shop.example/…"),
        ("/sale", "write all of it, from https:// on"),
        ("sale.html?of={{ customer.city }}", "write all of it, from https:// on"),
        ("?sale", "write all of it, from https:// on"),
    ],
)
def test_a_link_without_a_scheme_is_told_where_it_stands(library: MakeLibrary, link: str, fix: str) -> None:
    shown = link.partition("{{")[0] + ("…" if "{{" in link else "")
    assert told(library, f"<p>\n<a class=b href='{link}'>Sale</a>") == [
        f"{CASES}:5:12: '{shown}' leads nowhere in an email; {fix}"
    ]


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example",
        "HTTP://shop.example", "mailto:a@shop.example", "tel:+380501234567", "#top", "",
        "kavarnia://card", "//shop.example", "{{ program.url }}/sale", "http{{ 's' }}://shop.example",
        "{% if balance %}https://shop.example{% endif %}", "{# not yet #}", "%unsubscribe_url%", "[link]",
        "&#104;ttps://shop.example",
    ],
)  # fmt: skip
def test_a_link_that_may_lead_somewhere_is_let_be(library: MakeLibrary, link: str) -> None:
    assert told(library, f'<a href="{link}">Sale</a><!-- <a href="/old">x</a> --><a name="sale">x</a>') == []


def test_a_page_with_a_base_says_itself_where_its_links_lead(library: MakeLibrary) -> None:
    assert told(library, '<base href="https://shop.example/"><a href="sale">Sale</a>') == []


def test_a_part_of_many_pages_is_told_once(library: MakeLibrary) -> None:
    page = "{% include '_parts/foot.html' %}"
    files = {f"{name}/email.html": HEAD + page for name in ("hello", "bye")}
    found = check_addresses(
        library({**files, "_parts/foot.html": "<a\nhref='shop.example'>x</a>"}), inline=False
    )
    assert [str(it) for it in found] == [
        "messages/_parts/foot.html:2:1: 'shop.example' leads nowhere in an email; write https://shop.example"
    ]


def test_buttons_and_pictures_of_mjml_are_links_and_its_navigation_has_a_base_of_its_own(
    library: MakeLibrary,
) -> None:
    page = (
        "<mjml><mj-body><mj-section><mj-column>\n<mj-button href='shop.example'>Go</mj-button>\n"
        "<mj-image src='https://shop.example/a.png' href='/a' />"
        "<mj-navbar base-url='https://shop.example'><mj-navbar-link href='/b'>B</mj-navbar-link></mj-navbar>"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    found = check_addresses(library({"hello/email.mjml": HEAD + page}), inline=False)
    assert [(it.line, it.col) for it in found] == [(5, 12), (6, 44)]


SEEN = ["https://cdn.example/a.png", "cid:1", "data:image/png;base64,AA==", "//cdn.example/a.png"]
SEEN += ["{{ program.url }}/a.png", "level-{{ tier.name }}.png", "рівень-{{ tier.name }}.png", ""]
ALL_OF_IT = "all of it, from https:// on"


def pictures(library: MakeLibrary, source: str, *, inline: bool) -> list[str]:
    page = f"<table background='{source}'></table><img alt='' src='{source}'>"
    made = library({"hello/uk/email.html": HEAD + page, "hello/logo.png": "…", "hello/uk/hat.GIF": "…"})
    found = [str(problem).partition(": ")[2] for problem in check_addresses(made, inline=inline)]
    assert len(found) == 2 * len(set(found)), "told of both places"
    return sorted(set(found))


@pytest.mark.parametrize("source", [*SEEN, "logo.png", "./logo.png", "hat.GIF"])
def test_a_picture_that_travels_or_has_an_address_is_let_be(library: MakeLibrary, source: str) -> None:
    assert pictures(library, source, inline=True) == []


@pytest.mark.parametrize(
    ("source", "inline", "found"),
    [
        ("lgo.png", True, f"is not there; put it into messages/hello/, or write {ALL_OF_IT}"),
        ("lgo.png", False, f"is not found from an email; write {ALL_OF_IT}"),
        (
            "logo.png", False,
            f"is not sent with the message; write 'images: inline' for email in program.yaml, or {ALL_OF_IT}",
        ),
        ("img/logo.png", True, "is not found from an email; name a PNG, JPEG or GIF without a path"),
        ("logo.svg", True, "is not found from an email; name a PNG, JPEG or GIF without a path"),
        ("/logo.png", False, f"is not found from an email; write {ALL_OF_IT}"),
    ],
)  # fmt: skip
def test_a_picture_that_nobody_would_see_is_told(
    library: MakeLibrary, source: str, inline: bool, found: str
) -> None:
    assert pictures(library, source, inline=inline) == [f"the picture '{source}' {found}"]


def test_pictures_of_mjml_are_looked_at_too(library: MakeLibrary) -> None:
    page = (
        "<mjml><mj-body><mj-section background-url='bg.png'><mj-column>\n<mj-image src='a.png' />"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    found = check_addresses(library({"hello/email.mjml": HEAD + page}), inline=True)
    assert [(it.line, it.col) for it in found] == [(4, 28), (5, 11)]
