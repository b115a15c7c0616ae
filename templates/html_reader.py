"""Python's reader of HTML, which stops at nothing that a page may hold."""

from html.parser import HTMLParser


class HtmlReader(HTMLParser):
    """A `<![…>` that is none it knows, as of a mistyped `<![endif]-->`, is a comment, as browsers read it.

    Older releases of Python end with an AssertionError there.
    """

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Where what stands from `i` on ends (HTML, 13.2.5.42: a bogus comment goes to the next `>`)."""
        at = self.getpos()
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            self.lineno, self.offset = at
            return self.rawdata.find(">", i) + 1 or -1
