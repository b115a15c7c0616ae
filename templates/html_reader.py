"""Python's reader of HTML, which stops at nothing that a page may hold."""

import re
from html.parser import HTMLParser


class HtmlReader(HTMLParser):
    """A `<![…>` that is none it knows, as of a mistyped `<![endif]-->`, is a comment, as browsers read it.

    Older releases of Python end with an AssertionError there.
    """

    def place_of(self, name: str) -> int:
        """How far into the tag that is read its attribute of this name stands; 0 if it has none."""
        found = re.search(
            rf"[\s\"']{re.escape(name)}(?=[\s=/>])", self.get_starttag_text() or "", re.IGNORECASE
        )
        return found.start() + 1 if found else 0

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Where what stands from `i` on ends (HTML, 13.2.5.42: a bogus comment goes to the next `>`)."""
        at = self.getpos()
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            self.lineno, self.offset = at
            return self.rawdata.find(">", i) + 1 or -1
