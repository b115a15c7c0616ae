"""The rows that could not go in, set aside with their line and the reason.

Written as the import goes, to a file beside the final one, and put in its place at the end: what stands
under the final name is always one whole import's.
"""

import fcntl
import json
import os
from contextlib import closing, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from core.errors import UserError
from core.imports.reading import Row


def spare(file: Path, rejects: Path) -> None:
    """UserError where rejected rows would take the place of what is no file (a folder, /dev/null), or of the
    file that they come from.
    """
    for path in (rejects, _part(rejects)):
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "a pipe or a device, whose place they would take"
            raise UserError(f"{path} is {what}; name another file for the rows that are set aside")
        if file.exists() and path.exists() and path.samefile(file):
            raise UserError(f"{file} is what is imported; name another file for the rows that are set aside")


def _part(path: Path) -> Path:
    return path.parent / f"{path.name}.part"


def _alone(part: Path) -> IO[str]:
    """Open a file for one import at a time; UserError where another writes to it.

    It is locked until it is closed. Who got it after it was put in its place opens it anew.
    """
    while True:
        file = part.open("a", encoding="utf-8")
        if _is_taken(file):
            file.close()
            raise UserError(
                f"another import sets rows aside in {part}; let it end, or name another file (--rejects), "
                "and import once more: what is in already stays as it is"
            )
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), part.stat()):
                file.truncate(0)
                return file
        file.close()


def _is_taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # a file system without locks
    return False


def _plain(value: object) -> object:
    """What Parquet knows and JSON does not, so that a mended row is read as it would have been at first."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


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
            self._file = _alone(self._part)
        self.count += 1
        values: Any = row.values
        told = {"line": row.line, "reason": reason, "row": values}
        self._file.write(json.dumps(told, ensure_ascii=False, default=_plain) + "\n")

    def flush(self) -> None:
        """Let what was set aside so far be read."""
        if self._file:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            if error is None:
                self.path.unlink(missing_ok=True)
            return
        with closing(self._file):
            self._file.flush()
            if error is None:
                self._part.replace(self.path)
