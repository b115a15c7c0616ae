"""What the platforms take and show, in one table, each limit with its source.

How wide a text may be in its place on the front is no number: it is measured where the card is drawn
(wallet.preview), for places share their room.
"""

from dataclasses import dataclass
from typing import Literal

PASSES = "Wallet Passes, developer.apple.com/documentation/walletpasses"
GUIDE = "Wallet Developer Guide, developer.apple.com/library/archive"
API = "Google Wallet API v1, developers.google.com/wallet/reference/rest/v1"
TEMPLATE = "Loyalty template, developers.google.com/wallet/retail/loyalty-cards"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many `unit`; a rule without a number has 0. `beyond` is what becomes of more."""

    wallet: Literal["apple", "google"]
    what: str
    at_most: int
    unit: str
    beyond: str
    source: str


HEADER = Limit("apple", "header", 3, "fields", "refused", GUIDE)
PRIMARY = Limit("apple", "primary", 1, "field", "refused", GUIDE)
BELOW = Limit("apple", "secondary and auxiliary together", 4, "fields", "refused", PASSES)
PLACES = Limit("apple", "stores near by", 10, "stores", "refused", PASSES)
NFC = Limit("apple", "NFC message", 64, "bytes", "refused", PASSES)
SHARED = Limit("apple", "NFC with authentication", 0, "needs `sharing: false`", "warned of", PASSES)
BARCODE = Limit("apple", "barcode", 0, "ASCII: readers differ in all else", "warned of", PASSES)
CODE_128 = Limit("apple", "Code 128", 0, "ASCII; none on the Watch", "refused; warned of", GUIDE)
GOOGLE_PLACES = Limit("google", "stores near by", 10, "stores", "refused", API)
SMART_TAP = Limit("google", "Smart Tap value", 0, "ASCII", "refused", API)
ACCOUNT = Limit("google", "card number", 20, "characters", "cut off", API)
HOLDER = Limit("google", "customer's name", 20, "characters", "cut off", API)
TITLE = Limit("google", "program's name", 20, "characters", "cut off", API)
CELLS = Limit("google", "fields in a row", 3, "fields", "only among the details", TEMPLATE)
ROWS = Limit("google", "rows of fields", 3, "rows", "only among the details", TEMPLATE)
MODULES = Limit("google", "fields besides points and level", 10, "fields", "not shown", API)
MODULE_LABEL = Limit("google", "label among the details", 35, "characters", "cut off", API)
MODULE_VALUE = Limit("google", "value among the details", 500, "characters", "cut off", API)
LINK_LABEL = Limit("google", "link's label", 20, "characters", "cut off", API)

LIMITS = (
    HEADER, PRIMARY, BELOW, PLACES, NFC, SHARED, BARCODE, CODE_128,
    GOOGLE_PLACES, SMART_TAP, ACCOUNT, HOLDER, TITLE, CELLS, ROWS, MODULES, MODULE_LABEL, MODULE_VALUE,
    LINK_LABEL,
)  # fmt: skip
