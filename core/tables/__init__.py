"""The tables of the facts.

Points are integers at the program's scale, money is in minor units, times are aware UTC, dates are days
in the program's zone. Every table about a customer carries `customer_id`, so that the data can be
partitioned by customer. Rows of `event`, `operation` and `entry` are only ever added.
"""

from core.tables.books import Account, Entry, Hold, Lot, Operation, ProgramRun, ProgramVersion
from core.tables.columns import customer_ref, identity, json_column, moment, units
from core.tables.confirmations import ConfirmationCode
from core.tables.consents import Consent, ConsentRequest, HeardReply, Letter
from core.tables.events import Cursor, Event
from core.tables.goods import Product, Receipt, ReceiptLine, Store
from core.tables.imports import ImportPart
from core.tables.people import (
    Address,
    Customer,
    CustomerStats,
    LiftedSuppression,
    Suppression,
    TierChange,
    TimeZone,
)
from core.tables.promo import PromoCode, PromoUse, ReferralCode
from core.tables.references import unchecked_on_postgres

__all__ = [
    "Account",
    "Address",
    "ConfirmationCode",
    "Consent",
    "ConsentRequest",
    "Cursor",
    "Customer",
    "CustomerStats",
    "Entry",
    "Event",
    "HeardReply",
    "Hold",
    "ImportPart",
    "Letter",
    "LiftedSuppression",
    "Lot",
    "Operation",
    "Product",
    "ProgramRun",
    "ProgramVersion",
    "PromoCode",
    "PromoUse",
    "Receipt",
    "ReceiptLine",
    "ReferralCode",
    "Store",
    "Suppression",
    "TierChange",
    "TimeZone",
    "customer_ref",
    "identity",
    "json_column",
    "moment",
    "unchecked_on_postgres",
    "units",
]
