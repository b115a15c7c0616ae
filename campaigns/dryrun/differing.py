"""Two texts, word by word: what stays, what goes, what comes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "removed", "added"]
_WORDS = re.compile(r"\S+|\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words that both texts have, or only one of them."""

    kind: Kind
    text: str

    def as_json(self) -> dict[str, str]:
        """For programs."""
        return {"kind": self.kind, "text": self.text}


def differing(before: str, after: str) -> Iterator[Piece]:
    """The pieces in order: joined without `removed` they are `after`, without `added` they are `before`."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    gone, come = "", ""
    for kind, begin, end, start, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        was, now = "".join(old[begin:end]), "".join(new[start:stop])
        if kind != "equal" or (was.isspace() and (gone or come)):
            # A space between two changed words belongs to the change, so that phrases stay whole.
            gone, come = gone + was, come + now
            continue
        yield from _change(gone, come)
        gone, come = "", ""
        yield Piece("same", was)
    yield from _change(gone, come)


def _change(gone: str, come: str) -> Iterator[Piece]:
    """What goes and what comes; the space that both end with stays."""
    tail = ""
    while gone[-1:].isspace() and gone[-1:] == come[-1:]:
        tail, gone, come = gone[-1] + tail, gone[:-1], come[:-1]
    if gone:
        yield Piece("removed", gone)
    if come:
        yield Piece("added", come)
    if tail:
        yield Piece("same", tail)
