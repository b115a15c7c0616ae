"""Files that hold keys and certificates, read with every fault named."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import EnvironmentFault


def read(setting: str, path: Path) -> bytes:
    """The bytes of the file that a setting names; EnvironmentFault if it is not there or not to be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise EnvironmentFault(f"{setting}: there is no file {path}; correct the path") from None
    except OSError as error:
        raise EnvironmentFault(
            f"{setting}: {path} cannot be read ({error.strerror}); correct its rights"
        ) from None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process of this machine makes throw-away keys in `folder` meanwhile; it is made if need be."""
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise EnvironmentFault(
            f"throw-away keys for cards cannot be kept in {folder} ({(error.strerror or '').lower()}); set "
            "TIDINGS_APPLE_CERTIFICATE and TIDINGS_GOOGLE_SERVICE_ACCOUNT, or make the folder writable"
        ) from None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def keep(path: Path, data: bytes) -> None:
    """Write a secret that only its owner reads. Whoever reads it sees all of it, or what was there before."""
    begun = path.with_name(path.name + ".new")
    begun.unlink(missing_ok=True)
    begun.touch(mode=0o600)
    begun.write_bytes(data)
    begun.replace(path)
