"""A zip with stored members and fixed times: the same files give the same bytes.

`zipfile` costs more than the signature does; what is the same for every pass is laid out once.
"""

from binascii import crc32
from collections.abc import Iterable
from functools import lru_cache
from struct import Struct, pack

# 1 January 1980, the first day of zip.
_DATE = (1 << 5) | 1
_UTF8 = 1 << 11
_VERSION = 20
_READABLE = 0o644 << 16
# Version, flags, stored, time and date, between a record's signature and what is its own.
_FIXED = pack("<HHHHH", _VERSION, _UTF8, 0, 0, _DATE)
_LOCAL = b"PK\3\4" + _FIXED
_CENTRAL = b"PK\1\2" + pack("<H", _VERSION) + _FIXED
# Name, beginning and rest: the checksum of a beginning that many archives share is kept.
Member = tuple[str, bytes, bytes]


class Archive:
    """Members one after another, from the beginning of the file."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        body, directory, self.size = _laid_out(members, 0)
        self.count = len(directory)
        self.body, self.directory = b"".join(body), b"".join(directory)


def zipped(common: Archive, members: Iterable[Member]) -> bytes:
    """A whole file: the members of a common beginning, and these."""
    body, directory, size = _laid_out(members, common.size)
    count = common.count + len(directory)
    listed = b"".join((common.directory, *directory))
    end = pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(listed), size, 0)
    return b"".join((common.body, *body, listed, end))


def _laid_out(members: Iterable[Member], offset: int) -> tuple[list[bytes], list[bytes], int]:
    """The pieces of members, their entries in the directory, and where the next member would begin."""
    body: list[bytes] = []
    directory: list[bytes] = []
    for name, beginning, rest in members:
        head, entry, after, about, encoded = _records(name)
        checksum, size = crc32(rest, _checksum(beginning)), len(beginning) + len(rest)
        body += (head.pack(_LOCAL, checksum, size, size, after), beginning, rest)
        directory.append(entry.pack(_CENTRAL, checksum, size, size, about, offset, encoded))
        offset += head.size + size
    return body, directory, offset


@lru_cache(maxsize=100)
def _records(name: str) -> tuple[Struct, Struct, bytes, bytes, bytes]:
    """A member's head and its entry in the directory, and what stands in either for the name's sake."""
    encoded = name.encode()
    lengths = pack("<HH", len(encoded), 0)
    after, about = lengths + encoded, lengths + pack("<HHHI", 0, 0, 0, _READABLE)
    head = Struct(f"<{len(_LOCAL)}sIII{len(after)}s")
    entry = Struct(f"<{len(_CENTRAL)}sIII{len(about)}sI{len(encoded)}s")
    return head, entry, after, about, encoded


@lru_cache(maxsize=100)
def _checksum(beginning: bytes) -> int:
    return crc32(beginning)
