"""Receipts: one line of a receipt a row, the rows of one receipt together, or JSON with nested `lines`.

A receipt goes in whole or not at all. Rows of one receipt that stand apart in the file are two receipts of
one number: the second is refused, since by then the first is in the books.
"""

from collections.abc import Iterator, Mapping, Sequence
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
OF_LINES = ("sku", "quantity", "total", *GOODS)
NO_GOODS = (None, None, None)
# Goods that were seen lately are not looked up again; more than these are forgotten at once.
GOODS_KEPT = 100_000
# Rows that may be anybody's are gathered up to so many: a file may be full of them.
STRAYS = 1_000
EMPTY = "'receipt' is empty"
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
        """Rows that follow each other and name one receipt.

        A row that does not tell its receipt may be a line of the one before it, or, if it cannot be read, of
        the one after: they are set aside together. Booked without a line they could not be mended.
        """
        group: list[Row] = []
        number: Any = None
        for row in rows:
            told = _number(row)
            if told is not None and told == number:
                group.append(row)
            elif _is_blank(row):
                yield [row]
            else:
                if group and not _may_belong(row, told, group, number):
                    yield group
                    group, number = [], None
                group.append(row)
                number = number if told is None and not row.fault else told
        if group:
            yield group

    def owner(self, group: list[Row]) -> str:
        """The customer, as the file names them."""
        values = group[0].values
        return str(values.get("customer")).strip() if isinstance(values, dict) else ""

    def read(self, group: list[Row]) -> Purchase:
        """A purchase; Rejected with what is wrong on each line."""
        first = group[0]
        faults = {row.line: row.fault for row in group if row.fault}
        if len(group) > 1 and (stray := next((row.line for row in group if _number(row) is None), None)):
            faults |= {row.line: EMPTY for row in group if _number(row) is None and not row.fault}
            beside = f"stands beside line {stray}, which may belong to its receipt: {faults[stray]}"
            raise Rejected({row.line: faults.get(row.line, beside) for row in group})
        if faults:
            raise Rejected(faults)
        nested = "lines" in first.values
        if nested and len(group) > 1:
            raise Rejected({group[1].line: "is the same receipt again"})
        if nested and (wrong := _misplaced(first.values)):
            raise Rejected({first.line: wrong})
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
    """What rows of one receipt have in common; None for a row that does not tell."""
    number = row.values.get("receipt") if isinstance(row.values, dict) else None
    return (number.strip() or None) if isinstance(number, str) else number


def _may_belong(row: Row, told: Any, group: list[Row], number: Any) -> bool:
    """Whether a row may be of a group; `number` is the group's receipt, None if it does not tell."""
    before = group[-1]
    if (
        (told is not None and number is not None)
        or len(group) >= STRAYS
        or _is_whole(row)
        or _is_whole(before)
    ):
        return False
    return told is None or bool(before.fault)


def _is_whole(row: Row) -> bool:
    """A receipt with all its lines is no part of another."""
    return not row.fault and "lines" in row.values


def _is_blank(row: Row) -> bool:
    return not row.fault and not any(it not in (None, "") for it in row.values.values())


def _misplaced(values: Mapping[str, Any]) -> str:
    """What nobody would read of an object with `lines`, and where to write it; '' for nothing."""
    if name := next((name for name in HEAD for line in values["lines"] if name in line), None):
        return f"has '{name}' in one of its 'lines'; write it beside 'receipt'"
    if name := next((name for name in OF_LINES if name in values), None):
        return f"has '{name}' beside 'lines'; write it in each of them"
    return ""


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
