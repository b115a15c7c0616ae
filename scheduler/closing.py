"""What a provider said of an address: nothing more to it, and no consent where its owner opted out there."""

from datetime import datetime

from sqlalchemy import Connection, select

from channels import AddressFault, discover
from core.customers.addresses import ADDRESS, give_up
from core.customers.consent import BY_PROVIDER, Choice, choose
from scheduler.reach import MessageRow, address_used


def close_address(
    connection: Connection, row: MessageRow, channel: str, address: str, fault: AddressFault, reason: str,
    at: datetime,
) -> None:  # fmt: skip
    """What a provider said of an address: it concerns this address on this channel alone.

    Who opted out at the provider has also withdrawn consent for the channel.
    """
    kind = discover()[channel].address_kind
    own = (ADDRESS.c.customer_id == row.customer_id) & (ADDRESS.c.kind == kind) & (ADDRESS.c.value == address)
    digest = connection.scalar(select(ADDRESS.c.digest).where(own))
    if digest is not None:
        give_up(connection, channel, kind, digest, reason, at)
    if fault == "opted_out":
        choose(connection, [Choice(row.customer_id, channel, False, at, BY_PROVIDER)], at, live=True)


def close_used(
    connection: Connection, row: MessageRow, channel: str, used_at: datetime, fault: AddressFault,
    reason: str, at: datetime,
) -> None:  # fmt: skip
    """The same, of the address that the message went to at a time, if it is known still."""
    used = address_used(connection, row, channel, used_at)
    if used is not None:
        close_address(connection, row, channel, used, fault, reason, at)
