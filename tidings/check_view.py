"""Findings as people and programs read them: lines, a terminal's page, JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from campaigns.kinds import kind_of
from core.errors import Problem
from tidings.excerpts import Excerpt, Excerpts

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def as_line(problem: Problem) -> str:
    """`file:line:column: path: what; what to write [kind]`."""
    return f"{'' if problem.severity == 'error' else 'warning: '}{problem} [{kind_of(problem).id}]"


def as_json(problem: Problem) -> dict[str, Any]:
    """One finding for a program."""
    return {
        "kind": kind_of(problem).id,
        "severity": problem.severity,
        "file": problem.file,
        "line": problem.line,
        "column": problem.col,
        "path": problem.path,
        "what": problem.what,
        "fix": problem.fix,
    }


def summary(files: int, problems: Sequence[Problem]) -> str:
    """`61 files: 2 errors, no warnings`."""
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    return f"{files} files: {_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def show(out: "Console", problems: Sequence[Problem], excerpts: Excerpts, files: int) -> None:
    """A page for a terminal: each finding with its line, what is meant in it, and what to write."""
    from rich.text import Text

    margin = max([len(str(problem.line)) for problem in problems], default=1)
    for problem in problems:
        for line in _finding(problem, excerpts.of(problem), margin, out.width):
            out.print(line, soft_wrap=True)
        out.print()
    errors = any(problem.severity == "error" for problem in problems)
    mark, colour = ("✗", "bold red") if errors else ("!", "bold yellow") if problems else ("✓", "bold green")
    out.print(Text(f"{mark} {summary(files, problems)}", colour))
    if problems:
        out.print(Text("docs/checking.md tells what each of them means", "dim"))


def _finding(problem: Problem, excerpt: Excerpt | None, margin: int, width: int) -> list["Text"]:
    from rich.text import Text

    colour = _COLOURS[problem.severity]
    place = f"{problem.file}:{problem.line}:{problem.col}" if problem.line else problem.file
    said = f"{problem.path}: {problem.what}" if problem.path else problem.what
    head = Text.assemble((place, "bold"), "  ", (kind_of(problem).id, "dim"))
    lines = [head, *_folded(problem.severity, colour, said, width)]
    if excerpt:
        shown, start = _cropped(excerpt, width - margin - 6)
        edge = (f"  {problem.line:>{margin}} │ ", "dim")
        lines.append(Text.assemble(edge, shown))
        lines.append(
            Text.assemble((f"  {'':{margin}} │ ", "dim"), " " * start, ("^" * excerpt.width, colour))
        )
    if problem.fix:
        lines += _folded("→", "bold green", problem.fix, width)
    return lines


def _folded(mark: str, colour: str, words: str, width: int) -> list["Text"]:
    """Words after a mark, folded so that they stay to the right of it."""
    from textwrap import wrap

    from rich.text import Text

    indent = len(mark) + 4
    first, *rest = wrap(words, max(30, width - indent)) or [""]
    return [Text.assemble("  ", (mark, colour), "  ", first), *(Text(" " * indent + line) for line in rest)]


def _cropped(excerpt: Excerpt, room: int) -> tuple[str, int]:
    """As much of the line as there is room for, around what is meant; and where that begins now."""
    line = excerpt.line.replace("\t", " ")
    if len(line) <= room:
        return line, excerpt.start
    begin = max(0, min(excerpt.start - room // 3, len(line) - room))
    shown = line[begin : begin + room]
    return ("…" + shown[1:] if begin else shown), excerpt.start - begin
