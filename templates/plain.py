"""HTML to readable plain text: paragraphs, headings, lists and links kept; styles and hidden text dropped."""

import re

from templates.html_reader import HtmlReader
from templates.protect import blocks_in

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_DROPPED = frozenset({"head", "style", "script", "title", "template", "noscript"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "tr"})
_LINES = frozenset({"div", "li", "section", "article", "header", "footer", "td", "th"})
_SPACES = " \t\u00a0\u200a"
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)


def tidy(text: str) -> str:
    """No trailing spaces, at most one empty line in a row, none at the ends."""
    if " \n" in text or "\t\n" in text or "\u00a0\n" in text or "\u200a\n" in text:
        text = "\n".join([line.rstrip(_SPACES) for line in text.split("\n")])
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip()


def plain(html: str) -> str:
    """The text of an HTML page, with `label: address` for links. Words of block tags are always kept."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tidy(reader.text())


class _Reader(HtmlReader):
    """Writes text as it reads; `_line_ends` wait until there is something to set apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        # Not `_pending`: newer releases of html.parser keep words of their own under that name.
        self._line_ends = 0
        self._dropping: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._tables: list[bool] = []
        self._cells = 0

    def text(self) -> str:
        return "".join(self._out)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropping:
            self._keep_blocks(" ".join(value or "" for _, value in attrs))
            if tag not in _VOID and tag == self._dropping[0]:
                self._dropping.append(tag)
            return
        given = dict(attrs)
        self._keep_blocks(" ".join(value or "" for name, value in attrs if name != "href"))
        if tag not in _VOID and (tag in _DROPPED or _HIDDEN.search(given.get("style") or "")):
            self._dropping.append(tag)
            return
        self._open(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            if tag == self._dropping[0]:
                self._dropping.pop()
            return
        if tag == "a" and self._links:
            self._close_link()
        elif tag == "table" and self._tables:
            self._tables.pop()
        self._break(tag, opening=False)

    def handle_data(self, data: str) -> None:
        if self._dropping:
            self._keep_blocks(data)
            return
        self._write(re.sub(r"[ \t\n\r\f]+", " ", data.replace("\u200c", "").replace("\u034f", "")))

    def handle_comment(self, data: str) -> None:
        self._keep_blocks(data)

    def _open(self, tag: str, given: dict[str, str | None]) -> None:
        if tag == "table":
            self._tables.append(given.get("role") == "presentation")
        self._break(tag, opening=True)
        if tag == "a":
            self._links.append((given.get("href") or "", len(self._out)))
        elif tag == "br" and self._in_data_table():
            self._write(" ")
        elif tag == "br":
            self._line_ends += 1
        elif tag == "li":
            self._write("• ")
        elif tag == "hr":
            self._line_ends = 2
            self._write("---")
            self._line_ends = 2
        elif tag == "img" and self._links:
            self._write(given.get("alt") or "")

    def _in_data_table(self) -> bool:
        return bool(self._tables) and not self._tables[-1]

    def _break(self, tag: str, *, opening: bool) -> None:
        """Line ends around a block; a row of a data table is one line, of a layout table a paragraph."""
        if tag in ("td", "th") and self._in_data_table():
            self._cells += opening
            if opening and self._cells > 1:
                self._write(" · ")
        elif tag == "tr" and self._in_data_table():
            self._cells = 0
            self._line_ends = max(self._line_ends, 1)
        elif tag in _PARAGRAPHS:
            self._line_ends = max(self._line_ends, 2)
        elif tag in _LINES:
            self._line_ends = max(self._line_ends, 1)

    def _close_link(self) -> None:
        href, start = self._links.pop()
        label = "".join(self._out[start:]).strip()
        shown = href.removeprefix("mailto:").removeprefix("tel:")
        if not shown or shown.startswith("#") or label == shown:
            return
        self._write(f": {shown}" if label else shown)

    def _write(self, text: str) -> None:
        at_start = self._line_ends > 0 or not self._out or self._out[-1].endswith((" ", "\n"))
        text = text.lstrip(" ") if at_start else text
        if not text:
            return
        if self._line_ends and self._out:
            self._out.append("\n" * self._line_ends)
        self._line_ends = 0
        self._out.append(text)

    def _keep_blocks(self, text: str) -> None:
        if kept := blocks_in(text):
            self._out.append(kept)
