"""A customer's level as the API shows it."""

from decimal import Decimal

from core.program import Program
from core.tiers import Progress
from templates.facts import tier_view
from tidings.api.answers import Tier


def tier_shown(program: Program, progress: Progress, spent_ever: int) -> Tier:
    """The level, and the way to the next one; `spent_ever` in minor units."""
    view = tier_view(program, progress, spent_ever)
    return Tier.model_validate({
        "name": view.name, "earn_percent": plain(view.earn or Decimal(0)),
        "discount_percent": plain(view.discount), "since": view.since, "next": view.next, "unit": view.unit,
        "have": plain(view.have), "missing": plain(view.missing), "until": view.until,
        "to_keep": plain(view.to_keep), "keep_by": view.keep_by, "kept_by": view.kept_by,
    })  # fmt: skip


def plain(amount: Decimal | None) -> str | None:
    """A decimal without an exponent."""
    return None if amount is None else f"{amount.normalize():f}"
