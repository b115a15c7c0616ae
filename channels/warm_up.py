"""How a new sender is made known: so many messages a day, growing, until receivers trust it."""

from datetime import date
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.explain import complaint
from core.units import Day, Some


def _growing(days: tuple[int, ...]) -> tuple[int, ...]:
    if days[0] < 1:
        raise complaint("a plan begins with one message a day at least", "write for example [50, 100, 200]")
    for before, after in pairwise(days):
        if after < before:
            raise complaint(f"{after} a day comes after {before}", "a plan grows; write the days in order")
    return days


class WarmUp(BaseModel):
    """`warm_up` of a channel: from a day on so many messages, one number a day; no limit after the last one.

    The days are the program's. Service and transactional messages are counted and never held.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    begins: Day = Field(alias="from", description="The first day, by the program's clock.")
    per_day: Annotated[Some[int], AfterValidator(_growing)] = Field(
        description="How many messages leave on the first day, the second, and so on; then as many as want.",
        examples=["[50, 100, 200, 400, 800]"],
    )

    def most_on(self, day: date) -> int | None:
        """How many may leave on a day; None if the plan does not speak of it."""
        number = (day - self.begins).days
        return self.per_day[number] if 0 <= number < len(self.per_day) else None
