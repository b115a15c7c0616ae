"""What stands on a card: the model of `cards/*.yaml`, and one customer's card filled in from it.

A `Face` is the single source from which the Apple pass, the Google object and the picture are made, so
that the three never tell different stories.
"""

from wallet import limits
from wallet.design.card import (
    NEWS_KEY,
    NEWS_LINK_KEY,
    TIER_KEY,
    AppleCard,
    Barcode,
    BarcodeKind,
    Card,
    CardField,
    CardLink,
    Colours,
    Front,
    GoogleCard,
    Images,
    Near,
    Nfc,
    TierLook,
)
from wallet.design.face import Code, Face, Link, Shown
from wallet.design.filling import Renderer, resolve
from wallet.design.places import Place, nearest
from wallet.design.words import Colour, Key, Words, language_of, say, spoken

NFC_BYTES = limits.NFC.at_most

__all__ = [
    "NEWS_KEY", "NEWS_LINK_KEY", "NFC_BYTES", "TIER_KEY", "AppleCard", "Barcode", "BarcodeKind", "Card",
    "CardField", "CardLink", "Code", "Colour", "Colours", "Face", "Front", "GoogleCard", "Images", "Key",
    "Link", "Near", "Nfc", "Place", "Renderer", "Shown", "TierLook", "Words", "language_of", "nearest",
    "resolve", "say", "spoken",
]  # fmt: skip
