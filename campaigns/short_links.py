"""Links that an SMS leads to by a short address: kept once, however many messages say them."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from campaigns.tables import TrackedLink
from channels import discover
from core.db import insert_ignoring
from core.links import Links
from core.program import Program
from templates.tracking import Follow

LINK = TrackedLink.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A link that is kept. `shared` ones belong to nobody and stay for ever."""

    id: int
    shared: bool


def keep(connection: Connection, url: str, customer_id: int) -> ShortLink:
    """The link, kept if it is new; what a second customer is sent is shared by all."""
    digest = hashlib.sha256(url.encode()).hexdigest()
    row = {"digest": digest, "url": url, "customer_id": customer_id}
    connection.execute(insert_ignoring(connection, LINK).values(row))
    own = select(LINK.c.id, LINK.c.customer_id).where(LINK.c.digest == digest)
    found = connection.execute(own).one()
    if found.customer_id not in (None, customer_id):
        connection.execute(update(LINK).where(LINK.c.id == found.id).values(customer_id=None))
    return ShortLink(found.id, found.customer_id != customer_id)


def address_of(connection: Connection, link_id: int) -> str | None:
    """Where a link leads; None if it was forgotten with its customer."""
    address: str | None = connection.scalar(select(LINK.c.url).where(LINK.c.id == link_id))
    return address


def as_long(program: Program, channel: str, links: Links) -> dict[str, Follow]:
    """For a text that is only looked at: links that lead nowhere, as long as those that would be sent."""
    shortened = program.tracking.clicks and "short" in discover()[channel].linked_parts.values()
    return {"track": lambda url: None if links.is_direct(url) else links.sample()} if shortened else {}
