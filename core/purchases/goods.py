"""What the catalogue says of the goods in a batch of receipts."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from core.db.hot import Hot
from core.tables import Product

PRODUCT = Product.__table__  # type: ignore[attr-defined]
# PostgreSQL, which does not see how few are asked for, would read a catalogue of thousands from end to end.
_KNOWN = Hot(
    PRODUCT.c.sku, PRODUCT.c.category, PRODUCT.c.brand, tail="FROM product WHERE sku {names}",
    postgresql="FROM unnest({texts}) AS asked(sku) "
    "CROSS JOIN LATERAL (SELECT * FROM product WHERE sku = asked.sku LIMIT 1) AS product",
)  # fmt: skip


class Goods(NamedTuple):
    """Where a product belongs; None where the catalogue does not say."""

    category: str | None
    brand: str | None


NOTHING_KNOWN = Goods(None, None)


class _Line(Protocol):
    @property
    def sku(self) -> str: ...


class _Basket(Protocol):
    @property
    def lines(self) -> Iterable[_Line]: ...


def goods_of(connection: Connection, baskets: Iterable[_Basket]) -> dict[str, Goods]:
    """Of the products in these baskets those that the catalogue has, by sku."""
    return ask_goods(connection, baskets)()


def ask_goods(connection: Connection, baskets: Iterable[_Basket]) -> Callable[[], dict[str, Goods]]:
    """The same, asked now and read later (`core.db.bulk.piped`)."""
    answer = _KNOWN.ask(connection, sorted({line.sku for basket in baskets for line in basket.lines}))
    return lambda: {sku: Goods(category, brand) for sku, category, brand in answer()}
