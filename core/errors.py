"""What may go wrong, in the words of the person who can mend it."""

from collections.abc import Iterable
from dataclasses import dataclass, field


class UserError(Exception):
    """Something the user wrote or asked is wrong. One sentence: what, where, what to do (exit code 2)."""


class EnvironmentFault(Exception):
    """Something around Tidings failed: database, provider, credential (exit code 3)."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding in one file; `line` and `col` count from 1, 0 when there is no position.

    `kind` is the stable name of what was found (campaigns/kinds.py); two findings are the same without it.
    """

    file: str
    line: int
    col: int
    path: str
    what: str
    fix: str = ""
    severity: str = "error"
    kind: str = field(default="", compare=False)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.col}" if self.line else self.file
        path = f" {self.path}:" if self.path else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{place}:{path} {self.what}{fix}"


class Problems(UserError):
    """Every problem found in the files of a workspace, at once (exit code 1)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotRead(Exception):
    """A check asked for a value that is wrong: it ends there, and says nothing that only follows from it."""
