"""What event triggers ask of the books: the receipt of an event, its goods, its place among the others."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Table,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
)

from core.db import UtcDateTime
from core.tables import Customer, Entry, Operation, Product, Receipt, ReceiptLine, Store
from triggers.base import CUSTOMER, EVENT, Look

ENTRY: Table = Entry.__table__  # type: ignore[attr-defined]
LINE: Table = ReceiptLine.__table__  # type: ignore[attr-defined]
OPERATION: Table = Operation.__table__  # type: ignore[attr-defined]
PRODUCT: Table = Product.__table__  # type: ignore[attr-defined]
RECEIPT: Table = Receipt.__table__  # type: ignore[attr-defined]
STORE: Table = Store.__table__  # type: ignore[attr-defined]
# Whom something happened to, before a merger may have led to somebody else.
NAMED: Any = Customer.__table__.alias("named")  # type: ignore[attr-defined]

# What the keys of operations begin with that receipts make.
OF_RECEIPT = "receipt:"


def to_survivor(events: FromClause, whom: ColumnElement[int]) -> FromClause:
    """Joins the customer who is told (`CUSTOMER`): of a duplicate that was merged since, the survivor."""
    survivor = CUSTOMER.c.id == func.coalesce(NAMED.c.merged_into, NAMED.c.id)
    found = events.join(NAMED, NAMED.c.id == whom)
    return found.join(CUSTOMER, and_(survivor, CUSTOMER.c.erased_at.is_(None)))


def with_receipt(events: FromClause) -> FromClause:
    """Joins the receipt of the operation that an event is about, if that was a purchase."""
    key = EVENT.c.subject
    purchase = func.substr(key, 1, len(OF_RECEIPT)) == OF_RECEIPT
    receipt = and_(purchase, RECEIPT.c.external_id == func.substr(key, len(OF_RECEIPT) + 1))
    return events.outerjoin(RECEIPT, receipt)


def kept(*goods: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether such goods are on a line of the receipt of which something was kept."""
    mine = [LINE.c.receipt_id == RECEIPT.c.id, or_(LINE.c.returned < LINE.c.quantity, LINE.c.returned == 0)]
    # Counted, not `EXISTS`: that would let a planner read the lines of everybody to find these.
    lines = select(func.count()).select_from(LINE).where(*mine, *goods).correlate(RECEIPT)
    return lines.scalar_subquery() > 0


def category() -> ColumnElement[str]:
    """The category of a line: as it was when it was bought, else as the catalogue says now."""
    known = select(PRODUCT.c.category).where(PRODUCT.c.sku == LINE.c.sku)
    return func.coalesce(LINE.c.category, known.scalar_subquery())


def goods_names() -> ColumnElement[str]:
    """What was bought and kept, in the order of the receipt: `Espresso, Croissant`."""
    names = (
        select(func.coalesce(PRODUCT.c.name, LINE.c.sku).label("name"))
        .select_from(LINE.outerjoin(PRODUCT, PRODUCT.c.sku == LINE.c.sku))
        .where(LINE.c.receipt_id == RECEIPT.c.id)
        .where(or_(LINE.c.returned < LINE.c.quantity, LINE.c.returned == 0))
        .order_by(LINE.c.line)
        .correlate(RECEIPT)
        .subquery("goods")
    )
    listed = func.aggregate_strings(names.c.name, ", ")
    return select(listed).select_from(names).scalar_subquery()


def store_name() -> ColumnElement[str]:
    """The name of the receipt's store, or its code if it has none."""
    name = select(STORE.c.name).where(STORE.c.code == RECEIPT.c.store).correlate(RECEIPT)
    return func.coalesce(name.scalar_subquery(), RECEIPT.c.store)


def number() -> ColumnElement[int]:
    """Which purchase of the customer the receipt is; what came back whole is not counted."""
    before = RECEIPT.alias("before")
    own = [before.c.customer_id == RECEIPT.c.customer_id, before.c.id <= RECEIPT.c.id]
    counted = select(func.count()).where(*own, before.c.returned_at.is_(None))
    return counted.correlate(RECEIPT).scalar_subquery()


def expired(look: Look) -> ColumnElement[int]:
    """Points that the operation wrote off in the end: its own entries, and those that corrected them.

    Its own were written with its event: whoever reads that sees them, however early the look took its time.
    """
    known = ENTRY.c.recorded_at <= literal(look.at, UtcDateTime)
    theirs = or_(
        and_(ENTRY.c.operation_id == OPERATION.c.id, ENTRY.c.corrects.is_(None)),
        and_(ENTRY.c.corrects == OPERATION.c.id, known),
    )
    total = select(-func.coalesce(func.sum(ENTRY.c.amount), 0)).where(theirs, ENTRY.c.kind == "expiry")
    return cast(total.correlate(OPERATION).scalar_subquery(), ENTRY.c.amount.type)
