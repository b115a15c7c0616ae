"""The message on a card: put there, seen by a wallet, over. A card has one, the newest takes its place.

Apple Wallet tells of it by the change of its field, Google Wallet by a message of the object. What stands on
the card is news until `until`; then it is taken off without a sound, so that nobody reads an old offer.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, and_, bindparam, case, func, select

from wallet.holding import HELD
from wallet.tables import CURRENT, NEWS_LENGTH, PASS

ORDINARY = 50
"""The priority of a message of which nothing else is known, of 0 to 100."""
# What a card without a message has.
NONE: dict[str, Any] = dict.fromkeys(
    ("news", "news_title", "news_link", "news_at", "news_message", "news_priority", "news_until",
     "news_seen_at", "news_report_at")
)  # fmt: skip
_UNTOLD = PASS.c.news_report_at.is_not(None)
# What is left where a message was taken off: that it was seen, until the outbox is told so.
OFF: dict[str, Any] = NONE | {
    it.name: case((_UNTOLD, it)) for it in (PASS.c.news_message, PASS.c.news_seen_at, PASS.c.news_report_at)
}


@dataclass(frozen=True, slots=True)
class News:
    """A message for the pass `serial`. `message` is its name in the outbox, under which it may come again.

    `title` stands above it in place of the card's own word, `link` is an address. It is taken off at
    `until`; None leaves it until another one comes.
    """

    serial: str
    text: str = field(repr=False)
    at: datetime
    message: str | None = None
    priority: int = ORDINARY
    title: str | None = field(default=None, repr=False)
    link: str | None = field(default=None, repr=False)
    until: datetime | None = None


def held(connection: Connection, serials: Collection[str]) -> dict[str, int]:
    """Serial → customer, for the passes that are good and in a wallet now; held until the commit."""
    mine = select(PASS.c.serial, PASS.c.customer_id).where(PASS.c.serial.in_(serials), HELD)
    rows = connection.execute(mine.order_by(PASS.c.serial).with_for_update(of=PASS))
    return {row.serial: row.customer_id for row in rows}


def put(connection: Connection, news: Sequence[News]) -> None:
    """Put messages on passes; mark them afterwards (`updates.mark`), so that wallets hear of it.

    Of two for one pass the more important stands, else the later. The same message once more changes
    nothing; the same words of another message are no change that a wallet could show, so that they count as
    seen if they were seen before.
    """
    chosen = {it.serial: it for it in sorted(news, key=lambda it: it.priority)}
    if chosen:
        connection.execute(_PUT, [_values(it) for it in chosen.values()])


def _values(it: News) -> dict[str, Any]:
    return {
        "pass": it.serial, "text": it.text[:NEWS_LENGTH], "title": it.title, "link": it.link, "now": it.at,
        "message": it.message, "priority": it.priority, "until": it.until,
    }  # fmt: skip


def _same(name: str, column: Any) -> Any:
    return column.is_not_distinct_from(bindparam(name, type_=String()))


_NOW = bindparam("now", type_=PASS.c.news_at.type)
_AGAIN = and_(PASS.c.news_message == bindparam("message", type_=String()), PASS.c.news.is_not(None))
_SAME = and_(
    _same("text", PASS.c.news), _same("title", PASS.c.news_title), _same("link", PASS.c.news_link)
)  # fmt: skip
_PUT = (
    PASS.update()
    .where(PASS.c.serial == bindparam("pass"), CURRENT, PASS.c.voided.is_(False))
    .values(
        news=bindparam("text"),
        news_title=bindparam("title"),
        news_link=bindparam("link"),
        news_at=case((_AGAIN, PASS.c.news_at), else_=_NOW),
        news_message=bindparam("message"),
        news_priority=bindparam("priority"),
        news_until=bindparam("until"),
        news_seen_at=case((_SAME, PASS.c.news_seen_at)),
        news_report_at=case(
            (and_(_SAME, _AGAIN), PASS.c.news_report_at),
            (and_(_SAME, PASS.c.news_seen_at.is_not(None)), _NOW),
        ),
    )
)


def seen(connection: Connection, serial: str, message: str | None, now: datetime) -> None:
    """A wallet has the pass with this message on it: a phone fetched it, or Google took it.

    The first wallet counts. A message that another one has replaced meanwhile was not seen.
    """
    if message is None:
        return
    unseen = PASS.update().where(
        PASS.c.serial == serial, PASS.c.news_message == message, PASS.c.news_seen_at.is_(None)
    )
    connection.execute(unseen.values(news_seen_at=now, news_report_at=now))


def withdraw(connection: Connection, customers: Mapping[str, int], now: datetime) -> None:
    """Message → customer: they are told in another way. What no wallet has seen yet goes with `take_off`."""
    if customers:
        unseen = select(PASS.c.serial).where(
            PASS.c.customer_id.in_(customers.values()), PASS.c.news_message.in_(customers),
            PASS.c.news_seen_at.is_(None),
        )  # fmt: skip
        # In the order in which everybody holds passes.
        serials = list(connection.scalars(unseen.order_by(PASS.c.serial).with_for_update()))
        over = PASS.update().where(PASS.c.serial.in_(serials))
        connection.execute(over.values(news_until=now))


@dataclass(frozen=True, slots=True)
class Seen:
    """The message `message` was seen on the pass `serial` at `at`."""

    serial: str
    message: str
    at: datetime


def to_report(connection: Connection, now: datetime, limit: int) -> Sequence[Seen]:
    """Messages that were seen, and of which the outbox is to be told now."""
    waiting = select(PASS.c.serial, PASS.c.news_message, PASS.c.news_seen_at).where(
        PASS.c.news_report_at <= now
    )
    rows = connection.execute(waiting.order_by(PASS.c.news_report_at, PASS.c.serial).limit(limit))
    return [Seen(*row) for row in rows]


def unreported(connection: Connection, serials: Collection[str]) -> Sequence[Seen]:
    """The messages on these passes that were seen, and of which the outbox is not told yet."""
    waiting = select(PASS.c.serial, PASS.c.news_message, PASS.c.news_seen_at).where(
        PASS.c.serial.in_(serials), PASS.c.news_report_at.is_not(None)
    )
    return [Seen(*row) for row in connection.execute(waiting)]


def reported(connection: Connection, again: Mapping[Seen, datetime | None]) -> None:
    """The outbox was told of these; those with a time it did not know, and is told again at that time.

    A pass that has another message by now still waits for its own.
    """
    done = PASS.update().where(
        PASS.c.serial == bindparam("pass"), PASS.c.news_message == bindparam("message", type_=String())
    )
    if again:
        ordered = sorted(again.items(), key=lambda item: item[0].serial)  # as everybody holds passes
        values = [{"pass": it.serial, "message": it.message, "at": at} for it, at in ordered]
        at = bindparam("at", type_=PASS.c.news_report_at.type)
        connection.execute(done.values(news_report_at=at), values)


def any_over(connection: Connection, now: datetime) -> bool:
    """Whether a message has stood for long enough: a cheap look, so that nothing is locked in vain."""
    # The least of them is read from the index, whatever the planner believes of how many are over.
    first = connection.scalar(select(func.min(PASS.c.news_until)).where(PASS.c.news_until.is_not(None)))
    return first is not None and first <= now


def take_off(connection: Connection, now: datetime, limit: int) -> Sequence[int]:
    """Take messages off whose time is over; returns the customers, whose passes are to be marked."""
    over = select(PASS.c.serial).where(PASS.c.news_until <= now).order_by(PASS.c.news_until).limit(limit)
    serials = list(connection.scalars(over.with_for_update(skip_locked=True)))
    gone = PASS.update().where(PASS.c.serial.in_(serials)).values(**OFF).returning(PASS.c.customer_id)
    return list(connection.scalars(gone)) if serials else []
