"""Receipts: one line of a receipt a row, the rows of one receipt together, or JSON with nested `lines`.

A receipt goes in whole or not at all. Rows of one receipt that stand apart in the file are two receipts of
one number: the second is refused, since by then the first is in the books.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from core import tiers
from core.db.bulk import rows_of
from core.imports.kinds.base import Context, Effect, Kind, Rejected, cell, must, told
from core.imports.kinds.directory import describe
from core.imports.reading import Row
from core.imports.values import moment, text, units
from core.ledger.book import CHUNK
from core.ledger.expiry import expire
from core.ledger.lots import Refusal
from core.purchases.goods import PRODUCT
from core.purchases.receipts import CUSTOMER, Line, Outcome, Purchase, record

HEAD = ("customer", "at", "store", "pay_points")
GOODS = ("category", "brand", "product")
NO_GOODS = (None, None, None)
# Goods that were seen lately are not looked up again; more than these are forgotten at once.
GOODS_KEPT = 100_000
THOUSANDTHS = 3
ONE = 1000
APART = "is in the books with other lines; if its rows stand apart in the file, sort the file by receipt"


class Receipts(Kind):
    """Purchases as the till would have sent them."""

    shared = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.goods: dict[str, tuple[Any, ...]] = {}
        self.news: dict[str, dict[str, Any]] = {}
        self.buyers = bytearray()
        self.money_scale = self.program.money_scale

    def groups(self, rows: Iterator[Row]) -> Iterator[list[Row]]:
        """Rows that follow each other and name one receipt."""
        return (list(group) for _, group in groupby(rows, key=_number))

    def owner(self, group: list[Row]) -> str:
        """The customer, as the file names them."""
        values = group[0].values
        return str(values.get("customer")).strip() if isinstance(values, dict) else ""

    def read(self, group: list[Row]) -> Purchase:
        """A purchase; Rejected with what is wrong on each line."""
        first = group[0]
        faults = {row.line: row.fault for row in group if row.fault}
        if faults:
            raise Rejected(faults)
        nested = "lines" in first.values
        if nested and len(group) > 1:
            raise Rejected({group[1].line: "is the same receipt again"})
        parts = [(first.line, it) for it in first.values["lines"]] if nested else _lines(group)
        lines = self._read_lines(parts)
        try:
            return self._head(_head(group), lines)
        except ValueError as error:
            raise Rejected({first.line: str(error)}) from None

    def _head(self, values: Mapping[str, Any], lines: tuple[Line, ...]) -> Purchase:
        program = self.program
        return Purchase(
            must(values, "receipt", text),
            must(values, "customer", text),
            must(values, "at", lambda value: moment(value, program.zone)),
            lines,
            cell(values, "store", text),
            cell(values, "pay_points", lambda value: units(value, program.points.scale)) or 0,
            confirmed=True,
            from_file=True,
        )

    def _read_lines(self, parts: list[tuple[int, Mapping[str, Any]]]) -> tuple[Line, ...]:
        lines, faults = [], {}
        for number, values in parts:
            try:
                lines.append(self._line(values))
            except ValueError as error:
                faults[number] = str(error)
        if faults:
            raise Rejected(faults)
        return tuple(lines)

    def _line(self, values: Mapping[str, Any]) -> Line:
        # Written out, not through `must` and `cell`: a file has ten lines for each receipt.
        name = "sku"
        try:
            sku = text(values.get(name))
            name = "total"
            total = units(values.get(name), self.money_scale)
            name = "quantity"
            quantity = units(values.get(name), THOUSANDTHS)
        except ValueError as error:
            raise ValueError(told(name, error)) from None
        if sku is None or total is None:
            raise ValueError(f"'{'sku' if sku is None else 'total'}' is empty")
        if total < 0 or (quantity or 0) < 0:
            raise ValueError("'total' and 'quantity' may not be below zero; a return is told apart")
        goods = (values.get("category"), values.get("brand"), values.get("product"))
        if goods != NO_GOODS and self.goods.get(sku) != goods:
            self._learn(sku, goods)
        return Line(sku, ONE if quantity is None else quantity, total)

    def _learn(self, sku: str, goods: tuple[Any, ...]) -> None:
        if len(self.goods) >= GOODS_KEPT:
            self.goods.clear()
        category, brand, name = (cell(dict(zip(GOODS, goods, strict=True)), it, text) for it in GOODS)
        self.goods[sku] = goods
        self.news[sku] = {"sku": sku, "name": name, "category": category, "brand": brand}

    def store(self, connection: Connection, facts: Sequence[Purchase]) -> list[Effect]:
        """Receipts in the order of the file, which the ledger takes as the order of time."""
        describe(connection, PRODUCT, "sku", list(self.news.values()))
        self.news.clear()
        outcomes = record(connection, self.program, facts, self.context.recorded_at, live=self.context.live)
        self._remember(connection, {it.customer for it in facts})
        return [_effect(purchase, outcome) for purchase, outcome in zip(facts, outcomes, strict=True)]

    def _remember(self, connection: Connection, names: set[str]) -> None:
        self.touch(
            [number for (number,) in rows_of(connection, CUSTOMER, ("id",), "external_id", sorted(names))]
        )

    def touch(self, ids: Sequence[int]) -> None:
        """Who bought: a bit for each customer's id, so that a million of them take 125 KB."""
        for number in ids:
            place, bit = divmod(number, 8)
            if place >= len(self.buyers):
                self.buyers.extend(bytes(place + 1 - len(self.buyers)))
            self.buyers[place] |= 1 << bit

    def touched(self) -> list[int]:
        """Who bought, in the order of their ids."""
        return [
            place * 8 + bit for place, byte in enumerate(self.buyers) for bit in range(8) if byte >> bit & 1
        ]

    def finish(self) -> None:
        """Bring balances and levels up to today, without a word about it if this is history."""
        it = self.context
        expire(it.database, it.program, it.recorded_at, all_history=True)
        ids = self.touched()
        for start in range(0, len(ids), CHUNK):
            with it.database.write() as connection:
                chunk = ids[start : start + CHUNK]
                tiers.review(connection, it.program, it.recorded_at, among=chunk, live=it.live)


def _number(row: Row) -> Any:
    """What rows of one receipt have in common; a row without a number is alone."""
    number = row.values.get("receipt") if isinstance(row.values, dict) else None
    return (row.line,) if number is None or number == "" else number


def _lines(group: list[Row]) -> list[tuple[int, Mapping[str, Any]]]:
    return [(row.line, row.values) for row in group]


def _head(group: list[Row]) -> Mapping[str, Any]:
    """The head of a receipt, which every row repeats or leaves empty; Rejected if they contradict."""
    first: dict[str, Any] = group[0].values
    head = first
    for row in group[1:]:
        for name in HEAD:
            value = row.values.get(name)
            if value == head.get(name) or value is None or value == "":
                continue
            if head.get(name) not in (None, ""):
                raise Rejected({row.line: f"has another '{name}' than the receipt's first line"})
            head = {**head, name: value}
    return head


def _effect(purchase: Purchase, outcome: Outcome) -> Effect:
    if not isinstance(outcome, Refusal):
        return "unchanged" if outcome.repeated else "created"
    if outcome.reason == "conflict":
        return Refusal("conflict", f"receipt {purchase.external_id!r} {APART}")
    return outcome
