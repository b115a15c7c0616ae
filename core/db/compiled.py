"""Statements that SQLAlchemy has compiled, for databases that are alike."""

from typing import Any

from sqlalchemy.util import LRUCache

# What a process asks and writes in all, tests included.
KEPT = 5_000


class Compiled(LRUCache[Any, Any]):
    """Compiled once for all databases of a kind in this process (the execution option `compiled_cache`).

    SQLAlchemy keeps them by the dialect, of which each database has an object of its own.
    """

    def __init__(self) -> None:
        super().__init__(KEPT)

    def get(self, key: Any, default: Any = None) -> Any:
        """The statement that was kept; None if there is none."""
        return super().get(_of_its_kind(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_of_its_kind(key), compiled)


def _of_its_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return type(dialect), *statement
