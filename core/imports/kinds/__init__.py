"""One file a kind: how its rows become facts, and how the facts are stored."""

from core.imports.kinds.base import Kind
from core.imports.kinds.consents import Consents
from core.imports.kinds.customers import Customers
from core.imports.kinds.products import Products
from core.imports.kinds.receipts import Receipts
from core.imports.kinds.stores import Stores
from core.imports.kinds.suppressions import Suppressions

KINDS: dict[str, type[Kind]] = {
    "customers": Customers,
    "receipts": Receipts,
    "products": Products,
    "stores": Stores,
    "consents": Consents,
    "suppressions": Suppressions,
}
