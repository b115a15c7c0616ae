"""The folder transport writes what would be sent. It is the default: nothing leaves by accident."""

import hashlib
import re
from pathlib import Path

from channels.outcome import Accepted, Failed, Outcome
from channels.transport import ChannelDown, Transport, Wire

_LONGEST_NAME = 100


def file_name(key: str) -> str:
    """A file name for a message key: the key itself where the file system allows, always the same one."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", key)
    if safe == key and 0 < len(key) <= _LONGEST_NAME and not key.startswith("."):
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return f"{safe.lstrip('.')[:_LONGEST_NAME]}-{digest}"


def write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the whole file or none, and a second write of the same message replaces the first."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


class FolderTransport(Transport[Wire]):
    """Writes `<directory>/<key><suffix>`, one file for each form in which the message can be read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def transmit(self, wire: Wire) -> Outcome:
        """Write the files of one message; the outcome names the first of them. Raises OSError."""
        # Each time: a channel that nobody uses leaves no empty folder, and one that is cleared comes again.
        self._directory.mkdir(parents=True, exist_ok=True)
        name = file_name(wire.key)
        files = wire.files()
        for suffix, content in files.items():
            write_atomically(self._directory / f"{name}{suffix}", content)
        return Accepted(f"{self._directory.name}/{name}{next(iter(files))}")


class Outbox(FolderTransport):
    """The folder in a provider's place: while it cannot be written, nothing leaves and everything waits."""

    async def transmit(self, wire: Wire) -> Outcome:
        """As above; raises ChannelDown."""
        try:
            return await super().transmit(wire)
        except OSError as error:
            why = Failed("configuration", "outbox_not_writable", type(error).__name__)
            raise ChannelDown(why) from None
