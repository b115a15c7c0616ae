"""The look for expiring bonuses: from the lots to enrolments, messages and decisions, on SQLite.

    python -m benchmarks.expiry_look [CUSTOMERS ...] [--rounds N] [--keep FOLDER]

For each size: five lots a customer, one customer in 170 with one that expires within the series. Timed are
the first look of a new database connection, the next day's look that finds them entered, and the same
through the ORM one candidate at a time; medians of the rounds, in which they take turns, each on a copy of
its own. Trust the ratios of one run. `--keep` leaves the filled databases in a folder for the next run.
"""

import argparse
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.report import machine
from campaigns.running import make_ready
from campaigns.tables import Enrolment, Message
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
        session.flush()
        return len(due)


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of the clock and of the processor."""

    clock: float
    processor: float


def timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    """How long it took, and what came of it."""
    gc.collect()
    start, worked = time.perf_counter(), time.process_time()
    done = work()
    worked, end = time.process_time() - worked, time.perf_counter()
    return Took((end - start) * 1000, worked * 1000), done


def filled(customers: int, folder: Path) -> Path:
    """A database file of this size, made if the folder does not have it yet."""
    file = folder / f"expiry-{customers}.db"
    if not file.exists():
        made = folder / "making.db"
        database = Database(f"sqlite:///{made}", durable=False)
        database.create_all()
        fill(database, customers)
        database.close()
        made.rename(file)
    return file


def _copied(file: Path, copy: Path) -> None:
    """On the disk at once: else the look's own commit would wait for all of it."""
    shutil.copyfile(file, copy)
    with copy.open("rb+") as written:
        os.fsync(written.fileno())


def one_round(file: Path, copy: Path) -> tuple[int, Took, Took, Took]:
    """How many are due; the ORM, the look, the next day's look."""
    _copied(file, copy)
    database = Database(f"sqlite:///{copy}")
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
    database.close()
    return due, orm, first, second


def measure(customers: int, rounds: int, folder: Path) -> None:
    """One size."""
    file = filled(customers, folder)
    with tempfile.TemporaryDirectory(dir=folder) as copies:
        found = [one_round(file, Path(copies) / f"{number}.db") for number in range(rounds)]
    due = found[0][0]
    orm, first, second = (_medians(it) for it in zip(*(row[1:] for row in found), strict=True))
    ratios = [row[1].clock / row[2].clock for row in found]
    print(
        f"{customers:>9,} customers  {due:>6,} due  look {_shown(first)}  next look {_shown(second)}"
        f"  ORM {_shown(orm)}  {median(ratios):.0f}x ({min(ratios):.0f}–{max(ratios):.0f}),"
        f" {orm.processor / first.processor:.0f}x of processor"
    )


def _medians(took: Sequence[Took]) -> Took:
    return Took(median(it.clock for it in took), median(it.processor for it in took))


def _shown(took: Took) -> str:
    return f"{took.clock:,.0f} ms ({took.processor:,.0f} of processor)"


def main() -> None:
    """Every size named on the command line."""
    load_tables()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("customers", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder for the filled databases")
    asked = parser.parse_args()
    print(f"load {machine()['load']}")
    with tempfile.TemporaryDirectory() as folder:
        for customers in asked.customers:
            measure(customers, asked.rounds, asked.keep or Path(folder))
    print(f"load {machine()['load']}")


if __name__ == "__main__":
    main()
