"""A return of a receipt whose own book is closed: its buyer was merged, or their bonuses went to a household.

The book that the receipt is in is not reopened. What the goods earned is worked out again by the rules of
then, and the difference moves in the book that the bonuses went to: taken from there (closed_goods), given
back to the accounts and with the ends that the payment came from.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from core import tiers
from core.events import Happening
from core.ledger.book import Book
from core.ledger.lots import DEBT, FORGIVEN, Op
from core.ledger.replay import EFFECTIVE
from core.ledger.writing import ENTRY, INSTANT, LOT, OPERATION
from core.money import lay_out_more
from core.program.lifetime import Life, Starts
from core.purchases.elsewhere import Elsewhere, receipts_elsewhere
from core.tiers import Climb, merged_since, standing_at
from core.tiers.merged import Merged

RETURNED = "returned"


def give_back(book: Book, op: Op, operation_id: int, points: int, kept: int) -> None:
    """Points of a payment, of which `kept` had paid for what was left until now, come back to the accounts
    that they were taken from, with the ends of those lots.

    A lot that is over meanwhile would take them with it: they live on for the program's grace. What was not
    there when it was paid comes back first: what was owed then repays what is owed still, and what the
    program had made a present of is nobody's.
    """
    columns = (LOT.c.id, LOT.c.slot, LOT.c.account, LOT.c.partner, LOT.c.expires_on, LOT.c.expires_at)
    paid = did(operation_id, "redemption", *columns)
    rows = [
        row for row in book.connection.execute(paid.group_by(*columns).order_by(LOT.c.id)) if row.points < 0
    ]
    present, owed, taken = (
        [row for row in rows if row.slot == FORGIVEN],
        [row for row in rows if row.slot == DEBT],
        [row for row in rows if row.slot not in (DEBT, FORGIVEN)],
    )
    before = -sum(int(row.points) for row in rows) - kept
    parts = []
    for some in (present, owed, taken):
        size, done = -sum(int(row.points) for row in some), max(0, before)
        parts.append((done, max(0, min(size, before + points) - done)))
        before -= size
    _, (_, repaid), (earlier, rest) = parts
    if repaid:
        life = book.program.life(op.at, starts=Starts())
        book.accrue(op, repaid, reason=RETURNED, life=life, slot=f"{RETURNED}:{DEBT}", partner="")
    for row, part in zip(
        taken, lay_out_more(earlier, rest, [-int(row.points) for row in taken]), strict=True
    ):
        over = row.expires_at is not None and row.expires_at <= op.at
        if over and not book.program.points.return_grace:
            continue
        life = book.program.grace_life(op.at) if over else Life(op.at, row.expires_on, row.expires_at)
        book.accrue(
            op, part, reason=RETURNED, life=life, account=row.account, slot=f"{RETURNED}:{row.id}",
            partner=row.partner or "",
        )  # fmt: skip


def did(operation_id: int, kind: str, *columns: Any) -> Any:
    """What an operation did in the end with lots, by these columns of theirs."""
    total = func.sum(ENTRY.c.amount).label("points")
    booked = select(OPERATION.c.customer_id).where(OPERATION.c.id == operation_id).scalar_subquery()
    joined = select(*columns, total).select_from(ENTRY).join(LOT, LOT.c.id == ENTRY.c.lot_id)
    mine = (ENTRY.c.customer_id == booked) & (ENTRY.c.kind == kind)
    return joined.where(mine, EFFECTIVE.in_((operation_id,)))


def relevel(book: Book, holder_id: int, buyer_id: int, since: datetime) -> tuple[str | None, list[Happening]]:
    """The buyer's level as their receipts make it from a time on; the level, and the events of it."""
    connection, program, before = book.connection, book.program, since - INSTANT
    standings = standing_at(connection, program, [buyer_id], before)
    bought = receipts_elsewhere(connection, [buyer_id], since, [])
    climb = Climb(connection, program, standings, since, None, before, rules=[it.rules for it in bought])
    facts: list[Elsewhere | Merged] = [*bought, *merged_since(connection, [buyer_id], since)]
    for it in sorted(facts, key=lambda it: it.at):
        if isinstance(it, Merged):
            climb.join(it.rules, buyer_id, it.tier, it.at)
            continue
        climb.settle(it.rules, buyer_id, it.at)
        climb.count(it.rules, buyer_id, it.at, it.total, it.points)
    climb.settle(program, buyer_id, book.recorded_at)
    moves = standings[buyer_id].moves
    book.date(holder_id, (it.at for it in moves))
    news = tiers.rewrite(connection, program, buyer_id, before, moves, book.recorded_at)
    return standings[buyer_id].tier, news
