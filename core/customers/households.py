"""Households: customers who share one account, that of the head.

Who joins brings their bonuses along; who leaves leaves them there. Receipts stay their buyer's: levels and
statistics are everybody's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, literal, or_, select, update

from core.customers.holders import CUSTOMER, Person, opened, people
from core.db import UtcDateTime
from core.events import Happening, append
from core.ledger import moving
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.reading import HOLD
from core.ledger.writing import ACCOUNT, OPERATION
from core.program import Program
from core.purchases.receipts import Outcome, Recorded

KIND = "household"
Household = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a household: `head` and `member` are external ids, `author` is who asked for it."""

    head: str
    member: str
    author: str | None = None


def join(connection: Connection, program: Program, change: Change, at: datetime, *, live: bool) -> Outcome:
    """The member shares the head's account from now on; what the member has moves there.

    Repeated: the member is there already. Refused, and nothing changed: `unknown_customer`, `same_customer`,
    `in_a_household` (either of them is in another one), `household_full`.
    """
    found = opened(connection, program, [change.head, change.member], at, live=live, own=[change.member])
    if isinstance(found, Refusal):
        return found
    people, book = found
    head, member = people[change.head], people[change.member]
    if head.id == member.id:
        return Refusal("same_customer", "nobody joins a household of their own")
    if member.holder == head.id and head.holder == head.id:
        return Recorded(household(connection, program, head.id), repeated=True)
    if refusal := _refused_join(connection, program, head, member):
        return refusal
    move(book, member.id, head.id, at, change.author)
    _belongs(connection, member.id, head.id)
    _close(book, [Happening(member.id, "household_joined", at, data={"head_id": head.id})], live)
    return Recorded(household(connection, program, head.id))


def leave(connection: Connection, program: Program, change: Change, at: datetime, *, live: bool) -> Outcome:
    """The member has an account of their own again, an empty one: bonuses stay with the household.

    Repeated: they had left already. Refused, and nothing changed: `unknown_customer`, `is_the_head`,
    `in_a_household` (another one), `busy` (also while bonuses are set aside for their cart).
    """
    found = opened(connection, program, [change.head, change.member], at, live=live, own=[change.member])
    if isinstance(found, Refusal):
        return found
    head, member = found[0][change.head], found[0][change.member]
    if head.id == member.id:
        return Refusal("is_the_head", "the head does not leave; name another head or dissolve the household")
    if member.holder == member.id:
        return Recorded(household(connection, program, head.id), repeated=True)
    if member.holder != head.id:
        return Refusal("in_a_household", f"customer {change.member!r} belongs to another household")
    if refusal := _shopping(connection, head.id, [member.id], at):
        return refusal
    _part(connection, head.id, [member.id], at, live=live)
    return Recorded(household(connection, program, head.id))


def pass_on(connection: Connection, program: Program, change: Change, at: datetime, *, live: bool) -> Outcome:
    """`change.member` becomes the head: the shared bonuses move to their account, the old head is a member.

    Repeated: they are the head already. Refused, and nothing changed: `unknown_customer`, `not_a_member`.
    """
    names = [change.head, change.member]
    found = opened(connection, program, names, at, live=live, own=names)
    if isinstance(found, Refusal):
        return found
    people, book = found
    head, member = people[change.head], people[change.member]
    if head.holder == member.id:
        return Recorded(household(connection, program, member.id), repeated=True)
    if member.holder != head.id or head.id == member.id:
        return Refusal(
            "not_a_member", f"customer {change.member!r} is not in the household of {change.head!r}"
        )
    others = [i for i in members(connection, head.id) if i != member.id]
    move(book, head.id, member.id, at, change.author)
    _belongs(connection, member.id, None)
    for other in (head.id, *others):
        _belongs(connection, other, member.id)
    _close(book, [Happening(member.id, "household_headed", at, data={"head_id": head.id})], live)
    return Recorded(household(connection, program, member.id))


def dissolve(connection: Connection, program: Program, head: str, at: datetime, *, live: bool) -> Outcome:
    """Everybody has an account of their own again; the bonuses stay with the head.

    Repeated: there was no household. Refused: `unknown_customer`, `not_the_head`, `busy` (also while bonuses
    are set aside for a member's cart).
    """
    known = people(connection, [head]).get(head)
    theirs = household(connection, program, known.id)["members"] if known else []
    found = opened(connection, program, [head, *theirs], at, live=live, own=theirs)
    if isinstance(found, Refusal):
        return found
    person = found[0][head]
    if person.holder != person.id:
        return Refusal("not_the_head", f"customer {head!r} is a member; name the head")
    gone = members(connection, person.id)
    if refusal := _shopping(connection, person.id, gone, at):
        return refusal
    _part(connection, person.id, gone, at, live=live)
    return Recorded(household(connection, program, person.id), repeated=not gone)


def members(connection: Connection, head_id: int) -> list[int]:
    """Who shares the head's account, without the head; duplicates of somebody are not counted."""
    mine = CUSTOMER.c.household_id == head_id
    order = select(CUSTOMER.c.id).where(mine, CUSTOMER.c.merged_into.is_(None)).order_by(CUSTOMER.c.id)
    return list(connection.scalars(order))


def household(connection: Connection, program: Program, head_id: int) -> dict[str, Any]:
    """The household of a head: external ids, and how many more may join."""
    everybody = [head_id, *members(connection, head_id)]
    rows = connection.execute(
        select(CUSTOMER.c.id, CUSTOMER.c.external_id).where(CUSTOMER.c.id.in_(everybody))
    )
    names = {row.id: row.external_id for row in rows}
    free = max(0, program.households.at_most - len(everybody))
    return {"head": names[head_id], "members": [names[i] for i in everybody[1:]], "places": free}


def _refused_join(connection: Connection, program: Program, head: Person, member: Person) -> Refusal | None:
    if head.holder != head.id:
        return Refusal("in_a_household", f"customer {head.external_id!r} is a member, not the head")
    if member.holder != member.id or members(connection, member.id):
        return Refusal("in_a_household", f"customer {member.external_id!r} belongs to a household already")
    most = program.households.at_most
    if 1 + len(members(connection, head.id)) >= most:
        return Refusal("household_full", f"a household has {most} customers at most")
    return None


def move(book: Book, giver: int, receiver: int, at: datetime, author: str | None) -> None:
    """Everything that the giver has, and what is set aside for carts, goes to the receiver's account."""
    key = f"{KIND}:{giver}:{_times(book.connection, giver) + 1}"
    moving.move_all(book, giver, receiver, KIND, key, at, author=author)
    open_holds = (HOLD.c.customer_id == giver) & (HOLD.c.state == "open")
    book.connection.execute(update(HOLD).where(open_holds).values(customer_id=receiver))


def _times(connection: Connection, giver: int) -> int:
    """How often the customer's bonuses went to a household or to another head."""
    mine = (OPERATION.c.customer_id == giver) & (OPERATION.c.kind == KIND)
    return connection.scalar(select(func.count()).select_from(OPERATION).where(mine)) or 0


def _belongs(connection: Connection, customer_id: int, head_id: int | None) -> None:
    mine = update(CUSTOMER).where(CUSTOMER.c.id == customer_id)
    connection.execute(mine.values(household_id=head_id))


def _shopping(connection: Connection, head_id: int, ids: Sequence[int], at: datetime) -> Refusal | None:
    """A hold is a promise of the account that it takes from: its buyer stays until it is over. The receipt
    of one who has left would be owed on an account where there is nothing.
    """
    theirs = or_(CUSTOMER.c.id.in_(ids), CUSTOMER.c.merged_into.in_(ids))
    until = connection.scalar(
        select(func.max(HOLD.c.expires_at))
        .join(CUSTOMER, CUSTOMER.c.id == HOLD.c.buyer_id)
        .where(HOLD.c.customer_id == head_id, HOLD.c.state == "open", HOLD.c.points > 0, theirs)
    )
    if until is None or until <= at:
        return None
    when = f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    said = f"bonuses are set aside for their cart until {when}; commit or cancel the hold, or ask again then"
    return Refusal("busy", said)


def _part(connection: Connection, head_id: int, ids: Sequence[int], at: datetime, *, live: bool) -> None:
    """These have accounts of their own again. A receipt from before that comes late: their levels may have
    moved meanwhile, which the head's account knows.
    """
    connection.execute(update(CUSTOMER).where(CUSTOMER.c.id.in_(ids)).values(household_id=None))
    earlier = or_(ACCOUNT.c.last_at.is_(None), ACCOUNT.c.last_at < literal(at, UtcDateTime))
    theirs = update(ACCOUNT).where(ACCOUNT.c.customer_id.in_(ids), earlier)
    connection.execute(theirs.values(last_at=at))
    left = [Happening(i, "household_left", at, data={"head_id": head_id}) for i in ids]
    append(connection, left, at, live=live)


def _close(book: Book, happenings: list[Happening], live: bool) -> None:
    book.close()
    append(book.connection, [*happenings, *book.happenings], book.recorded_at, live=live)
