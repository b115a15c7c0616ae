"""The facts of a sample of customers as they became known, one look after the other.

The whole sample is told once, at the first day; after that only the customers of whom something has become
known since the last look are told anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)

from campaigns.backtest.tables import (
    DECISIONS,
    NEWS,
    OF_CUSTOMERS,
    SAMPLE,
    STREAM,
    TOUCHED,
    analyze,
    lay,
    lay_events,
)
from campaigns.gates.holdout import BUCKETS, salt
from campaigns.laid_aside import RETURNED, note_imported, note_returned
from campaigns.names import names_of
from campaigns.past import Past, real_table
from campaigns.scenario import Scenario
from campaigns.tables import Decision, Enrolment, Message, ScenarioState, SegmentChange, SegmentDefinition
from core.db import UtcDateTime, hash_bucket, insert_many
from core.events import EVENT, START, Position
from core.program import Program
from core.tables import (
    Address,
    Customer,
    Entry,
    Operation,
    Receipt,
    ReceiptLine,
    Suppression,
    TierChange,
)

STATE = ScenarioState.__table__  # type: ignore[attr-defined]
# What a sample is drawn by, beside the program's seed.
DRAW = "backtest"


@dataclass(frozen=True, slots=True)
class Sample:
    """How many customers are replayed: so many, or so large a part (a fraction); everybody without both.

    Who shares bonuses is drawn together, so that a few more than `count` may be.
    """

    count: int | None = None
    part: Decimal | None = None


class World:
    """The past of one connection's transaction, told up to `at`."""

    def __init__(
        self, connection: Connection, program: Program, scenarios: Sequence[Scenario], sample: Sample,
        since: datetime, until: datetime,
    ) -> None:  # fmt: skip
        self.connection, self.program, self.at = connection, program, since
        self._scenarios = scenarios
        self._own = [name for it in scenarios for name in names_of(it)]
        lay(connection)
        self.drawn, self.everybody = self._draw(sample)
        note_imported(connection, _time(until))
        note_returned(connection, _time(since))
        self._stream(until)
        self._news(since, until)
        lay_events(connection)
        self._hear(None, since)
        past = self._past(since, self._sampled)
        past.facts()
        past.suppressions()
        self._keep_books(past)
        self._lay_lines(past)
        past.decisions(self._is_own)
        past.decisions(self._is_other)
        self._begin(since)
        analyze(connection)

    def _begin(self, since: datetime) -> None:
        """The scenarios run from the first day on; who is in a segment is known from before."""
        copied = {"began_at": _time(since), "status": literal("active"), "looked_at": null()}
        self._copy(ScenarioState, self._named, copied)
        known = {*self.connection.scalars(select(STATE.c.name))}
        rows = [
            {"name": name, "status": "active", "version": 0, "began_at": since}
            for name in sorted(it.name for it in self._scenarios if known.isdisjoint(names_of(it)))
        ]
        insert_many(self.connection, STATE, rows)
        self._copy(SegmentChange, lambda it: and_(it.c.at < _time(since), self._sampled(it.c.customer_id)))
        self._copy(SegmentDefinition, lambda _it: true())

    def _named(self, table: Table) -> ColumnElement[bool]:
        return table.c.name.in_(self._own)

    def _copy(self, model: Any, where: Any, instead: Mapping[str, Any] = MappingProxyType({})) -> None:
        real = real_table(self.connection, model)
        rows = select(*(instead.get(c.name, c) for c in real.c)).where(where(real))
        self.connection.execute(model.__table__.insert().from_select([c.name for c in real.c], rows))

    # --- who

    def _draw(self, sample: Sample) -> tuple[int, int]:
        """How many customers were drawn, of how many."""
        real = real_table(self.connection, Customer)
        head = real.alias("head")
        # Members of a household and duplicates go by the one whose bonuses they share.
        whose = func.coalesce(real.c.merged_into, real.c.household_id, real.c.id)
        bucket = hash_bucket(salt(self.program.seed, DRAW) + head.c.external_id)
        drawn = select(real.c.id).join(head, head.c.id == whose)
        if sample.part is not None:
            drawn = drawn.where(bucket < int(sample.part * BUCKETS))
        if sample.count is not None:
            heads = select(
                head.c.id, hash_bucket(salt(self.program.seed, DRAW) + head.c.external_id).label("b")
            )
            alone = and_(head.c.merged_into.is_(None), head.c.household_id.is_(None))
            first = heads.where(alone).order_by("b", head.c.external_id).limit(sample.count).subquery("first")
            drawn = drawn.where(head.c.id.in_(select(first.c.id)))
        self.connection.execute(SAMPLE.insert().from_select(["customer_id"], drawn))
        counts = [select(func.count()).select_from(table).scalar_subquery() for table in (SAMPLE, real)]
        row = self.connection.execute(select(*counts)).one()
        return int(row[0]), int(row[1])

    @staticmethod
    def _sampled(customer_id: ColumnElement[int]) -> ColumnElement[bool]:
        return customer_id.in_(select(SAMPLE.c.customer_id))

    @staticmethod
    def _touched(customer_id: ColumnElement[int]) -> ColumnElement[bool]:
        return customer_id.in_(select(TOUCHED.c.customer_id))

    def _is_own(self, table: Table) -> ColumnElement[bool]:
        return table.c.scenario.in_(self._own)

    def _is_other(self, table: Table) -> ColumnElement[bool]:
        return table.c.scenario.not_in(self._own)

    # --- when

    def _stream(self, until: datetime) -> None:
        """Events in the order in which they became known; in a replay all of them are live."""
        known = case((EVENT.c.live, EVENT.c.recorded_at), else_=EVENT.c.at)
        place = func.row_number().over(order_by=(known, EVENT.c.transaction, EVENT.c.id))
        said = {"live": true(), "recorded_at": known}
        columns = [said.get(c.name, c).label(c.name) for c in EVENT.c]
        rows = select(*columns, known.label("known"), place.label("place"))
        rows = rows.where(self._sampled(EVENT.c.customer_id), known <= _time(until))
        names = [*(c.name for c in EVENT.c), "known", "place"]
        self.connection.execute(STREAM.insert().from_select(names, rows))

    def _news(self, since: datetime, until: datetime) -> None:
        """When to tell a customer anew: whenever one of their facts became known or changed."""
        inside = (_time(since), _time(until))

        def of(model: Any, *columns: str) -> list[Any]:
            real = real_table(self.connection, model)
            who = real.c.customer_id if "customer_id" in real.c else real.c.id
            return [
                select(real.c[name], who).where(
                    real.c[name] > inside[0], real.c[name] <= inside[1], self._sampled(who)
                )
                for name in columns
            ]

        found = [select(STREAM.c.known, STREAM.c.customer_id).where(STREAM.c.known > inside[0])]
        found += [*of(Customer, "registered_at"), *of(Address, "since"), *of(Entry, "at", "recorded_at")]
        found += [*of(Receipt, "at", "recorded_at", "returned_at")]
        found += [*of(TierChange, "at", "recorded_at", "voided_at"), *of(Decision, "at")]
        found += [*of(Enrolment, "at"), *of(Message, "planned_at", "accepted_at", "changed_at")]
        self.connection.execute(NEWS.insert().from_select(["at", "customer_id"], union_all(*found)))

    def place(self, at: datetime) -> Position:
        """The last event that was known by a time."""
        last = self.connection.scalar(select(func.max(STREAM.c.place)).where(STREAM.c.known <= _time(at)))
        return Position(last, 2**62) if last else START

    def next_event(self, kind: str, after: Position) -> datetime | None:
        """When the first event of a kind after a place became known."""
        later = select(func.min(STREAM.c.known)).where(
            STREAM.c.kind == kind, STREAM.c.place > after.transaction
        )
        found: datetime | None = self.connection.scalar(later)
        return found

    # --- telling

    def move(self, at: datetime) -> None:
        """Let everything become known that was known by `at`."""
        before, self.at = self.at, at
        self.connection.execute(delete(TOUCHED))
        fresh = select(NEWS.c.customer_id).distinct().where(NEWS.c.at > _time(before), NEWS.c.at <= _time(at))
        self.connection.execute(TOUCHED.insert().from_select(["customer_id"], fresh))
        self._hear(before, at)
        self._suppress(before, at)
        if not self.connection.scalar(select(TOUCHED.c.customer_id).limit(1)):
            return
        for model in OF_CUSTOMERS:
            table = model.__table__
            who = table.c.customer_id if "customer_id" in table.c else table.c.id
            self.connection.execute(delete(table).where(self._touched(who)))
        for model in DECISIONS:
            table = model.__table__
            gone = and_(self._touched(table.c.customer_id), self._is_other(table))
            self.connection.execute(delete(table).where(gone))
        past = self._past(at, self._touched)
        past.facts()
        self._keep_books(past)
        self._lay_lines(past)
        past.decisions(self._is_other)

    def _past(self, at: datetime, whose: Any) -> Past:
        return Past(self.connection, self.program, _time(at), whose, sign=-1)

    def _hear(self, before: datetime | None, at: datetime) -> None:
        """Events of the stream, their place as the number of their transaction."""
        columns = [STREAM.c.place if c.name == "transaction" else STREAM.c[c.name] for c in EVENT.c]
        now = and_(STREAM.c.known <= _time(at), STREAM.c.known > _time(before) if before else true())
        rows = select(*columns).where(now)
        self.connection.execute(EVENT.insert().from_select([c.name for c in EVENT.c], rows))

    def _suppress(self, before: datetime, at: datetime) -> None:
        self._copy(Suppression, lambda it: and_(it.c.at > _time(before), it.c.at <= _time(at)))

    @staticmethod
    def _keep_books(past: Past) -> None:
        """Entries, operations, changes of level: a plain look at the past leaves them."""
        operation = real_table(past.connection, Operation)

        def imported(entry: Table) -> ColumnElement[bool]:
            return exists().where(operation.c.id == entry.c.operation_id, ~operation.c.live)

        def known(fact: Table, history: ColumnElement[bool]) -> ColumnElement[bool]:
            return or_(fact.c.recorded_at <= past.at, and_(fact.c.at <= past.at, history))

        def added(model: Any, *keys: str) -> Callable[[Table], ColumnElement[bool]]:
            there = model.__table__
            return lambda it: ~exists().where(*(there.c[key] == it.c[key] for key in keys))

        new, more = added(Operation, "id"), added(Entry, "id")
        past.copy(Operation, lambda it: and_(known(it, ~it.c.live), new(it)))
        past.copy(Entry, lambda it: and_(known(it, imported(it)), more(it)))
        past.copy(TierChange, lambda it: past.known(it, it.c.tier))

    @staticmethod
    def _lay_lines(past: Past) -> None:
        """Lines of receipts with what had come back of them: nothing yet where more is to come."""
        receipt, line = Receipt.__table__, ReceiptLine.__table__  # type: ignore[attr-defined]
        mine = select(receipt.c.id).where(past.whose(receipt.c.customer_id))
        more = mine.join(RETURNED, RETURNED.c.receipt == receipt.c.external_id)
        more = more.where(RETURNED.c.known > past.at)
        told = delete(line).where(line.c.receipt_id.in_(mine), past.whose(line.c.customer_id))
        past.connection.execute(told)
        past.copy(
            ReceiptLine, lambda it: it.c.receipt_id.in_(mine),
            returned=lambda it: case((it.c.receipt_id.in_(more), 0), else_=it.c.returned),
        )  # fmt: skip


def _time(at: datetime) -> ColumnElement[datetime]:
    return literal(at, UtcDateTime)
