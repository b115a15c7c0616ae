"""Tables that spreadsheets open: what others wrote is never taken for a formula there.

A spreadsheet runs a cell that begins with one of a few signs, whoever wrote it; an apostrophe before them
makes it a text (OWASP, CSV Injection). Numbers are given as numbers: `-5` stays `-5`.
"""

import csv
from collections.abc import Collection, Iterable, Sequence
from typing import TextIO

# The wide signs of East Asian keyboards are taken for the narrow ones.
_FORMULA = frozenset("=+-@\t\n\uff1d\uff0b\uff0d\uff20")


class Sheet:
    """Lines of CSV to `file` (opened with `newline=""`), under their head.

    Texts become harmless cells, but for columns that are `ours`: nobody else wrote what stands there.
    """

    def __init__(
        self, file: TextIO, columns: Sequence[str], *, ours: Collection[str] = (), end: str = "\n"
    ) -> None:
        self._writer = csv.writer(file, lineterminator=end)
        self._writer.writerow(columns)
        self._theirs = [place for place, name in enumerate(columns) if name not in ours]

    def add(self, rows: Iterable[Sequence[object]]) -> None:
        """Further lines, a cell for each column."""
        self._writer.writerows(map(self._harmless, rows))

    def _harmless(self, row: Sequence[object]) -> Sequence[object]:
        # A dry run writes millions of lines, of which next to none has such a cell.
        for place in self._theirs:
            cell = row[place]
            if isinstance(cell, str) and (cell[:1] in _FORMULA or "\r" in cell):
                break
        else:
            return row
        return [_told(cell) if place in self._theirs else cell for place, cell in enumerate(row)]


def _told(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    # The writer does not quote a carriage return, and readers end the line there.
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text[:1] in _FORMULA else text
