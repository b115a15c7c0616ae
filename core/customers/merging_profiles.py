"""Two profiles become one: the survivor's word counts, the duplicate fills what it leaves open."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.customers.addresses import ADDRESS
from core.customers.consent import CONSENT, REQUEST, Choice, Key, choose, decide, in_force
from core.customers.holders import CUSTOMER
from core.customers.profiles import PROFILE
from core.db import insert_ignoring, upsert
from core.grants.referrals import came_by

# A phone has one shop's app, a person several phones: these addresses stand beside each other.
MANY = ("push",)
SOURCE = "merge"


def join_profiles(
    connection: Connection, duplicate: int, survivor: int, holder: int, at: datetime, *, live: bool
) -> None:
    """Join profile, addresses, consents, friends and household, and let the duplicate lead to the survivor.

    `holder` is whose account the survivor uses from now on.
    """
    both = select(CUSTOMER).where(CUSTOMER.c.id.in_([duplicate, survivor]))
    rows = {row.id: row for row in connection.execute(both)}
    _addresses(connection, duplicate, survivor)
    _consents(connection, duplicate, survivor, at, live)
    _waiting(connection, survivor, at)
    _leave(connection, rows[duplicate], survivor, at)
    values = _joined(connection, rows[survivor], rows[duplicate], holder)
    connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == survivor).values(**values, updated_at=at))
    shared = update(CUSTOMER).where(CUSTOMER.c.household_id == duplicate)
    connection.execute(shared.values(household_id=survivor))
    # Who was merged into the duplicate before leads to the survivor at once, not by two steps.
    connection.execute(
        update(CUSTOMER).where(CUSTOMER.c.merged_into == duplicate).values(merged_into=survivor)
    )


def _joined(connection: Connection, own: Row[Any], other: Row[Any], holder: int) -> dict[str, Any]:
    values = {name: getattr(own, name) or getattr(other, name) for name in PROFILE}
    birthday = values["birthday"]
    # Whom one profile has brought may have brought the other: nobody brings themselves in a circle.
    inviters = (it for it in (own.referred_by, other.referred_by) if it is not None)
    both = (own.id, other.id)
    return {
        **values,
        "birthday_md": birthday.month * 100 + birthday.day if birthday else None,
        "attributes": {**other.attributes, **own.attributes},
        "registered_at": min(own.registered_at, other.registered_at),
        "invited_to": own.invited_to or other.invited_to,
        "referred_by": next((it for it in inviters if not came_by(connection, it, both)), None),
        "household_id": None if holder == own.id else holder,
    }


def _leave(connection: Connection, row: Row[Any], survivor: int, at: datetime) -> None:
    """The duplicate keeps what leads to the survivor, and nothing that a look could find them by.

    A card that the survivor takes over is theirs alone.
    """
    kept = select(CUSTOMER.c.card).where(CUSTOMER.c.id == survivor)
    values: dict[str, Any] = {
        "merged_into": survivor, "household_id": None, "referred_by": None, "birthday": None,
        "birthday_md": None, "updated_at": at,
    }  # fmt: skip
    if row.card and connection.scalar(kept) is None:
        values["card"] = None
    connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == row.id).values(**values))


def _addresses(connection: Connection, duplicate: int, survivor: int) -> None:
    """Phones with the app come over; a phone number or an email only where the survivor has none."""
    rows = connection.execute(
        select(ADDRESS).where(ADDRESS.c.customer_id.in_([duplicate, survivor])).order_by(ADDRESS.c.id)
    ).all()
    has = {row.kind for row in rows if row.customer_id == survivor and row.active}
    wanted = [
        row for row in rows if row.customer_id == duplicate and (row.kind in MANY or row.kind not in has)
    ]
    _copy(connection, wanted, survivor)
    mine = update(ADDRESS).where(ADDRESS.c.customer_id == duplicate)
    connection.execute(mine.values(active=False))


def _copy(connection: Connection, rows: Sequence[Row[Any]], survivor: int) -> None:
    columns = ("kind", "value", "digest", "active", "since")
    keys = ["customer_id", "kind", "value"]
    for row in rows:
        values = {name: getattr(row, name) for name in columns}
        # One that the survivor gave up once is theirs again if the duplicate was reached there.
        copied = (
            upsert(connection, ADDRESS, keys, ["active", "since"])
            if row.active
            else insert_ignoring(connection, ADDRESS)
        )
        connection.execute(copied.values(**values, customer_id=survivor))


def _consents(connection: Connection, duplicate: int, survivor: int, at: datetime, live: bool) -> None:
    """The later choice counts; of two choices of one moment, the refusal."""
    rows = connection.execute(select(CONSENT).where(CONSENT.c.customer_id.in_([duplicate, survivor]))).all()
    own = {(row.channel, row.purpose): row for row in rows if row.customer_id == survivor}
    choices = []
    for row in rows:
        mine = own.get((row.channel, row.purpose))
        later = mine is None or row.at > mine.at or (row.at == mine.at and not row.granted)
        if row.customer_id == duplicate and later and (mine is None or mine.granted != row.granted):
            choices.append(
                Choice(
                    survivor,
                    row.channel,
                    row.granted,
                    row.at,
                    row.source or SOURCE,
                    row.purpose,
                    row.wording,
                    row.proof,
                    row.digest,
                )
            )
    choose(connection, choices, at, live=live)
    connection.execute(CONSENT.delete().where(CONSENT.c.customer_id == duplicate))


def _waiting(connection: Connection, survivor: int, at: datetime) -> None:
    """Of two yeses that wait for a letter the later goes on waiting, unless a later choice is in force."""
    theirs = select(REQUEST).where(REQUEST.c.customer_id == survivor, REQUEST.c.state == "open")
    latest: dict[Key, Any] = {}
    replaced = []
    for row in connection.execute(theirs.order_by(REQUEST.c.at, REQUEST.c.id)):
        key = (survivor, row.channel, row.purpose)
        replaced += [latest[key].id] if key in latest else []
        latest[key] = row
    said = in_force(connection, [survivor])
    answered = {key: row.id for key, row in latest.items() if key in said and row.at <= said[key].at}
    decide(connection, replaced, "replaced", at)
    decide(connection, [it for key, it in answered.items() if said[key].granted], "replaced", at)
    decide(connection, [it for key, it in answered.items() if not said[key].granted], "withdrawn", at)
