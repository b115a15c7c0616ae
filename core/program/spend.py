"""`spend` in program.yaml: how much of a receipt, and of which goods, bonuses may pay."""

from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import Field

from core.program.goods import Exclusion, Goods
from core.source import Model
from core.units import Amount, Duration, Percent, Span


class SpendTerms(Model):
    """What bonuses may pay: shares of a receipt and of each line, the smallest receipt (whole money), and
    the goods: `only` these, all but `exclude`.
    """

    share_at_most: Percent = Decimal(1)
    line_share_at_most: Percent = Decimal(1)
    receipt_at_least: Amount = Decimal(0)
    only: Goods | None = None
    exclude: Exclusion = Exclusion()

    @cached_property
    def everything(self) -> bool:
        """Whether every line may be paid whole, as far as the receipt goes."""
        return self.only is None and self.exclude.empty and self.line_share_at_most == 1


class Spend(SpendTerms):
    """The terms of spending, those at some partners, and how a till spends.

    Above `confirm_above` (whole bonuses) the customer says a code; what a till sets aside is free again
    after `hold_for`.
    """

    confirm_above: Amount | None = None
    hold_for: Span = Duration(seconds=1800)
    partners: dict[str, SpendTerms] = Field(default_factory=dict)


class SpendRules:
    """What a program says about spending; a part of `core.program.Program`."""

    if TYPE_CHECKING:  # the rest of the program
        spend: Spend

        @property
        def zone(self) -> ZoneInfo: ...  # noqa: D102

    def spend_terms(self, partner: str | None) -> SpendTerms:
        """The terms at a partner (None: the program's own stores); a partner's own replace all the others."""
        return self.spend.partners.get(partner or "", self.spend)

    def hold_until(self, at: datetime) -> datetime:
        """When bonuses that a till sets aside at `at` are free again, aware UTC."""
        return self.spend.hold_for.after(at, self.zone)
