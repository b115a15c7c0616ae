"""A zip with stored members and fixed times: the same files give the same bytes.

`zipfile` costs more than the signature does; what is the same for every pass is laid out once.
"""

from binascii import crc32
from collections.abc import Iterable, Sequence
from struct import pack

# 1 January 1980, the first day of zip.
_DATE = (1 << 5) | 1
_UTF8 = 1 << 11
_VERSION = 20
_READABLE = 0o644 << 16


def zipped(common: "Archive", members: Sequence[tuple[str, bytes]]) -> bytes:
    """A whole file: the members of a common beginning, and these."""
    rest = Archive(members, common.size)
    directory = common.directory + rest.directory
    count, offset = common.count + rest.count, common.size + rest.size
    end = pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(directory), offset, 0)
    return b"".join((common.body, rest.body, directory, end))


class Archive:
    """Members one after another, the first of them `offset` bytes into the file."""

    def __init__(self, members: Iterable[tuple[str, bytes]] = (), offset: int = 0) -> None:
        body: list[bytes] = []
        directory: list[bytes] = []
        self.count, self.size = 0, 0
        for name, data in members:
            encoded = name.encode()
            facts = _facts(encoded, data)
            body += (b"PK\3\4", facts, encoded, data)
            place = pack("<HHHII", 0, 0, 0, _READABLE, offset + self.size)
            directory += (b"PK\1\2", pack("<H", _VERSION), facts, place, encoded)
            self.size += 4 + len(facts) + len(encoded) + len(data)
            self.count += 1
        self.body, self.directory = b"".join(body), b"".join(directory)


def _facts(name: bytes, data: bytes) -> bytes:
    """Version, flags, stored, time, date, checksum, both sizes, lengths of the name and of nothing extra."""
    size = len(data)
    return pack("<HHHHHIIIHH", _VERSION, _UTF8, 0, 0, _DATE, crc32(data), size, size, len(name), 0)
