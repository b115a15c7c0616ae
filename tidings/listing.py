"""Lists that stack their columns where a terminal is too narrow to show them side by side."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table

from tidings.console import table

# Wider than any list: how much room one would take.
_ANY_WIDTH = 10_000
# Identities and sentences may be broken, to so much; everything else is a word.
_MAY_BREAK = ("occasion", "detail", "proof", "reactions")
_BROKEN_TO = 20


class Fitting:
    """The first of two ways to show something where it fits, the second wherever it does not.

    `least` takes as much room as the first needs at least; the first itself if left out.
    """

    def __init__(
        self, wide: RenderableType, narrow: RenderableType, least: RenderableType | None = None
    ) -> None:
        self._wide, self._narrow, self._least = wide, narrow, least or wide

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich's own protocol."""
        wanted = Measurement.get(console, options.update(max_width=_ANY_WIDTH), self._least).maximum
        yield self._wide if wanted <= options.max_width else self._narrow


def listing(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], stacks: Sequence[str], *,
    right: Sequence[str] = (),
) -> Fitting:  # fmt: skip
    """A list with these columns. Where they have no room, each of `stacks` names those that stand below each
    other, as `scenario, step`: words are broken between columns, not in the middle.
    """
    wide, least = table(title, *columns, right=right), table(title, *columns, right=right)
    for row in rows:
        wide.add_row(*row)
        cells = zip(columns, row, strict=True)
        least.add_row(*(cell[:_BROKEN_TO] if name in _MAY_BREAK else cell for name, cell in cells))
    narrow = _stacked(title, columns, rows, [stack.split(", ") for stack in stacks], right)
    return Fitting(wide, narrow, least)


def _stacked(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], stacks: Sequence[Sequence[str]],
    right: Sequence[str],
) -> Table:  # fmt: skip
    made = table(title, *("\n".join(stack) for stack in stacks), right=right)
    made.leading = 1
    for row in rows:
        said = dict(zip(columns, row, strict=True))
        made.add_row(*("\n".join(said[name] for name in stack if said[name]) for stack in stacks))
    return made
