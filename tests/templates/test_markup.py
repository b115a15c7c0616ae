"""MJML that the engine breaks off at, though nothing is wrong with it; and what it cannot read at all."""

import pytest

from core.errors import Problems
from tests.templates.support import Context, MakeLibrary

HEAD = "---\nsubject: x\n---\n"


def written(body: str, head: str = "") -> str:
    column = f"<mj-section><mj-column>{body}</mj-column></mj-section>"
    return f"{HEAD}<mjml><mj-head>{head}</mj-head><mj-body>{column}</mj-body></mjml>"


@pytest.mark.parametrize(
    "text", ["Меню > Кава", "Знижка >50%", 'Кава">Чай', "→> далі", "Café > thé", "a > b"]
)
@pytest.mark.parametrize("element", ["mj-text", "mj-button"])
def test_a_greater_sign_may_stand_behind_any_letter(
    library: MakeLibrary, context: Context, element: str, text: str
) -> None:
    made = library({"hello/email.mjml": written(f"\n<{element}>\n{text} {{{{ '>' }}}}</{element}>")})
    parts = made.render("hello", "email", "uk", context).parts
    assert parts["text"] == f"{text} >"
    assert text.replace(">", "&gt;") in parts["html"].replace(" > ", " &gt; ")


def test_styles_and_attributes_stay_as_they_are_written(library: MakeLibrary, context: Context) -> None:
    style = "<mj-style>/* картка */ td > a { color: red; }</mj-style>"
    image = '<mj-image src="https://shop.example/a.png" alt="Меню > Кава" /><mj-text>Ю > Я</mj-text>'
    made = library({"hello/email.mjml": written(image, style)})
    page = made.render("hello", "email", "uk", context).parts["html"]
    assert 'alt="Меню > Кава"' in page
    assert "td > a { color: red; }" in page


def test_what_the_engine_panics_at_is_a_finding(library: MakeLibrary, context: Context) -> None:
    style = "<mj-style>/* Ю > Я */ a { color: red; }</mj-style>"
    made = library({"hello/email.mjml": written("<mj-text>Hi</mj-text>", style)})
    with pytest.raises(Problems, match="is not MJML: the engine cannot read it"):
        made.render("hello", "email", "uk", context)
