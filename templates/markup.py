"""MJML to HTML, once a version, with the Jinja tags surviving.

The engine (MRML) reports no positions and lets unknown elements vanish, so the structure is read first by a
reader of ours that knows where everything stands.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches

from core.errors import Problem, Problems
from templates.html_reader import HtmlReader
from templates.located import Located, Source
from templates.protect import mask, protect

_NAMES = """
accordion accordion-element accordion-text accordion-title all attributes body breakpoint button carousel
carousel-image class column divider font group head hero image include navbar navbar-link preview raw section
social social-element spacer style table text title wrapper
"""
ELEMENTS = frozenset(f"mj-{name}" for name in _NAMES.split()) | {"mjml"}
_INCLUDE = re.compile(r"<mj-include\b([^>]*?)/?>(?:\s*</mj-include>)?")
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_WRAPPED = {"css": ("<mj-style>", "</mj-style>"), "html": ("<mj-raw>", "</mj-raw>")}
# A `>` with a letter of more than one byte in the two places before it.
_AFTER_LETTERS = re.compile(r"(?:(?<=[^\x00-\x7f])|(?<=[^\x00-\x7f].))>", re.DOTALL)
_DEEPEST = 10

FindPart = Callable[[str], Source | None]


def expand(text: Located, find: FindPart, depth: int = 0) -> Located:
    """The text with every `<mj-include path="…">` replaced by the part; Problems for a missing one."""
    pieces: list[Located] = []
    done = 0
    for match in _INCLUDE.finditer(text.text):
        given = {name: double or single for name, double, single in _ATTRIBUTE.findall(match[1])}
        part = find(given.get("path", ""))
        if part is None or depth == _DEEPEST:
            raise Problems([_include_problem(text, match.start(), given.get("path", ""), part)])
        before, after = _WRAPPED.get(given.get("type", ""), ("", ""))
        inner = expand(Located.slice(part, 0), find, depth + 1)
        pieces += [text.cut(done, match.start()), _made(text, match.start(), before), inner]
        pieces.append(_made(text, match.start(), after))
        done = match.end()
    return Located.join([*pieces, text.cut(done)]) if pieces else text


def dressed(text: Located, locale: str, *, title: bool, preview: bool) -> Located:
    """The page with its language, and with subject and preheader in its head unless it has its own."""
    head = "<mj-title>{{ subject }}</mj-title>" if title and "<mj-title" not in text.text else ""
    if preview and "<mj-preview" not in text.text:
        head += "<mj-preview>{{ preheader }}</mj-preview>"
    text = _insert(text, r"<mjml\b(?![^>]*\blang\s*=)", f' lang="{locale}"')
    if not head:
        return text
    if re.search(r"<mj-head\b[^>]*>", text.text):
        return _insert(text, r"<mj-head\b[^>]*>", head)
    return _insert(text, r"<mjml\b[^>]*>", f"<mj-head>{head}</mj-head>")


def structure(text: Located) -> list[Problem]:
    """Unknown, unclosed and crossed elements, and a bare '<', each where it stands."""
    reader = _Structure(text)
    reader.feed(mask(text.text))
    reader.close()
    return reader.findings()


def compile_mjml(text: Located) -> tuple[str, list[str]]:
    """The HTML with words in place of tags, and the tags; Problems if the MJML is not right."""
    from mjml import mjml2html

    if problems := structure(text):
        raise Problems(problems)
    protected, tags = protect(text.text)
    try:
        return mjml2html(_readable(protected), disable_comments=True, fonts={}), tags
    except ValueError as refused:
        fix = "close every element, and write '<' and '&' in text as &lt; and &amp;"
        raise Problems([text.problem(0, f"is not MJML: {refused}", fix)]) from None
    except BaseException as broken:
        # A panic of the engine, which is no Exception and has no name that could be imported.
        if type(broken).__name__ != "PanicException":
            raise
        fix = "write '<' and '>' as &lt; and &gt; wherever no element is meant"
        raise Problems([text.problem(0, "is not MJML: the engine cannot read it", fix)]) from None


def _readable(text: str) -> str:
    """The text with every `>` that the engine cannot read written as `&gt;`: «Меню > Кава».

    It looks two bytes back for the end of a comment, and breaks off in the middle of another letter.
    """
    if not _AFTER_LETTERS.search(text):
        return text
    reader = _Texts(text)
    reader.feed(text)
    reader.close()
    pieces, done = [], 0
    for start, stop in reader.found:
        pieces += [text[done:start], _AFTER_LETTERS.sub("&gt;", text[start:stop])]
        done = stop
    return "".join([*pieces, text[done:]])


class _Texts(HtmlReader):
    """Where text stands that is no style and no script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._styles = 0
        self.found: list[tuple[int, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._styles += tag == "mj-style"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It holds no text."""

    def handle_endtag(self, tag: str) -> None:
        self._styles -= tag == "mj-style"

    def handle_data(self, data: str) -> None:
        if not self._styles and not self.cdata_elem:
            line, column = self.getpos()
            start = self._lines[line - 1] + column
            self.found.append((start, start + len(data)))


class _Structure(HtmlReader):
    """Follows MJML's own elements only: what HTML stands inside them is the author's."""

    def __init__(self, text: Located) -> None:
        super().__init__(convert_charrefs=False)
        self._text = text
        self._stack: list[tuple[str, int]] = []
        self._problems: list[Problem] = []
        self._roots = 0

    def findings(self) -> list[Problem]:
        for name, at in self._stack:
            self._report(at, f"<{name}> is not closed", f"write </{name}>")
        if not self._roots:
            self._report(0, "is not MJML: there is no <mjml>", "put everything into <mjml><mj-body>…")
        return self._problems

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._ours(tag):
            self._stack.append((tag, self._here()))
            self._roots += tag == "mjml"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._ours(tag)

    def handle_endtag(self, tag: str) -> None:
        if not tag.startswith("mj"):
            return
        opened = next((i for i in range(len(self._stack) - 1, -1, -1) if self._stack[i][0] == tag), None)
        if opened is None:
            self._report(self._here(), f"</{tag}> closes nothing", f"leave it out, or open <{tag}>")
            return
        for name, at in self._stack[opened + 1 :]:
            self._report(at, f"<{name}> is not closed", f"write </{name}> before </{tag}>")
        del self._stack[opened:]

    def handle_data(self, data: str) -> None:
        styled = bool(self._stack) and self._stack[-1][0] == "mj-style"
        if "<" in data and not styled:
            self._report(self._here() + data.index("<"), "'<' in text", "write &lt;")

    def _ours(self, tag: str) -> bool:
        if not tag.startswith("mj"):
            return False
        if tag not in ELEMENTS:
            near = [f"did you mean <{name}>?" for name in get_close_matches(tag, ELEMENTS, 1)]
            self._report(self._here(), f"no MJML element <{tag}>", "".join(near))
        return True

    def _here(self) -> int:
        line, column = self.getpos()
        return self._text.line_start(line) + column

    def _report(self, offset: int, what: str, fix: str) -> None:
        self._problems.append(self._text.problem(offset, what, fix))


def _include_problem(text: Located, offset: int, path: str, part: Source | None) -> Problem:
    if part is not None:
        return text.problem(offset, f"'{path}' includes itself", "leave one of the includes out")
    return text.problem(offset, f"there is no part '{path}'", "parts stand in messages/_parts/")


def _made(text: Located, offset: int, inserted: str) -> Located:
    """Text that nobody wrote: placed where it was put in."""
    return Located(inserted, text.cut(offset, offset).spans)


def _insert(text: Located, after: str, inserted: str) -> Located:
    found = re.search(after, text.text)
    if not found:
        return text
    at = found.end()
    return Located.join([text.cut(0, at), _made(text, at, inserted), text.cut(at)])


def hidden_preheader(text: Located) -> Located:
    """Plain HTML with the preheader as the first, unseen text of its body."""
    style = "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden"
    hidden = f'<div style="{style}">{{{{ preheader }}}}</div>'
    if re.search(r"<body\b[^>]*>", text.text):
        return _insert(text, r"<body\b[^>]*>", hidden)
    return Located.join([_made(text, 0, hidden), text])
