"""What rules gave on a purchase, and why others gave nothing."""

from core.fact import fact
from core.program.lifetime import Lasts, Starts


@fact
class Share:
    """What one rule gives on one cart.

    `points` at the program's scale, laid on the cart's lines as `lines` (they add up to `points`). `starts`
    and `lasts` are the rule's own; None for the account's. `note` is one short sentence for people.
    """

    rule: str
    account: str
    points: int
    lines: tuple[int, ...]
    starts: Starts | None = None
    lasts: Lasts | None = None
    note: str = ""


@fact
class Silence:
    """A rule that gave nothing: the reason's name (see REASONS), and one sentence for people."""

    rule: str
    reason: str
    detail: str


@fact
class Earned:
    """All rules of purchases, each either in `shares` or in `silences`."""

    shares: tuple[Share, ...]
    silences: tuple[Silence, ...]

    @property
    def points(self) -> int:
        """All of it, at the program's scale."""
        return sum(share.points for share in self.shares)


# Why a rule may give nothing; a test of rules names these.
REASONS = {
    "not_yet": "the rule begins later",
    "over": "the rule has ended",
    "partner": "it does not hold at this partner",
    "store": "it does not hold in this store",
    "tier": "it is for other levels",
    "weekday": "it is for other days of the week",
    "hours": "it is for other hours",
    "code": "its promo code was not given",
    "no_goods": "nothing was paid for goods that it is for",
    "too_small": "there are too few lines, units or money for it",
    "too_much": "there are too many lines, units or money for it",
    "history": "what was bought before does not fit",
    "limit": "the customer has had it as often as it is given",
    "nothing_to_multiply": "no percentage gave anything on its goods",
    "too_little": "it comes to less than the smallest bonus",
    "best_of_group": "another rule of its group gives more",
    "excluded_by": "another rule excludes it",
    "cap": "the most that a receipt or a day may earn was reached",
}
