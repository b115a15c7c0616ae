"""Forgetting a person: everything that is theirs goes, the books stay.

Operations, entries, lots and receipts name an opaque customer only. A keyed digest of each address stays, so
that a later import does not write to it, and one of the customer's number, so that it is not taken up again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    String,
    Table,
    cast,
    delete,
    func,
    or_,
    select,
    text,
    update,
)

from core.customers.addresses import ADDRESS, LIFTED, SUPPRESSION, Addresses
from core.customers.erasure_words import Scrubber, opaque
from core.customers.forgotten import forget_number
from core.customers.holders import CUSTOMER, Person, hold_related, opened, people, unknown
from core.customers.households import members
from core.db import json_text, upsert
from core.events import EVENT, Happening, append
from core.grants.referrals import NAMED
from core.ledger import moving
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.operations import known_operations
from core.ledger.reading import HOLD
from core.program import Program
from core.purchases.receipts import Outcome, Recorded
from core.tables import ConfirmationCode, Consent, ConsentRequest, Letter, PromoCode, ReferralCode

CONSENT = Consent.__table__  # type: ignore[attr-defined]
CONFIRMATION = ConfirmationCode.__table__  # type: ignore[attr-defined]
REQUEST = ConsentRequest.__table__  # type: ignore[attr-defined]
LETTER = Letter.__table__  # type: ignore[attr-defined]
CODE = PromoCode.__table__  # type: ignore[attr-defined]
REFERRAL = ReferralCode.__table__  # type: ignore[attr-defined]

KIND = "erasure"
PERSONAL = {
    "card": None, "name": None, "phone": None, "email": None, "birthday": None, "birthday_md": None,
    "gender": None, "city": None, "locale": None, "time_zone": None,
}  # fmt: skip
LINKS = {"household_id": None, "referred_by": None, "invited_to": None}
# Subjects of these events are of the books (a receipt, an operation, a level), or a channel: that somebody
# agreed to it, and when, can be shown for a customer who has no name any more.
BOOKS = ("purchase", "return", "tier_changed", "registered", "consent_given", "consent_withdrawn")


@dataclass(frozen=True, slots=True)
class Wipe:
    """Rows that hold something personal: `values` empties them, None removes them. `what` is for people."""

    what: str
    table: Table
    where: ColumnElement[bool]
    values: Mapping[str, Any] | None = None


# What else is forgotten of some customers, by whoever keeps it (messages, cards).
Also = Callable[[Sequence[int]], Sequence[Wipe]]


def nothing(_ids: Sequence[int]) -> Sequence[Wipe]:
    """Nobody else keeps anything."""
    return ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who is forgotten. `keep_bonuses` leaves what remains in the books instead of writing it off.

    `channels` are those whose addresses must be left alone later: channel → kind of its addresses.
    """

    customer: str
    addresses: Addresses
    channels: Mapping[str, str]
    author: str | None = None
    keep_bonuses: bool = False
    also: Also = nothing


def would_go(connection: Connection, request: Erasure) -> dict[str, int] | Refusal:
    """How many of what would go, nothing changed; Refusal as of `erase`."""
    person = _person(connection, request.customer)
    if person is None:
        return unknown(request.customer)
    if refusal := _refused(connection, person):
        return refusal
    ids = _selves(connection, person.id)
    counted: dict[str, int] = {}
    for wipe in (*wipes(ids), *request.also(ids)):
        rows = connection.scalar(select(func.count()).select_from(wipe.table).where(wipe.where)) or 0
        counted[wipe.what] = counted.get(wipe.what, 0) + rows
    counted["answers and notes of operations"] = len(Scrubber(connection, ids).found())
    counted["customers' numbers"] = len(ids)
    return {what: count for what, count in counted.items() if count}


def erase(
    connection: Connection, program: Program, request: Erasure, at: datetime, *, live: bool = True
) -> Outcome:
    """Forget a customer and their duplicates at `at`, in the caller's write transaction.

    Repeated: they were forgotten already. Refused, and nothing changed: `unknown_customer`,
    `head_of_household` (the shared bonuses are not one person's to lose).
    """
    if known := _erased_before(connection, request):
        return known
    person = _person(connection, request.customer)
    if person is None:
        return unknown(request.customer)
    found = opened(connection, program, [person.external_id], at, live=live, own=[person.external_id])
    if isinstance(found, Refusal):
        return found
    if refusal := _refused(connection, person):
        return refusal
    _wipe_freed_space(connection)
    ids = _selves(connection, person.id)
    hold_related(connection, ids)
    answer = _close_books(found[1], program, request, person, at)
    _forget(connection, request, ids, at)
    append(connection, [Happening(person.id, "customer_erased", at)], at, live=live)
    return Recorded(answer)


def _close_books(
    book: Book, program: Program, request: Erasure, person: Person, at: datetime
) -> dict[str, Any]:
    key, when = f"{KIND}:{person.id}", book.moment(person.id, at)
    data = {} if request.keep_bonuses else {moving.ALL: True}
    op = book.operation(person.id, KIND, key, [person.id], when, author=request.author, data=data)
    gone = 0 if request.keep_bonuses else moving.write_off(book, op)
    op.result = {
        "customer": opaque(request.addresses, person.external_id),
        "written_off": str(program.from_points(gone)),
        "balance": str(program.from_points(book.total(person.id))),
    }
    book.close()
    return op.result


def _forget(connection: Connection, request: Erasure, ids: Sequence[int], at: datetime) -> None:
    _suppress(connection, request, ids, at)
    Scrubber(connection, ids).scrub(request.addresses)
    # The others first: some ask to whose household they belonged.
    for wipe in (*request.also(ids), *wipes(ids)):
        if wipe.values is None:
            connection.execute(delete(wipe.table).where(wipe.where))
        else:
            connection.execute(update(wipe.table).where(wipe.where).values(**wipe.values))
    named = select(CUSTOMER.c.id, CUSTOMER.c.external_id).where(CUSTOMER.c.id.in_(ids))
    for customer_id, name in connection.execute(named).all():
        values = {"external_id": opaque(request.addresses, name), "erased_at": at, "updated_at": at}
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == customer_id).values(**values))


def wipes(ids: Sequence[int]) -> tuple[Wipe, ...]:
    """What the facts keep of these customers."""
    me = CUSTOMER.c.id.in_(ids)
    personal = or_(*(CUSTOMER.c[name].is_not(None) for name in PERSONAL))
    linked = or_(*(CUSTOMER.c[name].is_not(None) for name in LINKS))
    mine = HOLD.c.buyer_id.in_(ids) | HOLD.c.customer_id.in_(ids)
    own = or_(EVENT.c.kind.like("bonus%"), EVENT.c.kind.in_(BOOKS))
    own_digests = select(ADDRESS.c.digest).where(_of(ADDRESS, ids))
    told_of_them = LIFTED.c.digest.in_(own_digests) & (LIFTED.c.why != "")
    told_by_others = EVENT.c.customer_id.in_(inviters(ids)) & are(json_text(EVENT.c.data, "friend"), ids)
    return (
        # While it is still known who invited them.
        Wipe("their name in events of others", EVENT, told_by_others, {"data": {}}),
        Wipe("profiles", CUSTOMER, me & personal, PERSONAL),
        Wipe("attributes", CUSTOMER, me & is_filled(CUSTOMER.c.attributes), {"attributes": {}}),
        Wipe("links to a household or a friend", CUSTOMER, me & linked, LINKS),
        Wipe("referrals by them", CUSTOMER, CUSTOMER.c.referred_by.in_(ids), {"referred_by": None}),
        # While it is still known which addresses were theirs.
        Wipe("words about lifted suppressions", LIFTED, told_of_them, {"why": ""}),
        Wipe("addresses", ADDRESS, _of(ADDRESS, ids)),
        Wipe("consents", CONSENT, _of(CONSENT, ids)),
        Wipe("consents to be confirmed", REQUEST, _of(REQUEST, ids)),
        Wipe("letters that ask them to confirm", LETTER, _of(LETTER, ids)),
        Wipe("referral codes", REFERRAL, _of(REFERRAL, ids)),
        Wipe("personal coupons", CODE, _of(CODE, ids), {"customer_id": None, "uses_at_most": 0}),
        # Without its cart no hold can be committed, not even once more.
        Wipe("carts on hold", HOLD, mine & is_filled(HOLD.c.cart),
             {"cart": {}, "code_digest": None, "state": "cancelled"}),
        Wipe("confirmation codes", CONFIRMATION, _of(CONFIRMATION, ids)),
        Wipe("attributes of events", EVENT, _of(EVENT, ids) & is_filled(EVENT.c.data), {"data": {}}),
        Wipe("subjects of events", EVENT, _of(EVENT, ids) & ~own & EVENT.c.subject.is_not(None),
             {"subject": None}),
    )  # fmt: skip


def inviters(ids: Sequence[int]) -> CompoundSelect[Any]:
    """Who brought these customers, and was told so: also where another counts since profiles were merged."""
    noted = select(cast(EVENT.c.subject, BigInteger)).where(_of(EVENT, ids), EVENT.c.kind == NAMED)
    now = select(CUSTOMER.c.referred_by).where(CUSTOMER.c.id.in_(ids))
    both = noted.union(now).scalar_subquery()
    return (
        select(CUSTOMER.c.id)
        .where(CUSTOMER.c.id.in_(both))
        .union(select(CUSTOMER.c.merged_into).where(CUSTOMER.c.id.in_(both)))
    )


def are(name: ColumnElement[str], ids: Sequence[int]) -> ColumnElement[bool]:
    """Whether a name is the number of one of these customers."""
    return name.in_(select(CUSTOMER.c.external_id).where(CUSTOMER.c.id.in_(ids)))


def _of(table: Table, ids: Sequence[int]) -> ColumnElement[bool]:
    return table.c.customer_id.in_(ids)


def is_filled(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """A JSON column that holds something."""
    return cast(column, String).not_in(("{}", "null"))


def _suppress(connection: Connection, request: Erasure, ids: Sequence[int], at: datetime) -> None:
    rows = connection.execute(select(ADDRESS.c.kind, ADDRESS.c.digest).where(ADDRESS.c.customer_id.in_(ids)))
    for kind, digest in rows.all():
        for channel in (name for name, its_kind in request.channels.items() if its_kind == kind):
            # Also one that was left alone before: no mending of a provider's mistake must lift it.
            row = {"channel": channel, "digest": digest, "reason": "erased", "at": at}
            connection.execute(
                upsert(connection, SUPPRESSION, ["channel", "digest"], ["reason"]).values(**row)
            )
    for name in connection.scalars(select(CUSTOMER.c.external_id).where(CUSTOMER.c.id.in_(ids))).all():
        forget_number(connection, request.addresses, name, at)


def _person(connection: Connection, name: str) -> Person | None:
    return people(connection, [name]).get(name)


def _selves(connection: Connection, customer_id: int) -> list[int]:
    """The customer and the duplicates that were merged into them."""
    duplicates = select(CUSTOMER.c.id).where(CUSTOMER.c.merged_into == customer_id).order_by(CUSTOMER.c.id)
    return [customer_id, *connection.scalars(duplicates)]


def _refused(connection: Connection, person: Person) -> Refusal | None:
    if members(connection, person.id):
        what = "is the head of a household; name another head, or dissolve it, and ask again"
        return Refusal("head_of_household", f"customer {person.external_id!r} {what}")
    return None


def _erased_before(connection: Connection, request: Erasure) -> Recorded | None:
    """The answer to an earlier request, by the number as it was or by the opaque one."""
    names = (request.customer, opaque(request.addresses, request.customer))
    mine = CUSTOMER.c.external_id.in_(names) & CUSTOMER.c.erased_at.is_not(None)
    row = connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.merged_into).where(mine)).first()
    if row is None:
        return None
    key = f"{KIND}:{row.merged_into or row.id}"
    return Recorded(known_operations(connection, [key])[key][1], repeated=True)


def _wipe_freed_space(connection: Connection) -> None:
    """SQLite leaves removed text in the file unless it is told not to."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete = ON"))
