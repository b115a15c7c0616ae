"""Chats with the program's Telegram bot: whose they are, since when, and whether the bot may still write.

A chat is an address of the kind `telegram`. It is joined by a link that names the customer; a chat is one
customer's and a customer has one chat, the newest of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select, update

from core.customers.addresses import ADDRESS, THE_CUSTOMER, Addresses, Answerable, alone, lift
from core.customers.consent import BY_PROVIDER, CONSENT, MARKETING, Choice, choose, hold
from core.customers.holders import CUSTOMER
from core.customers.proof import given
from core.db import upsert
from core.program import Program
from core.tables import HeardReply

HEARD = HeardReply.__table__  # type: ignore[attr-defined]
CHANNEL = KIND = "telegram"
BY_START, BY_STOP, BY_BLOCK = "telegram: /start", "telegram: /stop", "telegram: blocked"
# Delivery hears of a block too.
TAKEN_AWAY_BY = (BY_STOP, BY_BLOCK, BY_PROVIDER)
NEVER = 0
_MARKS = 0xFFFF


def bot_of(program: Program) -> str | None:
    """The name of the program's bot, without @."""
    name = (program.channels.get(CHANNEL) or {}).get("bot")
    return name.removeprefix("@") if isinstance(name, str) else None


def marks(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """What the links of customers hold of the chat joined last: 16 bits, `NEVER` (0) for those without."""
    mine = (ADDRESS.c.customer_id.in_(ids), ADDRESS.c.kind == KIND)
    newest = select(ADDRESS.c.customer_id, func.max(ADDRESS.c.since)).where(*mine)
    rows = connection.execute(newest.group_by(ADDRESS.c.customer_id)).all()
    return {customer_id: int(since.timestamp() * 1000) % _MARKS + 1 for customer_id, since in rows}


def survivor(connection: Connection, customer_id: int) -> int | None:
    """The customer, or whom they were merged into; None for somebody erased or unknown."""
    there = select(func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id)).where(CUSTOMER.c.id == customer_id)
    return connection.scalar(there.where(CUSTOMER.c.erased_at.is_(None)))


def _let_in(digest: str) -> str:
    """Under what it is kept when the bot was last let in."""
    return f"{KIND}/{digest}"


@dataclass(frozen=True, slots=True)
class Chats:
    """Keeps chats, in the caller's write transaction; `at` is when the person did it, `now` when we heard.

    Each act returns the customer, None where the chat is nobody's.
    """

    connection: Connection
    addresses: Addresses
    at: datetime
    now: datetime

    def join(self, customer_id: int, mark: int, chat: str) -> int | None:
        """The chat is the customer's from now on, and offers may go there; None for a link used up.

        The same link from the chat that it joined is no harm.
        """
        digest = self.addresses.digest(KIND, chat)
        alone(self.connection, digest)
        # Of two who come by one link at one moment, the second sees the first.
        hold(self.connection, [customer_id])
        if self._owner(digest) != customer_id:
            if marks(self.connection, [customer_id]).get(customer_id, NEVER) != mark:
                return None
            self._take(customer_id, chat, digest)
        lift(self.connection, CHANNEL, digest, Answerable(THE_CUSTOMER, BY_START), self.now)
        self._choose(customer_id, digest, BY_START, [MARKETING], granted=True)
        return customer_id

    def stop(self, chat: str) -> int | None:
        """No more offers; messages about the account may still come."""
        return self._withdraw(self.addresses.digest(KIND, chat), BY_STOP)

    def holder(self, chat: str) -> int | None:
        """Whose chat it is; nothing follows."""
        return self._owner(self.addresses.digest(KIND, chat))

    def block(self, chat: str) -> int | None:
        """The bot may write no more: nothing goes there, and offers are no longer agreed to.

        Updates that waited while nobody took them come several at a time, in any order: nothing follows where
        the bot was let in again since.
        """
        digest = self.addresses.digest(KIND, chat)
        let_in = select(HEARD.c.at).where(HEARD.c.provider_id == _let_in(digest), HEARD.c.at > self.at)
        if self.connection.scalar(let_in) is not None:
            return self._owner(digest)
        customer_id = self._withdraw(digest, BY_BLOCK)
        self._set_active(digest, False)
        return customer_id

    def resume(self, chat: str) -> int | None:
        """The bot was let in again: what stopping or blocking it took away is given back, and no more."""
        digest = self.addresses.digest(KIND, chat)
        alone(self.connection, digest)
        customer_id = self._owner(digest, active=None)
        if customer_id is None or not self._may_return(customer_id, digest):
            return None
        self._set_active(digest, True, customer_id)
        heard = upsert(self.connection, HEARD, ["provider_id"], ["at"], newer="at")
        self.connection.execute(heard, [{"provider_id": _let_in(digest), "at": self.at}])
        withdrawn = self._purposes(customer_id, ~CONSENT.c.granted, CONSENT.c.source.in_(TAKEN_AWAY_BY))
        self._choose(customer_id, digest, BY_START, withdrawn, granted=True)
        return customer_id

    def _take(self, customer_id: int, chat: str, digest: str) -> None:
        """The newest chat of both: nobody else's any more, and the customer's only one."""
        self._set_active(digest, False)
        self.addresses.put(self.connection, [(customer_id, KIND, chat)], [KIND], self.now)
        mine = (ADDRESS.c.customer_id == customer_id, ADDRESS.c.kind == KIND, ADDRESS.c.digest == digest)
        self.connection.execute(update(ADDRESS).where(*mine).values(since=self.now))

    def _withdraw(self, digest: str, source: str) -> int | None:
        customer_id = self._owner(digest)
        if customer_id is not None:
            purposes = {MARKETING, *self._purposes(customer_id, CONSENT.c.granted)}
            self._choose(customer_id, digest, source, sorted(purposes), granted=False)
        return customer_id

    def _purposes(self, customer_id: int, *which: ColumnElement[bool]) -> list[str]:
        mine = (CONSENT.c.customer_id == customer_id, CONSENT.c.channel == CHANNEL)
        return list(self.connection.scalars(select(CONSENT.c.purpose).where(*mine, *which)))

    def _may_return(self, customer_id: int, digest: str) -> bool:
        """Unless the customer has gone to another chat since, or is not there any more."""
        mine = (ADDRESS.c.customer_id == customer_id, ADDRESS.c.kind == KIND, ADDRESS.c.digest != digest)
        other = select(ADDRESS.c.id).where(*mine, ADDRESS.c.active).limit(1)
        there = survivor(self.connection, customer_id) == customer_id
        return there and self.connection.scalar(other) is None

    def _owner(self, digest: str, *, active: bool | None = True) -> int | None:
        mine = select(ADDRESS.c.customer_id).where(ADDRESS.c.kind == KIND, ADDRESS.c.digest == digest)
        if active is not None:
            mine = mine.where(ADDRESS.c.active.is_(active))
        return self.connection.scalar(mine.order_by(ADDRESS.c.since.desc(), ADDRESS.c.id.desc()).limit(1))

    def _set_active(self, digest: str, active: bool, customer_id: int | None = None) -> None:
        mine = (ADDRESS.c.kind == KIND) & (ADDRESS.c.digest == digest)
        if customer_id is not None:
            mine &= ADDRESS.c.customer_id == customer_id
        self.connection.execute(update(ADDRESS).where(mine).values(active=active))

    def _choose(
        self, customer_id: int, digest: str, source: str, purposes: Sequence[str], *, granted: bool
    ) -> None:  # fmt: skip
        proof = given(form="telegram bot", text=source.removeprefix("telegram: "))
        choices = [
            Choice(customer_id, CHANNEL, granted, self.at, source, it, proof=proof, digest=digest)
            for it in purposes
        ]
        choose(self.connection, choices, self.now, live=True)
