"""Files that hold keys and certificates, read with every fault named."""

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
