"""What comes as a form or as bare bytes, read without guessing."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

Pairs = list[tuple[str, str]]
MOST_FIELDS = 200


async def body(request: Request) -> bytes:
    """The whole body; its size is limited for every request."""
    return await request.body()


async def form(request: Request) -> Pairs:
    """The fields of an urlencoded body; none for any other."""
    try:
        return parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return []


Bytes = Annotated[bytes, Depends(body)]
Form = Annotated[Pairs, Depends(form)]


def first(pairs: Pairs, name: str) -> str:
    """The first value of a field, '' for none."""
    return next((value for its_name, value in pairs if its_name == name), "")
