"""Who entered a scenario in a period: what the figures of messages and of the effect are both about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, and_, literal

from campaigns.tables import Enrolment
from core.db import UtcDateTime

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Entered:
    """The enrolments of some scenarios, from `since` until before `until`."""

    names: Sequence[str]
    since: datetime
    until: datetime

    @property
    def where(self) -> ColumnElement[bool]:
        """As a condition on `enrolment`."""
        return and_(self._of_them(ENROLMENT), *self._in_time(ENROLMENT.c.at))

    def decided(self, decision: FromClause) -> ColumnElement[bool]:
        """The same of the decisions of that time, which are also about whoever never entered."""
        return and_(self._of_them(decision), *self._in_time(decision.c.at))

    def _of_them(self, table: FromClause) -> ColumnElement[bool]:
        return table.c.scenario.in_(self.names)

    def _in_time(self, at: ColumnElement[datetime]) -> tuple[ColumnElement[bool], ...]:
        return at >= literal(self.since, UtcDateTime), at < literal(self.until, UtcDateTime)
