"""New receipts as rows: what was bought, what each line earned and was paid with, and that it happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.db.bulk import insert_rows
from core.events import Happening
from core.ledger.lots import Op
from core.purchases.booking import Bought, Effect
from core.purchases.sales import Purchase
from core.purchases.stored import LINE, RECEIPT

RECEIPT_COLUMNS = (
    "id", "external_id", "customer_id", "operation_id", "program_version", "store", "partner", "at",
    "recorded_at", "total", "paid_points", "earned_points", "codes",
)  # fmt: skip
LINE_COLUMNS = (
    "receipt_id", "line", "customer_id", "sku", "quantity", "total", "category", "brand", "discounted",
    "earned_points", "paid_points",
)  # fmt: skip


@dataclass(slots=True)
class Work:
    """One new purchase on its way; `place` is where it stands among those that came together."""

    place: int
    purchase: Purchase
    op: Op
    bought: Bought


def write_receipts(
    connection: Connection, effects: Sequence[tuple[Work, Effect]], ids: Iterable[int], recorded_at: datetime
) -> list[Happening]:
    """Write them under these ids; returns their events."""
    receipts, lines = [], []
    for (work, effect), receipt_id in zip(effects, ids, strict=False):
        receipts.append(_receipt(work, effect, receipt_id, recorded_at))
        lines += _lines(work, effect, receipt_id)
    insert_rows(connection, RECEIPT, RECEIPT_COLUMNS, receipts)
    insert_rows(connection, LINE, LINE_COLUMNS, lines)
    return [_happened(work, effect) for work, effect in effects]


def _receipt(work: Work, effect: Effect, receipt_id: int, recorded_at: datetime) -> tuple[Any, ...]:
    bought, cart, op = work.bought, work.bought.cart, work.op
    return (
        receipt_id, bought.external_id, bought.buyer_id, op.id, op.program_version, cart.store,
        cart.partner, cart.at, recorded_at, effect.money, sum(effect.paid), effect.points,
        "\n".join(effect.codes) or None,
    )  # fmt: skip


def _lines(work: Work, effect: Effect, receipt_id: int) -> list[tuple[Any, ...]]:
    buyer_id, items = work.bought.buyer_id, work.bought.cart.items
    shares = zip(items, effect.lines, effect.paid, strict=True)
    return [
        (receipt_id, number, buyer_id, item.sku, item.quantity, item.total, item.category, item.brand,
         item.discounted, earned, paid)
        for number, (item, earned, paid) in enumerate(shares, start=1)
    ]  # fmt: skip


def _happened(work: Work, effect: Effect) -> Happening:
    bought, data = work.bought, {"total": effect.money, "store": work.purchase.store}
    return Happening(bought.buyer_id, "purchase", bought.cart.at, work.purchase.external_id, data)
