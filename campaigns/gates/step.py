"""What every gate is given: one step of one scenario, at one look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, literal, select, true, update

from campaigns.conditions import Audience
from campaigns.names import names_of
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.scenario import Step as ScenarioStep
from campaigns.staging import CANDIDATE
from core.program import Program
from triggers.base import Look

# Asked at every look, and built once: that takes SQLAlchemy longer than the database needs to answer.
_FREE = CANDIDATE.c.gate.is_(None)
_ANY_FREE = select(literal(1)).select_from(CANDIDATE).where(_FREE).limit(1)
_STAGED = select(
    func.count(), func.count(CANDIDATE.c.customer_id.distinct()),
    func.count().filter(CANDIDATE.c.channel.is_(None)),
).select_from(CANDIDATE).where(_FREE)  # fmt: skip


class Staged(NamedTuple):
    """Whom the entry let in: how many candidates of how many customers, and how many no channel reaches."""

    candidates: int
    people: int
    unreached: int


class Who(NamedTuple):
    """A customer, as columns of a query that finds candidates."""

    customer_id: ColumnElement[int]
    external_id: ColumnElement[str]
    zone: ColumnElement[str]
    opted_in: ColumnElement[str | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one scenario over the staged candidates. `kinds`: channel → kind of its addresses.

    In a `rehearsal` what it reserves counts for the steps and scenarios after it, since nothing is kept. With
    a `place` the gates see only those candidates of that place: one occasion of each customer; with `rest`
    only those of all further places. `quiet_until` is when the last zone's quiet hours end (None: it is quiet
    nowhere). `merged`: two profiles were merged some time.
    """

    connection: Connection
    running: Running
    scenario: Scenario
    index: int
    look: Look
    kinds: Mapping[str, str]
    holdout_on: bool = True
    rehearsal: bool = False
    place: int | None = None
    rest: bool = False
    quiet_until: datetime | None = None
    merged: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What the scenario is called, and was called before: files are looked at before they are applied."""
        return names_of(self.scenario)

    @property
    def step(self) -> ScenarioStep:
        """The step as the scenario says it."""
        return self.scenario.steps[self.index]

    @property
    def program(self) -> Program:
        """The program that is applied."""
        return self.running.program

    @property
    def at(self) -> datetime:
        """The clock."""
        return self.look.at

    @property
    def audience(self) -> Audience:
        """What audiences mean at this look."""
        return Audience(self.program, self.running.segments, self.at, self.kinds)

    @property
    def marketing(self) -> bool:
        """Only marketing passes every gate; the other purposes skip consent, holdout and caps."""
        return self.scenario.purpose == "marketing"

    @property
    def free(self) -> ColumnElement[bool]:
        """The candidates whom no gate has held back."""
        return _FREE if self.place is None else and_(_FREE, self.turn)

    @property
    def turn(self) -> ColumnElement[bool]:
        """The candidates whom the gates see now."""
        if self.place is None:
            return true()
        return CANDIDATE.c.place > self.place if self.rest else CANDIDATE.c.place == self.place

    @property
    def anybody(self) -> bool:
        """Whether any candidate is free, whosever turn it is."""
        return self.connection.scalar(_ANY_FREE) is not None

    def staged(self) -> Staged:
        """Counted before any gate but those of the entry has spoken."""
        return Staged(*self.connection.execute(_STAGED).one())

    def set(self, where: ColumnElement[bool], **values: Any) -> None:
        """Set columns of the candidates whom no gate has held back and for whom `where` is true."""
        self.connection.execute(update(CANDIDATE).where(self.free, where).values(**values))

    def hold(self, gate: Any, where: ColumnElement[bool], detail: Any = None, **values: Any) -> None:
        """Hold back the candidates for whom `where` is true and whom nothing held back before.

        Nothing stands of what they would have been sent.
        """
        self.drop(gate, where, detail, channel=None, message=None, due_at=None, **values)

    def drop(self, gate: Any, where: ColumnElement[bool], detail: Any = None, **values: Any) -> None:
        """The same of messages that were decided on, and do not leave: it stands what they were."""
        statement = update(CANDIDATE).where(self.free, where)
        self.connection.execute(statement.values(gate=gate, detail=detail, **values))

    def any_free(self, where: ColumnElement[bool]) -> bool:
        """Whether `where` is true for some candidate whom nothing held back: a gate with work to do."""
        found = select(literal(1)).select_from(CANDIDATE).where(self.free, where).limit(1)
        return self.connection.scalar(found) is not None
