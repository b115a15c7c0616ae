"""Half a backup, as a process leaves it that is killed: swept by the next one into the same folder."""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

_HALF = re.compile(r".\.[0-9a-f]{8}\.part(-journal)?$")
_JOURNAL = "-journal"
_SQLITE = b"SQLite format 3\x00"
# Another one sweeps for a moment; who else locks the folder keeps everybody from sweeping it.
TRIES, PAUSE_SECONDS = 50, 0.02


def half_of(file: Path) -> Path:
    """Where `file` is written before it is whole: a name of its own, for two may be made at once."""
    return file.with_name(f"{file.name}.{token_hex(4)}.part")


@contextmanager
def swept(folder: Path) -> Iterator[None]:
    """Remove what no living process writes; until the block ends, nobody sweeps what is written here.

    The lock of the folder is shared by all that write into it, and goes with the process, however it ends. A
    file system without such locks is not swept.
    """
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        if _locked(opened, fcntl.LOCK_EX):
            _sweep(folder)
        for _ in range(TRIES):
            if _locked(opened, fcntl.LOCK_SH):
                break
            time.sleep(PAUSE_SECONDS)
        yield
    finally:
        os.close(opened)


def _locked(opened: int, how: int) -> bool:
    try:
        fcntl.flock(opened, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(folder: Path) -> None:
    for path in [it for it in folder.iterdir() if _HALF.search(it.name)]:
        with suppress(OSError):
            if path.name.endswith(_JOURNAL) or _is_ours(path):
                path.unlink()


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) in (b"", _SQLITE)
