"""What a friend's coming brings, to the friend and to the inviter.

It follows from how things stand: has the friend bought something that was not brought back? It is looked at
after the fact, by whoever reads the stream of events (core.grants.granting), never while a till waits: the
inviter's account is somebody else's, and two tills that hold each other's customers would wait for ever.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from core.errors import EnvironmentFault
from core.events import append
from core.grants.giving import (
    TAKEN_BACK,
    Act,
    Given,
    duplicates,
    give_grants,
    grant_key,
    holders,
    rules_on,
)
from core.ledger.book import CHUNK, Book
from core.ledger.operations import ATTEMPTS, again_if_taken
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.program import Grant, Program
from core.tables import Customer, CustomerStats

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]

# The acts of the language: what the inviter gets for, and what the friend.
INVITER: Literal["referral"] = "referral"
FRIEND: Literal["referred"] = "referred"
# A friend who buys first and brings it back: after so many times nothing is given any more.
ROUNDS = 8
REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class News:
    """What was heard of a friend: when they were `named`, and the times of purchases."""

    named: datetime | None = None
    bought: Collection[datetime] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a look at some friends gave and took back (grants)."""

    given: Sequence[Given]
    taken: int


def settle(
    connection: Connection, program: Program, news: Mapping[int, News], recorded_at: datetime, *, live: bool
) -> Settled:
    """Give for friends of whom something was heard, and take back what no longer holds.

    A rule `after: registration` gives when the friend is named and stays. One `after: purchase` gives when
    the friend's first purchase is among the news, and is taken back when all that they bought was
    brought back. In the caller's write transaction.
    """

    def work() -> Settled:
        return _settle(connection, program, news, recorded_at, live)

    return again_if_taken(connection, work)


def welcome_friends(
    connection: Connection, program: Program, friends: Sequence[int], recorded_at: datetime, *, live: bool
) -> list[Given]:
    """What friends are given at once for naming an inviter while registering.

    For customers who are new in this very transaction: nobody else can hold their accounts.
    """
    rules = [grant.rule for grant in rules_on(program, FRIEND) if grant.after == "registration"]
    acts = [Act(friend, _occasion(friend, 1), recorded_at, {"friend": friend}) for friend in friends]
    return give_grants(connection, program, FRIEND, acts, recorded_at, live=live, among=rules)


def _occasion(friend_id: int, number: int) -> str:
    return f"{friend_id}" if number == 1 else f"{friend_id}:{number}"


def _settle(
    connection: Connection, program: Program, news: Mapping[int, News], recorded_at: datetime, live: bool
) -> Settled:
    friends = _friends(connection, sorted(news))
    wanted, unwanted = _compare(connection, program, friends, news)
    losing = [row.customer_id for row in unwanted]
    getting = sorted({act.customer_id for acts in wanted.values() for act in acts})
    whose, book = _opened(connection, program, losing, getting, recorded_at, live=live)
    _take_back(connection, program, book, unwanted, whose)
    book.close()
    append(connection, book.happenings, recorded_at, live=live)
    given: list[Given] = []
    for (on, rule), acts in wanted.items():
        given += give_grants(connection, program, on, acts, recorded_at, live=live, among=[rule])
    return Settled(given, len(unwanted))


def _opened(
    connection: Connection, program: Program, losing: Sequence[int], getting: Sequence[int],
    recorded_at: datetime, *, live: bool,
) -> tuple[dict[int, int], Book]:  # fmt: skip
    """From whose accounts something is taken, and a book with these and those that are given to."""
    for _ in range(ATTEMPTS):
        whose = _accounts(connection, losing)
        # Held at once and in order: giving needs no account beside these.
        accounts = {*whose.values(), *holders(connection, getting).values()}
        book = Book(connection, program, accounts, recorded_at, live=live)
        # A household may have changed while the accounts were waited for.
        if _accounts(connection, losing) == whose:
            return whose, book
    raise EnvironmentFault("accounts are changing hands all the time; try again")


def _friends(connection: Connection, ids: Sequence[int]) -> list[Any]:
    inviter = CUSTOMER.alias("inviter")
    survivor = func.coalesce(inviter.c.merged_into, inviter.c.id).label("inviter_id")
    columns = (CUSTOMER.c.id, CUSTOMER.c.external_id, survivor, STATS.c.purchases, STATS.c.first_purchase_at)
    joined = CUSTOMER.join(inviter, inviter.c.id == CUSTOMER.c.referred_by).outerjoin(
        STATS, STATS.c.customer_id == CUSTOMER.c.id
    )
    present = [CUSTOMER.c.erased_at.is_(None), CUSTOMER.c.merged_into.is_(None)]
    chosen = select(*columns).select_from(joined).where(CUSTOMER.c.id.in_(ids), *present)
    return list(connection.execute(chosen.order_by(CUSTOMER.c.id)))


def _whose(on: Literal["referral", "referred"], friend: Row[Any]) -> int:
    return int(friend.inviter_id if on == INVITER else friend.id)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One rule for one friend: who gets it, and the key of each round. `selves` and `friends` are the numbers
    of who gets it and of the friend, and of the duplicates of either.
    """

    on: Literal["referral", "referred"]
    grant: Grant
    friend: Row[Any]
    selves: Sequence[int]
    friends: Sequence[int]

    @property
    def customer_id(self) -> int:
        return _whose(self.on, self.friend)

    def keys(self, number: int) -> list[str]:
        """Under which keys it may have been given: to the customer or a duplicate, for the friend or one."""
        occasions = [_occasion(friend, number) for friend in self.friends]
        return [grant_key(self.grant.rule, i, occasion) for i in self.selves for occasion in occasions]

    def act(self, number: int, news: News) -> Act | None:
        """What the news is to this rule: None if it is none."""
        first = self.friend.first_purchase_at
        bought = first if first in news.bought else None
        at = bought if self.grant.after == "purchase" else news.named
        occasion = _occasion(self.friend.id, number)
        return Act(self.customer_id, occasion, at, {"friend": self.friend.id}) if at else None


def _compare(
    connection: Connection, program: Program, friends: Sequence[Row[Any]], news: Mapping[int, News]
) -> tuple[dict[tuple[str, str], list[Act]], list[Row[Any]]]:
    """What is to be given, by rule, and the grants that are to be taken back."""
    selves: dict[int, list[int]] = defaultdict(list)
    everybody = {_whose(on, friend) for on in (INVITER, FRIEND) for friend in friends}
    for i, who in duplicates(connection, sorted(everybody)).items():
        selves[who].append(i)
    turns = [
        _Turn(on, grant, friend, selves[_whose(on, friend)], selves[friend.id])
        for on in (INVITER, FRIEND)
        for grant in rules_on(program, on)
        for friend in friends
    ]
    rounds = range(1, ROUNDS + 1)
    booked = _booked(connection, [key for turn in turns for number in rounds for key in turn.keys(number)])
    wanted: dict[tuple[str, str], list[Act]] = {}
    unwanted = []
    for turn in turns:
        known = [it for number in rounds for key in turn.keys(number) if (it := booked.get(key))]
        stands = [it for it in known if taken_key(it.key) not in booked]
        holds = turn.grant.after == "registration" or bool(turn.friend.purchases)
        act = turn.act(len(known) + 1, news[turn.friend.id])
        if stands and not holds:
            unwanted += stands
        elif holds and act and not stands and len(known) < ROUNDS:
            wanted.setdefault((turn.on, turn.grant.rule), []).append(act)
    return wanted, unwanted


def taken_key(key: str) -> str:
    """The key under which a grant is taken back."""
    return f"taken_back:{key}"


def _booked(connection: Connection, keys: Sequence[str]) -> dict[str, Row[Any]]:
    found: dict[str, Row[Any]] = {}
    both = [it for key in keys for it in (key, taken_key(key))]
    for start in range(0, len(both), CHUNK):
        rows = select(OPERATION).where(OPERATION.c.key.in_(both[start : start + CHUNK]))
        found |= {row.key: row for row in connection.execute(rows)}
    return found


def _take_back(
    connection: Connection, program: Program, book: Book, grants: Sequence[Row[Any]], whose: Mapping[int, int]
) -> None:
    """Take grants back: what expired is nobody's; what was spent is owed, or forgiven by the program."""
    lots = _lots(connection, [row.id for row in grants])
    for row in grants:
        holder, lot = whose.get(row.customer_id), lots.get(row.id)
        if holder is None or lot is None:
            continue
        op = book.operation(
            holder, TAKEN_BACK, taken_key(row.key), [row.key], book.moment(holder, book.recorded_at),
            data={**row.data, "key": row.key},
        )  # fmt: skip
        mine = next((it for it in book.lots[holder] if it.id == lot.id), None)
        part = min(mine.remaining, lot.owed) if mine and mine.remaining > 0 else 0
        if mine and part:
            book.enter(op, mine, REVERSAL, -part, None)
        if lot.owed > part and program.points.debt == "repay":
            book.redeem(op, lot.owed - part, kind=REVERSAL, owing=True)
            book.happenings.pop()  # they did not spend it
        data = {"amount": lot.owed, "reason": row.data["rule"]}
        book.happen(op, "bonus_taken_back", data)


@dataclass(frozen=True, slots=True)
class _Lot:
    """The lot of a grant; `owed` is what was given less what expired."""

    id: int
    owed: int


def _lots(connection: Connection, operation_ids: Sequence[int]) -> dict[int, _Lot]:
    expired = (
        select(func.coalesce(func.sum(ENTRY.c.amount), 0))
        .where(ENTRY.c.lot_id == LOT.c.id, ENTRY.c.kind == "expiry")
        .scalar_subquery()
    )
    rows = select(LOT.c.operation_id, LOT.c.id, (LOT.c.amount + expired).label("owed"))
    found = connection.execute(rows.where(LOT.c.operation_id.in_(operation_ids)))
    return {row.operation_id: _Lot(row.id, int(row.owed)) for row in found}


def _accounts(connection: Connection, customer_ids: Iterable[int]) -> dict[int, int]:
    """Where the bonuses of an account are now: its survivor's, or its household's."""
    named, meant = CUSTOMER.alias("named"), CUSTOMER.alias("meant")
    survivor = meant.c.id == func.coalesce(named.c.merged_into, named.c.id)
    holder = func.coalesce(meant.c.household_id, meant.c.id).label("holder")
    rows = select(named.c.id, holder).join_from(named, meant, survivor)
    chosen = rows.where(named.c.id.in_(sorted(set(customer_ids))), meant.c.erased_at.is_(None))
    return {row.id: row.holder for row in connection.execute(chosen)}
