"""A customer's pass: issued once, with a serial and a token that never change."""

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from core.db import insert_ignoring
from wallet.design import Face
from wallet.tables import NEWS_LENGTH, PASS


def random_name() -> str:
    """128 bits that nobody guesses, in letters and digits."""
    return secrets.token_hex(16)


def of_customer(connection: Connection, customer_id: int) -> Row[Any] | None:
    """The customer's pass, if one was issued."""
    return connection.execute(select(PASS).where(PASS.c.customer_id == customer_id)).first()


def issue(
    connection: Connection, customer_id: int, face: Face, now: datetime, name: Callable[[], str] = random_name
) -> Row[Any]:
    """The customer's pass; made at the first call, the same ever after.

    Serial and token are random and stored: a phone keeps them for years, so they must not hang on a key
    that somebody rotates. Two callers at once get the same pass.
    """
    known = of_customer(connection, customer_id)
    if known is not None:
        return known
    row = {
        "customer_id": customer_id, "serial": name(), "token": name(), "digest": face.digest(),
        "changed_at": now.replace(microsecond=0),
    }  # fmt: skip
    connection.execute(insert_ignoring(connection, PASS).values(**row))
    made = of_customer(connection, customer_id)
    assert made is not None, "the pass was just written"
    return made


def fetched(connection: Connection, customer_id: int, now: datetime) -> None:
    """The customer got the pass as it is now (a link, an email), so that its registration knows its age."""
    connection.execute(PASS.update().where(PASS.c.customer_id == customer_id).values(fetched_at=now))


def announce(connection: Connection, customer_id: int, news: str) -> None:
    """Put a message on the pass; mark it afterwards (`updates.mark`), so that the phone shows it."""
    connection.execute(PASS.update().where(PASS.c.customer_id == customer_id).values(news=news[:NEWS_LENGTH]))


def void(connection: Connection, customers: Iterable[int]) -> None:
    """Their passes are no longer good; mark them afterwards (`updates.mark`), so that phones learn of it."""
    connection.execute(PASS.update().where(PASS.c.customer_id.in_(customers)).values(voided=True))
