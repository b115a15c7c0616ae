"""A customer's pass: issued once with a serial and a token that never change, replaced if a phone is lost."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from core.db import insert_ignoring
from core.errors import UserError
from wallet import updates
from wallet.design import Face
from wallet.tables import CURRENT, PASS


def random_name() -> str:
    """128 bits that nobody guesses, in letters and digits."""
    return secrets.token_hex(16)


def current(connection: Connection, customer_id: int) -> Row[Any] | None:
    """The customer's pass, if one was issued; never one that was replaced."""
    return connection.execute(select(PASS).where(PASS.c.customer_id == customer_id, CURRENT)).first()


def is_revoked(connection: Connection, customer_id: int) -> bool:
    """Whether the customer had a pass that was revoked: they get another only when somebody says so."""
    mine = select(PASS.c.replaced_at).where(PASS.c.customer_id == customer_id)
    replaced = list(connection.scalars(mine))
    return bool(replaced) and None not in replaced


class Revoked(UserError):
    """the customer's card was revoked; `tidings card reissue` gives them a new one"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def issue(
    connection: Connection, customer_id: int, face: Face, now: datetime, name: Callable[[], str] = random_name
) -> Row[Any]:
    """The customer's pass; made at the first call, the same ever after. `Revoked` if it was taken back.

    Serial and token are random and stored: a phone keeps them for years, so they must not hang on a key
    that somebody rotates. Two callers at once get the same pass.
    """
    # Read at once: a card revoked between two looks would be issued anew.
    mine = connection.execute(select(PASS).where(PASS.c.customer_id == customer_id)).all()
    good = [row for row in mine if row.replaced_at is None]
    if mine and not good:
        raise Revoked
    return good[0] if good else _make(connection, customer_id, face, now, name)


def replace(
    connection: Connection, customer_id: int, face: Face, now: datetime, name: Callable[[], str] = random_name
) -> Row[Any]:
    """A new pass in the place of the customer's: the old one is void and empty wherever it is carried."""
    updates.retire(connection, customer_id, now)
    return _make(connection, customer_id, face, now, name)


def _make(
    connection: Connection, customer_id: int, face: Face, now: datetime, name: Callable[[], str]
) -> Row[Any]:
    row = {
        "customer_id": customer_id, "serial": name(), "token": name(),
        "digest": updates.shown(face, voided=False),
        "changed_at": now.replace(microsecond=0), "issued_at": now,
    }  # fmt: skip
    connection.execute(insert_ignoring(connection, PASS).values(**row))
    made = current(connection, customer_id)
    assert made is not None, "the pass was just written"
    return made


def fetched(connection: Connection, serial: str, now: datetime) -> None:
    """A phone fetched the pass; what links and emails give out is noted by `wallet.copies`."""
    connection.execute(PASS.update().where(PASS.c.serial == serial).values(fetched_at=now))
