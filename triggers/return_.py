"""A return."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import ColumnElement, FromClause, true

from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, utc_text, whole_number
from triggers.ledger import RECEIPT, store_name, to_survivor
from triggers.marks import Money


class ReturnParameters(Parameters):
    """Which returns are meant."""

    at_least: Money | None = Field(
        default=None, description="what the returned goods had cost, in the program's currency"
    )


class Return(EventTrigger[ReturnParameters]):
    """Goods came back: a whole receipt, or a part of one. Told to the buyer; nothing undoes it."""

    name: ClassVar[str] = "return"
    event: ClassVar[str] = "return"
    Parameters = ReturnParameters
    facts = {
        "receipt": Fact("text", "the number of the receipt that they were bought with"),
        "amount": Fact("money", "what they had cost"),
        "kept": Fact("money", "what is left of the purchase; 0 if all came back"),
        "store": Fact("text", "the name of the store, or its code"),
        "bought_on": Fact("local_date", "the day of the purchase"),
        "taken_back": Fact("points", "the bonuses that they had earned, taken back now"),
        "given_back": Fact("points", "the bonuses that they were paid with, given back now"),
    }

    def told(self, events: FromClause) -> FromClause:
        """The buyer. A merged duplicate's receipts are the survivor's."""
        receipts = events.join(RECEIPT, RECEIPT.c.external_id == EVENT.c.subject)
        return to_survivor(receipts, RECEIPT.c.customer_id)

    def condition(self, parameters: ReturnParameters, look: Look) -> ColumnElement[bool]:
        """Large enough."""
        if parameters.at_least is None:
            return true()
        return whole_number(EVENT.c.data, "returned") >= look.program.to_money(parameters.at_least)

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the event: of a receipt that came back in two parts, each says its own."""
        returned = whole_number(EVENT.c.data, "returned")
        return {
            "receipt": RECEIPT.c.external_id,
            "amount": returned,
            "kept": whole_number(EVENT.c.data, "total") - returned,
            "store": store_name(),
            "bought_on": utc_text(RECEIPT.c.at),
            "taken_back": whole_number(EVENT.c.data, "taken_back"),
            "given_back": whole_number(EVENT.c.data, "given_back"),
        }


TRIGGER = Return()
