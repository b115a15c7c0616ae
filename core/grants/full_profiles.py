"""The reward for a full profile: given once, when everything that its rule asks for is known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.grants.giving import CUSTOMER, Act, Given, give_grants, rules_on
from core.ledger.book import CHUNK
from core.program import Grant, Program

PROFILE = "profile"
COMPLETE = "complete"
# What a full profile has when its rule names nothing.
FIELDS = ("name", "birthday", "phone", "email")


def give_for_profiles(
    connection: Connection, program: Program, customer_ids: Sequence[int], at: datetime,
    recorded_at: datetime, *, live: bool,
) -> list[Given]:  # fmt: skip
    """Give to those of these customers whose profile is full; the others are told what is missing.

    One answer for each customer and rule; nothing, and the reason `incomplete`, names the fields. In the
    caller's write transaction.
    """
    rows: list[Any] = []
    for start in range(0, len(customer_ids), CHUNK):
        some = CUSTOMER.c.id.in_(customer_ids[start : start + CHUNK])
        rows += connection.execute(select(CUSTOMER).where(some).order_by(CUSTOMER.c.id)).all()
    given: list[Given] = []
    for grant in rules_on(program, PROFILE):
        full = [Act(row.id, COMPLETE, at) for row in rows if not missing(row, grant.fields or FIELDS)]
        given += give_grants(connection, program, PROFILE, full, recorded_at, live=live, among=[grant.rule])
        given += [_incomplete(row, grant) for row in rows if missing(row, grant.fields or FIELDS)]
    return given


def missing(customer: Any, fields: Sequence[str]) -> list[str]:
    """Of these fields, those that nobody has filled; a name beside the known ones is an attribute."""
    return [name for name in fields if _value(customer, name) in (None, "")]


def _value(customer: Any, name: str) -> Any:
    known = name in CUSTOMER.c and name != "attributes"
    return getattr(customer, name) if known else (customer.attributes or {}).get(name)


def _incomplete(customer: Any, grant: Grant) -> Given:
    names = ", ".join(missing(customer, grant.fields or FIELDS))
    return Given(
        customer.id,
        COMPLETE,
        grant.rule,
        reason="incomplete",
        detail=f"still missing in the profile: {names}",
    )
