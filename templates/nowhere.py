"""Links of an email's page that lead nowhere: a letter has no address that they could be seen from.

Only what is certain is told. An address that begins with a value may be anything, and a page that names a
base of its own (`<base href>`) says itself where its links lead.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

from core.errors import Problem, Problems
from templates.library import Library
from templates.located import TAG, Located
from templates.sources import ROOT, Slot, read

# Where a tag of a template stood: no author writes it.
_TAG_STOOD = "\ufffc"
# Elements whose `href` is a link as it stands; MJML's social elements and navigation bars add to theirs.
_LINKS = frozenset({"a", "area", "mj-button", "mj-image", "mj-carousel-image"})
_BEGINS = re.compile(r"[^\W_]|\.|\?|/(?!/)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
# Of a text that a value ends: `https{{ x }}` may yet become anything, `www.shop.example/{{ x }}` may not.
_MAY_BE_SCHEME = re.compile(r"[a-z0-9+.-]*", re.IGNORECASE)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}(?=[/?#:]|$)", re.IGNORECASE)
_BASE = re.compile(rb"<base\b", re.IGNORECASE)
_PAGES = (".html", ".htm", ".php", ".aspx", ".pdf")


def check_addresses(library: Library) -> list[Problem]:
    """Warnings of every link in every email that has no scheme, also in the parts of pages."""
    found: set[Problem] = set()
    for (_, channel, _), slot in library.slots.items():
        if channel == "email":
            found |= {problem for page in _pages(library, slot) for problem in _astray(page)}
    if not any(_BASE.search(content) for content in library.files.values()):
        parts = (path for path in library.files if path.startswith(f"{ROOT}_") and path.endswith(".html"))
        found = found.union(*(_astray(page) for path in parts for page in _part(library, path)))
    return sorted(found)


def _pages(library: Library, slot: Slot) -> list[Located]:
    try:
        return [part.located for part in library.parts(slot) if part.name == "html"]
    except Problems:
        return []  # what is wrong with the file is a finding of its own


def _part(library: Library, path: str) -> list[Located]:
    try:
        return [Located.slice(read(library.files, path), 0)]
    except Problems:
        return []


def _astray(page: Located) -> list[Problem]:
    reader = _Reader(page)
    reader.feed(TAG.sub(lambda tag: re.sub(r"[^\n]", _TAG_STOOD, tag[0]), page.text))
    reader.close()
    return [] if reader.has_base else list(reader.links())


class _Reader(HTMLParser):
    """Collects the addresses of a page, each with the place of its element."""

    def __init__(self, page: Located) -> None:
        super().__init__(convert_charrefs=False)
        self._page = page
        self._links: list[tuple[int, str]] = []
        self.has_base = False

    def links(self) -> Iterator[Problem]:
        for at, address in self._links:
            if _is_relative(address):
                what = f"'{_shown(address)}' leads nowhere in an email"
                found = self._page.problem(at, what, _meant(address), "broken-link")
                yield replace(found, severity="warning")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.has_base |= tag == "base"
        if tag in _LINKS:
            self._links.append((self._place("href"), (given.get("href") or "").strip()))

    def _place(self, name: str) -> int:
        """Where the attribute of the element that is read stands; the element if it has none."""
        line, column = self.getpos()
        start = self._page.line_start(line) + column
        found = re.search(rf"[\s\"']{name}\s*=", self.get_starttag_text() or "", re.IGNORECASE)
        return start + (found.start() + 1 if found else 0)


def _is_relative(address: str) -> bool:
    """Whether it surely has no scheme. `//` is left to whoever wrote it, `%unsubscribe%` to the relay."""
    if not _BEGINS.match(address) or _SCHEME.match(address):
        return False
    before, tag, _ = address.partition(_TAG_STOOD)
    return not (tag and _MAY_BE_SCHEME.fullmatch(before))


def _meant(address: str) -> str:
    host = _HOST.match(address)
    if host and not host[0].lower().endswith(_PAGES):
        return f"write https://{_shown(address)}"
    return "write all of it, from https:// on"


def _shown(address: str) -> str:
    return re.sub(f"{_TAG_STOOD}+", "…", address)
