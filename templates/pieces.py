"""A rendered page that still knows what it was put together from."""

from collections.abc import Iterable
from typing import Self


class Pieces(str):
    """A text, and the pieces of it as the template gave them, in their order.

    What a template says to everybody is the very same piece in every message: a channel that has encoded it
    once need not do so again (`channels.email.bodies`). Any change makes it an ordinary text.
    """

    __slots__ = ("pieces",)
    pieces: tuple[str, ...]

    @classmethod
    def joined(cls, pieces: Iterable[str]) -> Self:
        """The text of all of them."""
        kept = tuple(pieces)
        made = cls("".join(kept))
        made.pieces = kept
        return made
