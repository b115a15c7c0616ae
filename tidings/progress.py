"""Progress of long work, on stderr and only where somebody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

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


@contextmanager
def going_through(first: date, last: date) -> Iterator[Callable[[date, int], None]]:
    """Gives a function to call with the day that begins, and how many messages there were before it."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from tidings.console import console

    err, days = console(stderr=True), (last - first).days + 1
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[messages]:,} messages"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("looking at the past", total=days, messages=0)

        def tell(day: date, messages: int) -> None:
            progress.update(
                task, description=day.isoformat(), completed=(day - first).days, messages=messages
            )

        yield tell
