"""Goods: one a row."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from core.imports.kinds.base import Effect, Kind, cell, must
from core.imports.kinds.directory import Described, describe
from core.imports.values import text
from core.purchases.goods import PRODUCT


class Products(Kind):
    """Known by `sku`; an empty value leaves what is known as it is."""

    def fact(self, values: Mapping[str, Any]) -> Described:
        """A row of `product`."""
        told = {name: cell(values, name, text) for name in ("name", "category", "brand")}
        return {"sku": must(values, "sku", text), **told}

    def store(self, connection: Connection, facts: Sequence[Described]) -> list[Effect]:
        """New ones are created, known ones changed where they differ."""
        return describe(connection, PRODUCT, "sku", facts)
