"""Who brought whom: a friend names the inviter once, when they register.

What both get for it is core.grants.referral_grants.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select, update

from core.db import insert_ignoring
from core.events import Happening, append
from core.grants.codes import drawn, normal
from core.ledger.lots import Refusal
from core.tables import Customer, CustomerStats, ReferralCode

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]
CODE = ReferralCode.__table__  # type: ignore[attr-defined]

# The event of a friend who named an inviter.
NAMED = "referred"
CODE_LENGTH = 8
# Names in one question.
CHUNK = 5_000
# The lock under which friends are named, on PostgreSQL: two who name each other at one moment are a circle.
NAMING = 7_304_512


@dataclass(frozen=True, slots=True)
class Friendship:
    """The friend and the inviter, by their numbers; `noted` unless it was known before."""

    friend_id: int
    inviter_id: int
    noted: bool = field(default=False, compare=False)


def referral_code(connection: Connection, customer_id: int) -> str:
    """The code that the customer gives to friends; made when it is first asked for (a write transaction)."""
    own = select(CODE.c.code).where(CODE.c.customer_id == customer_id)
    while (code := connection.scalar(own)) is None:
        row = {"customer_id": customer_id, "code": drawn(CODE_LENGTH)}
        connection.execute(insert_ignoring(connection, CODE).values(**row))
    return str(code)


def name_inviter(
    connection: Connection, friend_id: int, who: str, recorded_at: datetime, *, live: bool
) -> Friendship | Refusal:
    """Note who brought a customer: `who` is the inviter's external id, card or own code.

    Refused: `unknown_inviter`, `self_referral`, `circular_referral` (the friend brought the inviter, or who
    brought them), `already_referred`, `already_bought` (a customer cannot be brought any more).
    The same inviter again is no refusal. In the caller's write transaction.
    """
    inviter_id = find_inviter(connection, who)
    if inviter_id is None:
        return Refusal("unknown_inviter", f"no customer {who!r} brought this one; nothing was noted")
    hold_friends(connection, [friend_id])
    known = connection.scalar(select(CUSTOMER.c.referred_by).where(CUSTOMER.c.id == friend_id))
    if known == inviter_id:
        return Friendship(friend_id, inviter_id)
    if refusal := _refused(connection, friend_id, inviter_id, known):
        return refusal
    noted = update(CUSTOMER).where(CUSTOMER.c.id == friend_id).values(referred_by=inviter_id)
    connection.execute(noted)
    append(connection, [Happening(friend_id, NAMED, recorded_at, str(inviter_id))], recorded_at, live=live)
    return Friendship(friend_id, inviter_id, noted=True)


def find_inviter(connection: Connection, who: str) -> int | None:
    """The customer with this external id, card or referral code, a duplicate's survivor; None if nobody."""
    named, meant = CUSTOMER.alias("named"), CUSTOMER.alias("meant")
    theirs = select(CODE.c.customer_id).where(CODE.c.code == normal(who)).scalar_subquery()
    by = or_(named.c.external_id == who, named.c.card == who, named.c.id == theirs)
    survivor = meant.c.id == func.coalesce(named.c.merged_into, named.c.id)
    rank = [named.c.external_id == who, named.c.card == who]
    statement = select(meant.c.id).join_from(named, meant, survivor)
    present = statement.where(by, meant.c.erased_at.is_(None)).order_by(*(it.desc() for it in rank))
    return connection.scalar(present.limit(1))


def known_inviters(connection: Connection, names: Collection[str]) -> set[str]:
    """Which of these names `find_inviter` finds; asked of thousands at once."""
    codes = {name: normal(name) for name in names}
    called = {
        *_called(connection, CUSTOMER.c.external_id, codes), *_called(connection, CUSTOMER.c.card, codes)
    }  # fmt: skip
    drawn_ones = _called(connection, CODE.c.code, codes.values())
    return {name for name, code in codes.items() if name in called or code in drawn_ones}


def _called(connection: Connection, column: ColumnElement[str], values: Iterable[str]) -> set[str]:
    """Which of the values stand in a column of somebody who is there, or of a duplicate of theirs."""
    meant, asked = CUSTOMER.alias("meant"), sorted(set(values))
    survivor = meant.c.id == func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id)
    there = select(column).select_from(CUSTOMER).join(meant, survivor).where(meant.c.erased_at.is_(None))
    if column is CODE.c.code:
        there = there.join(CODE, CODE.c.customer_id == CUSTOMER.c.id)
    chunks = [asked[start : start + CHUNK] for start in range(0, len(asked), CHUNK)]
    return {name for chunk in chunks for name in connection.scalars(there.where(column.in_(chunk)))}


def hold_friends(connection: Connection, friend_ids: Sequence[int]) -> None:
    """First the friends, then the naming: nobody who names friends waits for a customer any more.

    Whoever names several in one transaction holds all of them before the first.
    """
    held = select(CUSTOMER.c.id).where(CUSTOMER.c.id.in_(friend_ids)).order_by(CUSTOMER.c.id)
    connection.execute(held.with_for_update(key_share=True))
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(NAMING)))


def friends(connection: Connection, inviter_id: int, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """Whom a customer has brought, the latest to register first: id, external_id, registered_at, purchases.

    `before` is the id after which the list goes on. `purchases` counts those that were not brought back.
    """
    bought = func.coalesce(STATS.c.purchases, 0).label("purchases")
    rows = select(CUSTOMER.c.id, CUSTOMER.c.external_id, CUSTOMER.c.registered_at, bought)
    rows = rows.outerjoin(STATS, STATS.c.customer_id == CUSTOMER.c.id)
    rows = rows.where(CUSTOMER.c.referred_by == inviter_id, CUSTOMER.c.merged_into.is_(None))
    if before is not None:
        rows = rows.where(CUSTOMER.c.id < before)
    return connection.execute(rows.order_by(CUSTOMER.c.id.desc()).limit(limit)).all()


def _refused(connection: Connection, friend_id: int, inviter_id: int, known: int | None) -> Refusal | None:
    if friend_id == inviter_id:
        return Refusal("self_referral", "nobody can bring themselves; leave the inviter out")
    if _brought_by(connection, inviter_id, friend_id):
        return Refusal("circular_referral", "this customer brought the one who is said to have brought them")
    if known is not None:
        return Refusal("already_referred", "somebody else brought this customer; that stays so")
    if connection.scalar(select(STATS.c.purchases).where(STATS.c.customer_id == friend_id)):
        return Refusal("already_bought", "this customer has bought before and cannot be brought any more")
    return None


def _brought_by(connection: Connection, customer_id: int, inviter_id: int) -> bool:
    """Whether `inviter_id` brought the customer, or somebody on the way to them."""
    seen: set[int] = set()
    current: int | None = customer_id
    while current is not None and current not in seen:
        if current == inviter_id:
            return True
        seen.add(current)
        current = connection.scalar(select(CUSTOMER.c.referred_by).where(CUSTOMER.c.id == current))
    return False
