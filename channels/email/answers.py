"""What a server says, cut into replies however it arrives (RFC 5321, 4.2)."""

from collections.abc import Iterator

LONGEST_LINE = 8192
LONGEST_REPLY = 4 * LONGEST_LINE
"""Octets; far more than the 512 of RFC 5321, so that only a flood is cut off."""

_CODES = {str(code).encode(): code for code in range(200, 600)}
# How a reply of one line begins, as nearly all do.
_ALONE = {code + behind: number for code, number in _CODES.items() for behind in (b" ", b"\r")}


class Unreadable(Exception):
    """No reply, or one to nothing that was asked: what is said on this connection means nothing any more."""


class Answers:
    """Collects bytes, gives out replies."""

    def __init__(self) -> None:
        self._rest = b""
        self._first: bytes | None = None
        self._length = 0

    @property
    def is_between(self) -> bool:
        """Whether a reply has begun to arrive."""
        return bool(self._rest) or self._first is not None

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Code and first line of each reply that is complete now. Raises Unreadable where one is none."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            code = _ALONE.get(line[:4])
            if code is not None and self._first is None and len(line) <= LONGEST_LINE:
                yield code, line
                continue
            code = self._code(line)
            if line[3:4] == b"-":
                continue
            first, self._first, self._length = self._first or line, None, 0
            yield code, first
        if len(self._rest) > LONGEST_LINE:
            raise Unreadable

    def _code(self, line: bytes) -> int:
        code = _CODES.get(line[:3])
        if code is None or line[3:4] not in b" -\r":
            raise Unreadable
        if self._first is None:
            self._first = line
        elif self._first[:3] != line[:3]:
            raise Unreadable
        self._length += len(line)
        if self._length > LONGEST_REPLY:
            raise Unreadable
        return code


def words(line: bytes) -> str:
    """What stands behind the code."""
    return line[4:].decode("utf-8", "replace")
