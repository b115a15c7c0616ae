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
_FACTS = Struct("<III")  # checksum, both sizes
_OFFSET = Struct("<I")
_HEAD = len(_LOCAL) + _FACTS.size + 4
_PIECES = 5  # of which an entry in the directory is made


class Archive:
    """Members one after another, from the beginning of the file."""

    def __init__(self, members: Iterable[tuple[str, bytes]] = ()) -> None:
        body, directory, self.size = _laid_out(members, 0)
        self.count = len(directory) // _PIECES
        self.body, self.directory = b"".join(body), b"".join(directory)


def zipped(common: Archive, members: Iterable[tuple[str, bytes]]) -> bytes:
    """A whole file: the members of a common beginning, and these."""
    body, directory, size = _laid_out(members, common.size)
    count = common.count + len(directory) // _PIECES
    listed = b"".join((common.directory, *directory))
    end = pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(listed), size, 0)
    return b"".join((common.body, *body, listed, end))


def _laid_out(members: Iterable[tuple[str, bytes]], offset: int) -> tuple[list[bytes], list[bytes], int]:
    """The pieces of members and of their entries in the directory, and where the next member would begin."""
    body: list[bytes] = []
    directory: list[bytes] = []
    for name, data in members:
        encoded, local, central = _named(name)
        size = len(data)
        facts = _FACTS.pack(crc32(data), size, size)
        body += (_LOCAL, facts, local, data)
        directory += (_CENTRAL, facts, central, _OFFSET.pack(offset), encoded)
        offset += _HEAD + len(encoded) + size
    return body, directory, offset


@lru_cache(maxsize=100)
def _named(name: str) -> tuple[bytes, bytes, bytes]:
    """A name, and what stands after the sizes: lengths and the name; lengths and rights in the directory."""
    encoded = name.encode()
    lengths = pack("<HH", len(encoded), 0)
    return encoded, lengths + encoded, lengths + pack("<HHHI", 0, 0, 0, _READABLE)
