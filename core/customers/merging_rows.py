"""Rows that change their customer when a duplicate is merged; those of the books never do."""

from sqlalchemy import Connection, Table, exists, select, update

from core.customers.holders import CUSTOMER
from core.ledger.reading import HOLD
from core.purchases.receipts import LINE, RECEIPT
from core.tables import ConsentRequest, Letter, PromoCode, PromoUse, ReferralCode

REQUEST = ConsentRequest.__table__  # type: ignore[attr-defined]
LETTER = Letter.__table__  # type: ignore[attr-defined]
CODE = PromoCode.__table__  # type: ignore[attr-defined]
USE = PromoUse.__table__  # type: ignore[attr-defined]
REFERRAL = ReferralCode.__table__  # type: ignore[attr-defined]
# A receipt is the buyer's: its return, its share of levels and statistics are the survivor's from now on.
# So is what waits for a letter: a no that the survivor says has to find it.
THEIRS: tuple[Table, ...] = (RECEIPT, LINE, CODE, USE, REQUEST, LETTER)


def repoint(connection: Connection, duplicate: int, survivor: int, holder: int) -> None:
    """Let receipts, promo codes, holds, friends and what waits for a letter be the survivor's.

    `holder` is whose account the survivor uses.
    """
    for table in THEIRS:
        mine = update(table).where(table.c.customer_id == duplicate)
        connection.execute(mine.values(customer_id=survivor))
    _holds(connection, duplicate, survivor, holder)
    friends = update(CUSTOMER).where(CUSTOMER.c.referred_by == duplicate)
    connection.execute(friends.where(CUSTOMER.c.id != survivor).values(referred_by=survivor))
    connection.execute(friends.values(referred_by=None))
    has_one = exists(select(REFERRAL.c.code).where(REFERRAL.c.customer_id == survivor))
    if not connection.scalar(select(has_one)):
        code = update(REFERRAL).where(REFERRAL.c.customer_id == duplicate)
        connection.execute(code.values(customer_id=survivor))


def _holds(connection: Connection, duplicate: int, survivor: int, holder: int) -> None:
    bought = update(HOLD).where(HOLD.c.buyer_id == duplicate)
    connection.execute(bought.values(buyer_id=survivor))
    still_open = HOLD.c.customer_id.in_([duplicate, survivor]) & (HOLD.c.state == "open")
    connection.execute(update(HOLD).where(still_open).values(customer_id=holder))
