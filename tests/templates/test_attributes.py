"""Attributes that MJML leaves out, told before a page is sent that looks otherwise than meant."""

import pytest
from mjml import mjml2html

from templates.attributes import check_attributes
from tests.templates.support import MakeLibrary

HEAD = "---\nsubject: x\n---\n"
VALUES = ("17px", "rtl", "hidden", "full-width")


def page(attribute: str) -> str:
    text = f"<mj-text {attribute}>Hi</mj-text><mj-button {attribute}>Go</mj-button>"
    return (
        f"<mjml><mj-body><mj-section {attribute}><mj-column>{text}</mj-column></mj-section></mj-body></mjml>"
    )


@pytest.mark.parametrize(
    ("attribute", "fix"),
    [
        ("backgroud-color", "did you mean 'background-color'?"),
        ("padding-botom", "did you mean 'padding-bottom'?"),
        ("colour", "did you mean 'color'?"),
        ("class", "did you mean 'css-class'?"),
        ("bgcolor", "did you mean 'background-color'?"),
        ("style", "write what it says as attributes, such as color and padding"),
        ("id", "remove it"),
    ],
)
def test_an_attribute_that_mjml_does_not_know_is_told(library: MakeLibrary, attribute: str, fix: str) -> None:
    column = f"<mj-column {attribute}='9'></mj-column>"
    text = f"<mjml>\n<mj-body><mj-section>\n {column}</mj-section></mj-body></mjml>"
    [found] = check_attributes(library({"hello/email.mjml": HEAD + text}))
    assert (found.line, found.col, found.severity) == (6, 13, "warning")
    assert found.what == f"<mj-column>: MJML knows no attribute '{attribute}', and leaves it out"
    assert found.fix == fix


def test_what_has_no_ground_of_its_own_is_told_whose_it_stands_on(library: MakeLibrary) -> None:
    text = "<mjml><mj-body><mj-section><mj-column><mj-text bgcolor='red'>x</mj-text></mj-column></mj-section>"
    [found] = check_attributes(library({"hello/email.mjml": f"{HEAD}{text}</mj-body></mjml>"}))
    assert found.fix == "did you mean 'container-background-color'?"


@pytest.mark.parametrize("attribute", ["backgroud-color", "class", "style", "id", "bgcolor", "colour"])
def test_what_is_said_to_be_left_out_is_left_out(attribute: str) -> None:
    bare = mjml2html(page(""), fonts={})
    assert {mjml2html(page(f'{attribute}="{value}"'), fonts={}) for value in VALUES} == {bare}


def test_what_html_stands_within_and_what_is_yet_to_be_made_is_the_authors(library: MakeLibrary) -> None:
    text = (
        "<mjml lang='uk' xmlns:v='x'><mj-head><mj-attributes><mj-class name='big' font-size='20px' />"
        "<mj-all color='red' /></mj-attributes></mj-head><mj-body><mj-section data-x='1' aria-label='x'>"
        "<mj-column><mj-text {% if balance %}color='red'{% endif %}><p class='a' style='b' id='c'>x</p>"
        "</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert check_attributes(library({"hello/email.mjml": HEAD + text})) == []


def test_plain_html_has_its_own(library: MakeLibrary) -> None:
    assert check_attributes(library({"hello/email.html": HEAD + "<p class='a'>x</p>"})) == []
