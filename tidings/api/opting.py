"""What follows when somebody writes STOP or START to a number, or a provider says that they did."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select

from core.customers.addresses import ADDRESS, SUPPRESSION, THE_CUSTOMER, Answerable, lift, suppress
from core.customers.consent import BY_PROVIDER, CONSENT, MARKETING, Choice, choose
from core.customers.profiles import phone_number
from core.customers.proof import given
from core.customers.suppressions import ERASED
from core.db import insert_ignoring
from core.tables import HeardReply
from tidings.api.services import Services

HEARD = HeardReply.__table__  # type: ignore[attr-defined]

KIND = "phone"


def by_stop(channel: str) -> str:
    """The source of consent that a STOP took away; START gives it back, and none withdrawn elsewhere."""
    return f"{channel}: STOP"


def by_provider(channel: str) -> str:
    """Likewise, where the provider told of it."""
    return f"{channel}: provider"


def stop(
    here: Services, connection: Connection, channel: str, phone: str, source: str, text: str | None = None
) -> bool:
    """Nothing more to this number on the channel; whether that is news. `text` is what the customer wrote."""
    digest = digest_of(here, phone)
    if digest is None:
        return False
    news = _why(connection, channel, digest) is None
    suppress(connection, channel, digest, "stop", here.now())
    _choose(here, connection, owners(connection, digest), channel, False, source, text)
    return news


def start(
    here: Services, connection: Connection, channel: str, phone: str, text: str, provider_id: str
) -> None:
    """The number may be used again, and who had said STOP agrees again by `text`.

    Once for each reply (`provider_id`): the same one heard again must not undo a later STOP. What an erasure
    began it does not end.
    """
    digest = digest_of(here, phone)
    if digest is None or not _first_time(here, connection, provider_id):
        return
    if _why(connection, channel, digest) == ERASED:
        return
    lift(connection, channel, digest, Answerable(THE_CUSTOMER, "START"), here.now())
    withdrawn = select(CONSENT.c.customer_id).where(
        CONSENT.c.customer_id.in_(owners(connection, digest)), CONSENT.c.channel == channel,
        CONSENT.c.purpose == MARKETING, ~CONSENT.c.granted,
        CONSENT.c.source.in_((by_stop(channel), by_provider(channel), BY_PROVIDER)),
    )  # fmt: skip
    again = list(connection.scalars(withdrawn))
    _choose(here, connection, again, channel, True, f"{channel}: START", text)


def _why(connection: Connection, channel: str, digest: str) -> str | None:
    """Why the number is left alone on the channel; None if it is not."""
    known = and_(SUPPRESSION.c.channel == channel, SUPPRESSION.c.digest == digest)
    found: str | None = connection.scalar(select(SUPPRESSION.c.reason).where(known))
    return found


def _first_time(here: Services, connection: Connection, provider_id: str) -> bool:
    heard = insert_ignoring(connection, HEARD).values(provider_id=provider_id[:200], at=here.now())
    return connection.execute(heard.returning(HEARD.c.provider_id)).first() is not None


def give_up(
    here: Services, connection: Connection, channel: str, phone: str, fault: str, reason: str
) -> None:
    """What a provider said of a number: `opted_out`, or never to be used on the channel again."""
    if fault == "opted_out":
        stop(here, connection, channel, phone, by_provider(channel))
    elif (digest := digest_of(here, phone)) is not None:
        suppress(connection, channel, digest, reason, here.now())


def digest_of(here: Services, phone: str) -> str | None:
    """What suppression knows the number by; None for what is no number."""
    try:
        return here.workspace.addresses.digest(KIND, phone_number(phone))
    except ValueError:
        return None


def owners(connection: Connection, digest: str) -> list[int]:
    """Whose number it is now; a former owner's consent is not theirs to withdraw."""
    own = select(ADDRESS.c.customer_id).where(ADDRESS.c.digest == digest, ADDRESS.c.kind == KIND)
    return sorted(set(connection.scalars(own.where(ADDRESS.c.active))))


def _choose(
    here: Services, connection: Connection, ids: Sequence[int], channel: str, granted: bool, source: str,
    text: str | None,
) -> None:  # fmt: skip
    now, proof = here.now(), given(text=text)
    choices = [Choice(it, channel, granted, now, source, proof=proof) for it in ids]
    choose(connection, choices, now, live=True)
