"""A look at an earlier time: the facts as they stood then.

Temporary tables of the same names are laid over the real ones for this transaction: both databases look for
a temporary table first, so every query of the engine reads them without knowing. What is kept as history
is rolled back from it: lots from entries, tiers from their changes, statistics from receipts, consent from
events, enrolments from their messages. A time that is not in the past of the facts costs nothing.

A fact is known from when it was recorded; imported history from when it happened. Decisions made at the
very time that is asked for are left out: it is that look which is shown. What has no history is as it is
now (`campaigns.caveats`): profiles, addresses that were taken away, suppressions that were lifted, what is
paused. Of a phone or an email that was replaced, the one of then is found. People erased since are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    and_,
    case,
    exists,
    false,
    func,
    join,
    literal,
    null,
    or_,
    select,
    text,
    true,
    union_all,
)

from campaigns.gates import names_of
from campaigns.laid_aside import IMPORTED, give_back, give_back_lines, note_imported, note_returned
from campaigns.scenario import Scenario
from campaigns.tables import WAITING, Decision, Enrolment, Message, ScenarioRun
from campaigns.versions import STATE, reader_of, since_of
from core.db import UtcDateTime, json_text
from core.events import EVENT, START, Position, cursor, horizon
from core.program import Program
from core.tables import (
    Account,
    Address,
    Consent,
    Customer,
    CustomerStats,
    Entry,
    Lot,
    Operation,
    Receipt,
    Suppression,
    TierChange,
)

SHADOWED: tuple[Any, ...] = (
    Account, Address, Consent, Customer, CustomerStats, Decision, Enrolment, Lot, Message, Receipt,
    Suppression,
)  # fmt: skip
# Kinds of addresses of which a customer has one at a time.
SINGLE = ("phone", "email")
# By which gates an enrolment is over.
EXITS = ("exited", "no_longer_true")
# Under which name a connection keeps its schema.
SCHEMA = "tidings_schema"
RUN = ScenarioRun.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a scenario's looks have come at a time. `allowed`: customers agreed to above the guard."""

    since: datetime | None
    after: Position
    upto: Position
    runs: bool
    allowed: int = 0


def standing_at(connection: Connection, scenario: Scenario, at: datetime, *, anew: bool = False) -> Standing:
    """Where a look at `at` begins, now or then; a scenario that was never applied begins at `at`, and so does
    one that begins `anew`.
    """
    upto = _place_of(connection, at) if scenario.kind == "event" else START
    state = connection.execute(select(STATE).where(STATE.c.name.in_(names_of(scenario)))).first()
    if state is None or anew or state.status == "removed" or state.began_at > at:
        return Standing(None, upto, upto, runs=True)
    runs, allowed = state.status == "active", state.allowed or 0
    if state.looked_at is None or state.looked_at < at:
        after = cursor(connection, reader_of(state.name)) or START
        return Standing(since_of(state), after, upto, runs, allowed)
    before = and_(RUN.c.scenario == state.name, RUN.c.fire_at < literal(at, UtcDateTime))
    last = connection.scalar(select(func.max(RUN.c.fire_at)).where(before))
    since = last or state.began_at - timedelta(microseconds=1)
    after = _place_of(connection, since) if scenario.kind == "event" else START
    return Standing(since, after, upto, runs)


def _place_of(connection: Connection, at: datetime) -> Position:
    """The last event that was recorded by a time; as far as may be read, if nothing was recorded later."""
    then = EVENT.c.recorded_at <= literal(at, UtcDateTime)
    later = select(EVENT.c.id).where(~then).limit(1)
    if connection.scalar(later) is None:
        return horizon(connection)
    newest = select(EVENT.c.transaction, EVENT.c.id).where(then)
    row = connection.execute(newest.order_by(EVENT.c.transaction.desc(), EVENT.c.id.desc()).limit(1)).first()
    return Position(row.transaction, row.id) if row else START


def as_of(connection: Connection, program: Program, at: datetime) -> bool:
    """Lay the past over the facts if any were recorded after `at`; returns whether it did."""
    later = or_(EVENT.c.recorded_at > literal(at, UtcDateTime), EVENT.c.at > literal(at, UtcDateTime))
    if connection.scalar(select(EVENT.c.id).where(later).limit(1)) is None:
        return False
    for model in SHADOWED:
        _lay_over(connection, model.__table__)
    note_imported(connection, literal(at, UtcDateTime))
    note_returned(connection, literal(at, UtcDateTime))
    give_back_lines(connection, _schema(connection))
    Past(connection, program, literal(at, UtcDateTime)).tell()
    for model in SHADOWED:
        connection.execute(text(f"ANALYZE {temporary_schema(connection)}.{model.__table__.name}"))
    return True


def temporary_schema(connection: Connection) -> str:
    """Where temporary tables live: `temp` or `pg_temp`."""
    return "temp" if connection.dialect.name == "sqlite" else "pg_temp"


def _schema(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return "main"
    if SCHEMA not in connection.info:
        connection.info[SCHEMA] = str(connection.scalar(text("SELECT current_schema()")))
    return str(connection.info[SCHEMA])


def real_table(connection: Connection, model: Any) -> Table:
    """The table itself, whatever lies over it."""
    return _in_schema(model.__table__, _schema(connection))


@cache
def _in_schema(table: Table, schema: str) -> Table:
    # The same object each time: statements on it are compiled once.
    return table.to_metadata(MetaData(), schema=schema, referred_schema_fn=lambda *_: None)


def _lay_over(connection: Connection, table: Table) -> None:
    empty = f"SELECT * FROM {_schema(connection)}.{table.name} WHERE 1 = 0"  # noqa: S608 - our own names
    connection.execute(text(f"CREATE TEMPORARY TABLE {table.name} AS {empty}"))
    own = "customer_id" if "customer_id" in table.c else "id" if "id" in table.c else "digest"
    schema = "temp." if connection.dialect.name == "sqlite" else ""
    # Of everybody it is asked who was merged into them.
    for name in (own, "merged_into") if "merged_into" in table.c else (own,):
        connection.execute(text(f"CREATE INDEX {schema}past_{table.name}_{name} ON {table.name} ({name})"))


def everybody(_customer_id: Any) -> Any:
    """No customer is left out."""
    return true()


class Past:
    """Fills the tables that were laid over; `at` is bound as a time.

    `whose` picks the customers out, by the column that names them. Ids of earlier decisions are multiplied by
    `sign`: -1 keeps them apart from those that a replay makes.
    """

    def __init__(
        self,
        connection: Connection,
        program: Program,
        at: Any,
        whose: Callable[[Any], Any] = everybody,
        sign: int = 1,
    ) -> None:
        self.connection, self.program, self.at = connection, program, at
        self.whose, self.sign = whose, sign

    def tell(self) -> None:
        """All of it; what stands on other tables of the past comes after them."""
        self.facts()
        self.suppressions()
        self.decisions()

    def facts(self) -> None:
        """What was known of the customers themselves."""
        self.customers()
        self.addresses()
        self.receipts()
        self.lots()
        self.consents()

    def copy(self, model: Any, where: Any, **instead: Any) -> None:
        """Copy the rows of then, some columns as they were."""
        real = real_table(self.connection, model)
        columns = [instead[c.name](real) if c.name in instead else c for c in real.c]
        table: Table = model.__table__
        mine = real.c.customer_id if "customer_id" in real.c else real.c.id if "id" in real.c else None
        rows = select(*columns).where(where(real), self.whose(mine) if mine is not None else true())
        self.connection.execute(table.insert().from_select([c.name for c in real.c], rows))

    def known(self, fact: Any, subject: Any) -> Any:
        """Recorded by then; of imported history, what had happened by then. `subject`: of its event."""
        imported = exists().where(IMPORTED.c.customer_id == fact.c.customer_id, IMPORTED.c.subject == subject)
        return or_(fact.c.recorded_at <= self.at, and_(fact.c.at <= self.at, imported))

    def customers(self) -> None:
        """Those who had joined, with the tier that they had as far as it was known."""
        change = real_table(self.connection, TierChange)
        lowest = self.program.tier_for(0).name
        # What a late receipt or a return undid afterwards still stood then.
        stood = or_(change.c.voided_at.is_(None), change.c.voided_at > self.at)
        known = and_(stood, self.known(change, change.c.tier))

        def of(customer: Table, name: str, otherwise: Any) -> Any:
            theirs = change.c.customer_id == customer.c.id
            last = select(change.c[name]).where(theirs, known, change.c.at <= self.at)
            last = last.order_by(change.c.at.desc(), change.c.id.desc()).limit(1)
            return func.coalesce(last.scalar_subquery(), otherwise)

        def tier(customer: Table) -> Any:
            # Before the first recorded change they had what it changed from; without any, what they have.
            first = select(func.coalesce(change.c.previous, lowest)).where(
                change.c.customer_id == customer.c.id
            )
            first = first.order_by(change.c.at, change.c.id).limit(1)
            return of(customer, "tier", func.coalesce(first.scalar_subquery(), customer.c.tier))

        def since(customer: Table) -> Any:
            return of(customer, "at", customer.c.registered_at)

        self.copy(
            Customer, lambda it: it.c.registered_at <= self.at, tier=tier, tier_since=since,
            # Of then only the consents tell.
            opted_in=lambda _: null(),
        )  # fmt: skip

    def addresses(self) -> None:
        """Those that were known. Of phones and emails, of which one is good at a time, the newest of then."""
        real = real_table(self.connection, Address)
        other = real.alias("other")

        def successor(address: Table, *when: Any) -> Any:
            same = (other.c.customer_id == address.c.customer_id, other.c.kind == address.c.kind)
            return exists().where(*same, other.c.since > address.c.since, *when)

        def active(address: Table) -> Any:
            replaced = successor(address, other.c.since <= self.at)
            later = successor(address, other.c.since > self.at)
            single = address.c.kind.in_(SINGLE)
            return case((and_(single, ~replaced, later), true()), else_=address.c.active)

        self.copy(Address, lambda it: it.c.since <= self.at, active=active)

    def suppressions(self) -> None:
        """What was suppressed by then."""
        self.copy(Suppression, lambda it: it.c.at <= self.at)

    def receipts(self) -> None:
        """Purchases and the statistics of them; what came back later, all or a part, still counted."""
        self.copy(
            Receipt, lambda it: self.known(it, it.c.external_id),
            returned_at=lambda it: case((it.c.returned_at <= self.at, it.c.returned_at), else_=null()),
        )  # fmt: skip
        receipt = Receipt.__table__  # type: ignore[attr-defined]
        give_back(self.connection, receipt, self.at, self.whose)
        stats = CustomerStats.__table__  # type: ignore[attr-defined]
        numbers = (func.min(receipt.c.at), func.max(receipt.c.at), func.count(), func.sum(receipt.c.total))
        sums = select(receipt.c.customer_id, *numbers).where(receipt.c.returned_at.is_(None))
        sums = sums.where(self.whose(receipt.c.customer_id))
        columns = ["customer_id", "first_purchase_at", "last_purchase_at", "purchases", "spent"]
        self.connection.execute(stats.insert().from_select(columns, sums.group_by(receipt.c.customer_id)))

    def lots(self) -> None:
        """What remained of each lot: the sum of its entries; one that is used up tells when it began. What a
        return took off later had been given. With them each customer's account.
        """
        entry, operation = real_table(self.connection, Entry), real_table(self.connection, Operation)
        booked = join(entry, operation, operation.c.id == entry.c.operation_id)
        known = self.known(entry, operation.c.key)

        def summed(*which: Any) -> Any:
            rows = select(entry.c.lot_id, func.sum(entry.c.amount).label("points")).select_from(booked)
            return rows.where(self.whose(entry.c.customer_id), *which).group_by(entry.c.lot_id)

        then = summed(known).subquery("then")
        corrects = and_(entry.c.corrects.is_not(None), entry.c.kind == "accrual")
        later = summed(entry.c.recorded_at > self.at, corrects, ~known).subquery("later")
        real = real_table(self.connection, Lot)
        instead = {"remaining": then.c.points, "amount": real.c.amount - func.coalesce(later.c.points, 0)}
        rows = select(*(instead.get(c.name, c) for c in real.c)).join(then, then.c.lot_id == real.c.id)
        rows = rows.outerjoin(later, later.c.lot_id == real.c.id)
        table, account = Lot.__table__, Account.__table__  # type: ignore[attr-defined]
        self.connection.execute(table.insert().from_select([c.name for c in real.c], rows))
        holder = table.c.customer_id
        became_known = case((entry.c.recorded_at <= self.at, entry.c.recorded_at), else_=entry.c.at)
        times = union_all(
            select(holder, table.c.active_from.label("at"), table.c.remaining).where(self.whose(holder)),
            select(entry.c.customer_id, became_known, literal(0))
            .select_from(booked)
            .where(self.whose(entry.c.customer_id), known),
        ).subquery("times")
        totals = select(times.c.customer_id, func.sum(times.c.remaining), func.max(times.c.at))
        columns = ["customer_id", "total", "moved_at"]
        self.connection.execute(account.insert().from_select(columns, totals.group_by(times.c.customer_id)))

    def consents(self) -> None:
        """The latest choice that was known, for each customer, channel and purpose."""
        purpose = func.coalesce(json_text(EVENT.c.data, "purpose"), "marketing")
        # Of one moment the last, but no yes of history after a no (core.customers.consent).
        told = case((and_(EVENT.c.kind == "consent_given", EVENT.c.live == false()), 1), else_=0)
        place = func.row_number().over(
            partition_by=(EVENT.c.customer_id, EVENT.c.subject, purpose),
            order_by=(EVENT.c.at.desc(), told, EVENT.c.id.desc()),
        )
        known = or_(EVENT.c.recorded_at <= self.at, and_(EVENT.c.at <= self.at, EVENT.c.live == false()))
        said = (
            select(EVENT.c.customer_id, EVENT.c.subject, purpose.label("purpose"), EVENT.c.kind, EVENT.c.at,
                   place.label("place"))
            .where(EVENT.c.kind.in_(("consent_given", "consent_withdrawn")), known)
            .where(self.whose(EVENT.c.customer_id))
            .subquery("said")
        )  # fmt: skip
        granted = case((said.c.kind == "consent_given", true()), else_=false())
        rows = select(said.c.customer_id, said.c.subject, said.c.purpose, granted, said.c.at)
        table = Consent.__table__  # type: ignore[attr-defined]
        columns = ["customer_id", "channel", "purpose", "granted", "at"]
        self.connection.execute(table.insert().from_select(columns, rows.where(said.c.place == 1)))

    def decisions(self, which: Callable[[Table], Any] = everybody) -> None:
        """Enrolments and messages of earlier looks, as far as they had come; `which`: of these scenarios."""
        enrolment = real_table(self.connection, Enrolment)

        def began(message: Table) -> Any:
            entered = select(enrolment.c.at).where(enrolment.c.id == message.c.enrolment_id).scalar_subquery()
            return case((message.c.step_index == 0, entered), else_=message.c.planned_at)

        def state(message: Table) -> Any:
            accepted = message.c.accepted_at < self.at
            gone = message.c.state.not_in(WAITING) & (message.c.changed_at >= self.at)
            return case((and_(gone, accepted), "sent"), (gone, "planned"), else_=message.c.state)

        def accepted_at(message: Table) -> Any:
            return case((message.c.accepted_at < self.at, message.c.accepted_at), else_=null())

        def signed(name: str) -> Callable[[Table], Any]:
            return lambda table: table.c[name] * self.sign

        self.copy(Decision, lambda it: and_(it.c.at < self.at, which(it)))
        self.copy(
            Message, lambda it: and_(began(it) < self.at, which(it)), state=state, accepted_at=accepted_at,
            id=signed("id"), enrolment_id=signed("enrolment_id"),
        )  # fmt: skip
        self._enrolments(which)

    def _enrolments(self, which: Callable[[Table], Any]) -> None:
        """How far each had come: the step after its last message, and since when it waited for it."""
        message = Message.__table__  # type: ignore[attr-defined]
        decision, sent = real_table(self.connection, Decision), real_table(self.connection, Message)

        def newest(enrolment: Table, column: Any) -> Any:
            mine = select(column).where(message.c.enrolment_id == enrolment.c.id * self.sign)
            return mine.order_by(message.c.step_index.desc()).limit(1).scalar_subquery()

        def step(enrolment: Table) -> Any:
            come = newest(enrolment, message.c.step_index + 1)
            return case((moved(enrolment), func.coalesce(come, 1)), else_=enrolment.c.step)

        def moved(enrolment: Table) -> Any:
            """It has gone on since then."""
            come = newest(enrolment, message.c.step_index + 1)
            return func.coalesce(come, enrolment.c.step) != enrolment.c.step

        def anchor(enrolment: Table) -> Any:
            settled = func.coalesce(message.c.accepted_at, message.c.changed_at)
            over = newest(enrolment, case((message.c.state.not_in(WAITING), settled), else_=null()))
            kept = case((enrolment.c.anchor_at < self.at, enrolment.c.anchor_at), else_=null())
            return case((moved(enrolment), over), else_=kept)

        def status(enrolment: Table) -> Any:
            left = or_(
                exists().where(
                    decision.c.customer_id == enrolment.c.customer_id,
                    decision.c.scenario == enrolment.c.scenario,
                    decision.c.occasion == enrolment.c.occasion,
                    decision.c.at >= self.at,
                    decision.c.verdict.in_(EXITS),
                ),
                # Asked once more before the message left.
                exists().where(
                    sent.c.enrolment_id == enrolment.c.id, sent.c.changed_at >= self.at,
                    sent.c.state == "recalled", sent.c.reason.in_(EXITS),
                ),
            )  # fmt: skip
            since_then = or_(moved(enrolment), and_(enrolment.c.status == "exited", left))
            return case((since_then, "active"), else_=enrolment.c.status)

        self.copy(
            Enrolment, lambda it: and_(it.c.at < self.at, which(it)),
            id=lambda it: it.c.id * self.sign, step=step, anchor_at=anchor, status=status,
        )  # fmt: skip
