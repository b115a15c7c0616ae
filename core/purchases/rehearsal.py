"""A purchase worked out and not written: what a quote tells, and what a hold makes sure of.

It goes the way of the receipt itself (core.purchases.receipts), so that the receipt brings what was told.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from core.customers.holders import busy
from core.grants.promo_codes import Codes, Offer, in_order
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.program import Program
from core.purchases.booking import Effect
from core.purchases.buyers import Buyer
from core.purchases.cart import Cart
from core.purchases.history import BuyerPast
from core.purchases.receipts import Recording
from core.purchases.sales import Purchase


@dataclass
class AskedCodes(Codes):
    """Codes that are asked about and not taken; `refused` by code as typed.

    With `strict`, a refused code refuses the purchase as it does a receipt; else it is left out.
    """

    strict: bool = False
    refused: dict[str, Refusal] = field(default_factory=dict)

    def use(
        self, codes: Sequence[str], customer_id: int, receipt: str, at: datetime, *, on_purchase: bool = True
    ) -> Refusal | None:
        """Ask for each."""
        for code in in_order(codes):
            refusal = super().use([code], customer_id, receipt, at, on_purchase=on_purchase)
            if refusal:
                self.refused[code] = refusal
                if self.strict:
                    return refusal
        return None

    def leave(self, receipt: str, gave: Collection[str], why: Mapping[str, str]) -> dict[str, Refusal]:
        """What the receipt would not use."""
        unused = super().leave(receipt, gave, why)
        self.refused |= unused
        return unused

    def release(self, receipt: str) -> None:
        """Nothing was taken."""

    def _count_up(self, offer: Offer) -> bool:
        return True

    def _count_down(self, offer: Offer) -> None:
        """Nothing was counted."""


@dataclass(slots=True)
class Rehearsal:
    """One purchase before (`book` as it stands) and after `run`."""

    purchase: Purchase
    buyer: Buyer
    book: Book
    codes: AskedCodes
    _recording: Recording

    @property
    def cart(self) -> Cart:
        """The purchase as rules see it, once it was run."""
        [[work]] = self._recording.works.values()
        return work.bought.cart

    @property
    def accounts(self) -> dict[str, int]:
        """Points spent from each bonus account."""
        [[work]] = self._recording.works.values()
        found: dict[str, int] = {}
        for lot, kind, points, _ in work.op.movements:
            if kind == "redemption":
                found[lot.account] = found.get(lot.account, 0) - points
        return found

    @property
    def program(self) -> Program:
        """The program of the purchase's own time, once it was run."""
        [[work]] = self._recording.works.values()
        return work.bought.program

    @property
    def past(self) -> BuyerPast | None:
        """The buyer just before the purchase, once it was run; None if it comes late, among others."""
        found = self._recording.pasts.get(self.buyer.id)
        return found and found.without_news(*self.counts)

    @property
    def last_purchase(self) -> datetime | None:
        """When the buyer bought last."""
        return self._recording.stats.last(self.buyer.id)

    @property
    def counts(self) -> tuple[int, int]:
        """Receipts and minor units of the buyer's whole life."""
        return self._recording.stats.counts(self.buyer.id)

    def run(self) -> Effect | Refusal:
        """Work it out, once."""
        if self._recording.reckon():
            return Refusal("conflict", f"receipt {self.purchase.external_id!r} is recorded already")
        if self._recording.effects:
            return self._recording.effects[0][1]
        refusal = self._recording.outcomes[0]
        assert isinstance(refusal, Refusal)
        return refusal


def rehearse(
    connection: Connection, program: Program, purchase: Purchase, now: datetime, *,
    lock: bool = False, strict: bool = False,
) -> Rehearsal | Refusal:  # fmt: skip
    """The purchase of a known customer, loaded and not yet worked out; Refusal `unknown_customer`, `busy`.

    With `lock` the account is held until the transaction ends. Nothing is written either way.
    """
    codes = AskedCodes(connection, program, now, strict=strict)
    recording = Recording(connection, program, [purchase], now, live=True, lock=lock, codes=codes)
    buyer = recording.buyers.get(purchase.customer)
    if buyer is None:
        detail = f"no customer {purchase.customer!r}; register or import them first"
        return Refusal("unknown_customer", detail)
    if buyer.holder_id not in recording.book.lots:
        return busy()
    return Rehearsal(purchase, buyer, recording.book, codes, recording)
