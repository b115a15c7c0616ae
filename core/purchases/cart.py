"""What is bought, and what is known of the buyer just before, as the rules of earning and spending see it.

Nothing here reads a database or a clock: the same cart and the same past give the same bonuses, today and
when a return or a late receipt makes the ledger reckon again.
"""

from collections.abc import Collection, Sequence
from dataclasses import field
from datetime import datetime
from typing import NamedTuple, Protocol

from core.fact import fact
from core.ledger.limits import Limits


class Item(NamedTuple):
    """One line: `quantity` in thousandths, `total` in minor units after discounts.

    `category` and `brand` are None where nobody said; `discounted` if the price was already lowered.
    """

    sku: str
    quantity: int
    total: int
    category: str | None = None
    brand: str | None = None
    discounted: bool = False


def kept_of(part: int, item: Item, back: int) -> int:
    """Of an amount on a line, what stays when `back` thousandths of it came back, rounded up.

    It depends on how much came back in all, not on how often; nothing is kept of what is all gone.
    """
    if not back:
        return part
    return 0 if back >= item.quantity else part - part * back // item.quantity


def all_back(items: Sequence[Item], back: Sequence[int]) -> bool:
    """Whether these thousandths of each line are all that cost something: a bag for 0.00 is no purchase."""
    pairs = [*zip(items, back, strict=True)]
    costly = [pair for pair in pairs if pair[0].total] or pairs
    return all(part >= item.quantity for item, part in costly)


@fact
class Cart:
    """A purchase at `at` (aware UTC). `paid_points` (at the program's scale) pay for a part of it, laid on
    the lines as `paid` (minor units each, () for nothing); `codes` are the rules that accepted promo codes
    and coupons open.
    """

    at: datetime
    items: tuple[Item, ...]
    store: str | None = None
    partner: str | None = None
    codes: tuple[str, ...] = ()
    paid_points: int = 0
    paid: tuple[int, ...] = ()
    # The most points of the accounts, if it was asked already.
    limits: Limits | None = field(default=None, compare=False)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum([item.total for item in self.items]))

    def paying(self, paid: tuple[int, ...], limits: Limits) -> "Cart":
        """The same cart with its payment laid on the lines."""
        return Cart(self.at, self.items, self.store, self.partner, self.codes, self.paid_points, paid, limits)


class Past(Protocol):
    """A buyer just before a cart. Receipts returned whole do not count; of others, what was kept."""

    @property
    def tier(self) -> str | None:
        """The level's name."""
        ...

    @property
    def purchases(self) -> int:
        """How many receipts there were before."""
        ...

    @property
    def spent(self) -> int:
        """Minor units of all of them."""
        ...

    def bought(self, kind: str, names: Collection[str]) -> bool:
        """Whether anything of these was bought before; `kind` is `category`, `brand` or `sku`."""
        ...

    def purchases_since(self, since: datetime) -> int:
        """Receipts at or after `since`."""
        ...

    def times(self, rule: str, since: datetime | None) -> int:
        """On how many receipts at or after `since` (None: ever) the rule gave something."""
        ...

    def points(self, since: datetime, rule: str | None = None) -> int:
        """Points earned by receipts at or after `since`, by one rule or all of them."""
        ...
