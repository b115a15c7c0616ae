"""Rows that wait for others of their file: kept as text, and where they are many, on disk."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile

from core.imports.reading import Row
from core.imports.texts import groups_of, written

# Bytes in memory; what is more goes to a file without a name, which goes away with the process.
IN_MEMORY = 16 << 20


class Waiting:
    """Groups of rows in the order in which they were added; a file of them lies in `folder` if it may."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._file: SpooledTemporaryFile[str] | None = None
        self._count = 0

    def add(self, group: list[Row]) -> None:
        """One more."""
        if self._file is None:
            # Where only reading is allowed nothing else was to be written: the system's place does as well.
            folder = str(self._folder) if self._folder and os.access(self._folder, os.W_OK) else None
            self._file = SpooledTemporaryFile(IN_MEMORY, "w+", encoding="ascii", dir=folder)  # noqa: SIM115 - kept
        self._file.write(written([group]) + "\n")
        self._count += 1

    def __len__(self) -> int:
        """How many groups wait."""
        return self._count

    def chunks(self, size: int) -> Iterator[list[list[Row]]]:
        """All of them, so many at a time."""
        if self._file:
            self._file.seek(0)
        while self._file and (lines := list(islice(self._file, size))):
            yield [group for line in lines for group in groups_of(line)]

    def close(self) -> None:
        """Nobody waits any more."""
        if self._file:
            self._file.close()
