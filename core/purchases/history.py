"""What a buyer did before a purchase, as the rules of earning ask for it.

The common questions (how many receipts, how much money) are answered from kept statistics. The rare ones
(has she ever bought coffee, how often did this rule give) are looked up when a rule asks, once a customer.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, union

from core.earning import Share
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.purchases.cart import Item
from core.tables import Receipt, ReceiptLine

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
LINE = ReceiptLine.__table__  # type: ignore[attr-defined]
# The reason of the lots that a purchase earned; a step up has its rule's name.
PURCHASE = "purchase"
GOODS = ("category", "brand", "sku")


@dataclass(slots=True)
class Deed:
    """One receipt before: when, and which rule gave how many points on it."""

    at: datetime
    by_rule: Mapping[str, int]


@dataclass
class BuyerPast:
    """core.purchases.cart.Past of one buyer; `before` leaves out what the database has from then on.

    With `ends` only so many of the first and of the last receipts are looked at, whatever the history.
    `tier`, `purchases` and `spent` (minor units) are kept by whoever books the purchases.
    """

    connection: Connection
    buyer_id: int
    before: datetime | None = None
    tier: str | None = None
    purchases: int = 0
    spent: int = 0
    ends: int | None = None
    # What came since, until somebody asks for it, and as it is asked for.
    _coming: list[tuple[datetime, Sequence[Share], Sequence[Item]]] = field(default_factory=list)
    _news: list[Deed] = field(default_factory=list)
    _new_goods: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _deeds: list[Deed] | None = None
    _goods: dict[str, set[str]] | None = None

    def bought(self, kind: str, names: Collection[str]) -> bool:
        """Whether anything of these was bought before."""
        if self._goods is None:
            self._goods = self._load_goods()
        self._look()
        return any(name in self._goods[kind] or name in self._new_goods[kind] for name in names)

    def purchases_since(self, since: datetime) -> int:
        """Receipts at or after `since`."""
        return sum(1 for _ in self._since(since))

    def times(self, rule: str, since: datetime | None) -> int:
        """On how many receipts the rule gave something."""
        return sum(1 for deed in self._since(since) if deed.by_rule.get(rule, 0) > 0)

    def points(self, since: datetime, rule: str | None = None) -> int:
        """Points earned by receipts at or after `since`."""
        deeds = self._since(since)
        if rule is not None:
            return sum(deed.by_rule.get(rule, 0) for deed in deeds)
        return sum(sum(deed.by_rule.values()) for deed in deeds)

    def add(self, at: datetime, money: int, shares: Sequence[Share] = (), items: Sequence[Item] = ()) -> None:
        """One more purchase, of `money` minor units, with what rules gave on it and the lines that were kept;
        the next one knows of it.
        """
        self.purchases += 1
        self.spent += money
        self._coming.append((at, shares, items))

    def without_news(self, purchases: int, spent: int) -> "BuyerPast":
        """The same past before what was added, with the counts of then; what was loaded is there."""
        fresh = defaultdict[str, set[str]](set)
        return replace(self, purchases=purchases, spent=spent, _coming=[], _news=[], _new_goods=fresh)

    def _look(self) -> None:
        for at, shares, items in self._coming:
            by_rule: dict[str, int] = defaultdict(int)
            for share in shares:
                by_rule[share.rule] += share.points
            self._news.append(Deed(at, by_rule))
            for kind in GOODS:
                self._new_goods[kind].update(name for it in items if (name := getattr(it, kind)))
        self._coming.clear()

    def _since(self, since: datetime | None) -> Iterator[Deed]:
        if self._deeds is None:
            self._deeds = self._load_deeds()
        self._look()
        return (deed for deed in [*self._deeds, *self._news] if since is None or deed.at >= since)

    def _load_deeds(self) -> list[Deed]:
        effective = func.coalesce(ENTRY.c.corrects, ENTRY.c.operation_id)
        mine = self._mine()
        receipts = select(RECEIPT.c.operation_id, RECEIPT.c.at).where(mine, RECEIPT.c.returned_at.is_(None))
        operations = receipts.with_only_columns(RECEIPT.c.operation_id)
        given = (
            select(effective, ENTRY.c.rule, func.sum(ENTRY.c.amount))
            .join(LOT, and_(LOT.c.id == ENTRY.c.lot_id, LOT.c.reason == PURCHASE))
            .where(ENTRY.c.kind == "accrual", ENTRY.c.rule.is_not(None), self._booked(operations))
            .where(effective.in_(operations))
            .group_by(effective, ENTRY.c.rule)
        )
        # Two questions: joined, SQLite would go through all that was given for each receipt.
        by_rule: dict[int, dict[str, int]] = {}
        for operation_id, rule, points in self.connection.execute(given):
            by_rule.setdefault(operation_id, {})[rule] = int(points)
        return [Deed(at, by_rule.get(id_, {})) for id_, at in self.connection.execute(receipts)]

    def _booked(self, operations: Select[Any]) -> ColumnElement[bool]:
        """How the entries of all operations, or of a few, are found by an index."""
        if self.ends is not None:
            return or_(ENTRY.c.operation_id.in_(operations), ENTRY.c.corrects.in_(operations))
        # By whose bonuses they are: the buyer's, or those of a household.
        holders = select(OPERATION.c.customer_id).where(OPERATION.c.id.in_(operations))
        theirs: ColumnElement[bool] = ENTRY.c.customer_id.in_(holders)
        return theirs

    def _mine(self) -> ColumnElement[bool]:
        """Which receipts are looked at."""
        mine: ColumnElement[bool] = RECEIPT.c.customer_id == self.buyer_id
        if self.before:
            mine &= RECEIPT.c.at < self.before
        if self.ends is None:
            return mine
        some = [
            select(RECEIPT.c.id).where(mine).order_by(*order).limit(self.ends).subquery()
            for order in ((RECEIPT.c.at, RECEIPT.c.id), (RECEIPT.c.at.desc(), RECEIPT.c.id.desc()))
        ]
        ids: ColumnElement[bool] = RECEIPT.c.id.in_(union(*(select(it.c.id) for it in some)))
        return ids

    def _load_goods(self) -> dict[str, set[str]]:
        kept = [LINE.c.customer_id == self.buyer_id, LINE.c.returned < LINE.c.quantity]
        columns = [LINE.c[kind] for kind in GOODS]
        receipts = [RECEIPT.c.id == LINE.c.receipt_id, self._mine(), RECEIPT.c.returned_at.is_(None)]
        rows = self.connection.execute(select(*columns).distinct().where(*receipts, *kept)).all()
        return {kind: {row[i] for row in rows if row[i] is not None} for i, kind in enumerate(GOODS)}


def past_before(connection: Connection, buyer_id: int, before: datetime) -> BuyerPast:
    """The buyer's past up to a time, for a replay from then."""
    mine = select(func.count(), func.coalesce(func.sum(RECEIPT.c.total), 0)).where(
        RECEIPT.c.customer_id == buyer_id, RECEIPT.c.at < before, RECEIPT.c.returned_at.is_(None)
    )
    purchases, spent = connection.execute(mine).one()
    return BuyerPast(connection, buyer_id, before, purchases=purchases, spent=int(spent))
