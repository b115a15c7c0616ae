"""Links of a rendered message that lead by way of us, and the picture that tells of its opening.

Only addresses of pages (http, https) are replaced, each where it stands: what is around it stays to the
letter. Whoever calls says by what, and leaves out what must not be counted (`Follow`).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from html import unescape
from html.entities import html5
from urllib.parse import urljoin

from jinja2 import pass_context
from jinja2.runtime import Context

# An address → what stands in its place; None leaves it as it is.
Follow = Callable[[str], str | None]

LONGEST = 2000
"""Characters of an address that is replaced: a longer one would not fit into one of ours everywhere."""

# Links of pages, image maps and Outlook's drawn buttons (`v:roundrect`), also in its conditional comments.
# What stands in quotes, and how often, is bounded: a page that never closes them is still read at once.
_INSIDE = r"[\s/][^<>\"']*(?:(?:\"[^\"]{0,2500}\"|'[^']{0,2500}')[^<>\"']*){0,50}>"
_TAG = re.compile(rf"<(?:[aA](?:[rR][eE][aA])?|v:[a-z]+){_INSIDE}")
_BASE = re.compile(rf"<base{_INSIDE}", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>][^\s>]*)))?")
_REFERENCE = re.compile(r"&(?:#\d+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]*[;=]?)")
_IN_TEXT = re.compile(r"https?://[^\s<>\"«»“”„]+")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_AFTER = ".,;:!?…'*~’"
# Emphasis begins, as in `_see https://…_`; else the sign is the address's own, as in the name of a video.
_EMPHASIS = re.compile(r"(?:^|[\s(*~«“\"])_")
_CONTROLS = {ord(each): None for each in "\t\n\r"}

_Place = tuple[int, int, str]


def in_html(html: str, follow: Follow) -> str:
    """A page with its links replaced, in whatever quotes they stand."""
    base = _base(html) if "<base" in html or "<BASE" in html else ""
    pieces: list[str] = []
    done = 0
    for tag in _TAG.finditer(html):
        place = _href(tag[0])
        if place is None:
            continue
        url = _whole(place[2], base)
        made = follow(url) if url else None
        if made is not None:
            start = tag.start()
            pieces += (html[done : start + place[0]], made)
            done = start + place[1]
    return "".join((*pieces, html[done:])) if pieces else html


def in_text(text: str, follow: Follow) -> str:
    """A text with its addresses replaced; the full stop or bracket after one is not part of it."""

    def replaced(found: re.Match[str]) -> str:
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        url = _without_ending(found[0], "_" if _EMPHASIS.search(line) else "")
        made = follow(url) if len(url) <= LONGEST else None
        return found[0] if made is None else made + found[0][len(url) :]

    return _IN_TEXT.sub(replaced, text)


def address(url: str, follow: Follow) -> str:
    """One address, replaced if it leads to a page: `kavarnia://card` is an application's own."""
    made = follow(url) if _is_page(url) else None
    return url if made is None else made


def with_picture(html: str, url: str) -> str:
    """A page with an unseen picture at its end: what is below it was loaded too."""
    picture = f'<img src="{url}" width="1" height="1" alt="" style="display:block;border:0">'
    end = max(html.rfind("</body"), html.rfind("</BODY"))
    return f"{html[:end]}{picture}{html[end:]}" if end >= 0 else html + picture


def _is_page(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://")) and len(url) <= LONGEST


def _whole(url: str, base: str) -> str:
    """The address of a page that a link leads to; '' for anchors, mail, telephones and whatever else."""
    if base and ":" not in url.partition("/")[0] and not url.startswith("#"):
        url = urljoin(base, url)
    return url if _is_page(url) else ""


@lru_cache(maxsize=4096)
def _href(tag: str) -> _Place | None:
    """Where the value of a tag's `href` begins and ends, and the address; most tags are in every message."""
    for found in _ATTRIBUTE.finditer(tag, re.match(r"<[^\s/>]*", tag).end()):  # type: ignore[union-attr]
        if found[1].lower() == "href":
            group = found.lastindex or 1
            value = "" if group == 1 else found[group]
            return found.start(group), found.end(group), _read(value)
    return None


def _base(html: str) -> str:
    tag = _BASE.search(html)
    place = _href(tag[0]) if tag else None
    return place[2] if place else ""


def _read(value: str) -> str:
    """The address that an attribute's text means (WHATWG HTML, 13.2.5.73 and URL, 4.4)."""
    return _REFERENCE.sub(_referred, value).translate(_CONTROLS).strip() if value else ""


def _referred(found: re.Match[str]) -> str:
    text = found[0]
    # A name counts only whole: `&copy=1` is a parameter.
    return unescape(text) if text[1] == "#" else html5.get(text[1:], text)


def _without_ending(url: str, emphasis: str) -> str:
    while url:
        last = url[-1]
        if (
            last in _AFTER
            or last == emphasis
            or (last in _PAIRS and url.count(last) > url.count(_PAIRS[last]))
        ):
            url = url[:-1]
        else:
            break
    return url


@pass_context
def tracked(context: Context, url: object) -> str:
    """The filter for texts in which every character is paid for, and so every link: `{{ url | tracked }}`.

    Where nothing is tracked, or the text is of another kind, it is the address itself.
    """
    follow: Follow | None = context.get("track")
    made = follow(str(url)) if follow and _is_page(str(url)) else None
    return str(url) if made is None else made
