"""The lines that findings point at, and how much of each is meant."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.errors import Problem

# Secrets stand here: nothing of it is ever shown.
_UNSHOWN = ".env"
# A key, a word or a dotted name; a quoted value as a whole.
_MEANT = re.compile(r""""[^"]*"|'[^']*'|[^\s:,\[\]{}|()"']+""")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line, and which characters of it are meant: from `start` on (from 0), `width` of them."""

    line: str
    start: int
    width: int


class Excerpts:
    """Reads the files of a workspace, each once."""

    def __init__(self, folder: Path) -> None:
        self._lines = cache(lambda file: _read(folder / file))

    def of(self, problem: Problem) -> Excerpt | None:
        """The line of a finding; None where there is none, or none to be shown."""
        if not problem.line or problem.file == _UNSHOWN:
            return None
        lines = self._lines(problem.file)
        if problem.line > len(lines):
            return None
        line, start = lines[problem.line - 1], max(0, problem.col - 1)
        found = _MEANT.match(line, start)
        width = len(found[0]) if found else 1
        return Excerpt(line, min(start, len(line)), width)


def _read(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
