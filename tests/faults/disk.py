"""A small disk that can be filled up, and freed again."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of its own in memory, as large as a small database needs."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Not a byte is left."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (_BLOCK, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue
            os.fsync(file.fileno())

    def free(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Disk | None]:
    """A disk for a scene; None where this machine permits no mounts."""
    with tempfile.TemporaryDirectory(prefix="tidings-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "tidings", folder]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        Path(folder).chmod(0o777)
        try:
            yield Disk(Path(folder))
        finally:
            subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)
