"""Receipts as they stand in the database, read back for a replay."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select

from core.ledger.book import CHUNK
from core.program import Program
from core.program.versions import version
from core.purchases.booking import Bought
from core.purchases.cart import Cart, Item
from core.purchases.elsewhere import returned_elsewhere
from core.purchases.spending import lay_payment
from core.tables import Receipt, ReceiptLine

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
LINE = ReceiptLine.__table__  # type: ignore[attr-defined]


def bought_of(connection: Connection, operations: Sequence[Row[Any]]) -> dict[int, Bought]:
    """The purchases among these operations of one book, by the operation's id."""
    elsewhere = returned_elsewhere(connection, operations)
    operations = [row for row in operations if row.kind == "purchase"]
    live = {row.id: row.live for row in operations}
    found = {}
    programs: dict[int, Program] = {}
    # Found by the names that their operations' keys say: of these there is an index.
    names = [row.key.removeprefix("receipt:") for row in operations]
    for start in range(0, len(names), CHUNK):
        some = RECEIPT.c.external_id.in_(names[start : start + CHUNK])
        lines: dict[int, list[Row[Any]]] = defaultdict(list)
        joined = select(LINE).join(RECEIPT, RECEIPT.c.id == LINE.c.receipt_id).where(some)
        for line in connection.execute(joined.order_by(LINE.c.receipt_id, LINE.c.line)):
            lines[line.receipt_id].append(line)
        for row in connection.execute(select(RECEIPT).where(some)):
            number = row.program_version
            if number not in programs:
                programs[number] = version(connection, number)
            bought = _bought(programs[number], row, lines[row.id], live[row.operation_id])
            if other := elsewhere.get(row.id):
                bought = replace(
                    bought, elsewhere=tuple(other.lines[it.line] for it in lines[row.id]),
                    taken=tuple((*key, points) for key, points in sorted(other.taken.items())),
                    given_back=other.given_back,
                )  # fmt: skip
            found[row.operation_id] = bought
    return found


def _bought(program: Program, row: Row[Any], lines: Sequence[Row[Any]], live: bool) -> Bought:
    items = tuple(Item(it.sku, it.quantity, it.total, it.category, it.brand, it.discounted) for it in lines)
    codes = tuple(row.codes.split("\n")) if row.codes else ()
    points = sum(line.paid_points for line in lines)
    cart = Cart(row.at, items, row.store, row.partner, codes, points)
    if points:
        paid = lay_payment(program, cart, points)
        cart = Cart(row.at, items, row.store, row.partner, codes, points, paid)
    returned = tuple(line.returned for line in lines) if any(line.returned for line in lines) else ()
    gone = row.returned_at is not None
    return Bought(row.external_id, row.customer_id, cart, program, returned, row.id, live, gone)
