"""Codes by which a customer confirms spending many bonuses: drawn, sent by SMS, and said at the till.

A code belongs to one hold. It is good for five minutes and five tries; then a new one must be asked for. The
caller sends it, outside the transaction and once, and says what became of it (`settle`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from core.customers.addresses import ADDRESS, SUPPRESSION
from core.ledger.lots import Refusal
from core.ledger.reading import HOLD
from core.tables import ConfirmationCode

CODE = ConfirmationCode.__table__  # type: ignore[attr-defined]
CHANNEL = "sms"
DIGITS = 6
VALID = timedelta(minutes=5)
TRIES = 5
PAUSE, WINDOW, WITHIN_WINDOW = timedelta(minutes=1), timedelta(hours=1), 5


def _draw() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


@dataclass(frozen=True, slots=True)
class Confirmer:
    """Knows codes by their keyed digests; `draw` makes them."""

    secret: bytes = field(repr=False)
    draw: Callable[[], str] = _draw

    def digest(self, receipt: str, code: str) -> str:
        """HMAC-SHA-256 of a hold's code, hex."""
        body = f"confirmation:{receipt}:{code}".encode()
        return hmac.new(self.secret, body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A code on its way: send it once to `phone`, then `settle` it. Its `repr` shows neither."""

    id: int
    receipt: str
    customer_id: int
    points: int
    code: str = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """No code now: one was sent a moment ago, or many within the hour."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """How the newest code of a hold stands. `state` is `none` before the first one, and again while a cart
    that was changed waits for a new one; `phone` is masked.
    """

    state: str
    reason: str | None
    phone: str | None
    valid_until: datetime | None
    tries_left: int
    ask_again_at: datetime | None


def reachable(connection: Connection, customer_id: int) -> str | Refusal:
    """The phone that a code may go to; Refusal `no_phone` or `number_suppressed`."""
    closed = exists().where(SUPPRESSION.c.channel == CHANNEL, SUPPRESSION.c.digest == ADDRESS.c.digest)
    mine = select(ADDRESS.c.value, closed).where(
        ADDRESS.c.customer_id == customer_id, ADDRESS.c.kind == "phone", ADDRESS.c.active
    )
    row = connection.execute(mine.order_by(ADDRESS.c.since.desc(), ADDRESS.c.id.desc()).limit(1)).first()
    if row is None:
        return Refusal(
            "no_phone", "so many bonuses are confirmed by SMS, and no phone of the customer is known"
        )
    if row[1]:
        return Refusal(
            "number_suppressed", "so many bonuses are confirmed by SMS, and this number takes none"
        )
    return str(row[0])


def draw(connection: Connection, confirmer: Confirmer, hold: Any, now: datetime) -> Drawn | Waiting | Refusal:
    """A new code for a hold (its row), under the account's lock; an older one is good no more."""
    phone = reachable(connection, hold.buyer_id)
    if isinstance(phone, Refusal):
        return phone
    if until := _wait(connection, hold.buyer_id, now):
        return Waiting(until)
    code = confirmer.draw()
    digest = confirmer.digest(hold.external_id, code)
    mine = update(HOLD).where(HOLD.c.id == hold.id)
    connection.execute(mine.values(code_digest=digest, code_tries=0))
    values = {"hold_id": hold.id, "customer_id": hold.buyer_id, "state": "sending", "at": now}
    made = connection.execute(insert(CODE).values(**values, changed_at=now).returning(CODE.c.id))
    return Drawn(int(made.scalar_one()), hold.external_id, hold.buyer_id, hold.points, code, phone)


def settle(connection: Connection, code_id: int, state: str, reason: str | None, now: datetime) -> None:
    """What became of a code that was sent: `sent`, `failed` or `unknown`."""
    own = update(CODE).where(CODE.c.id == code_id)
    connection.execute(own.values(state=state, reason=reason, changed_at=now))


def check(
    connection: Connection, confirmer: Confirmer, hold: Any, code: str | None, now: datetime
) -> Refusal | None:
    """Whether this is the code of a hold, under the account's lock. A wrong one is a try less, which stays
    counted: the caller commits the transaction though it was refused.

    Refused: `code_required`, `code_expired`, `too_many_tries`, `code_wrong`.
    """
    if not code:
        return Refusal("code_required", "ask the customer for the code that they were sent, and say it here")
    sent_at = _newest(connection, hold.id)
    if hold.code_digest is None or sent_at is None or now >= sent_at.at + VALID:
        return Refusal("code_expired", "no code is good now; ask for a new one")
    if hold.code_tries >= TRIES:
        return Refusal("too_many_tries", f"{TRIES} codes were wrong; ask for a new one")
    if hmac.compare_digest(hold.code_digest, confirmer.digest(hold.external_id, code)):
        return None
    connection.execute(update(HOLD).where(HOLD.c.id == hold.id).values(code_tries=HOLD.c.code_tries + 1))
    left = TRIES - hold.code_tries - 1
    more = "one more try" if left == 1 else f"{left} more tries" if left else "ask for a new one"
    return Refusal("code_wrong", f"this is not the code; {more}")


def status(connection: Connection, hold: Any, now: datetime) -> Status:
    """How it stands with the code of a hold (its row)."""
    newest = _newest(connection, hold.id) if hold.code_digest else None
    phone = reachable(connection, hold.buyer_id)
    return Status(
        state=newest.state if newest else "none",
        reason=newest.reason if newest else None,
        phone=None if isinstance(phone, Refusal) else masked(phone),
        valid_until=newest.at + VALID if newest else None,
        tries_left=max(0, TRIES - hold.code_tries) if newest else 0,
        ask_again_at=_wait(connection, hold.buyer_id, now),
    )


def masked(phone: str) -> str:
    """Enough for a customer to recognise their phone."""
    return f"{phone[:4]}•••{phone[-2:]}"


def _newest(connection: Connection, hold_id: int) -> Any | None:
    mine = select(CODE).where(CODE.c.hold_id == hold_id)
    return connection.execute(mine.order_by(CODE.c.id.desc()).limit(1)).first()


def _wait(connection: Connection, customer_id: int, now: datetime) -> datetime | None:
    """Until when no code is sent to the customer; what certainly did not leave does not count."""
    mine = select(CODE.c.at).where(
        CODE.c.customer_id == customer_id, CODE.c.at > now - WINDOW, CODE.c.state != "failed"
    )
    times = connection.scalars(mine.order_by(CODE.c.at.desc()).limit(WITHIN_WINDOW)).all()
    waits = [times[0] + PAUSE] if times else []
    waits += [times[-1] + WINDOW] if len(times) == WITHIN_WINDOW else []
    later = [it for it in waits if it > now]
    return max(later) if later else None
