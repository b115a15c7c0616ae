"""Bonuses spent."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import ColumnElement, FromClause, and_, func, literal

from core.db import json_text
from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, whole_number
from triggers.ledger import RECEIPT, store_name, to_survivor, with_receipt
from triggers.marks import Points

SPENT = "redemption"


class BonusRedeemedParameters(Parameters):
    """Which redemptions are worth a message."""

    at_least: Points = Field(default_factory=lambda: Points(0), description="bonuses spent, whole units")


class BonusRedeemed(EventTrigger[BonusRedeemedParameters]):
    """The customer paid with bonuses; of a household, the member who bought.

    What a return gave back was not spent. Bonuses that were given away, adjusted by hand or taken back are
    not spent either.
    """

    name: ClassVar[str] = "bonus_redeemed"
    event: ClassVar[str] = "bonus_redeemed"
    Parameters = BonusRedeemedParameters
    facts = {
        "amount": Fact("points", "how much was spent, less what was given back"),
        "receipt": Fact("text", "the number of the receipt"),
        "total": Fact("money", "what the purchase came to, bonuses included"),
        "store": Fact("text", "the name of the store, or its code"),
    }

    def told(self, events: FromClause) -> FromClause:
        """The buyer; a member's bonuses are paid from the account of the household."""
        whom = func.coalesce(RECEIPT.c.customer_id, EVENT.c.customer_id)
        return to_survivor(with_receipt(events), whom)

    def condition(self, parameters: BonusRedeemedParameters, look: Look) -> ColumnElement[bool]:
        """Spent, large enough, and not given back."""
        how = func.coalesce(json_text(EVENT.c.data, "reason"), literal(SPENT))
        return and_(how == SPENT, _amount() >= max(1, look.program.to_points(parameters.at_least)))

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the event and its receipt."""
        return {
            "amount": _amount(),
            "receipt": RECEIPT.c.external_id,
            "total": RECEIPT.c.total,
            "store": store_name(),
        }


def _amount() -> ColumnElement[int]:
    return func.coalesce(RECEIPT.c.paid_points, whole_number(EVENT.c.data, "amount"))


TRIGGER = BonusRedeemed()
