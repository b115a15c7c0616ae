"""Shops: one a row."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from core.imports.kinds.base import Effect, Kind, cell, must
from core.imports.kinds.directory import Described, describe
from core.imports.values import degrees, text
from core.tables import Store

STORE = Store.__table__  # type: ignore[attr-defined]


class Stores(Kind):
    """Known by `code`; an empty value leaves what is known as it is."""

    def fact(self, values: Mapping[str, Any]) -> Described:
        """A row of `store`."""
        return {
            "code": must(values, "code", text),
            "name": cell(values, "name", text),
            "city": cell(values, "city", text),
            "latitude": cell(values, "latitude", partial(degrees, limit=90)),
            "longitude": cell(values, "longitude", partial(degrees, limit=180)),
        }

    def store(self, connection: Connection, facts: Sequence[Described]) -> list[Effect]:
        """New ones are created, known ones changed where they differ."""
        return describe(connection, STORE, "code", facts)
