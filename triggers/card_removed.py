"""A card that left a wallet."""

from typing import ClassVar

from triggers.card_added import CardTrigger


class CardRemoved(CardTrigger):
    """The customer has the card in a wallet no more: on none of their devices, or deleted in Google Wallet.

    Added again before the message goes, it is no longer true. The card may still be in another wallet; ask
    the audience (`has_card`) where that matters. Nobody has removed it when a pass was replaced, or made void
    because its holder was erased or merged.
    """

    name: ClassVar[str] = "card_removed"
    event: ClassVar[str] = "card_removed"


TRIGGER = CardRemoved()
