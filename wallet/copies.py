"""Copies of passes handed out by links and emails: is a phone that registers one holding an old version?

A registration says which pass a phone carries, never which version. What was handed out lately tells: if it
was the pass as it is now and nothing older, the phone has that. Else it may have come with an old copy, from
a letter of last month or from another phone, and is told to fetch the pass once. Told in vain it finds the
same pass again, which is harmless; not told it would show an old balance.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case

from wallet.tables import PASS

# So long after it was handed out, a copy may still be the one that registers.
LASTS = timedelta(minutes=10)


def handed_out(connection: Connection, row: Row[Any], now: datetime) -> None:
    """Somebody was given the pass `row` as it is now, by a link or an email."""
    older = PASS.c.handed_tag < bindparam("handed", row.tag)
    values = {
        "handed_tag": row.tag, "handed_at": now, "fetched_at": now,
        "outdated_at": case((older, PASS.c.handed_at), else_=PASS.c.outdated_at),
    }  # fmt: skip
    connection.execute(PASS.update().where(PASS.c.serial == row.serial).values(values))


def may_be_old(row: Row[Any], now: datetime) -> bool:
    """Whether a phone that registers the pass `row` now may have an older version than it is."""
    if row.tag == 0:
        return False  # there is no older one
    lately = now - LASTS
    fresh = row.handed_tag == row.tag and row.handed_at > lately
    return not fresh or (row.outdated_at is not None and row.outdated_at > lately)
