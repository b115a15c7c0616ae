"""The shape of a trigger, and how triggers are found."""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause, Select, String, and_, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from core.events import Position, between
from core.program import Program
from core.source import Model
from core.tables import Customer, Event

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
EVENT = Event.__table__  # type: ignore[attr-defined]

CANDIDATE_COLUMNS = ("customer_id", "occasion", "subject", "at", "facts")

# Who was erased is due for nothing.
PRESENT = and_(CUSTOMER.c.erased_at.is_(None), CUSTOMER.c.merged_into.is_(None))

Kind = Literal["state", "event", "calendar"]
FactType = Literal["points", "number", "percent", "text", "date", "local_date", "time"]


class utc_text(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """A time as text, UTC, the same on both databases and in every session: fit for an occasion."""

    type = String()
    inherit_cache = True


@compiles(utc_text, "sqlite")
def _utc_text_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(utc_text, "postgresql")
def _utc_text_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return (
        f"to_char({compiler.process(element.clauses, **kw)} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """A name that messages may use as `trigger.<name>`.

    Types: points and percent are decimals in whole units, `local_date` is the day of a stored time in the
    program's zone.
    """

    type: FactType
    about: str


class Parameters(Model):
    """What stands under a trigger's name in a scenario."""


P = TypeVar("P", bound=Parameters)


@dataclass(frozen=True, slots=True)
class Zone:
    """One time zone among the customers, as they spell it ('' for none), at a look.

    `fired_at` is when the schedule last struck there since the previous look (None: it did not), `today`
    the date there at that moment, and `since` the date of the last stroke that earlier looks have covered.
    """

    name: str
    zone: ZoneInfo
    fired_at: datetime | None
    today: date
    since: date


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the facts: what a trigger may use besides its parameters.

    `zones` is the temporary table of `Zone` rows (columns name, fired_at, today); `after` and `upto` bound
    the events of this look.
    """

    at: datetime
    program: Program
    zones: FromClause
    zone_rows: tuple[Zone, ...]
    after: Position
    upto: Position

    @property
    def today(self) -> date:
        """The day in the program's zone: days of the ledger are reckoned in it."""
        return self.at.astimezone(self.program.zone).date()

    def zone_of(self, customer: FromClause) -> ColumnElement[bool]:
        """Joins a customer to their zone, only where the schedule struck."""
        return (self.zones.c.name == func.coalesce(customer.c.time_zone, "")) & self.zones.c.fired_at.is_not(
            None
        )


Due = FromClause
"""Messages about to be sent: a table with columns id, customer_id, occasion, subject, facts."""


class Trigger(ABC, Generic[P]):
    """One reason to speak. Its docstring is its documentation; see CONTRIBUTING.md, "Add a trigger"."""

    name: ClassVar[str]
    kind: ClassVar[Kind]
    Parameters: ClassVar[type[Parameters]]
    facts: ClassVar[Mapping[str, Fact]]

    @abstractmethod
    def candidates(self, parameters: P, look: Look) -> Select[Any]:
        """Who is due, with the columns of `CANDIDATE_COLUMNS`; a customer and occasion once."""

    @abstractmethod
    def still_true(self, parameters: P, look: Look, due: Due) -> Select[Any]:
        """The rows of `due` for which it is still so: columns id and facts, as they are now."""

    def times(self, parameters: P, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime] | None:
        """Planned times in (after, until] that are part of the trigger itself; None if it has no calendar."""
        return None

    def read(self, stored: Mapping[str, Any], program: Program, at: datetime) -> dict[str, Any]:
        """Facts as stored in JSON to what messages use at a time: decimals, dates, aware times."""
        return {name: _value(fact.type, stored.get(name), program) for name, fact in self.facts.items()}


class EventTrigger(Trigger[P]):
    """A trigger on one kind of event: candidates are the events between two places of the stream."""

    kind: ClassVar[Kind] = "event"
    event: ClassVar[str]

    @abstractmethod
    def condition(self, parameters: P, look: Look) -> ColumnElement[bool]:
        """Which events of this kind are meant; of `EVENT`, and of `CUSTOMER` whom it is about."""

    @abstractmethod
    def stored_facts(self) -> ColumnElement[Any]:
        """The facts of an event, as JSON."""

    def candidates(self, parameters: P, look: Look) -> Select[Any]:
        """Live events since the last look."""
        occasion = func.coalesce(EVENT.c.subject, "") + "#" + sql_cast(EVENT.c.id, String)
        columns = (
            EVENT.c.customer_id, occasion.label("occasion"), EVENT.c.subject, EVENT.c.at,
            self.stored_facts().label("facts"),
        )  # fmt: skip
        return (
            select(*columns)
            .join(CUSTOMER, and_(CUSTOMER.c.id == EVENT.c.customer_id, PRESENT))
            .where(EVENT.c.kind == self.event, EVENT.c.live, between(look.after, look.upto))
            .where(self.condition(parameters, look))
        )


def _value(kind: FactType, stored: Any, program: Program) -> Any:
    if stored is None:
        return None
    if kind == "points":
        return program.from_points(int(stored))
    if kind in ("number", "percent"):
        return Decimal(str(stored)) if kind == "percent" else stored
    if kind == "date":
        return date.fromisoformat(str(stored)[:10])
    if kind in ("local_date", "time"):
        at = datetime.fromisoformat(str(stored))
        at = at if at.tzinfo else at.replace(tzinfo=ZoneInfo("UTC"))
        return at.astimezone(program.zone).date() if kind == "local_date" else at
    return str(stored)


@cache
def discover() -> dict[str, Trigger[Any]]:
    """Every trigger in this folder, by name: a file that has a `TRIGGER` is one."""
    import triggers

    found = {}
    for module in pkgutil.iter_modules(triggers.__path__):
        trigger = getattr(importlib.import_module(f"triggers.{module.name}"), "TRIGGER", None)
        if trigger is not None:
            found[trigger.name] = trigger
    return dict(sorted(found.items()))
