"""Attributes that MJML does not know: the engine (MRML) lets them vanish, and the page looks otherwise.

What is listed is what some element of MJML 4 takes, whichever it is: an attribute that an element does not
heed may be another's default, and is let be.
"""

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches

from core.errors import Problem
from templates.html_reader import HtmlReader
from templates.library import Library
from templates.located import Located
from templates.nowhere import TAG_STOOD, blotted, pages

_NAMES = """
align alt background-color background-height background-position background-position-x background-position-y
background-repeat background-size background-url background-width base-url border-color border-radius
border-style border-width cellpadding cellspacing color container-background-color css-class css-inline dir
direction fluid-on-mobile font-family font-size font-style font-weight full-width gap hamburger height href
ico-align ico-close ico-color ico-font-family ico-font-size ico-line-height ico-open ico-text-decoration
ico-text-transform icon-align icon-height icon-padding icon-position icon-size icon-unwrapped-alt
icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url inline inner-background-color
inner-border-radius lang left-icon letter-spacing line-height max-height mj-class mode name owa path position
rel right-icon role sizes src srcset table-layout target tb-border tb-border-radius tb-hover-border-color
tb-selected-border-color tb-width text-align text-decoration text-padding text-transform thumbnails
thumbnails-src title type usemap version vertical-align width xmlns
"""
_SIDED = ("border", "padding", "inner-border", "inner-padding", "ico-padding")
_SIDES = ("", "-top", "-right", "-bottom", "-left")
KNOWN = frozenset({*_NAMES.split(), *(name + side for name in _SIDED for side in _SIDES)})
# What HTML and CSS call it, and habit writes.
_MEANT = {
    "class": "css-class", "bgcolor": "background-color", "background": "background-color",
    "background-image": "background-url", "valign": "vertical-align", "margin": "padding",
    "font": "font-family", "link": "href", "url": "href",
}  # fmt: skip
# They have no ground of their own, only what they stand on.
_LEAVES = frozenset({"mj-text", "mj-image", "mj-divider", "mj-spacer", "mj-table", "mj-social"})
# For programs that read the page, of which MJML leaves out what it does not know; `--dark` is of MJML 5.
_OTHERS = ("data-", "aria-", "--", ":", TAG_STOOD)


def check_attributes(library: Library) -> list[Problem]:
    """Warnings of every attribute of an MJML element that MJML does not know, in any email."""
    mails = (slot for slot in library.sent() if slot.channel == "email" and slot.main.endswith(".mjml"))
    written = (page for slot in mails for page in pages(library, slot))
    return sorted({problem for page in written for problem in _unknown(page)})


def _unknown(page: Located) -> Iterator[Problem]:
    reader = _Reader(page)
    reader.feed(blotted(page))
    reader.close()
    yield from reader.found


class _Reader(HtmlReader):
    """Collects what MJML's own elements have; what HTML stands inside them is the author's."""

    def __init__(self, page: Located) -> None:
        super().__init__(convert_charrefs=False)
        self._page = page
        self.found: list[Problem] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not tag.startswith("mj"):
            return
        line, column = self.getpos()
        at = self._page.line_start(line) + column
        for name in (name for name, _ in attrs if name not in KNOWN):
            if not any(other in name for other in _OTHERS):
                what = f"MJML knows no attribute '{name}', and leaves it out"
                found = self._page.problem(
                    at + self.place_of(name), f"<{tag}>: {what}", _instead(tag, name), "unknown-attribute"
                )
                self.found.append(replace(found, severity="warning"))


def _instead(tag: str, name: str) -> str:
    if name == "style":
        return "write what it says as attributes, such as color and padding"
    if tag in _LEAVES and _MEANT.get(name) == "background-color":
        return "did you mean 'container-background-color'?"
    near = [_MEANT[name]] if name in _MEANT else get_close_matches(name, KNOWN, 1)
    return f"did you mean '{near[0]}'?" if near else "remove it"
