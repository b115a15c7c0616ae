"""Which receipts are not taken at all, whatever the buyer has: and why, in one sentence."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.clock import EARLIEST, LATEST
from core.ledger.lots import Refusal
from core.program import Program
from core.purchases.sales import Purchase
from core.purchases.spending import needs_code

# A till whose clock is ahead by more than this is wrong, not early.
AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Door:
    """Looks at receipts that are recorded at one time."""

    program: Program
    recorded_at: datetime
    live: bool

    def refused(self, purchase: Purchase, buyers: Container[str], goods: Container[str]) -> Refusal | None:
        """Why it is not taken; None when it is. `buyers` and `goods` are those that are known."""
        if not EARLIEST <= purchase.at < LATEST:
            return Refusal("impossible_time", f"the receipt's year {purchase.at.year} cannot be meant")
        if purchase.customer not in buyers:
            return Refusal(
                "unknown_customer", f"no customer {purchase.customer!r}; register or import them first"
            )
        return (
            self._bad_amount(purchase)
            or self._wrong_clock(purchase)
            or self._unknown_goods(purchase, goods)
            or self._unconfirmed(purchase)
        )

    def _bad_amount(self, purchase: Purchase) -> Refusal | None:
        if purchase.pay_points < 0 or any(line.total < 0 or line.quantity < 0 for line in purchase.lines):
            return Refusal(
                "bad_amount", "no line, quantity or payment may be below zero; a return is told apart"
            )
        if self.live and not purchase.from_file and not purchase.total:
            return Refusal("bad_amount", "nothing was bought: the lines come to zero")
        return None

    def _wrong_clock(self, purchase: Purchase) -> Refusal | None:
        if purchase.at > self.recorded_at + AHEAD:
            return Refusal("in_the_future", f"the receipt's time {_minute(purchase.at)} has not come yet")
        if not self.live or purchase.from_file:
            return None
        most = self.program.receipts.late_at_most
        if purchase.at >= most.ago(self.recorded_at, self.program.zone):
            return None
        return Refusal(
            "too_old",
            f"the receipt's time {_minute(purchase.at)} is more than {most} ago; import history as a file",
        )

    def _unknown_goods(self, purchase: Purchase, goods: Container[str]) -> Refusal | None:
        if self.program.products.unknown == "accept":
            return None
        unknown = [line.sku for line in purchase.lines if line.sku not in goods]
        if not unknown:
            return None
        return Refusal("unknown_product", f"no product {unknown[0]!r} in the catalogue; import it first")

    def _unconfirmed(self, purchase: Purchase) -> Refusal | None:
        if purchase.confirmed or purchase.offline or not self.live:
            return None
        if not needs_code(self.program, purchase.pay_points):
            return None
        above = self.program.spend.confirm_above
        return Refusal(
            "confirmation_required",
            f"more than {above} bonuses are spent only with a code; set them aside with a hold first",
        )


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
