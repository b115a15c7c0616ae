"""A level given by hand: the closed club, and a floor under what purchases reach."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, update

from core.customers.holders import CUSTOMER, Person, opened
from core.events import append
from core.explain import suggest
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.writing import ACCOUNT
from core.program import Program
from core.tiers import invitations
from core.tiers.climb import Climb
from core.tiers.invitations import Invitation
from core.tiers.records import write
from core.tiers.standing import Standing

if TYPE_CHECKING:
    from core.purchases.receipts import Outcome

INSTANT = timedelta(microseconds=1)
# A reason is a sentence, not a file.
REASON_AT_MOST = 500


def invite(
    connection: Connection, program: Program, customer: str, level: str | None, author: str, reason: str,
    at: datetime, *, live: bool,
) -> "Outcome":  # fmt: skip
    """Hold a customer (external id) at a level from now on, in the caller's write transaction.

    They never stand below it, whatever they buy. None takes the invitation back: who held the level by it
    alone falls at once to what the purchases of the period and its grace reach. The same again changes
    nothing. Refused: `unknown_customer`, `unknown_level`, `no_author`, `no_reason`, `busy`.
    """
    from core.purchases.receipts import Recorded  # receipts stand on levels

    if refusal := _refused(program, level, author, reason):
        return refusal
    found = opened(connection, program, [customer], at, live=live)
    if isinstance(found, Refusal):
        return found
    people, book = found
    person, standing = people[customer], _standing(connection, people[customer])
    repeated = standing.invited_to == level
    if not repeated:
        invitation = Invitation(_moment(book, person, at), level, standing.invited_to)
        _hold(connection, program, person, standing, invitation)
        happenings = [invitations.happening(person.id, invitation, author.strip(), reason.strip())]
        happenings += write(connection, {person.id: standing}, at)
        append(connection, happenings, at, live=live)
    answer = {"customer": person.external_id, "invited_to": standing.invited_to, "tier": standing.tier}
    return Recorded(answer, repeated=repeated)


def _refused(program: Program, level: str | None, author: str, reason: str) -> Refusal | None:
    if level is not None and program.rank(level) < 0:
        advice = suggest(level, program.tier_names)
        return Refusal("unknown_level", f"the program has no level {level!r}; {advice}")
    if not author.strip():
        return Refusal("no_author", "say who invites the customer")
    if not reason.strip():
        return Refusal("no_reason", "say why the customer is invited")
    if len(reason) > REASON_AT_MOST:
        return Refusal("no_reason", f"say why in {REASON_AT_MOST} characters at most")
    return None


def _standing(connection: Connection, person: Person) -> Standing:
    columns = select(CUSTOMER.c.tier, CUSTOMER.c.tier_since, CUSTOMER.c.invited_to)
    return Standing(*connection.execute(columns.where(CUSTOMER.c.id == person.id)).one())


def _moment(book: Book, person: Person, at: datetime) -> datetime:
    """Strictly after what has happened: a purchase of the same instant was made without the invitation."""
    last = book.last_at[person.holder]
    return at if last is None or at > last else last + INSTANT


def _hold(
    connection: Connection, program: Program, person: Person, standing: Standing, invitation: Invitation
) -> None:
    climb = Climb(connection, program, {person.id: standing}, invitation.at, None)
    climb.invite(program, person.id, invitation.level, invitation.at)
    mine = update(CUSTOMER).where(CUSTOMER.c.id == person.id)
    connection.execute(mine.values(invited_to=invitation.level))
    # A receipt from before it comes late from now on.
    account = update(ACCOUNT).where(ACCOUNT.c.customer_id == person.holder)
    connection.execute(account.values(last_at=invitation.at))
