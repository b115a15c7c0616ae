"""Lists a page at a time: `limit`, `after` (a cursor), `{"items": […], "next": "…"}` and a Link header.

A cursor is a place in the order of the list, not a number of rows: what comes in between pages moves nothing.
It is opaque to callers and holds nothing but the list's name and the place.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from tidings.api.problems import refuse, tell

Item = TypeVar("Item")
Row = TypeVar("Row")
LIMIT, LIMIT_AT_MOST = 50, 500


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next` is given back as `after` for what follows, null at the end."""

    items: list[Item]
    next: str | None = Field(description="The cursor of the page after it; null if there is none.")


@dataclass(frozen=True, slots=True)
class PageWanted:
    """Which part of a list a request asks for."""

    request: Request
    limit: int
    after: str | None

    @property
    def most(self) -> int:
        """How many rows to select: one more than are shown tells whether more follow."""
        return self.limit + 1

    def place(self, name: str, *, parts: int = 1) -> tuple[int, ...] | None:
        """Where the list of this name goes on, so many numbers; None for its beginning."""
        return None if self.after is None else _read(self.after, name, parts)

    def page(
        self, name: str, rows: Sequence[Row], place: Callable[[Row], Sequence[int]],
        show: Callable[[Row], Item],
    ) -> Page[Item]:  # fmt: skip
        """The answer, of at most `most` rows; `place` tells where a row stands."""
        shown = rows[: self.limit]
        following = cursor(name, place(shown[-1])) if len(rows) > self.limit else None
        return self.answer([show(row) for row in shown], following)

    def answer(self, items: Sequence[Item], following: str | None) -> Page[Item]:
        """The answer with its Link header."""
        if following is not None:
            url = self.request.url.include_query_params(after=following)
            address = url.path + (f"?{url.query}" if url.query else "")
            tell(self.request.scope, {"Link": f'<{address}>; rel="next"'})
        return Page(items=list(items), next=following)


async def wanted(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LIMIT_AT_MOST, description="How many at most.")] = LIMIT,
    after: Annotated[
        str | None, Query(max_length=200, description="`next` of the page before; the beginning if left out.")
    ] = None,
) -> PageWanted:
    """What the query says about it."""
    return PageWanted(request, limit, after)


Paged = Annotated[PageWanted, Depends(wanted)]


def cursor(name: str, place: Sequence[int]) -> str:
    """A place in the list of this name, as text that fits into an address."""
    text = json.dumps([name, *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(text: str, name: str, parts: int) -> tuple[int, ...]:
    try:
        padded = text + "=" * (-len(text) % 4)
        found, *place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise _wrong() from None
    fits = found == name and len(place) == parts
    if not fits or not all(type(it) is int and 0 <= it < 2**63 for it in place):
        raise _wrong()
    return tuple(place)


def _wrong() -> Exception:
    return refuse(
        "wrong_cursor", "`after` is no cursor of this list; send `next` of the page before", "after"
    )
