"""The rows that could not go in, set aside with their line and the reason.

Written as the import goes, to a file beside the final one, and put in its place at the end: what stands
under the final name is always one whole import's.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from core.errors import UserError
from core.imports.reading import Row


def spare(file: Path, rejects: Path) -> None:
    """UserError where rejected rows would take the place of a folder, or of the file that they come from."""
    for path in (rejects, _part(rejects)):
        if path.is_dir():
            raise UserError(f"{path} is a folder; name another file for the rows that are set aside")
        if file.exists() and path.exists() and path.samefile(file):
            raise UserError(f"{file} is what is imported; name another file for the rows that are set aside")


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


class Rejects:
    """A file of rejected rows, JSON Lines; none is left where nothing was rejected."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._part = _part(path)
        self._file: IO[str] | None = None

    def add(self, row: Row, reason: str) -> None:
        """Set a row aside."""
        if self._file is None:
            self._file = self._part.open("w", encoding="utf-8")
        self.count += 1
        values: Any = row.values
        told = {"line": row.line, "reason": reason, "row": values}
        self._file.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")

    def flush(self) -> None:
        """Let what was set aside so far be read."""
        if self._file:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
        if error is not None:
            return
        if self._file:
            self._part.replace(self.path)
        else:
            self.path.unlink(missing_ok=True)
