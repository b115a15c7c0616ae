"""Who buys: the customers of a batch of receipts, read under their accounts' lock."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from core.customers.holders import CUSTOMER, Person
from core.db.hot import Hot

_BUYERS = Hot(
    CUSTOMER.c.id, CUSTOMER.c.external_id, ("COALESCE(household_id, id)", CUSTOMER.c.id), CUSTOMER.c.tier,
    CUSTOMER.c.tier_since, CUSTOMER.c.invited_to,
    tail="FROM customer WHERE erased_at IS NULL AND id {ids}",
)  # fmt: skip


class Buyer(NamedTuple):
    """A customer with their level; `holder_id` is whose bonuses they use."""

    id: int
    external_id: str
    holder_id: int
    tier: str | None
    tier_since: datetime | None
    invited_to: str | None


def ask_buyers(connection: Connection, found: Mapping[str, Person]) -> Callable[[], dict[str, Buyer]]:
    """The customers, each under the name that was asked for; who was erased meanwhile is left out.

    Asked now, read later (`core.db.bulk.piped`).
    """
    answer = _BUYERS.ask(connection, sorted({person.id for person in found.values()}))

    def read() -> dict[str, Buyer]:
        buyers = {row[0]: Buyer(*row) for row in answer()}
        return {name: buyers[person.id] for name, person in found.items() if person.id in buyers}

    return read
