"""Duplicates who turned out to be a customer: the level that a merging brings is a fact of its own time."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from core.customers.holders import CUSTOMER
from core.ledger.writing import OPERATION
from core.program import Program
from core.program.versions import version
from core.tiers.records import standing_at


class Merged(NamedTuple):
    """From `at` on the customer is one with somebody who had the level `tier`; `rules` are those of then."""

    at: datetime
    customer_id: int
    tier: str | None
    rules: Program


def merged_since(connection: Connection, customer_ids: Collection[int], since: datetime) -> list[Merged]:
    """Whom these customers were found to be one with, at or after a time; from the earliest."""
    duplicates = select(CUSTOMER.c.id).where(CUSTOMER.c.merged_into.in_(customer_ids))
    keys = {f"merge:{i}:in": i for i in connection.scalars(duplicates)}
    if not keys:
        return []
    columns = (OPERATION.c.key, OPERATION.c.at, OPERATION.c.data, OPERATION.c.program_version)
    rows = select(*columns).where(OPERATION.c.key.in_(keys), OPERATION.c.at >= since)
    found = []
    for key, at, data, number in connection.execute(rows.order_by(OPERATION.c.at, OPERATION.c.id)).all():
        # Whoever was merged into a duplicate before is in the duplicate's own level.
        if (survivor := data["survivor_id"]) in customer_ids:
            rules, other = version(connection, number), keys[key]
            tier = standing_at(connection, rules, [other], at)[other].tier
            found.append(Merged(at, survivor, tier, rules))
    return found
