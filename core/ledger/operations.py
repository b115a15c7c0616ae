"""Operations by their keys: a request that is repeated finds its first answer."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from core.db.bulk import back_to_mark
from core.db.encoding import encoder
from core.ledger.reading import KNOWN_OPERATIONS

Answer = TypeVar("Answer")

# How often work that met another transaction's fresh key is done again.
ATTEMPTS = 4
# The same body is the same text, whatever the order of its keys.
_encode = encoder((",", ":"), sort_keys=True, default=str)


def digest_of(body: object) -> str:
    """What tells a repeated request from another one under the same key."""
    return hashlib.sha256(_encode(body).encode()).hexdigest()[:32]


def known_operations(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Of these idempotency keys, the ones already used: key → (digest, answer)."""
    return ask_operations(connection, keys)()


def ask_operations(
    connection: Connection, keys: Sequence[str]
) -> Callable[[], dict[str, tuple[str, dict[str, Any]]]]:
    """The same, asked now and read later (`core.db.bulk.piped`)."""
    answer = KNOWN_OPERATIONS.ask(connection, keys)
    return lambda: {key: (digest, result) for key, digest, result in answer()}


def again_if_taken(connection: Connection, work: Callable[[], Answer], *, marked: bool = False) -> Answer:
    """Do `work`; do it again if another transaction took one of its unique keys meanwhile.

    Two identical requests at one moment both find their key unused; the later one then meets the other's
    row, starts over from a savepoint, and finds the answer there. On SQLite writers wait their turn.
    `marked`: `work` begins with `core.db.bulk.mark` and ends with `unmark`, in trips that it makes anyway.
    """
    for _ in range(ATTEMPTS if connection.dialect.name == "postgresql" else 0):
        try:
            with nullcontext() if marked else connection.begin_nested():
                return work()
        except IntegrityError:
            if marked:
                back_to_mark(connection)
    return work()
