"""What a till sends: a purchase with its lines."""

from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from core.fact import fact


@fact
class Line:
    """A line: quantity in thousandths, total in minor units after discounts.

    `category` and `brand` if the till knows better than the catalogue; `discounted` if the price was lowered.
    """

    sku: str
    quantity: int
    total: int
    category: str | None = None
    brand: str | None = None
    discounted: bool = False

    def body(self) -> list[Any]:
        """What makes two lines the same; what is left out counts for nothing."""
        more = [self.category, self.brand, self.discounted]
        return [self.sku, self.quantity, self.total, *(more if any(more) else ())]


@fact
class Purchase:
    """What a till sends. `customer` is the external id; `pay_points` in points at the program's scale,
    `total`, the sum of the lines, in minor units; `key` tells a repeated one. `offline`: the goods are gone,
    so it is recorded even if its bonuses were spent elsewhere meanwhile. `codes` are promo codes.
    `confirmed`: the customer has said the code without which so many bonuses are not spent. `from_file`:
    history, which may be of any age.
    """

    external_id: str
    customer: str
    at: datetime
    lines: tuple[Line, ...]
    store: str | None = None
    pay_points: int = 0
    codes: tuple[str, ...] = ()
    offline: bool = False
    confirmed: bool = False
    promised: bool = False
    from_file: bool = False
    total: int = field(init=False)
    key: str = field(init=False, compare=False, repr=False)

    def body(self) -> list[Any]:
        """What makes two requests the same; one moment is the same whichever zone it is written in."""
        lines = [line.body() for line in self.lines]
        head = [self.customer, self.at.astimezone(UTC).isoformat(), self.store, self.pay_points, lines]
        return [*head, list(self.codes)] if self.codes else head

    @property
    def owing(self) -> bool:
        """Whether it stands even if its bonuses are not there any more."""
        return self.offline or self.promised

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum([line.total for line in self.lines]))
        object.__setattr__(self, "key", f"receipt:{self.external_id}")
