"""Progress of long work, on stderr and only where somebody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[int, float], None]


@contextmanager
def counting() -> Iterator[Told]:
    """Gives a function to call with the rows read so far, and the part of the whole that they are."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from tidings.console import console

    err = console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.fields[rows]:,} rows"), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("rows", total=1.0, rows=0)
        yield lambda rows, part: progress.update(task, completed=part, rows=rows)
