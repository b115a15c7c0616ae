"""What a receipt earns."""

from collections.abc import Sequence
from decimal import Decimal

from core.money import ROUNDINGS, lay_out
from core.program import Program


def earn_on_lines(
    program: Program, eligible: Sequence[int], total: int, paid_points: int, rate: Decimal
) -> list[int]:
    """Points at the program's scale for each line.

    `eligible` is each line's money in minor units (0 where it earns nothing), `total` that of the whole
    receipt, `rate` a fraction. The part paid with bonuses earns nothing. Rounded once for the receipt,
    then laid on the lines by largest remainder.
    """
    net = list(eligible)
    if paid_points:
        paid = lay_out(min(total, program.points_in_money(paid_points)), [*eligible, total - sum(eligible)])
        net = [max(0, money - part) for money, part in zip(eligible, paid[:-1], strict=True)]
    points = program.money_in_points(Decimal(sum(net)) * rate)
    return lay_out(int(points.to_integral_value(ROUNDINGS[program.points.rounding])), net)
