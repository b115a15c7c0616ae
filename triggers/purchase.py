"""A purchase."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import ColumnElement, FromClause, and_

from core.units import Series
from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, utc_text
from triggers.ledger import (
    LINE,
    RECEIPT,
    category,
    goods_names,
    kept,
    number,
    store_name,
    to_survivor,
)
from triggers.marks import Money


class PurchaseParameters(Parameters):
    """Which purchases are meant; what stands together must all be so."""

    at_least: Money | None = Field(default=None, description="what it comes to, in the program's currency")
    sku: Series[str] = Field(default=(), description="goods of which one was bought")
    category: Series[str] = Field(default=(), description="categories of which something was bought")
    store: Series[str] = Field(default=(), description="codes of the stores; all if left out")
    nth: int | None = Field(
        default=None, ge=1, description="only the customer's first (1), second … purchase"
    )


class Purchase(EventTrigger[PurchaseParameters]):
    """The customer bought something; of a household, the member who bought.

    What came back is not bought: a receipt counts with what was kept of it, and one that came back whole is
    no purchase. `nth: 3` is the purchase with which the customer has three, in the order in which they were
    recorded. A receipt that comes late therefore counts when it comes, and takes no number from a purchase
    that was told of; after a return the next purchase has the number again.
    """

    name: ClassVar[str] = "purchase"
    event: ClassVar[str] = "purchase"
    Parameters = PurchaseParameters
    facts = {
        "receipt": Fact("text", "the number of the receipt"),
        "total": Fact("money", "what it came to, less what was returned"),
        "goods": Fact("text", "what was bought: `Espresso, Croissant`"),
        "store": Fact("text", "the name of the store, or its code"),
        "bought_on": Fact("local_date", "the day of the purchase"),
        "number": Fact("number", "which purchase of the customer it is: 1 is the first"),
        "earned": Fact("points", "the bonuses that it earned"),
        "paid": Fact("points", "the bonuses that it was paid with"),
    }

    def told(self, events: FromClause) -> FromClause:
        """The buyer. A merged duplicate's receipts are the survivor's."""
        receipts = events.join(RECEIPT, RECEIPT.c.external_id == EVENT.c.subject)
        return to_survivor(receipts, RECEIPT.c.customer_id)

    def condition(self, parameters: PurchaseParameters, look: Look) -> ColumnElement[bool]:
        """Not returned, and with what was kept still as it is meant."""
        wanted: list[ColumnElement[bool]] = [RECEIPT.c.returned_at.is_(None)]
        if parameters.at_least is not None:
            wanted.append(RECEIPT.c.total >= look.program.to_money(parameters.at_least))
        if parameters.store:
            wanted.append(RECEIPT.c.store.in_(parameters.store))
        goods = [LINE.c.sku.in_(parameters.sku)] if parameters.sku else []
        goods += [category().in_(parameters.category)] if parameters.category else []
        wanted += [kept(*goods)] if goods else []
        if parameters.nth is not None:
            wanted.append(number() == parameters.nth)
        return and_(*wanted)

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the receipt."""
        return {
            "receipt": RECEIPT.c.external_id,
            "total": RECEIPT.c.total,
            "goods": goods_names(),
            "store": store_name(),
            "bought_on": utc_text(RECEIPT.c.at),
            "number": number(),
            "earned": RECEIPT.c.earned_points,
            "paid": RECEIPT.c.paid_points,
        }


TRIGGER = Purchase()
