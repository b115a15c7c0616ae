"""Whom a channel reaches at this moment, and which channel of a cascade comes next.

Consent, suppression and address are looked at again just before sending (promise 8), and once more when one
channel has failed: the next one must be open to the customer as it would be to a message planned now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, func, literal, literal_column, or_, select, update

from campaigns.as_begun import folder_of
from campaigns.gates.allowance import counts
from campaigns.gates.entry import HEARD, survivors
from campaigns.running import Running
from campaigns.tables import RESERVED, Attempt, Message
from channels import discover
from channels.base import CARD, NO_ADDRESS
from core.customers.addresses import ADDRESS, SUPPRESSION
from core.customers.consent import CONSENT, MARKETING
from core.customers.profiles import CUSTOMER
from core.db import UtcDateTime
from core.db.hot import Many
from core.db.sets import among
from wallet.holding import cards_of

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

MessageRow = Row[Any]
GONE_ON = "gone_on"
# Asked for every chunk.
_ADDRESSES = Many(
    ADDRESS.c.customer_id, ADDRESS.c.value, SUPPRESSION.c.reason,
    tail="FROM address LEFT JOIN suppression ON suppression.channel = {} "
    "AND suppression.digest = address.digest "
    "WHERE address.customer_id {ids} AND address.kind = {} AND address.active "
    "ORDER BY address.since, address.id",
)  # fmt: skip
_GRANTED = Many(
    CONSENT.c.customer_id,
    tail="FROM consent WHERE customer_id {ids} AND channel = {} AND purpose = {} AND granted",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Some customers as one channel sees them: who agreed, who has an address, the newest usable one.

    Where the channel needs no address, everybody's is their external id. A card's is the serial of the pass,
    while it is in a wallet.
    """

    agreed: frozenset[int]
    known: frozenset[int]
    addresses: Mapping[int, str]

    def gate(self, row: MessageRow) -> str | None:
        """What keeps this message off the channel; None if nothing does."""
        if row.purpose == MARKETING and row.customer_id not in self.agreed:
            return "no_consent"
        if row.customer_id in self.addresses:
            return None
        return "suppressed" if row.customer_id in self.known else "unreachable"


@dataclass(slots=True)
class Reach:
    """Looks at channels for the customers of some messages, each channel once.

    What it grants it counts: two messages of one customer do not both take the last place of an allowance.
    """

    connection: Connection
    running: Running
    at: datetime
    rows: Sequence[MessageRow]
    _standings: dict[str, Standing] = field(default_factory=dict)
    # Channel → customer → how many more marketing messages; None where the program sets no allowance.
    _rooms: dict[str, dict[int, int] | None] = field(default_factory=dict)

    def of(self, channel: str) -> Standing:
        """How the customers stand with a channel."""
        if channel not in self._standings:
            self._standings[channel] = self._look(channel)
        return self._standings[channel]

    def onward(self, row: MessageRow) -> str | None:
        """The next channel of the cascade that has a text and is open to the customer; each comes once.

        The caller moves the message there: its place in the channel's allowance is taken.
        """
        channel = next((channel for channel in after(row) if self._is_open(channel, row)), None)
        if channel is not None and row.purpose == MARKETING:
            self._take_place(channel, row.customer_id)
        return channel

    def _is_open(self, channel: str, row: MessageRow) -> bool:
        words = words_of(self.running, row)
        if channel not in self.running.kinds or not self.running.library.has(words, channel, None):
            return False
        if row.purpose == MARKETING and not self._has_room(channel, row.customer_id):
            return False
        return self.of(channel).gate(row) is None

    @property
    def _customers(self) -> list[int]:
        return sorted({row.customer_id for row in self.rows})

    def _look(self, channel: str) -> Standing:
        kind = self.running.kinds[channel]
        if kind == NO_ADDRESS:
            named = select(CUSTOMER.c.id, CUSTOMER.c.external_id).where(CUSTOMER.c.id.in_(self._customers))
            names = {row.id: row.external_id for row in self.connection.execute(named)}
            return Standing(self._agreed(channel), frozenset(names), names)
        if kind == CARD:
            cards = cards_of(self.connection, self._customers)
            return Standing(self._agreed(channel), frozenset(cards), cards)
        found = _ADDRESSES(self.connection, channel, self._customers, kind)
        # The newest comes last and stays.
        usable = {customer: value for customer, value, suppressed in found if suppressed is None}
        return Standing(self._agreed(channel), frozenset(row[0] for row in found), usable)

    def _agreed(self, channel: str) -> frozenset[int]:
        if all(row.purpose != MARKETING for row in self.rows):
            return frozenset()
        granted = _GRANTED(self.connection, self._customers, channel, MARKETING)
        return frozenset(row[0] for row in granted)

    def _has_room(self, channel: str, customer: int) -> bool:
        room = self._room(channel)
        return room is None or room[customer] > 0

    def _take_place(self, channel: str, customer: int) -> None:
        room = self._room(channel)
        if room is not None:
            room[customer] -= 1

    def _room(self, channel: str) -> dict[int, int] | None:
        if channel not in self._rooms:
            self._rooms[channel] = self._count(channel)
        return self._rooms[channel]

    def _count(self, channel: str) -> dict[int, int] | None:
        """What is left of the channel's allowance, counted as the gate counts it."""
        allowance = self.running.program.allowances.marketing.get(channel)
        if allowance is None:
            return None
        duplicates = survivors(self.connection, self._customers)
        counted = select(MESSAGE.c.customer_id, func.count().label("used")).where(
            MESSAGE.c.customer_id.in_([*self._customers, *duplicates]), MESSAGE.c.purpose == MARKETING,
            MESSAGE.c.channel == channel, MESSAGE.c.state.in_(RESERVED),
            or_(MESSAGE.c.customer_id.in_(self._customers), HEARD),
            counts(allowance, self.at, self.running.program.zone),
        )  # fmt: skip
        left = dict.fromkeys(self._customers, allowance.count)
        for row in self.connection.execute(counted.group_by(MESSAGE.c.customer_id)):
            left[duplicates.get(row.customer_id, row.customer_id)] -= row.used
        return left


def words_of(running: Running, row: MessageRow) -> str:
    """The folder of the message's words, which may have got another name since it was planned."""
    return folder_of(row.message, row.step, running.scenarios.get(row.scenario), running)


def after(row: MessageRow) -> Sequence[str]:
    """The channels of the message's cascade behind the one it stands on."""
    channels: list[str] = row.channels
    return channels[channels.index(row.channel) + 1 :] if row.channel in channels else ()


def regretted(connection: Connection, rows: Sequence[MessageRow]) -> set[int]:
    """Marketing messages to which their customers said no on a channel that had taken them over.

    Whoever answers STOP to an SMS has heard it, and is not told once more by email.
    """
    ids = [row.id for row in rows if row.accepted_at is not None and row.purpose == MARKETING]
    if not ids:
        return set()
    taken_over = among(ATTEMPT.c.message_id, ids) & ATTEMPT.c.provider_id.is_not(None)
    same = (CONSENT.c.customer_id == ATTEMPT.c.customer_id) & (CONSENT.c.channel == ATTEMPT.c.channel)
    no = (CONSENT.c.purpose == MARKETING) & ~CONSENT.c.granted
    return set(connection.scalars(select(ATTEMPT.c.message_id).join(CONSENT, same).where(taken_over, no)))


def way_of(connection: Connection, row: MessageRow, provider_id: str) -> str:
    """The channel by which a message left under this name; by now it may stand on the next of its cascade."""
    tries = (ATTEMPT.c.message_id == row.id) & (ATTEMPT.c.provider_id == provider_id)
    found: str | None = connection.scalar(select(ATTEMPT.c.channel).where(tries).limit(1))
    return found or row.channel


def leave_behind(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """These messages go on, not confirmed in time or not delivered: a later report finds their tries."""
    named = {row.id: row.provider_id for row in rows if row.provider_id}
    tries = among(ATTEMPT.c.message_id, list(named)) & ATTEMPT.c.provider_id.in_(list(named.values()))
    if named:
        taken_over = tries & (ATTEMPT.c.outcome == "accepted")
        connection.execute(update(ATTEMPT).where(taken_over).values(reason=GONE_ON))


def left_behind(connection: Connection, provider_id: str) -> Row[Any] | None:
    """The try of this name from which its message has gone on; None if there is none."""
    # Spelled out: an index on a part of the table serves only a condition that repeats it to the letter.
    gone_on = ATTEMPT.c.reason == literal_column(f"'{GONE_ON}'")
    own = select(ATTEMPT).where(gone_on, ATTEMPT.c.provider_id == provider_id)
    return connection.execute(own.order_by(ATTEMPT.c.id.desc()).limit(1)).first()


def address_used(connection: Connection, row: MessageRow, channel: str, at: datetime) -> str | None:
    """The newest address of the channel's kind that was there when the message left.

    Who was merged with somebody since has none that is active: theirs are the survivor's, or put aside.
    """
    kind = discover()[channel].address_kind
    own = select(ADDRESS.c.value).where(ADDRESS.c.customer_id == row.customer_id, ADDRESS.c.kind == kind)
    merged = exists().where(CUSTOMER.c.id == row.customer_id, CUSTOMER.c.merged_into.is_not(None))
    there = own.where(ADDRESS.c.since <= literal(at, UtcDateTime), or_(ADDRESS.c.active, merged))
    found: str | None = connection.scalar(
        there.order_by(ADDRESS.c.since.desc(), ADDRESS.c.id.desc()).limit(1)
    )
    return found
