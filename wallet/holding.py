"""Whose card is in a wallet now: on an Apple device that registered for it, or saved to Google Wallet."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select

from wallet.tables import CURRENT, PASS, REGISTRATION

_ON_A_DEVICE = exists().where(REGISTRATION.c.serial == PASS.c.serial).correlate_except(REGISTRATION)
# The pass is good, and a wallet has it.
HELD: ColumnElement[bool] = and_(CURRENT, PASS.c.voided.is_(False), or_(PASS.c.google_saved, _ON_A_DEVICE))


def in_a_wallet(customer: ColumnElement[Any]) -> ColumnElement[bool]:
    """The customer of this column has the card in a wallet."""
    return exists().where(PASS.c.customer_id == customer, HELD).correlate_except(PASS)


def cards_of(connection: Connection, customers: Sequence[int]) -> dict[int, str]:
    """Customer → the serial of their pass, for those whose card is in a wallet."""
    held = select(PASS.c.customer_id, PASS.c.serial).where(PASS.c.customer_id.in_(customers), HELD)
    return {row.customer_id: row.serial for row in connection.execute(held)}


def wallets_of(connection: Connection, customers: Sequence[int]) -> Mapping[int, Sequence[str]]:
    """Customer → the wallets that have their card (`apple`, `google`), for those whose card is in one."""
    held = select(PASS.c.customer_id, _ON_A_DEVICE.label("apple"), PASS.c.google_saved.label("google"))
    rows = connection.execute(held.where(PASS.c.customer_id.in_(customers), HELD))
    return {row.customer_id: [name for name in ("apple", "google") if getattr(row, name)] for row in rows}
