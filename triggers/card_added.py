"""A card in a wallet."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, and_, exists, literal, true

from core.db import UtcDateTime, json_text
from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, utc_text

KINDS = ("card_added", "card_removed")
LATER = EVENT.alias("later")


class CardParameters(Parameters):
    """Which wallet is meant."""

    wallet: Literal["apple", "google", "any"] = Field(
        default="any", description="apple, google, or any of them"
    )


class CardTrigger(EventTrigger[CardParameters]):
    """A card came to a wallet or left it, and nothing has happened to it there since."""

    Parameters = CardParameters
    facts = {
        "wallet": Fact("text", "apple or google"),
        "since": Fact("local_date", "the day on which it happened"),
    }

    def condition(self, parameters: CardParameters, look: Look) -> ColumnElement[bool]:
        """The last thing that happened to the customer's card in this wallet."""
        wallet = json_text(EVENT.c.data, "wallet")
        meant = true() if parameters.wallet == "any" else wallet == parameters.wallet
        overtaken = exists().where(
            LATER.c.customer_id == EVENT.c.customer_id, LATER.c.id > EVENT.c.id, LATER.c.kind.in_(KINDS),
            LATER.c.recorded_at <= literal(look.at, UtcDateTime), json_text(LATER.c.data, "wallet") == wallet,
        )  # fmt: skip
        return and_(meant, ~overtaken)

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the event itself."""
        return {"wallet": json_text(EVENT.c.data, "wallet"), "since": utc_text(EVENT.c.at)}


class CardAdded(CardTrigger):
    """The customer has the card in a wallet: on the first of their devices, or saved to Google Wallet.

    A second device is no news, nor is a pass in the place of another (a lost phone). Removed again before the
    message goes, it is no longer true.
    """

    name: ClassVar[str] = "card_added"
    event: ClassVar[str] = "card_added"


TRIGGER = CardAdded()
