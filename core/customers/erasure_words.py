"""Finding a person's words in what the ledger answered and noted, and taking them out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, bindparam, cast, or_, select, update

from core.customers.addresses import ADDRESS, Addresses
from core.customers.holders import CUSTOMER
from core.db import json_text
from core.ledger.writing import OPERATION
from core.tables import Receipt

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
GONE = "(erased)"
# Shorter parts of a name are found in any text.
PART_AT_LEAST = 3
OPAQUE = "erased-"
# Operations by which all of an account goes to another, which is used instead from then on.
MOVES = ("household", "merge")
# A card's number this short is found in amounts, too.
SHORT = 8
# Nothing of a person, whatever their card is: amounts, days and times, numbers that say nothing.
_PLAIN = re.compile(
    rf"-?\d{{1,{SHORT - 1}}}(\.\d{{1,6}})?|\d{{4}}-\d\d-\d\d(T[\d:.+-]+Z?)?|{OPAQUE}[0-9a-f]{{32}}"
)


def opaque(addresses: Addresses, external_id: str) -> str:
    """The number that an erased customer has instead of their own; the same one for the same number."""
    return f"{OPAQUE}{addresses.digest('opaque', external_id)[:32]}"


def in_their_accounts(ids: Sequence[int]) -> ColumnElement[bool]:
    """Operations with the accounts of customers: their own, and those of households that they used, also of
    one that they have left since.
    """
    own = select(CUSTOMER.c.id.label("account")).where(CUSTOMER.c.id.in_(ids))
    shared = select(CUSTOMER.c.household_id).where(CUSTOMER.c.id.in_(ids))
    bought = select(OPERATION.c.customer_id).join(RECEIPT, RECEIPT.c.operation_id == OPERATION.c.id)
    known = own.union(shared, bought.where(RECEIPT.c.customer_id.in_(ids))).subquery()
    used = select(known.c.account).cte("used", recursive=True)
    # Who joins a household moves there, and all who are in it move on with its head.
    goes_to = cast(json_text(OPERATION.c.data, "receiver_id"), BigInteger)
    moved = select(goes_to).join(used, used.c.account == OPERATION.c.customer_id)
    used = used.union(moved.where(OPERATION.c.kind.in_(MOVES)))
    theirs: ColumnElement[bool] = OPERATION.c.customer_id.in_(select(used.c.account))
    return theirs


def arrived(ids: Sequence[int]) -> ColumnElement[bool]:
    """Operations by which others gave them bonuses, or their household."""
    theirs: ColumnElement[bool] = in_their_accounts(ids) & OPERATION.c.key.like("transfer:%:in")
    return theirs


class Scrubber:
    """The operations that may tell of some customers: their own, and those of accounts that they used."""

    def __init__(self, connection: Connection, ids: Sequence[int]) -> None:
        self._connection, self._ids = connection, ids
        columns = (
            CUSTOMER.c.id, CUSTOMER.c.external_id, CUSTOMER.c.name, CUSTOMER.c.phone, CUSTOMER.c.email,
            CUSTOMER.c.card,
        )  # fmt: skip
        self._people = connection.execute(select(*columns).where(CUSTOMER.c.id.in_(ids))).all()
        self._names = {row.external_id for row in self._people}
        self._pattern = self._words()

    def found(self) -> list[Row[Any]]:
        """Operations that name one of the customers."""
        return [row for row in self._operations() if self._tells(row.result) or self._tells(row.data)]

    def scrub(self, addresses: Addresses) -> None:
        """Take the words out; amounts, keys and opaque numbers stay."""
        instead = {name: opaque(addresses, name) for name in self._names}
        rows = [
            {"id_": row.id, "result_": self._without(row.result, instead),
             "data_": self._without(row.data, instead)}
            for row in self.found()
        ]  # fmt: skip
        if rows:
            columns = OPERATION.c
            new = {name: bindparam(f"{name}_", type_=columns[name].type) for name in ("result", "data")}
            one = update(OPERATION).where(columns.id == bindparam("id_")).values(**new)
            self._connection.execute(one, rows)

    def _operations(self) -> Sequence[Row[Any]]:
        theirs = or_(
            in_their_accounts(self._ids),
            OPERATION.c.key.in_(self._other_sides()),
        )
        columns = (OPERATION.c.id, OPERATION.c.result, OPERATION.c.data)
        return self._connection.execute(select(*columns).where(theirs).order_by(OPERATION.c.id)).all()

    def _other_sides(self) -> list[str]:
        """What others gave them: the giver's operation holds the answer."""
        keys = self._connection.scalars(select(OPERATION.c.key).where(arrived(self._ids)))
        return [f"{key.removesuffix(':in')}:out" for key in keys]

    def _words(self) -> re.Pattern[str] | None:
        """What must not be left: names and their parts as words, addresses and cards wherever they stand, but
        short ones where they are no part of another number.
        """
        inside = {value for row in self._people for value in (row.phone, row.email, row.card) if value}
        own = ADDRESS.c.customer_id.in_(self._ids)
        inside |= set(self._connection.scalars(select(ADDRESS.c.value).where(own)))
        names = {row.name for row in self._people if row.name}
        parts = {part for name in names for part in name.split() if len(part) >= PART_AT_LEAST}
        found = [
            rf"(?<!\w)(?<!\d\.){re.escape(it)}(?!\.?\w)" if len(it) < SHORT else re.escape(it)
            for it in sorted(inside)
        ]
        found += [rf"\b{re.escape(name)}\b" for name in sorted(names | parts)]
        return re.compile("|".join(found), re.IGNORECASE) if found else None

    def _tells(self, value: Any) -> bool:
        if isinstance(value, str):
            said = bool(self._pattern and not _PLAIN.fullmatch(value) and self._pattern.search(value))
            return value in self._names or said
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        return any(self._tells(part) for part in parts)

    def _without(self, value: Any, instead: Mapping[str, str]) -> Any:
        if isinstance(value, str):
            return instead.get(value) or (GONE if self._tells(value) else value)
        if isinstance(value, Mapping):
            return {key: self._without(part, instead) for key, part in value.items()}
        return [self._without(part, instead) for part in value] if isinstance(value, list) else value
