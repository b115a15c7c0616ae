"""How tests went."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An expectation that was not met. `place` is file:line:col, `at` the moment in words."""

    place: str
    customer: str
    expected: str
    got: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.customer}:\n    expected  {self.expected}\n    got       {self.got}"


@dataclass(slots=True)
class Moment:
    """One moment of a scenario test, or one case of a test of rules. `line` counts from 1."""

    name: str
    line: int
    mismatches: list[Mismatch] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(slots=True)
class Result:
    """How one test file went."""

    name: str
    file: str
    moments: list[Moment] = field(default_factory=list)

    @property
    def mismatches(self) -> list[Mismatch]:
        """Of all moments."""
        return [it for moment in self.moments for it in moment.mismatches]

    @property
    def passed(self) -> bool:
        """Everything was as expected."""
        return not self.mismatches

    @property
    def seconds(self) -> float:
        """How long it took."""
        return sum(moment.seconds for moment in self.moments)
