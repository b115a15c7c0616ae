"""What is asked for and, by `retention`, not kept for so long."""

from collections.abc import Iterable, Iterator

from campaigns.windows import Window
from core.errors import Problem
from core.program import Program
from core.program.retention import Age
from core.source import Document


def check_kept(windows: Iterable[Window], document: Document, program: Program | None) -> Iterator[Problem]:
    """Warnings: until they are mended, nothing of the kind goes that is asked for."""
    for window in windows if program else ():
        kept = program.retention.of(window.kind)  # type: ignore[union-attr]
        if not kept.covers(window.span):
            asked = f"of {window.span}" if window.span else "of all time"
            what = f"asks for {window.kind} {asked}, and program.yaml keeps them for {kept}"
            fix = f"write 'retention: {{{window.kind}: {Age.long_enough(window.span)}}}' into program.yaml"
            if window.span is None:
                fix = f"write for example 'within: 365 days', or {fix.removeprefix('write ')}"
            yield document.problem(window.place, what, fix, "warning", "kept-too-short")
