"""A receipt in the log, at the level debug, with the numbers of its events: its messages name them."""

import structlog
from sqlalchemy import select

from core.db import Database
from core.events import EVENT
from core.purchases.sales import Purchase
from core.purchases.stored import RECEIPT
from scheduler.following import wanted

LOG = structlog.get_logger("tidings.api")


def receipt(database: Database, purchase: Purchase) -> None:
    """Say that it is recorded, and as what."""
    if not wanted():
        return
    with database.read() as connection:
        mine = RECEIPT.c.external_id == purchase.external_id
        row = connection.execute(select(RECEIPT.c.customer_id, RECEIPT.c.operation_id).where(mine)).one()
        caused = select(EVENT.c.id).where(
            EVENT.c.customer_id == row.customer_id, EVENT.c.subject.in_((purchase.external_id, purchase.key))
        )
        events = connection.scalars(caused.order_by(EVENT.c.id)).all()
    LOG.debug(
        "receipt recorded", receipt=purchase.external_id, customer=row.customer_id,
        operation=row.operation_id, event_ids=list(events),
    )  # fmt: skip
