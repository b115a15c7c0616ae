"""Bonuses set aside for a cart at a till until it is paid for.

A hold has the number of the receipt that it becomes. While it is open nobody else can spend its bonuses; it
ends by itself, and can still be committed afterwards if they are there. Everything here happens under the
account's lock, so that a commit and a cancel at one moment are one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from core.customers.holders import ATTEMPTS, CUSTOMER, busy
from core.ledger.lots import Refusal
from core.ledger.operations import again_if_taken, digest_of
from core.ledger.reading import HOLD
from core.ledger.writing import ACCOUNT
from core.program import Program
from core.purchases.booking import Effect
from core.purchases.confirmations import Confirmer, Drawn, Waiting, check, draw, reachable
from core.purchases.receipts import Outcome, Recorded, record
from core.purchases.rehearsal import Rehearsal, rehearse
from core.purchases.sales import Line, Purchase
from core.purchases.spending import needs_code

# What nobody came back for is not looked at any more after so long.
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Basket:
    """A cart to hold bonuses for: a receipt to be. Without `at` its time is when it is first held."""

    receipt: str
    customer: str
    lines: tuple[Line, ...]
    store: str | None = None
    pay_points: int = 0
    codes: tuple[str, ...] = ()
    at: datetime | None = None

    def body(self) -> list[Any]:
        """What makes two of them the same."""
        at = self.at and self.at.astimezone(UTC).isoformat()
        lines = [line.body() for line in self.lines]
        return [self.customer, at, self.store, self.pay_points, lines, list(self.codes)]

    def purchase(self, at: datetime) -> Purchase:
        """The receipt that it becomes."""
        return Purchase(
            self.receipt, self.customer, at, self.lines, self.store, self.pay_points, self.codes,
            confirmed=True,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """What a till is told of a hold. `confirm`: the customer must say a code; `drawn` is a new one, which
    the caller sends.
    """

    answer: Mapping[str, Any]
    confirm: bool
    repeated: bool = False
    drawn: Drawn | None = None


def hold(
    connection: Connection, program: Program, basket: Basket, now: datetime, confirmer: Confirmer
) -> Held | Refusal:
    """Set bonuses aside for a receipt, in the caller's write transaction; asked again, the same answer.

    Refused, and nothing changed, as the receipt would be; also `conflict` (the number has another cart),
    `committed`, `hold_cancelled`, `no_phone`, `number_suppressed`.
    """
    return again_if_taken(connection, lambda: _hold(connection, program, basket, now, confirmer))


def _hold(
    connection: Connection, program: Program, basket: Basket, now: datetime, confirmer: Confirmer
) -> Held | Refusal:
    rehearsal = rehearse(connection, program, basket.purchase(basket.at or now), now, lock=True, strict=True)
    if isinstance(rehearsal, Refusal):
        return rehearsal
    row = row_of(connection, basket.receipt)
    if row is None:
        values = _worked_out(connection, program, basket, rehearsal, now)
        if isinstance(values, Refusal):
            return values
        _forget(connection, rehearsal.buyer.holder_id, now)
        connection.execute(insert(HOLD).values(**values, external_id=basket.receipt))
        return _told(connection, confirmer, basket.receipt, now, new=True)
    if row.digest != digest_of(basket.body()):
        return Refusal(
            "conflict", f"receipt {basket.receipt!r} is on hold with another cart; change the hold"
        )
    return _over(row) or _told(connection, confirmer, basket.receipt, now, new=False)


def change(
    connection: Connection, program: Program, basket: Basket, now: datetime, confirmer: Confirmer
) -> Held | Refusal:
    """Hold for another cart of the same customer; the same cart is only held longer.

    Refused, and nothing changed: `unknown_hold`, `committed`, `hold_cancelled`, `conflict` (another
    customer), and as `hold`.
    """
    before = row_of(connection, basket.receipt)
    if before is None:
        return _unknown(basket.receipt)
    same = before.digest == digest_of(basket.body())
    at = before.at if same else basket.at or now
    rehearsal = rehearse(connection, program, basket.purchase(at), now, lock=True, strict=True)
    if isinstance(rehearsal, Refusal):
        return rehearsal
    row = row_of(connection, basket.receipt)
    if row is None or (row.digest, row.at) != (before.digest, before.at):
        return Refusal("busy", "the hold is being changed just now; send the same request again")
    if over := _over(row):
        return over
    if row.buyer_id != rehearsal.buyer.id:
        return Refusal("conflict", "a hold stays with its customer; cancel it and hold for the other one")
    if same and row.expires_at > now:
        longer = {**row.cart, "answer": {**row.cart["answer"], "expires_at": _until(program, now)}}
        values = {"expires_at": program.hold_until(now), "changed_at": now, "cart": longer}
        _set(connection, row.id, values)
        return _told(connection, confirmer, basket.receipt, now, new=False)
    worked = _worked_out(connection, program, basket, rehearsal, now)
    if isinstance(worked, Refusal):
        return worked
    # A code confirms the cart that it was sent for.
    _set(connection, row.id, worked if same else {**worked, "code_digest": None, "code_tries": 0})
    return _told(connection, confirmer, basket.receipt, now, new=not same)


def _until(program: Program, now: datetime) -> str:
    return program.hold_until(now).isoformat()


def _set(connection: Connection, hold_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(HOLD).where(HOLD.c.id == hold_id).values(**values))


def _worked_out(
    connection: Connection, program: Program, basket: Basket, rehearsal: Rehearsal, now: datetime
) -> dict[str, Any] | Refusal:
    """The row of a hold, once its purchase was found possible."""
    buyer, points = rehearsal.buyer, basket.pay_points
    available = rehearsal.book.available(buyer.holder_id, rehearsal.purchase.at, basket.receipt)
    effect = rehearsal.run()
    if isinstance(effect, Refusal):
        return effect
    confirm = needs_code(program, points)
    if confirm and isinstance(phone := reachable(connection, buyer.id), Refusal):
        return phone
    answer = _answer(program, rehearsal, effect, available - points)
    return {
        "customer_id": buyer.holder_id, "buyer_id": buyer.id, "points": points,
        "accounts": rehearsal.accounts, "state": "open", "digest": digest_of(basket.body()),
        "at": rehearsal.purchase.at, "expires_at": program.hold_until(now), "changed_at": now,
        "cart": {"receipt": _kept(rehearsal.purchase), "confirm": confirm,
                 "answer": {**answer, "expires_at": _until(program, now)}},
    }  # fmt: skip


def _answer(program: Program, rehearsal: Rehearsal, effect: Effect, available: int) -> dict[str, Any]:
    cart = rehearsal.cart
    paid = cart.paid or (0,) * len(cart.items)

    def money(minor: int) -> str:
        return str(program.from_money(minor))

    lines = [
        {"line": number, "sku": item.sku, "total": money(item.total), "paid": money(part)}
        for number, (item, part) in enumerate(zip(cart.items, paid, strict=True), start=1)
    ]
    return {
        "receipt": rehearsal.purchase.external_id,
        "customer": rehearsal.buyer.external_id,
        "points": str(program.from_points(cart.paid_points)),
        "paid": money(sum(paid)),
        "to_pay": money(cart.total - sum(paid)),
        "lines": lines,
        "earned": str(program.from_points(effect.points)),
        "available": str(program.from_points(max(0, available))),
        "at": cart.at.isoformat(),
    }


def _told(connection: Connection, confirmer: Confirmer, receipt: str, now: datetime, *, new: bool) -> Held:
    """What is kept of a hold; for a new cart that needs one, a code is drawn if it may go out now."""
    row = row_of(connection, receipt)
    assert row is not None
    confirm = bool(row.cart["confirm"])
    drawn = draw(connection, confirmer, row, now) if new and confirm else None
    return Held(row.cart["answer"], confirm, not new, drawn if isinstance(drawn, Drawn) else None)


def _forget(connection: Connection, holder_id: int, now: datetime) -> None:
    """Holds that ended long ago are not loaded with the account for ever."""
    old = update(HOLD).where(
        HOLD.c.customer_id == holder_id, HOLD.c.state == "open", HOLD.c.expires_at < now - FORGOTTEN
    )
    connection.execute(old.values(state="expired"))


# --- the end of a hold


def commit(
    connection: Connection, program: Program, receipt: str, code: str | None, now: datetime,
    confirmer: Confirmer,
) -> Outcome:  # fmt: skip
    """Make the receipt of a hold, at the time of its cart, in the caller's write transaction; the answer is
    that of the receipt, asked again the same. An open hold is a promise: what an offline receipt or a return
    took of its bonuses meanwhile is owed, or forgiven, as the program says.

    Refused: `unknown_hold`, `hold_cancelled`, `hold_expired` (and the bonuses are gone), those of
    `core.purchases.confirmations.check`, and as a receipt. The caller commits the transaction even then:
    wrong codes count.
    """
    row = _locked(connection, receipt)
    if isinstance(row, Refusal):
        return row
    if row.state == "cancelled":
        return _over(row) or _unknown(receipt)
    asked = row.cart["confirm"] and row.state != "committed"
    if asked and (wrong := check(connection, confirmer, row, code, now)):
        return wrong
    bought = replace(_purchase(row.cart["receipt"]), promised=row.expires_at > now)
    [outcome] = record(connection, program, [bought], now, live=True)
    if isinstance(outcome, Recorded):
        _set(connection, row.id, {"state": "committed", "changed_at": now})
    elif outcome.reason == "insufficient_balance" and row.expires_at <= now:
        since = f"{row.expires_at:%Y-%m-%d %H:%M} UTC"
        return Refusal("hold_expired", f"the hold ended at {since}, and its bonuses were spent since then")
    return outcome


def cancel(connection: Connection, receipt: str, now: datetime) -> Outcome:
    """Let go of what a hold set aside, in the caller's write transaction; asked again, the same answer.

    Refused: `unknown_hold`, `committed` (take the goods back instead).
    """
    row = _locked(connection, receipt)
    if isinstance(row, Refusal):
        return row
    answer = {"receipt": receipt, "state": "cancelled"}
    if row.state == "committed":
        return _over(row) or _unknown(receipt)
    if row.state != "cancelled":
        _set(connection, row.id, {"state": "cancelled", "changed_at": now, "code_digest": None})
    return Recorded(answer, repeated=row.state == "cancelled")


def new_code(
    connection: Connection, receipt: str, now: datetime, confirmer: Confirmer
) -> Drawn | Waiting | Refusal:
    """Another code for a hold that needs one, in the caller's write transaction.

    Refused: `unknown_hold`, `committed`, `hold_cancelled`, `no_code_needed`, `no_phone`, `number_suppressed`.
    """
    row = _locked(connection, receipt)
    if isinstance(row, Refusal):
        return row
    if over := _over(row):
        return over
    if not row.cart["confirm"]:
        return Refusal("no_code_needed", "so few bonuses are spent without a code; commit the hold")
    return draw(connection, confirmer, row, now)


def state_of(row: Any, now: datetime) -> str:
    """`open`, `expired`, `committed` or `cancelled`."""
    return "expired" if row.state == "open" and row.expires_at <= now else str(row.state)


def row_of(connection: Connection, receipt: str) -> Any | None:
    """The hold of a receipt."""
    return connection.execute(select(HOLD).where(HOLD.c.external_id == receipt)).first()


def _over(row: Any) -> Refusal | None:
    if row.state == "committed":
        return Refusal("committed", f"receipt {row.external_id!r} is recorded; return it instead")
    if row.state == "cancelled":
        return Refusal("hold_cancelled", f"the hold of {row.external_id!r} was cancelled; take a new number")
    return None


def _unknown(receipt: str) -> Refusal:
    return Refusal("unknown_hold", f"nothing is on hold for receipt {receipt!r}")


def _locked(connection: Connection, receipt: str) -> Any | Refusal:
    """The hold, its account held; that may change hands while somebody waits for it."""
    for _ in range(ATTEMPTS):
        row = row_of(connection, receipt)
        if row is None:
            return _unknown(receipt)
        buyer = select(func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)).where(
            CUSTOMER.c.id == row.buyer_id
        )
        holder_id = connection.scalar(buyer)
        _lock(connection, sorted({row.customer_id, holder_id or row.customer_id}))
        again = row_of(connection, receipt)
        if again is not None and again.customer_id == row.customer_id:
            return again if again.cart else _unknown(receipt)
    return busy()


def _lock(connection: Connection, ids: Sequence[int]) -> None:
    held = select(ACCOUNT.c.customer_id).where(ACCOUNT.c.customer_id.in_(ids)).order_by(ACCOUNT.c.customer_id)
    connection.execute(held.with_for_update()).all()


# --- the receipt to be, as JSON


def _kept(purchase: Purchase) -> dict[str, Any]:
    lines = [[it.sku, it.quantity, it.total, it.category, it.brand, it.discounted] for it in purchase.lines]
    return {
        "id": purchase.external_id, "customer": purchase.customer, "at": purchase.at.isoformat(),
        "store": purchase.store, "points": purchase.pay_points, "codes": list(purchase.codes),
        "lines": lines,
    }  # fmt: skip


def _purchase(kept: Mapping[str, Any]) -> Purchase:
    return Purchase(
        kept["id"], kept["customer"], datetime.fromisoformat(kept["at"]),
        tuple(Line(*line) for line in kept["lines"]), kept["store"], kept["points"], tuple(kept["codes"]),
        confirmed=True,
    )  # fmt: skip
