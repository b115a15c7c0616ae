"""Who brought whom: a friend names the inviter once, when they register.

What both get for it is core.grants.referral_grants.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from core.db import insert_ignoring
from core.db.sets import among, update_each
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
    return name_inviters(connection, [(friend_id, who)], recorded_at, live=live)[0]


def name_inviters(
    connection: Connection, named: Sequence[tuple[int, str]], recorded_at: datetime, *, live: bool
) -> list[Friendship | Refusal]:
    """As `name_inviter`, of thousands at once: (friend's id, who), one after the other in their order."""
    if not named:
        return []
    known = find_inviters(connection, {who for _, who in named})
    friends = sorted({friend for friend, who in named if who in known})
    if friends:
        hold_friends(connection, friends)
    naming = _Naming(connection, friends, set(known.values()))
    answers = [naming.name(friend, known.get(who), who) for friend, who in named]
    noted = [it for it in answers if isinstance(it, Friendship) and it.noted]
    update_each(connection, CUSTOMER, {}, ["referred_by"], [(it.friend_id, it.inviter_id) for it in noted])
    told = [Happening(it.friend_id, NAMED, recorded_at, str(it.inviter_id)) for it in noted]
    append(connection, told, recorded_at, live=live)
    return answers


def find_inviter(connection: Connection, who: str) -> int | None:
    """The customer with this external id, card or referral code, a duplicate's survivor; None if nobody."""
    return find_inviters(connection, [who]).get(who)


def find_inviters(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """Whom each of these names means, as `find_inviter` says; without those that mean nobody."""
    found: dict[str, int] = {}
    codes = {name: normal(name) for name in names}
    # An external id outranks a card, a card a code.
    for column in (CUSTOMER.c.external_id, CUSTOMER.c.card, CODE.c.code):
        called = {name: codes[name] if column is CODE.c.code else name for name in names if name not in found}
        meant = _called(connection, column, called.values())
        found |= {name: meant[value] for name, value in called.items() if value in meant}
    return found


def _called(connection: Connection, column: ColumnElement[str], values: Iterable[str]) -> dict[str, int]:
    """Who is there and has one of the values in a column, or has a duplicate that does: value → their id."""
    meant, asked = CUSTOMER.alias("meant"), sorted(set(values))
    survivor = meant.c.id == func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id)
    there = select(column, meant.c.id).select_from(CUSTOMER).join(meant, survivor)
    there = there.where(meant.c.erased_at.is_(None))
    if column is CODE.c.code:
        there = there.join(CODE, CODE.c.customer_id == CUSTOMER.c.id)
    chunks = [asked[start : start + CHUNK] for start in range(0, len(asked), CHUNK)]
    return {row[0]: row[1] for chunk in chunks for row in connection.execute(there.where(column.in_(chunk)))}


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


class _Naming:
    """Friends who name inviters in one transaction, and who brought whom as far as it matters to them."""

    def __init__(self, connection: Connection, friends: Sequence[int], inviters: Collection[int]) -> None:
        self._bought = _buyers(connection, friends)
        self._by = _ways(connection, {*friends, *inviters})

    def name(self, friend_id: int, inviter_id: int | None, who: str) -> Friendship | Refusal:
        """What becomes of one; those who come after it know."""
        if inviter_id is None:
            return Refusal("unknown_inviter", f"no customer {who!r} brought this one; nothing was noted")
        if self._by.get(friend_id) == inviter_id:
            return Friendship(friend_id, inviter_id)
        if refusal := self._refused(friend_id, inviter_id):
            return refusal
        self._by[friend_id] = inviter_id
        return Friendship(friend_id, inviter_id, noted=True)

    def _refused(self, friend_id: int, inviter_id: int) -> Refusal | None:
        if friend_id == inviter_id:
            return Refusal("self_referral", "nobody can bring themselves; leave the inviter out")
        if _leads(self._by, inviter_id, [friend_id]):
            detail = "this customer brought the one who is said to have brought them"
            return Refusal("circular_referral", detail)
        if friend_id in self._by:
            return Refusal("already_referred", "somebody else brought this customer; that stays so")
        if friend_id in self._bought:
            return Refusal("already_bought", "this customer has bought before and cannot be brought any more")
        return None


def came_by(connection: Connection, customer_id: int, others: Collection[int]) -> bool:
    """Whether the customer is one of these, or was brought by one, or by whom they brought, and so on."""
    return _leads(_ways(connection, [customer_id]), customer_id, others)


def _leads(by: Mapping[int, int], customer_id: int, others: Collection[int]) -> bool:
    seen: set[int] = set()
    current: int | None = customer_id
    while current is not None and current not in seen:
        if current in others:
            return True
        seen.add(current)
        current = by.get(current)
    return False


def _ways(connection: Connection, ids: Collection[int]) -> dict[int, int]:
    """Who brought these, who brought those, and so on to the first: customer → inviter."""
    by: dict[int, int] = {}
    asked, new = set[int](), sorted(ids)
    while new:
        asked.update(new)
        rows = select(CUSTOMER.c.id, CUSTOMER.c.referred_by)
        mine = rows.where(among(CUSTOMER.c.id, new), CUSTOMER.c.referred_by.is_not(None))
        found = {row.id: row.referred_by for row in connection.execute(mine)}
        by |= found
        new = sorted(set(found.values()) - asked)
    return by


def _buyers(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Which of these have bought something that was not brought back."""
    mine = select(STATS.c.customer_id).where(among(STATS.c.customer_id, ids), STATS.c.purchases > 0)
    return set(connection.scalars(mine))
