"""Returns: of a whole receipt, of some lines, of some units.

The ledger ends where not buying would have ended: it is reckoned again from the receipt's own time with
what was kept of it (core.ledger.replay). What the goods earned goes, what paid for them goes back to the lots
that it came from, and whatever else had followed (levels, rules about earlier purchases) follows no more.
Bonuses given back into a lot whose time is over would be lost at once: they live on for the program's grace
instead. What was earned by the goods and is spent already becomes a debt, or is forgiven, as the program
says.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from core.customers.holders import ATTEMPTS, CUSTOMER, busy
from core.events import Happening, append
from core.grants.promo_codes import free_codes
from core.ledger.book import Book
from core.ledger.lots import Op, OpenLot, Refusal
from core.ledger.operations import again_if_taken, digest_of, known_operations
from core.ledger.replay import Replay, Replayed
from core.ledger.rewriting import rewrite
from core.ledger.writing import OPERATION
from core.money import lay_out
from core.program import Program
from core.purchases.booking import STEP, Effect
from core.purchases.cart import Item, all_back, kept_of
from core.purchases.closed_books import RETURNED, give_back, relevel
from core.purchases.closed_earning import still_earned
from core.purchases.closed_goods import take
from core.purchases.receipts import Outcome, Recorded
from core.purchases.stats import Stats
from core.purchases.stored import LINE, RECEIPT

# Whose book a receipt is in, and where that book's bonuses went: to a survivor, to a household.
_BOOKED, _MEANT = CUSTOMER.alias("booked"), CUSTOMER.alias("meant")
HOLDER = func.coalesce(_MEANT.c.household_id, _MEANT.c.id)


@dataclass(frozen=True, slots=True)
class Back:
    """Goods that came back: a line by its number (from 1) or sku; `quantity` in thousandths (None: all)."""

    line: int | None = None
    sku: str | None = None
    quantity: int | None = None

    def body(self) -> list[Any]:
        """What makes two of them the same."""
        return [self.line, self.sku, self.quantity]


@dataclass(frozen=True, slots=True)
class Return:
    """A return at `at`. No `lines`: all that is left. `external_id` tells several of one receipt apart."""

    receipt: str
    at: datetime
    lines: tuple[Back, ...] = ()
    external_id: str | None = None

    @property
    def key(self) -> str:
        """Its idempotency key. A colon within a number is spelled out: `A` by `B` is not `A:B`."""
        return ":".join(["return", *self._parts])

    @property
    def spare_key(self) -> str:
        """Its key where an earlier program recorded another receipt's return under the first one."""
        return ":".join(["returned", *self._parts])

    @property
    def _parts(self) -> list[str]:
        parts = (self.receipt, self.external_id) if self.external_id else (self.receipt,)
        return [it.replace("%", "%25").replace(":", "%3A") for it in parts]

    @property
    def plain_key(self) -> str:
        """As it was before colons were spelled out."""
        return f"return:{self.receipt}" + (f":{self.external_id}" if self.external_id else "")

    def body(self) -> list[Any]:
        """What makes two returns the same: not the time, of which a till that asks again may tell another."""
        return [self.receipt, self.external_id, [it.body() for it in self.lines]]


def take_back(
    connection: Connection, program: Program, wanted: Return, recorded_at: datetime, *, live: bool
) -> Outcome:
    """Book a return in the caller's write transaction; asked again, the answer is the first one.

    Refused, and nothing changed: `unknown_receipt`, `unknown_line`, `more_than_bought`, `returned_already`,
    `before_the_purchase`, `in_the_future`, `conflict`, `busy`. The answer's amounts are whole bonuses:
    `earned` by the receipt as it was, `taken_back` of it, `level_bonus_taken_back` of what it had brought for
    reaching a level, `given_back` of what was spent, `debt` newly owed.
    """
    return again_if_taken(connection, lambda: _take_back(connection, program, wanted, recorded_at, live=live))


def _take_back(
    connection: Connection, program: Program, wanted: Return, recorded_at: datetime, *, live: bool
) -> Outcome:
    opened = _opened(connection, program, wanted, recorded_at, live=live)
    if isinstance(opened, Refusal):
        return opened
    holder_id, book = opened
    key, known = _known(connection, wanted)
    if known:
        same = known[0] in (digest_of(wanted.body()), digest_of([wanted.receipt]))
        other = f"the return {wanted.external_id or wanted.receipt!r} is recorded with other content"
        return Recorded(known[1], repeated=True) if same else Refusal("conflict", other)
    whole = _with_holder(
        RECEIPT.c.external_id == wanted.receipt,
        RECEIPT,
        OPERATION.c.customer_id.label("booked"),
        _MEANT.c.erased_at,
    )
    receipt = connection.execute(whole).one()
    if refusal := _wrong_time(receipt, wanted.at, recorded_at):
        return refusal
    lines = connection.execute(
        select(LINE).where(LINE.c.receipt_id == receipt.id).order_by(LINE.c.line)
    ).all()
    back = _goods_back(wanted, lines)
    if isinstance(back, Refusal):
        return back
    return Recorded(_Return(book, holder_id, receipt, lines, back, wanted, key).run())


def _known(connection: Connection, wanted: Return) -> tuple[str, tuple[str, dict[str, Any]] | None]:
    """The key to record it by, and the digest and the answer if it is recorded, also under the key of earlier
    programs; another receipt's may stand under each.
    """
    found = known_operations(connection, [wanted.key, wanted.spare_key, wanted.plain_key])
    own = [it for it in found.values() if it[1].get("receipt", wanted.receipt) == wanted.receipt]
    return wanted.spare_key if wanted.key in found else wanted.key, next(iter(own), None)


def _opened(
    connection: Connection, program: Program, wanted: Return, recorded_at: datetime, *, live: bool
) -> tuple[int, Book] | Refusal:
    """Whose bonuses it moves, and their account, held; it may change hands while somebody waits for it."""
    whose = _with_holder(RECEIPT.c.external_id == wanted.receipt, HOLDER)
    for _ in range(ATTEMPTS):
        holder_id = connection.scalar(whose)
        if holder_id is None:
            return Refusal("unknown_receipt", f"no receipt {wanted.receipt!r} is recorded")
        book = Book(connection, program, [holder_id], recorded_at, live=live)
        if connection.scalar(whose) == holder_id:
            return holder_id, book
    return busy()


def _with_holder(where: Any, *columns: Any) -> Any:
    """A receipt with the operation that booked it, and whose bonuses those are now."""
    booked = OPERATION.c.id == RECEIPT.c.operation_id
    joined = select(*columns).select_from(RECEIPT).join(OPERATION, booked)
    joined = joined.join(_BOOKED, _BOOKED.c.id == OPERATION.c.customer_id)
    return joined.join(_MEANT, _MEANT.c.id == func.coalesce(_BOOKED.c.merged_into, _BOOKED.c.id)).where(where)


def _wrong_time(receipt: Row[Any], at: datetime, recorded_at: datetime) -> Refusal | None:
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if at < receipt.at:
        return Refusal("before_the_purchase", f"the return's time {when} is before the receipt's own")
    if at > recorded_at + timedelta(days=1):
        return Refusal("in_the_future", f"the return's time {when} has not come yet")
    return None


def _goods_back(wanted: Return, lines: Sequence[Row[Any]]) -> dict[int, int] | Refusal:
    """How many thousandths of each line come back."""
    left = {it.line: it.quantity - it.returned for it in lines}
    if not wanted.lines:
        if not any(left.values()) and any(it.quantity for it in lines):
            return Refusal("returned_already", f"all of receipt {wanted.receipt!r} came back before")
        return left
    back: dict[int, int] = {}
    for it in wanted.lines:
        numbers = [row.line for row in lines if it.line in (None, row.line) and it.sku in (None, row.sku)]
        if not numbers:
            named = f"line {it.line}" if it.line else f"{it.sku!r}"
            return Refusal("unknown_line", f"receipt {wanted.receipt!r} has no {named}")
        asked = it.quantity if it.quantity is not None else sum(left[number] for number in numbers)
        rest = _place(asked, numbers, left, back)
        if rest or asked <= 0:
            named = f"line {it.line}" if it.line else f"{it.sku!r}"
            return Refusal("more_than_bought", f"more of {named} than is left of receipt {wanted.receipt!r}")
    return back


def _place(asked: int, numbers: Sequence[int], left: dict[int, int], back: dict[int, int]) -> int:
    """Take so much from these lines, the first ones first; what could not be placed."""
    for number in numbers:
        part = min(asked, left[number])
        left[number] -= part
        back[number] = back.get(number, 0) + part
        asked -= part
    return asked


class _Return:
    """One return, under the account's lock."""

    def __init__(
        self, book: Book, holder_id: int, receipt: Row[Any], lines: Sequence[Row[Any]],
        back: Mapping[int, int], wanted: Return, key: str,
    ) -> None:  # fmt: skip
        self.book, self.holder_id, self.receipt = book, holder_id, receipt
        self.lines, self.back, self.wanted, self.key = lines, back, wanted, key
        self.connection, self.program = book.connection, book.program
        self.gone = all_back([_item(it) for it in lines], [self._after(it) for it in lines])
        self.given_back = self._paid(self._before) - self._paid(self._after)
        # What levels that it had reached brought, and are not reached without the goods.
        self.steps_back = 0
        # What a return in a closed book makes of the buyer's level.
        self.tier: str | None = None
        self.levels: list[Happening] = []

    def _before(self, line: Row[Any]) -> int:
        return int(line.returned)

    def _after(self, line: Row[Any]) -> int:
        return int(line.returned) + self.back.get(line.line, 0)

    def _cost(self, returned: Any) -> int:
        """Minor units that were paid for what is kept."""
        return self._kept("total", returned)

    def _paid(self, returned: Any) -> int:
        """Points that pay for what is kept."""
        return self._kept("paid_points", returned)

    def _kept(self, amount: str, returned: Any) -> int:
        gone = self.gone if returned == self._after else self.receipt.returned_at is not None
        return 0 if gone else sum(kept_of(getattr(it, amount), _item(it), returned(it)) for it in self.lines)

    def run(self) -> dict[str, Any]:
        at = self.book.moment(self.holder_id, self.wanted.at)
        lines = [[number, quantity] for number, quantity in sorted(self.back.items())]
        data = {"receipt": self.receipt.id, "lines": lines}
        op = self.book.operation(
            self.holder_id, "return", self.key, self.wanted.body(), at, data=data,
            partner=self.receipt.partner,
        )  # fmt: skip
        self._mark()
        debt = self.book.debt(self.holder_id)
        if self.receipt.booked != self.holder_id:
            replayed, taken = None, self._settle_elsewhere(op)
        else:
            replayed, taken = self._reckon_again(op)
        op.result = self._answer(taken, self.book.debt(self.holder_id) - debt, replayed)
        self.book.close()
        self._append(taken, replayed)
        return op.result

    def _mark(self) -> None:
        """What came back, line by line; a receipt counts while something that had a price is left."""
        rows = [
            {"line_": it.line, "returned_": self._after(it)} for it in self.lines if self.back.get(it.line)
        ]
        line = update(LINE).where(LINE.c.receipt_id == self.receipt.id, LINE.c.line == bindparam("line_"))
        if rows:
            self.connection.execute(line.values(returned=bindparam("returned_")), rows)
        if self.gone and self.receipt.returned_at is None:
            mine = update(RECEIPT).where(RECEIPT.c.id == self.receipt.id)
            self.connection.execute(mine.values(returned_at=self.wanted.at))
            free_codes(self.connection, self.program, self.receipt.external_id, self.book.recorded_at)

    def _reckon_again(self, op: Op) -> tuple[Replayed, int]:
        replay = Replay(self.book, self.holder_id, self.receipt.at)
        brought = replay.brought(self.receipt.operation_id, STEP)
        replayed = replay.run((), by=op)
        effect = replayed.effects[self.receipt.external_id]
        assert isinstance(effect, Effect)
        self.steps_back = brought - sum(points for *_, points in effect.steps)
        if self.program.points.return_grace and not self.receipt.erased_at:
            self._give(op, replayed.lapsed)
        return replayed, int(self.receipt.earned_points) - effect.points

    def _give(self, op: Op, lapsed: Mapping[OpenLot, int]) -> None:
        """Spent bonuses whose own lot is over live on for the grace, in its account and whoever gave them."""
        life = self.program.grace_life(op.at)
        over: dict[tuple[str, str], int] = defaultdict(int)
        for lot, points in lapsed.items():
            over[lot.account, lot.partner or ""] += points
        kinds = sorted(over)
        parts = lay_out(min(self.given_back, sum(over.values())), [over[it] for it in kinds])
        for (account, partner), part in zip(kinds, parts, strict=True):
            self.book.accrue(
                op, part, reason=RETURNED, life=life, account=account, slot=f"{RETURNED}/{account}/{partner}",
                partner=partner,
            )  # fmt: skip

    def _settle_elsewhere(self, op: Op) -> int:
        """The receipt's own book is closed: the difference moves in the one that its bonuses went to."""
        operation_id = self.receipt.operation_id
        # Nobody can spend, or owe, in the book of somebody who is forgotten.
        moves = not self.receipt.erased_at
        if moves and self.given_back:
            give_back(self.book, op, operation_id, self.given_back, int(self.receipt.paid_points))
        laid, gone = still_earned(self.book, self.receipt, self.lines, self.back)
        taken = sum(gone.values())
        if moves:
            # Its own book may be opened again.
            rules = [[*key, points] for key, points in sorted(gone.items()) if points]
            op.data = {**op.data, "taken": rules, "given_back": self.given_back}
        if moves and taken:
            take(self.book, op, self.receipt, gone)
        line = update(LINE).where(LINE.c.receipt_id == self.receipt.id, LINE.c.line == bindparam("line_"))
        rows = [{"line_": it.line, "earned_": points} for it, points in zip(self.lines, laid, strict=True)]
        self.connection.execute(line.values(earned_points=bindparam("earned_")), rows)
        new = {"total": self._cost(self._after),
               "earned_points": self.receipt.earned_points - taken,
               "paid_points": self.receipt.paid_points - self.given_back}  # fmt: skip
        self.connection.execute(update(RECEIPT).where(RECEIPT.c.id == self.receipt.id).values(**new))
        buyer_id = self.receipt.customer_id
        self.tier, self.levels = relevel(self.book, self.holder_id, buyer_id, self.receipt.at)
        return taken

    def _answer(self, taken: int, debt: int, replayed: Replayed | None) -> dict[str, Any]:
        def points(amount: int) -> str:
            return str(self.program.from_points(amount))

        buyer = self._buyer()
        book = self._book_of(buyer.holder)
        own = f"receipt:{self.receipt.external_id}"
        others = replayed.corrected if replayed else {}
        said: dict[str, Any] = {
            "receipt": self.receipt.external_id,
            "customer": buyer.external_id,
            "earned": points(self.receipt.earned_points),
            "taken_back": points(taken),
            "level_bonus_taken_back": points(self.steps_back),
            "debt": points(max(0, debt)),
            "given_back": points(self.given_back),
            "balance": points(book.total(buyer.holder)),
            "available": points(book.available(buyer.holder, book.recorded_at)),
            "tier": replayed.tiers.get(self.receipt.customer_id) if replayed else self.tier,
        }
        corrected = [
            {"operation": key, "points": points(net)} for key, net in sorted(others.items()) if key != own
        ]
        return said | ({"corrected": corrected} if corrected else {})

    def _buyer(self) -> Row[Any]:
        holder = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id).label("holder")
        buyer = select(CUSTOMER.c.external_id, holder).where(CUSTOMER.c.id == self.receipt.customer_id)
        return self.connection.execute(buyer).one()

    def _book_of(self, holder_id: int) -> Book:
        """Who has left a household returns at its cost, and is told what they have, not what it has."""
        if holder_id == self.holder_id:
            return self.book
        return Book(self.connection, self.program, [holder_id], self.book.recorded_at, lock=False)

    def _append(self, taken: int, replayed: Replayed | None) -> None:
        returned = self._cost(self._before) - self._cost(self._after)
        data = {"total": self.receipt.total, "store": self.receipt.store, "returned": returned,
                "taken_back": taken, "given_back": self.given_back}  # fmt: skip
        buyer_id = self.receipt.customer_id
        happenings = [Happening(buyer_id, "return", self.wanted.at, self.receipt.external_id, data)]
        happenings += rewrite(self.book, replayed) if replayed else self.levels
        stats = Stats(self.connection, [buyer_id])
        stats.recount(buyer_id)
        stats.close()
        append(self.connection, happenings + self.book.happenings, self.book.recorded_at, live=self.book.live)


def _item(line: Row[Any]) -> Item:
    return Item(line.sku, line.quantity, line.total)
