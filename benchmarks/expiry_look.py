"""The look for expiring bonuses: from the lots to enrolments, messages and decisions, on SQLite.

    python -m benchmarks.expiry_look [--sizes 100000,1000000,3000000] [--rounds 5] [--keep FOLDER]

For each size: five lots a customer, one customer in 170 with one that expires within the series. Timed are
the look that finds them, by a process that looked on two days before, told one customer and held another
out, as `serve` would have; the next day's look, which finds them entered; and the same through the ORM one
candidate at a time. A second scenario looks less far ahead, where every size has as many due as the
smallest. In each round the sizes take turns, each on a copy of its own: growth is the time for each who is
due by that of the smallest size, and of the second scenario the whole time. Trust the ratios of one run.
`--keep` leaves the filled databases in a folder for the next run.
"""

import argparse
import gc
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.report import MORE, Row, at_least, at_most, keep, machine
from campaigns.running import make_ready
from campaigns.tables import Enrolment, Message
from campaigns.versions import Live, apply
from core.db import Database
from core.db.bulk import insert_rows
from core.tables import Address, Consent, Customer, Lot, Operation
from scheduler.looks import Looks
from tests.support.databases import load_tables
from tests.support.world import bundle_of, scenario

MESSAGE = Message.__table__  # type: ignore[attr-defined]
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
TODAY = date(2026, 3, 1)
LOTS = 5
ONE_IN = 170
# The size for which a ratio to the ORM is wanted.
AT_LEAST_80 = 1_000_000
SCENARIO = scenario("{bonus_expiring: {at_least: 100, ahead: [14 days, 3 days, 1 day]}}", holdout="10%")
# Looks no further than where only so many of the first customers have anything.
NEAR = scenario("{bonus_expiring: {at_least: 100, ahead: [7 days, 1 day]}}", holdout="10%")
FIRST = 100_000
# Customers whose lots end before all others', with the days until then: one who is told and one whom the
# holdout draws. And how many days earlier the one becomes due, then the other, and nobody else.
EARLY = {2: 3, 14: 4}
BEFORE, BEFORE_NEAR = (11, 10), (4, 3)
OPENED = AT - timedelta(days=30)
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
    days = 30 + (customer * 7 + number * 31) % 150
    if number == 0 and customer % ONE_IN == 0:
        days = 12
    elif number == 0 and customer % ONE_IN == 1 and customer <= FIRST:
        days = 5
    elif number == 0 and customer in EARLY:
        days = EARLY[customer]
    last = TODAY + timedelta(days=days)
    return (
        customer,
        customer,
        f"{number}",
        "base",
        "grant",
        50_000,
        50_000,
        OPENED,
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

    def __str__(self) -> str:
        return f"{self.clock:,.0f} ms ({self.processor:,.0f} of processor)"


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
    """On the disk at once, else the look's own commit would wait for all of it; and in memory, else whoever
    comes first reads the disk for the others.
    """
    shutil.copyfile(file, copy)
    os.sync()
    with copy.open("rb", buffering=0) as written:
        while written.read(1 << 22):
            pass


@dataclass(frozen=True, slots=True)
class Round:
    """What one round took; `due` are the candidates of the look, `near` those of the shorter one."""

    due: int
    orm: Took
    first: Took
    second: Took
    near: int
    short: Took


def one_round(file: Path, copy: Path) -> Round:
    """The ORM, the look, the next day's look; and on another copy the look that goes less far."""
    _copied(file, copy)
    database = Database(f"sqlite:///{copy}")
    orm, due = timed(lambda: by_orm(database))
    looks = _begun(database, SCENARIO, BEFORE)
    first, [looked] = timed(lambda: looks.run(AT))
    second, [again] = timed(lambda: looks.run(AT + timedelta(days=1)))
    assert looked.candidates == again.candidates == due
    # Of the early ones somebody comes nearer, and is told once more.
    assert again.candidates - len(EARLY) <= again.verdicts["already_entered"] <= again.candidates
    database.close()
    _copied(file, copy)
    database = Database(f"sqlite:///{copy}")
    looks = _begun(database, NEAR, BEFORE_NEAR)
    short, [looked] = timed(lambda: looks.run(AT))
    database.close()
    return Round(due, orm, first, second, looked.candidates, short)


def _begun(database: Database, text: str, before: Sequence[int]) -> Looks:
    """The scenario is live, and was looked at so many days before."""
    running = make_ready(bundle_of({"expiring": text}, PROGRAM))
    with database.write() as connection:
        apply(connection, running, "benchmark", OPENED)
    live = Live(database)
    live.running()
    looks = Looks(database, live)
    for days, verdict in zip(before, ("planned", "holdout"), strict=True):
        at = AT - timedelta(days=days)
        [looked] = looks.run(at)
        assert looked.verdicts[verdict] == 1
        with database.write() as connection:
            # It has left since.
            connection.execute(MESSAGE.update().values(state="sent", accepted_at=at))
    return looks


def measure(sizes: Sequence[int], rounds: int, folder: Path) -> dict[int, list[Round]]:
    """The rounds of each size, in turn."""
    files = {customers: filled(customers, folder) for customers in sizes}
    found: dict[int, list[Round]] = {customers: [] for customers in sizes}
    with tempfile.TemporaryDirectory(dir=folder) as copies:
        for _ in range(rounds):
            for customers, file in files.items():
                found[customers].append(it := one_round(file, Path(copies) / "copy.db"))
                print(
                    f"{customers:>9,} customers  {it.due:>6,} due  look {it.first}  next look {it.second}"
                    f"  ORM {it.orm}  {it.near:,} due soon {it.short}", flush=True,
                )  # fmt: skip
    return found


def compared(found: Mapping[int, Sequence[Round]]) -> list[Row]:
    """Against the ORM, the next look against the first, and each size against the smallest."""
    (least, small), *larger = sorted(found.items())
    rows = []
    for customers, rounds in found.items():
        what = f"expiry look, {customers:,} customers"
        speed = [(it.due / it.first.clock * 1000, it.due / it.orm.clock * 1000) for it in rounds]
        wanted = at_least(80) if customers == AT_LEAST_80 else MORE
        rows.append(Row(what, "the ORM, one by one", "/s", wanted, "naive", speed))
        again = [(it.second.clock, it.first.clock) for it in rounds]
        rows.append(Row(f"{what}, the next day's", "the first one", "ms", at_most(1), "smaller", again))
    for customers, rounds in larger:
        grown = [_growth(*pair) for pair in zip(rounds, small, strict=True)]
        what, against = f"expiry look, {customers:,} customers, a thousand due", f"{least:,} customers"
        rows.append(Row(what, against, "ms", at_most(1.2), "smaller", grown))
        flat = [(it.short.clock, other.short.clock) for it, other in zip(rounds, small, strict=True)]
        what = f"expiry look, {customers:,} customers, {rounds[0].near:,} due"
        rows.append(Row(what, against, "ms", at_most(1.2), "smaller", flat))
    return rows


def _growth(large: Round, small: Round) -> tuple[float, float]:
    """Milliseconds for a thousand who are due."""
    return large.first.clock / large.due * 1000, small.first.clock / small.due * 1000


def main() -> None:
    """Every size named on the command line."""
    load_tables()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="100000,1000000,3000000", help="customers, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder for the filled databases")
    asked, before = parser.parse_args(), machine()
    sizes = [int(size) for size in asked.sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        rows = compared(measure(sizes, asked.rounds, asked.keep or Path(folder)))
    print(*rows, sep="\n")
    keep("expiry_look", rows, before, sizes=sizes)


if __name__ == "__main__":
    main()
