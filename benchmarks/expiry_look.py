"""The look for expiring bonuses: from the lots to enrolments, messages and decisions, on SQLite.

    python -m benchmarks.expiry_look [CUSTOMERS ...]

For each size: five lots a customer, one customer in 170 with one that expires within the series. Timed are
the look that enrols them, the next day's look that finds them entered, and the same through the ORM one
candidate at a time. Trust the ratios of one run.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.running import make_ready
from campaigns.tables import Decision, Enrolment, Message
from campaigns.versions import Live, apply
from core.db import Database
from core.db.bulk import insert_rows
from core.tables import Address, Consent, Customer, Lot, Operation
from scheduler.looks import Looks
from tests.support.databases import load_tables
from tests.support.world import bundle_of, scenario

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
TODAY = date(2026, 3, 1)
LOTS = 5
ONE_IN = 170
SCENARIO = scenario("{bonus_expiring: {at_least: 100, ahead: [14 days, 3 days, 1 day]}}", holdout="10%")
PROGRAM = {"allowances": {"marketing": {"all": "2 per 7 days"}}, "quiet_hours": "21:00-09:00"}


def fill(database: Database, customers: int) -> None:
    """Customers with a phone, consent and lots, in chunks."""
    for start in range(1, customers + 1, 50_000):
        ids = range(start, min(start + 50_000, customers + 1))
        tables: list[tuple[Any, tuple[str, ...], list[tuple[Any, ...]]]] = [
            (
                Customer,
                ("id", "external_id", "attributes", "registered_at", "updated_at"),
                [(i, f"c{i}", {}, AT, AT) for i in ids],
            ),
            (
                Address,
                ("customer_id", "kind", "value", "digest", "active", "since"),
                [(i, "phone", f"+38{i:010}", f"{i:064x}", True, AT) for i in ids],
            ),
            (
                Consent,
                ("customer_id", "channel", "purpose", "granted", "at"),
                [(i, "sms", "marketing", True, AT) for i in ids],
            ),
            (
                Operation,
                (
                    "id",
                    "customer_id",
                    "kind",
                    "key",
                    "digest",
                    "program_version",
                    "result",
                    "data",
                    "at",
                    "recorded_at",
                ),
                [(i, i, "grant", f"k{i}", "", 1, {}, {}, AT, AT) for i in ids],
            ),
            (
                Lot,
                (
                    "customer_id",
                    "operation_id",
                    "slot",
                    "account",
                    "reason",
                    "amount",
                    "remaining",
                    "active_from",
                    "expires_on",
                    "expires_at",
                ),
                [_lot(i, n) for i in ids for n in range(LOTS)],
            ),
        ]
        with database.write() as connection:
            for model, columns, rows in tables:
                insert_rows(connection, model.__table__, columns, rows)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")


def _lot(customer: int, number: int) -> tuple[Any, ...]:
    days = 12 if customer % ONE_IN == 0 and number == 0 else 30 + (customer * 7 + number * 31) % 150
    last = TODAY + timedelta(days=days)
    return (
        customer,
        customer,
        f"{number}",
        "base",
        "grant",
        50_000,
        50_000,
        AT,
        last,
        AT + timedelta(days=days + 1),
    )


def by_orm(database: Database) -> int:
    """What a service does that asks the ORM for each candidate."""
    # One transaction, as the look has; nothing of it is kept.
    with database.read() as connection, Session(connection) as session:
        due = session.execute(
            select(Lot.customer_id, Lot.expires_on, func.sum(Lot.remaining))  # type: ignore[call-overload]
            .where(Lot.remaining > 0, Lot.expires_on.between(TODAY, TODAY + timedelta(days=14)))  # type: ignore[union-attr]
            .group_by(Lot.customer_id, Lot.expires_on)
        ).all()
        for customer_id, day, amount in due:
            customer = session.get(Customer, customer_id)
            agreed = session.get(Consent, (customer_id, "sms", "marketing"))
            address = session.scalars(select(Address).where(Address.customer_id == customer_id)).first()
            entered = session.scalars(select(Enrolment).where(Enrolment.customer_id == customer_id)).first()
            said = session.scalars(select(Message).where(Message.customer_id == customer_id)).all()
            if not (customer and agreed and address) or entered or len(said) > 1:
                continue
            enrolment = Enrolment(
                scenario="orm",
                version=1,
                customer_id=customer_id,
                occasion=str(day),
                at=AT,
                facts={"expiring": int(amount)},
            )
            session.add(enrolment)
            session.flush()
            session.add(
                Message(
                    enrolment_id=enrolment.id or 0,
                    scenario="orm",
                    version=1,
                    customer_id=customer_id,
                    occasion=str(day),
                    step="hello",
                    step_index=0,
                    purpose="marketing",
                    priority=50,
                    message="hello",
                    channels=["sms"],
                    channel="sms",
                    planned_at=AT,
                    due_at=AT,
                    changed_at=AT,
                    facts={},
                )
            )
            session.add(
                Decision(
                    customer_id=customer_id,
                    scenario="orm",
                    occasion=str(day),
                    step="hello",
                    verdict="planned",
                    at=AT,
                )
            )
        session.flush()
        return len(due)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    gc.collect()
    start = time.perf_counter()
    done = work()
    return (time.perf_counter() - start) * 1000, done


def measure(customers: int, folder: Path) -> None:
    """One size."""
    database = Database(f"sqlite:///{folder / f'{customers}.db'}")
    database.create_all()
    fill(database, customers)
    running = make_ready(bundle_of({"expiring": SCENARIO}, PROGRAM))
    orm, due = timed(lambda: by_orm(database))
    with database.write() as connection:
        apply(connection, running, "benchmark", AT - timedelta(hours=1))
    live = Live(database)
    looks = Looks(database, live)
    live.running()
    first, [looked] = timed(lambda: looks.run(AT))
    second, [again] = timed(lambda: looks.run(AT + timedelta(days=1)))
    assert looked.candidates == again.candidates == due
    assert again.verdicts == {"already_entered": due}
    print(
        f"{customers:>9,} customers  {due:>6,} due  look {first:8.1f} ms  next look {second:7.1f} ms"
        f"  ORM {orm:9.1f} ms  {orm / first:6.1f}x"
    )
    database.close()


def main() -> None:
    """Every size named on the command line."""
    load_tables()
    sizes = [int(it) for it in sys.argv[1:]] or [100_000, 1_000_000]
    with tempfile.TemporaryDirectory() as folder:
        for customers in sizes:
            measure(customers, Path(folder))


if __name__ == "__main__":
    main()
