"""The shape of a trigger, and how triggers are found."""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, ClassVar, Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Select,
    String,
    and_,
    func,
    literal,
    select,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from core.db import facts, json_number, looked_up
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
FactType = Literal["points", "money", "number", "percent", "text", "date", "local_date", "time", "attributes"]

# A look that was missed is made up for, but nobody is congratulated more than a week late.
CATCH_UP_DAYS = 7


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


class utc_day(FunctionElement[date]):  # noqa: N801 - as above
    """The day of a time, UTC, the same on both databases and in every session."""

    type = Date()
    inherit_cache = True


@compiles(utc_day, "sqlite")
def _utc_day_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 10)"


@compiles(utc_day, "postgresql")
def _utc_day_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AT TIME ZONE 'UTC' AS date)"


@dataclass(frozen=True, slots=True)
class Fact:
    """A name that messages may use as `trigger.<name>`.

    Types: points, money and percent are decimals in whole units, `local_date` is the day of a stored time in
    the program's zone, `attributes` are values by their names.
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

    def days(self) -> Iterator[tuple[date, datetime]]:
        """Each day there since the last stroke, today first, and when a message of that day was planned for.

        None where the schedule did not strike; never further back than `CATCH_UP_DAYS`.
        """
        if self.fired_at is None:
            return
        missed = min((self.today - self.since).days, CATCH_UP_DAYS)
        for back in range(max(missed, 1)):
            # By the clock on the wall: the same time of day, whatever the clocks did in between.
            planned = (self.fired_at.astimezone(self.zone) - timedelta(days=back)).astimezone(UTC)
            yield self.today - timedelta(days=back), planned


@dataclass(frozen=True, slots=True)
class Membership:
    """Who belongs to a named segment.

    `now` says it of `CUSTOMER` as the facts stand, never NULL. `changes` are the last changes that were found
    since the scenario began, this look included (columns customer_id, entered, at); `log` is all that was
    kept before.
    """

    now: ColumnElement[bool]
    changes: FromClause
    log: FromClause


@dataclass(frozen=True, slots=True)
class Part:
    """Of all customers those with an id from `low` on, below `high`: what one shard of a look is about."""

    low: int
    high: int

    def has(self, customer_id: ColumnElement[int]) -> ColumnElement[bool]:
        """Whether a customer is one of them."""
        return and_(customer_id >= literal(self.low), customer_id < literal(self.high))


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the facts: what a trigger may use besides its parameters.

    `zones` is the temporary table of `Zone` rows (columns name, fired_at, today); `after` and `upto` bound
    the events of this look. `entered` are the occasions on which customers entered the scenario before
    (columns customer_id, occasion, at, facts), `segment` the members of the segment that is asked about,
    `part` the customers whom a shard of a large look is about (None: everybody).
    """

    at: datetime
    program: Program
    zones: FromClause
    zone_rows: tuple[Zone, ...]
    after: Position
    upto: Position
    entered: FromClause | None = None
    segment: Membership | None = None
    part: Part | None = None

    @property
    def today(self) -> date:
        """The day in the program's zone: days of the ledger are reckoned in it."""
        return self.at.astimezone(self.program.zone).date()

    def about(self, customer_id: ColumnElement[int]) -> ColumnElement[bool]:
        """Whether the look is about a customer. Who is due is narrowed down by it in any case: a trigger asks
        it where it gathers something of everybody before.
        """
        return true() if self.part is None else self.part.has(customer_id)

    def zone_of(self, customer: FromClause) -> ColumnElement[bool]:
        """Joins a customer to their zone, only where the schedule struck."""
        return _zone_of(self.zones, customer)

    def is_new(self, customer_id: ColumnElement[int], occasion: ColumnElement[str]) -> ColumnElement[bool]:
        """The customer has not entered the scenario on this occasion.

        For triggers that stay true for long: without it each look would stage again all who ever entered.
        """
        if self.entered is None:
            return true()
        same = self.entered.c.occasion == occasion
        return ~looked_up(self.entered.c.customer_id == customer_id, same)

    def is_newest(self, due: "Due", occasions: Sequence[ColumnElement[str]]) -> ColumnElement[bool]:
        """The customer has entered the scenario on none of these occasions since the one that is due.

        For a series: what waits of an earlier step says nothing that the nearer one does not say.
        """
        if self.entered is None or len(occasions) < 2:
            return true()
        own, later = self.entered.alias("own"), self.entered.alias("later")
        return ~looked_up(
            own.c.customer_id == due.c.customer_id, own.c.occasion == due.c.occasion,
            later.c.customer_id == due.c.customer_id, later.c.occasion.in_(occasions),
            later.c.at > own.c.at,
        )  # fmt: skip


# The same at every look, for one table of customers.
@lru_cache(maxsize=64)
def _zone_of(zones: FromClause, customer: FromClause) -> ColumnElement[bool]:
    theirs = zones.c.name == func.coalesce(customer.c.time_zone, "")
    return and_(theirs, zones.c.fired_at.is_not(None))


Due = FromClause
"""Messages about to be sent: a table with columns id, customer_id, occasion, subject, facts."""


class Trigger(ABC, Generic[P]):
    """One reason to speak. Its docstring is its documentation; see CONTRIBUTING.md, "Add a trigger"."""

    name: ClassVar[str]
    kind: ClassVar[Kind]
    Parameters: ClassVar[type[Parameters]]
    facts: ClassVar[Mapping[str, Fact]]
    # Its columns cost nothing to read twice: of many candidates none is laid aside before the gates speak.
    plain: ClassVar[bool] = False
    # On SQLite its candidates come in the order of customers and occasions as they are found.
    in_order: ClassVar[bool] = False

    @abstractmethod
    def candidates(self, parameters: P, look: Look) -> Select[Any]:
        """Who is due, with the columns of `CANDIDATE_COLUMNS`; a customer and occasion once."""

    @abstractmethod
    def still_true(self, parameters: P, look: Look, due: Due) -> Select[Any]:
        """The rows of `due` for which it is still so: columns id and facts, as they are now."""

    def perhaps(self, parameters: P, look: Look) -> Sequence[Select[Any]]:
        """At least one row for each candidate, by questions that cost far less, the cheapest one first.

        The blast guard asks them first: who are few even so need not be looked at closely. They ask no
        temporary table, so that PostgreSQL lets several processes count.
        """
        return ()

    def times(self, parameters: P, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime] | None:
        """Planned times in (after, until] that are part of the trigger itself; None if it has no calendar."""
        return None

    def segment(self, parameters: P) -> str | None:
        """The segment whose members it asks about; None if it asks about none."""
        return None

    def read(self, stored: Mapping[str, Any], program: Program, at: datetime) -> dict[str, Any]:
        """Facts as stored in JSON to what messages use at a time: decimals, dates, aware times."""
        return {
            name: None if (value := stored.get(name)) is None else _value(fact.type, value, program)
            for name, fact in self.facts.items()
        }


class EventTrigger(Trigger[P]):
    """A trigger on one kind of event: candidates are the events between two places of the stream.

    Where an event leads to (a receipt, a lot, a customer) is asked anew at each look and once more before
    sending: what is due and what is still true are one question.
    """

    kind: ClassVar[Kind] = "event"
    event: ClassVar[str]

    def event_of(self, parameters: P) -> str:
        """The kind of event that is read."""
        return self.event

    def told(self, events: FromClause) -> FromClause:
        """Rows of `events`, each with the customer who is told (`CUSTOMER`) and what else it leads to."""
        return events.join(CUSTOMER, and_(CUSTOMER.c.id == EVENT.c.customer_id, PRESENT))

    @abstractmethod
    def condition(self, parameters: P, look: Look) -> ColumnElement[bool]:
        """Which events of this kind are meant and still so; of `EVENT`, `CUSTOMER` and what `told` joins."""

    @abstractmethod
    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """The facts of an event by name, as columns of the same."""

    def candidates(self, parameters: P, look: Look) -> Select[Any]:
        """Live events since the last look."""
        occasion = func.coalesce(EVENT.c.subject, "") + "#" + sql_cast(EVENT.c.id, String)
        columns = (
            CUSTOMER.c.id.label("customer_id"), occasion.label("occasion"), EVENT.c.subject, EVENT.c.at,
            self._facts(look),
        )  # fmt: skip
        rows = select(*columns).select_from(self.told(EVENT))
        return rows.where(EVENT.c.live, between(look.after, look.upto), *self._meant(parameters, look))

    def still_true(self, parameters: P, look: Look, due: Due) -> Select[Any]:
        """The rows whose event would be told to the same customer now, with the facts as they are now."""
        own = EVENT.c.id == whole_number(due.c.facts, "event")
        rows = select(due.c.id, self._facts(look)).select_from(self.told(due.join(EVENT, own)))
        return rows.where(CUSTOMER.c.id == due.c.customer_id, *self._meant(parameters, look))

    def _facts(self, look: Look) -> ColumnElement[Any]:
        # The event's own number finds it again; messages do not see it.
        return facts(**self.stored_facts(look), event=EVENT.c.id).label("facts")

    def _meant(self, parameters: P, look: Look) -> tuple[ColumnElement[bool], ...]:
        return EVENT.c.kind == self.event_of(parameters), self.condition(parameters, look)


def whole_number(column: ColumnElement[Any], key: str) -> ColumnElement[int]:
    """The whole number under `key` of a JSON column; NULL where there is none."""
    return sql_cast(json_number(column, literal(key, String)), BigInteger)


def _value(kind: FactType, stored: Any, program: Program) -> Any:
    if kind == "points":
        return program.from_points(int(stored))
    if kind == "money":
        return program.from_money(int(stored))
    if kind == "attributes":
        return dict(stored)
    if kind in ("number", "percent"):
        return Decimal(str(stored)) if kind == "percent" else stored
    if kind == "date":
        return date.fromisoformat(str(stored)[:10])
    if kind in ("local_date", "time"):
        at = _moment(str(stored))
        return at.astimezone(program.zone).date() if kind == "local_date" else at
    return str(stored)


# Messages of one look share their times.
@lru_cache(maxsize=1024)
def _moment(stored: str) -> datetime:
    at = datetime.fromisoformat(stored)
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo("UTC"))


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
