"""Who is meant by an external id, and whose bonuses they use.

A merged duplicate leads to the survivor; a member of a household uses the bonuses of its head. Both may
change while somebody waits for an account, so they are asked again once it is held.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, or_, select

from core.db.hot import Hot
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.reading import ACCOUNT_COLUMNS
from core.program import Program
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
# Accounts change hands seldom: who meets it this often in one request meets a loop.
ATTEMPTS = 4
# Named, a customer leads to the one who is meant, and to whose account they use.
_MEANT = "FROM customer AS named JOIN customer AS meant ON meant.id = COALESCE(named.merged_into, named.id)"
_HOLDER = "COALESCE(meant.household_id, meant.id)"
_ASKED = "WHERE meant.erased_at IS NULL AND named.external_id {names}"
_PERSON = (
    ("named.external_id", CUSTOMER.c.external_id), ("meant.id", CUSTOMER.c.id),
    ("meant.external_id", CUSTOMER.c.external_id),
)  # fmt: skip
_PEOPLE = Hot(*_PERSON, (_HOLDER, CUSTOMER.c.id), tail=f"{_MEANT} {_ASKED}")
_THEIRS = f"{_MEANT} JOIN account ON account.customer_id = {_HOLDER} {_ASKED}"
_SEEN = Hot(*_PERSON, *ACCOUNT_COLUMNS, tail=_THEIRS)
_HELD = Hot(*_PERSON, *ACCOUNT_COLUMNS, tail=f"{_THEIRS} ORDER BY account.customer_id FOR UPDATE OF account")


class Person(NamedTuple):
    """A customer; `holder` is whose account they use, their own as a rule."""

    id: int
    external_id: str
    holder: int


def people(connection: Connection, names: Collection[str]) -> dict[str, Person]:
    """The customers of external ids, each under the name that was asked for; who is erased is left out."""
    return {name: Person(*person) for name, *person in _PEOPLE(connection, sorted(set(names)))}


def people_held(
    connection: Connection, names: Collection[str], *, lock: bool
) -> tuple[dict[str, Person], list[tuple[Any, ...]]]:
    """The customers, and the accounts that they use (`Book(held=…)`), which are locked as they are found."""
    asked = sorted(set(names))
    found, accounts = {}, {}
    for name, id_, external_id, *account in (_HELD if lock else _SEEN)(connection, asked):
        found[name] = Person(id_, external_id, account[0])
        accounts[account[0]] = tuple(account)
    # Who has no account yet has never been given anything.
    if others := [name for name in asked if name not in found]:
        found |= people(connection, others)
    return found, [*accounts.values()]


def unknown(name: str) -> Refusal:
    """The refusal of a name that nobody has."""
    return Refusal("unknown_customer", f"no customer {name!r}; register or import them first")


def busy() -> Refusal:
    """The refusal of what met a change of hands at every try."""
    return Refusal("busy", "the account is changing hands just now; send the same request again")


def hold_related(connection: Connection, ids: Collection[int]) -> None:
    """Keep other writers off these customers, who brought them, whom they brought and who was merged into
    them, until the transaction ends.

    What is about to be written is in rows of all of them. They are taken in one order, so that requests
    about people who know each other wait in a line, never in a circle.
    """
    theirs = select(CUSTOMER.c.referred_by).where(CUSTOMER.c.id.in_(ids))
    inviters = connection.scalars(theirs.where(CUSTOMER.c.referred_by.is_not(None)))
    known = {*ids, *inviters}
    # Lists of numbers alone: each is found by its index.
    related = or_(CUSTOMER.c.id.in_(known), CUSTOMER.c.referred_by.in_(ids), CUSTOMER.c.merged_into.in_(ids))
    held = select(CUSTOMER.c.id).where(related).order_by(CUSTOMER.c.id)
    connection.execute(held.with_for_update(key_share=True)).all()


def opened(
    connection: Connection, program: Program, names: Sequence[str], recorded_at: datetime, *, live: bool,
    own: Collection[str] = (),
) -> tuple[dict[str, Person], Book] | Refusal:  # fmt: skip
    """The customers of `names` and a book with their accounts, held; Refusal `unknown_customer`.

    Of those in `own`, their own account is opened beside the one that they use.
    """
    found = people(connection, names)
    for _ in range(ATTEMPTS):
        if missing := next((name for name in names if name not in found), None):
            return unknown(missing)
        accounts = {person.holder for person in found.values()} | {found[name].id for name in own}
        book = Book(connection, program, accounts, recorded_at, live=live)
        again = people(connection, names)
        if again == found:
            return found, book
        found = again
    return busy()
