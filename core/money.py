"""Integers at a declared scale in the database; decimals in whole units for people.

Points have the program's own scale, money has the currency's minor units (ISO 4217).
"""

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal, InvalidOperation
from fractions import Fraction

ROUNDINGS = {"down": ROUND_DOWN, "up": ROUND_UP, "half_even": ROUND_HALF_EVEN}
# What a 64-bit column holds, with room for sums over a customer's whole life.
LIMIT = 10**15


def to_units(amount: Decimal | int | str, scale: int) -> int:
    """Whole units as people write them to an integer at `scale`; ValueError if that would lose digits."""
    try:
        value = Decimal(amount).scaleb(scale)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not a number") from None
    if not value.is_finite() or abs(value) > LIMIT:
        raise ValueError(f"{amount} is out of range")
    if value != value.to_integral_value():
        raise ValueError(f"{amount} has more than {scale} decimal places")
    return int(value)


def from_units(units: int, scale: int) -> Decimal:
    """An integer at `scale` to whole units, without trailing zeros: 50000 at 2 is Decimal('500')."""
    whole, rest = divmod(units, 10**scale)
    return Decimal(units).scaleb(-scale).normalize() if rest else Decimal(whole)


def said(units: int, scale: int) -> str:
    """The same as text; each receipt says several amounts."""
    whole, rest = divmod(abs(units), 10**scale)
    text = f"{whole}.{rest:0{scale}}".rstrip("0") if rest else str(whole)
    return f"-{text}" if units < 0 else text


def share(units: int, fraction: Decimal, rounding: str = "down") -> int:
    """A fraction of an integer amount, rounded once."""
    if fraction == 1:
        return units
    return int((Decimal(units) * fraction).to_integral_value(ROUNDINGS[rounding]))


def lay_out(total: int, weights: Sequence[int]) -> list[int]:
    """Lay `total` on `weights` in proportion, to the last unit (largest remainder, ties to the first).

    Returns one integer a weight; they add up to `total` whenever some weight is positive.
    """
    whole = sum(weights)
    if whole <= 0:
        return [0] * len(weights)
    if total == whole:
        return [*weights]
    parts = [total * weight // whole for weight in weights]
    if (short := total - sum(parts)) == 0:
        return parts
    remainders = [total * weight % whole for weight in weights]
    if short == 1:
        parts[remainders.index(max(remainders))] += 1
        return parts
    # Sorting keeps the order of equals, backwards too.
    order = sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)
    for i in order[:short]:
        parts[i] += 1
    return parts


def lay_out_more(done: int, more: int, weights: Sequence[int]) -> list[int]:
    """Of a total that is laid on `weights` bit by bit, where `more` lies that comes after `done`.

    Whatever the bits, they add up to the same, and all of them to the weights themselves. By the largest
    remainder a part may shrink while the total grows; by the highest averages (D'Hondt) none does.
    """
    before, after = _highest_averages(done, weights), _highest_averages(done + more, weights)
    return [now - then for now, then in zip(after, before, strict=True)]


def _highest_averages(total: int, weights: Sequence[int]) -> list[int]:
    whole = sum(weights)
    if whole <= 0:
        return [0] * len(weights)
    # Nobody gets less than their proportion, rounded down; few are left to lay.
    parts = [total * weight // whole for weight in weights]
    for _ in range(total - sum(parts)):
        best = max(range(len(weights)), key=lambda i: Fraction(weights[i], parts[i] + 1))
        parts[best] += 1
    return parts
