"""What several checks of program.yaml say in the same words."""

from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal

from core.errors import Problem
from core.explain import suggest
from core.source import Document, KeyPath

Finding = tuple[str, str]


def unknown(
    document: Document, path: KeyPath, noun: str, names: Iterable[str], known: Collection[str]
) -> Iterator[Problem]:
    """Names that nothing has, each with the nearest one."""
    for name in names:
        if name not in known:
            yield document.problem(path, f"no such {noun}: '{name}'", suggest(name, sorted(known)))


def too_fine(
    document: Document, path: KeyPath, amount: Decimal | None, scale: int, convert: Callable[[Decimal], int]
) -> Iterator[Problem]:
    """An amount with more decimals than are kept."""
    if amount is None:
        return
    try:
        convert(amount)
    except ValueError:
        yield document.problem(path, f"more than {scale} decimal places", "write fewer decimals")
