"""Links of an email's page that lead nowhere, and pictures that nobody sees: a letter has no address itself.

Only what is certain is told. An address that begins with a value may be anything, and a page that names a
base of its own (`<base href>`) says itself where its links lead.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.errors import Problem, Problems
from templates.html_reader import HtmlReader
from templates.library import Library
from templates.located import TAG, Located
from templates.sources import ROOT, Slot, read

# Where a tag of a template stood: no author writes it.
TAG_STOOD = "\ufffc"
# Elements whose `href` is a link as it stands; MJML's social elements and navigation bars add to theirs.
_PICTURES = {"img": "src", "mj-image": "src", "mj-carousel-image": "src", "mj-social-element": "src"} | {
    **dict.fromkeys(("mj-section", "mj-wrapper", "mj-hero"), "background-url"),
    **dict.fromkeys(("body", "table", "td"), "background"),
}
_LINKS = frozenset({"a", "area", "mj-button", "mj-image", "mj-carousel-image"})
_BEGINS = re.compile(r"[^\W_]|\.|\?|/(?!/)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
# Of a text that a value ends: `https{{ x }}` may yet become anything, `www.shop.example/{{ x }}` may not.
_MAY_BE_SCHEME = re.compile(r"[a-z0-9+.-]*", re.IGNORECASE)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}(?=[/?#:]|$)", re.IGNORECASE)
_BASE = re.compile(rb"<base\b", re.IGNORECASE)
# What a page calls a picture that travels in the message: see `channels.email.pictures`.
_TRAVELS = re.compile(r"[\w.-]+\.(png|jpe?g|gif)", re.IGNORECASE)
_ALL_OF_IT = "all of it, from https:// on"
_PAGES = (".html", ".htm", ".php", ".aspx", ".pdf")


def check_addresses(library: Library, *, inline: bool) -> list[Problem]:
    """Warnings of every link in every email that has no scheme, also in the parts of pages, and of pictures.

    `inline` says whether pictures beside a message travel in it.
    """
    found: set[Problem] = set()
    for slot in (slot for slot in library.sent() if slot.channel == "email"):
        beside = _Beside(f"{ROOT}{slot.name}/", frozenset(library.pictures(slot.name, slot.locale)), inline)
        found |= {problem for page in pages(library, slot) for problem in _astray(page, beside)}
    if not any(_BASE.search(content) for content in library.files.values()):
        parts = (path for path in library.files if path.startswith(f"{ROOT}_") and path.endswith(".html"))
        found = found.union(*(_astray(page) for path in parts for page in _part(library, path)))
    return sorted(found)


def pages(library: Library, slot: Slot) -> list[Located]:
    """The page of an email as it is written, parts of MJML included; nothing if it cannot be taken apart."""
    try:
        return [part.located for part in library.parts(slot) if part.name == "html"]
    except Problems:
        return []  # what is wrong with the file is a finding of its own


def _part(library: Library, path: str) -> list[Located]:
    try:
        return [Located.slice(read(library.files, path), 0)]
    except Problems:
        return []


def blotted(page: Located) -> str:
    """The page with its tags blotted out, every character still at its own line and column."""
    return TAG.sub(lambda tag: re.sub(r"[^\n]", TAG_STOOD, tag[0]), page.text)


def _astray(page: Located, beside: "_Beside | None" = None) -> list[Problem]:
    reader = _Reader(page)
    reader.feed(blotted(page))
    reader.close()
    if reader.has_base:
        return []
    return [*reader.links(), *(reader.pictures(beside) if beside else ())]


@dataclass(frozen=True, slots=True)
class _Beside:
    """The pictures beside a message, and whether they travel in it."""

    folder: str
    names: frozenset[str]
    inline: bool

    def fault(self, address: str) -> tuple[str, str] | None:
        """Why nobody sees a picture of this address, and what to do; None where somebody may."""
        if not _is_relative(address):
            return None
        name = address.removeprefix("./")
        if TAG_STOOD in name and "/" not in name:
            return None  # one of those beside it may be meant
        if name in self.names and _TRAVELS.fullmatch(name):
            fix = f"write 'images: inline' for email in program.yaml, or {_ALL_OF_IT}"
            return None if self.inline else ("is not sent with the message", fix)
        if not self.inline:
            return "is not found from an email", f"write {_ALL_OF_IT}"
        if not _TRAVELS.fullmatch(name):
            return "is not found from an email", "name a PNG, JPEG or GIF without a path"
        return "is not there", f"put it into {self.folder}, or write {_ALL_OF_IT}"


class _Reader(HtmlReader):
    """Collects the addresses of a page, each with its place."""

    def __init__(self, page: Located) -> None:
        super().__init__(convert_charrefs=False)
        self._page = page
        self._links: list[tuple[int, str]] = []
        self._shown: list[tuple[int, str]] = []
        self.has_base = False

    def links(self) -> Iterator[Problem]:
        for at, address in self._links:
            if _is_relative(address):
                what = f"'{_shown(address)}' leads nowhere in an email"
                found = self._page.problem(at, what, _meant(address), "broken-link")
                yield replace(found, severity="warning")

    def pictures(self, beside: _Beside) -> Iterator[Problem]:
        for at, address in self._shown:
            if fault := beside.fault(address):
                what = f"the picture '{_shown(address)}' {fault[0]}"
                yield replace(self._page.problem(at, what, fault[1], "unseen-picture"), severity="warning")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.has_base |= tag == "base"
        if tag in _LINKS:
            self._links.append((self._place("href"), (given.get("href") or "").strip()))
        if key := _PICTURES.get(tag):
            self._shown.append((self._place(key), (given.get(key) or "").strip()))

    def _place(self, name: str) -> int:
        """Where the attribute of the element that is read stands; the element if it has none."""
        line, column = self.getpos()
        return self._page.line_start(line) + column + self.place_of(name)


def _is_relative(address: str) -> bool:
    """Whether it surely has no scheme. `//` is left to whoever wrote it, `%unsubscribe%` to the relay."""
    if not _BEGINS.match(address) or _SCHEME.match(address):
        return False
    before, tag, _ = address.partition(TAG_STOOD)
    return not (tag and _MAY_BE_SCHEME.fullmatch(before))


def _meant(address: str) -> str:
    host = _HOST.match(address)
    if host and not host[0].lower().endswith(_PAGES):
        return f"write https://{_shown(address)}"
    return f"write {_ALL_OF_IT}"


def _shown(address: str) -> str:
    return re.sub(f"{TAG_STOOD}+", "…", address)
