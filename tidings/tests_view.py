"""How tests are shown in a terminal: a line a test, and for what failed expected and got, side by side."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tidings.scenariotests import Mismatch, Result

# With a smaller part of the expected words in what was got there are no marks: nearly all would be marked.
ALIKE = 0.4
WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def line(result: Result) -> Text:
    """One test."""
    mark = ("passed", "green") if result.passed else ("failed", "bold red")
    moments = f"{len(result.moments)} moment{'' if len(result.moments) == 1 else 's'}"
    return Text.assemble(mark, f"  {result.name:<28} ", (f"{moments}, {result.seconds:.2f} s", "dim"))


def show_failures(console: Console, results: Sequence[Result]) -> None:
    """Every mismatch with its place, under the line of its file."""
    for result in results:
        if not result.passed:
            console.print()
            console.print(Text(f"{result.name}", style="bold red"))
            for mismatch in result.mismatches:
                console.print(Padding(_mismatch(mismatch), (0, 0, 1, 2)), soft_wrap=True)


def summary(results: Sequence[Result]) -> Text:
    """`11 passed, 1 failed in 1.2 s`."""
    failed = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    style = "bold red" if failed else "bold green"
    return Text.assemble((f"{len(results) - failed} passed, {failed} failed", style), f" in {seconds:.1f} s")


def _mismatch(it: Mismatch) -> Group:
    at = f"at {it.at}, " if it.at else ""
    head = Text.assemble((it.place, "cyan"), f"  {at}", (it.customer, "bold"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    expected, got = marked(it.expected, it.got)
    grid.add_row(Text("  expected", style="green"), expected)
    grid.add_row(Text("  got", style="red"), got)
    return Group(head, grid)


def marked(expected: str, got: str) -> tuple[Text, Text]:
    """Both, with what differs made bold. What stands around the part that was expected is no difference."""
    left, right = WORDS.findall(expected), WORDS.findall(got)
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    alike = sum(_words(left[it.a : it.a + it.size]) for it in matcher.get_matching_blocks())
    if alike < ALIKE * _words(left):
        return Text(expected), Text(got)
    texts = Text(), Text()
    for kind, start, end, from_, to in matcher.get_opcodes():
        texts[0].append("".join(left[start:end]), "" if kind == "equal" else "bold green")
        texts[1].append("".join(right[from_:to]), "bold red" if kind == "replace" else "")
    return texts


def _words(tokens: Sequence[str]) -> int:
    return sum(token[0].isalnum() for token in tokens)
