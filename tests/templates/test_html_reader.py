"""A page may hold what no reader of HTML knows, and is read to its end all the same."""

import pytest

from templates.check import check
from templates.plain import plain
from tests.templates.support import MakeLibrary

ODD = ["<![enidf]-->", "<![Знижка]>", "<![ >", "<![if mso>"]


@pytest.mark.parametrize("odd", ODD[:3])
def test_a_mistyped_end_of_a_conditional_comment_is_a_comment(odd: str) -> None:
    assert plain(f"<p>One\n{odd}</p><p>Two</p>") == "One\n\nTwo"


@pytest.mark.parametrize("odd", [*ODD, "<![endif"])
@pytest.mark.parametrize("ending", ["html", "mjml"])
def test_a_page_with_one_is_checked_and_what_follows_is_told_where_it_stands(
    library: MakeLibrary, odd: str, ending: str
) -> None:
    text = f"{odd}\n{{{{ links.unsubscribe }}}}\n{{{{ oops }}}}"
    if ending == "mjml":
        text = f"<mjml><mj-body><mj-raw>{text}</mj-raw></mj-body></mjml>"
    made = library({f"hello/email.{ending}": f"---\nsubject: x\n---\n{text}"})
    found = check(made, "hello", {"links": ("unsubscribe",)}, "this")
    assert any((it.line, it.what) == (6, "'oops' is not known here") for it in found)
