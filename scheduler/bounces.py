"""What follows from a bounce and from a complaint: the message's state, its cascade, the address, consent.

| report | message | address |
|---|---|---|
| hard | *failed*, or on to its next channel | suppressed |
| soft, other | the same | suppressed once the last emails came back on five different days |
| policy | the same | left alone: it is our reputation, or their taste |
| complaint | as it is | suppressed; consent to marketing by email is withdrawn |

The same report twice changes nothing the second time, so a mailbox may be read again after a crash.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Table, func, literal, select, update

from campaigns.states import keep_states
from campaigns.tables import WAITING, Attempt, Message
from channels.email.reports import Bounce, Complaint, Neither, Report, read
from channels.email.reports.inbox import Inbox, Verdict
from core.clock import Clock
from core.customers.addresses import ADDRESS, suppress
from core.customers.consent import Choice, choose
from core.customers.profiles import CUSTOMER
from core.db import Database, UtcDateTime
from core.errors import EnvironmentFault
from core.links import Links
from core.tables import Letter
from scheduler.mailboxes import BOUNCED, SOFT_BOUNCES, is_given_up
from scheduler.outbox import doubtful
from scheduler.outcomes import Heard, confirm, note

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
LETTER = Letter.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.bounces")

CHANNEL, KIND = "email", "email"
COMPLAINED = "complained"
BY_COMPLAINT = "email: complaint"
# A report names its message in a few places; what names hundreds is somebody's game.
MOST_TOKENS = 20


class Returned(StrEnum):
    """What became of something that came back."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    REPEATED = "repeated"
    FORGED = "forged"
    """No message of ours is named in it, it is not signed by us, or its address is not kept any more."""
    TOO_EARLY = "too_early"
    """Its message is being sent at this moment: ask again."""
    UNREADABLE = "unreadable"
    AUTO_REPLY = "auto_reply"
    DELAYED = "delayed"
    ARRIVED = "arrived"
    OTHER_FEEDBACK = "other_feedback"
    LETTER = "letter"


# Somebody may want to read these.
_FOR_PEOPLE = (Returned.LETTER, Returned.UNREADABLE)


class Bounces:
    """Takes back what came back."""

    def __init__(self, database: Database, links: Links, clock: Clock) -> None:
        self._database, self._links, self._clock = database, links, clock

    def take(self, data: bytes, recipients: Sequence[str] = ()) -> Returned:
        """One message as it arrived; `recipients` are those of its envelope, where they are known."""
        try:
            report = read(data, recipients)
        except Exception as error:  # noqa: BLE001 - strangers write these; their words may be personal
            LOG.warning("not readable", error=type(error).__name__)
            return Returned.UNREADABLE
        try:
            with self._database.write() as connection:
                return take_back(connection, self._links, report, self._clock.now())
        except EnvironmentFault:
            raise
        except Exception as error:  # noqa: BLE001 - one report must not keep all later ones from being read
            LOG.error("not taken back", error=type(error).__name__)  # noqa: TRY400 - its words may be personal
            return Returned.UNREADABLE

    def read(self, inbox: Inbox) -> Counter[Returned]:
        """Everything unread in a mailbox: what became of it → how many. Unreadable as `Inbox.read`."""
        counts: Counter[Returned] = Counter()

        def deal(data: bytes) -> Verdict:
            returned = self.take(data)
            counts[returned] += 1
            if returned is Returned.TOO_EARLY:
                return "later"
            return "letter" if returned in _FOR_PEOPLE else "report"

        inbox.read(deal)
        return counts


def take_back(connection: Connection, links: Links, report: Report, at: datetime) -> Returned:
    """What follows from one report, in one transaction."""
    if isinstance(report, Neither):
        return Returned(report.what)
    found = _message(connection, links, report.tokens)
    if found is None:
        returned = _letter_came_back(connection, links, report, at)
        if returned is Returned.FORGED:
            LOG.warning("nobody's", kind=type(report).__name__.lower())
        return returned
    row, address = found
    address = address or _address(connection, row, report.addresses)
    returned = (
        _bounced(connection, row, address, report, at)
        if isinstance(report, Bounce)
        else _complained(connection, row, address, at)
    )
    status = {"kind": report.kind, "status": report.status} if isinstance(report, Bounce) else {}
    LOG.info("returned", message=row.id, what=str(returned), **status)
    return returned


def _message(
    connection: Connection, links: Links, tokens: Sequence[str]
) -> tuple[Row[Any], Row[Any] | None] | None:
    """The message that a report names, held until the transaction ends, and the address that it went to.

    A token that was signed before it was bound to an address tells none.
    """
    for token, row in _named(connection, links, tokens, MESSAGE):
        own = select(ADDRESS).where(ADDRESS.c.customer_id == row.customer_id, ADDRESS.c.kind == KIND)
        for address in connection.execute(own):
            if links.read_bounce(token, address.value) is not None:
                return row, address
        if links.read_bounce(token) is not None:
            return row, None
    return None


def _named(
    connection: Connection, links: Links, tokens: Sequence[str], table: Table
) -> Iterator[tuple[str, Row[Any]]]:  # fmt: skip
    """The rows of the numbers in tokens, forged or not, held."""
    for token in [*dict.fromkeys(tokens)][:MOST_TOKENS]:
        if (number := links.returned_of(token)) is None:
            continue
        row = connection.execute(select(table).where(table.c.id == number).with_for_update()).first()
        if row is not None:
            yield token, row


def _letter_came_back(
    connection: Connection, links: Links, report: Bounce | Complaint, at: datetime
) -> Returned:
    """A letter that somebody waits for has no message: only its address is concerned."""
    row = next(
        (
            row
            for token, row in _named(connection, links, report.tokens, LETTER)
            if any(links.read_letter_bounce(token, bound_to) is not None for bound_to in (row.digest, ""))
        ),
        None,
    )
    if row is None:
        return Returned.FORGED
    what, reason = (BOUNCED, report.reason) if isinstance(report, Bounce) else (COMPLAINED, COMPLAINED)
    if row.reason == reason:
        return Returned.REPEATED
    connection.execute(
        update(LETTER).where(LETTER.c.id == row.id).values(state="failed", reason=reason, changed_at=at)
    )
    if isinstance(report, Complaint) or report.kind == "hard":
        suppress(connection, CHANNEL, row.digest, reason, at)
    if isinstance(report, Complaint):
        _withdraw(connection, row.customer_id, at)
    LOG.info("returned", letter=row.id, what=what)
    return Returned(what)


def _bounced(
    connection: Connection, row: Row[Any], address: Row[Any] | None, report: Bounce, at: datetime
) -> Returned:
    if row.state == "sending" and row.channel == CHANNEL:
        return Returned.TOO_EARLY
    if row.channel == CHANNEL and row.provider_id is not None:
        heard = confirm(connection, row.provider_id, BOUNCED, report.reason, at)
    else:  # it has gone on to another channel meanwhile, or nobody knew whether it had left
        heard = note(connection, row, CHANNEL, BOUNCED, report.reason, at)
    if heard is not Heard.NEWS:
        return Returned.REPEATED
    if report.kind == "hard" and _may_have_left(connection, row):
        _did_leave(connection, row, report.reason, at)
    if address is not None and (reason := _why_suppress(connection, row, address, report)):
        suppress(connection, CHANNEL, address.digest, reason, at)
    return Returned.BOUNCED


def _may_have_left(connection: Connection, row: Row[Any]) -> bool:
    """Whether it waits to be sent again, or for nothing any more, because nobody knew what became of it."""
    if row.channel != CHANNEL or row.state not in (*WAITING, "unknown") or row.accepted_at is not None:
        return False
    return row.id in doubtful(connection, [row])


def _did_leave(connection: Connection, row: Row[Any], reason: str, at: datetime) -> None:
    """It left and did not arrive, nor will another copy: the next delivery moves it on (`fall_back`)."""
    values = {"state": "sent", "reason": reason, "fallback_at": at, "changed_at": at}
    connection.execute(update(MESSAGE).where(MESSAGE.c.id == row.id).values(**values))
    keep_states(connection, [row.id])


def _complained(connection: Connection, row: Row[Any], address: Row[Any] | None, at: datetime) -> Returned:
    if note(connection, row, CHANNEL, COMPLAINED, None, at) is not Heard.NEWS:
        return Returned.REPEATED
    if address is not None:
        suppress(connection, CHANNEL, address.digest, COMPLAINED, at)
    _withdraw(connection, row.customer_id, at)
    return Returned.COMPLAINED


def _withdraw(connection: Connection, customer_id: int, at: datetime) -> None:
    """Who was merged with somebody since is that person now."""
    owner = select(func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id)).where(CUSTOMER.c.id == customer_id)
    who = connection.scalar(owner) or customer_id
    choose(connection, [Choice(who, CHANNEL, False, at, BY_COMPLAINT)], at, live=True)


def _address(connection: Connection, row: Row[Any], named: frozenset[str]) -> Row[Any] | None:
    """Where the token does not tell: the customer's own that the report names, be it no longer theirs.

    A report may name none of them (the mailbox forwards to another): then the newest one that was there.
    """
    own = select(ADDRESS).where(ADDRESS.c.customer_id == row.customer_id, ADDRESS.c.kind == KIND)
    newest = own.order_by(ADDRESS.c.since.desc(), ADDRESS.c.id.desc()).limit(1)
    if found := connection.execute(newest.where(func.lower(ADDRESS.c.value).in_(named))).first():
        return found
    left = connection.scalar(
        select(func.max(ATTEMPT.c.at)).where(ATTEMPT.c.message_id == row.id, ATTEMPT.c.channel == CHANNEL)
    )
    there = newest.where(ADDRESS.c.active, ADDRESS.c.since <= literal(left, UtcDateTime))
    return connection.execute(there).first() if left else None


def _why_suppress(
    connection: Connection, row: Row[Any], address: Row[Any], report: Bounce
) -> str | None:  # fmt: skip
    if report.kind == "policy":
        return None
    if report.kind == "hard":
        return report.reason
    left = connection.scalar(
        select(func.max(ATTEMPT.c.at)).where(
            ATTEMPT.c.message_id == row.id, ATTEMPT.c.channel == CHANNEL, ATTEMPT.c.outcome == "accepted"
        )
    )
    return SOFT_BOUNCES if left is not None and is_given_up(connection, address, left) else None
