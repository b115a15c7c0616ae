"""How sure a difference between two groups of customers is: 95 % confidence intervals.

Rates by Wilson's score interval, their difference by Newcombe's hybrid of two of them (Statistics in
Medicine 17, 1998, method 10): both hold for few customers and for rates near 0. Means by the normal quantile
and the larger one of two standard errors, Welch's and that of one spread for both groups. A small group in
which by chance few bought has seen none of the spread of what people spend: by Welch alone one scenario in
four to twelve without any effect would look sure of one.
"""

from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and between what it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether chance alone would hardly have done it: zero lies outside."""
        return self.low > 0 or self.high < 0

    def times(self, factor: float) -> "Interval":
        """So many times as much (not below nothing)."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


@dataclass(slots=True)
class Amounts:
    """What was seen of each customer, added up; nothing is kept of a single one."""

    count: int = 0
    total: int = 0
    squares: int = 0

    def add(self, amount: int) -> None:
        """One customer's."""
        self.count += 1
        self.total += amount
        self.squares += amount * amount

    @property
    def mean(self) -> float | None:
        """None for nobody."""
        return self.total / self.count if self.count else None

    @property
    def variance_of_mean(self) -> float | None:
        """The mean's, from the sample's variance; None for fewer than two."""
        return self.deviations / (self.count * (self.count - 1)) if self.count > 1 else None

    @property
    def deviations(self) -> float:
        """Squared distances from the mean, added up; of one customer at least."""
        # Whole numbers, so that amounts of billions lose nothing in the difference.
        return (self.count * self.squares - self.total * self.total) / self.count


def rate(reached: int, of: int) -> Interval | None:
    """So many of so many, as a fraction; None for nobody."""
    if not of:
        return None
    share, slack = reached / of, Z * Z / of
    middle = (share + slack / 2) / (1 + slack)
    reach = Z * sqrt(share * (1 - share) / of + slack / (4 * of)) / (1 + slack)
    return Interval(share, max(0.0, middle - reach), min(1.0, middle + reach))


def difference_of_rates(reached: int, of: int, others: int, of_others: int) -> Interval | None:
    """How much higher the first rate is, as a fraction; None if either is of nobody."""
    one, other = rate(reached, of), rate(others, of_others)
    if one is None or other is None:
        return None
    value = one.value - other.value
    below = hypot(one.value - one.low, other.high - other.value)
    above = hypot(one.high - one.value, other.value - other.low)
    return Interval(value, value - below, value + above)


def difference_of_means(one: Amounts, other: Amounts) -> Interval | None:
    """How much higher the first mean is; None if either is of fewer than two."""
    spreads = (one.variance_of_mean, other.variance_of_mean)
    if spreads[0] is None or spreads[1] is None or one.mean is None or other.mean is None:
        return None
    common = (one.deviations + other.deviations) / (one.count + other.count - 2)
    variance = max(spreads[0] + spreads[1], common * (1 / one.count + 1 / other.count))
    value, reach = one.mean - other.mean, Z * sqrt(variance)
    return Interval(value, value - reach, value + reach)
