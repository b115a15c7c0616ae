"""How the reference model reckons: days, shares to the last unit, and what is kept of a line."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from fractions import Fraction

from tests.core.terms import ZONE

FAR = datetime.max.replace(tzinfo=ZONE)


def midnight(moment: datetime, days: int) -> datetime:
    """The beginning of the day so many days after a moment's."""
    day = moment.astimezone(ZONE).date() + timedelta(days=days)
    return datetime.combine(day, time(0), ZONE)


def laid(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in proportion to the weights, what is left over one by one to the largest remainders."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    parts = [int(it) for it in exact]
    order = sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def kept(part: int, quantity: int, back: int) -> int:
    """What stays of an amount on a line of which so much came back."""
    return 0 if back >= quantity else part - part * back // quantity
