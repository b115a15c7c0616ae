"""Whom nobody may take up again: of an erased customer's number a keyed digest is all that stays."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from core.customers.addresses import SUPPRESSION, Addresses, suppress

# Under this name a suppression keeps the digests of customers' numbers.
NUMBER = "customer"
CHUNK = 5_000


def forget_number(connection: Connection, addresses: Addresses, external_id: str, at: datetime) -> None:
    """Remember that this number was a person's who is forgotten."""
    suppress(connection, NUMBER, addresses.digest(NUMBER, external_id), "erased", at)


def was_erased(connection: Connection, addresses: Addresses, external_ids: Sequence[str]) -> set[str]:
    """Of these external ids, the ones whose customers asked to be forgotten."""
    here = SUPPRESSION.c.channel == NUMBER
    if not external_ids or connection.scalar(select(SUPPRESSION.c.channel).where(here).limit(1)) is None:
        return set()
    found = set()
    for start in range(0, len(external_ids), CHUNK):
        digests = {addresses.digest(NUMBER, name): name for name in external_ids[start : start + CHUNK]}
        chunk = here & SUPPRESSION.c.digest.in_(digests)
        found |= {digests[digest] for digest in connection.scalars(select(SUPPRESSION.c.digest).where(chunk))}
    return found
