"""The discount that a level and all money ever spent give."""

from decimal import Decimal

from core.program import Program


def discount_of(program: Program, tier: str | None, spent_ever: int) -> Decimal:
    """The discount of a customer as a fraction (5% is Decimal('0.05')): the level's own, or what `spent_ever`
    (minor units) has come to, whichever is more.
    """
    reached = [fraction for start, fraction in program.discount_steps if start <= spent_ever]
    return max([program.level(tier).discount, *reached[-1:]])
