"""A dry run of the whole base, with the full gate table, on SQLite.

    python -m benchmarks.dry_run [CUSTOMERS ...] [--rounds 3] [--verdicts] [--keep FOLDER]

For each size, of a base where everybody has a phone, every second an email address, four in five consent: a
campaign to all of them (every customer is a candidate, and passes every gate), and the look for expiring
bonuses (one in 173 is). Timed are seconds for one dry run from the question to the answer: gates with their
reasons, hours, costs, samples with their evidence. The memory is the process's highest. `--verdicts` also
writes every verdict with its evidence to a file, `--keep` leaves the filled databases in a folder for the
next run.
"""

import argparse
import gc
import resource
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.report import Row, at_most, keep, machine
from campaigns.dryrun import DryRun, Forecast
from campaigns.dryrun.verdicts import VerdictLines
from campaigns.past import as_of
from campaigns.running import Running, make_ready
from campaigns.versions import apply
from core.db import Database
from core.db.bulk import insert_rows
from core.tables import Address, Consent, Customer, Lot, Operation, Suppression
from tests.support.databases import load_tables
from tests.support.world import LINKS, bundle_of, channels, scenario

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
TODAY = date(2026, 3, 1)
BEGAN = AT - timedelta(days=200)
ONE_IN = 173
CHUNK = 50_000
MEGABYTE = 1024
SCENARIOS = {
    "campaign": scenario(
        "{schedule: {every: day at 10:00}}", schedule="", holdout="10%", audience="{not: {tier: gold}}",
        steps="[{id: hello, message: hello, send: [email, sms]}]",
        limits="{at_most: 4 per 30 days, valid_for: 12 hours}",
    ),
    "expiring": scenario(
        "{bonus_expiring: {at_least: 100, ahead: [14 days, 3 days, 1 day]}}", holdout="10%", priority="70"
    ),
}  # fmt: skip
PROGRAM = {
    "allowances": {"marketing": {"all": "2 per 7 days", "sms": "1 per 7 days"}},
    "quiet_hours": "21:00-09:00", "holdout": "5%", "max_per_look": 10_000_000,
}  # fmt: skip
ZONES = (None, None, None, "Europe/Lisbon")
LOCALES = ("uk", "en", None)


def fill(database: Database, customers: int) -> None:
    """Customers with addresses, consent and one lot each, in chunks."""
    for start in range(1, customers + 1, CHUNK):
        ids = range(start, min(start + CHUNK, customers + 1))
        with database.write() as connection:
            for model, columns, rows in _tables(ids):
                insert_rows(connection, model.__table__, columns, rows)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")


def _tables(ids: range) -> list[tuple[Any, tuple[str, ...], list[tuple[Any, ...]]]]:
    phone, email = [(i, f"+38050{i % 10_000_000:07}") for i in ids], [i for i in ids if i % 2]
    return [
        (Customer, ("id", "external_id", "phone", "email", "locale", "time_zone", "tier", "attributes",
                    "registered_at", "updated_at"),
         [(i, f"c{i}", f"+38050{i % 10_000_000:07}", f"c{i}@example.com" if i % 2 else None, LOCALES[i % 3],
           ZONES[i % 4], "gold" if i % 20 == 0 else "bronze", {}, BEGAN, BEGAN) for i in ids]),
        (Address, ("customer_id", "kind", "value", "digest", "active", "since"),
         [(i, "phone", number, f"{i:064x}", True, BEGAN) for i, number in phone]),
        (Address, ("customer_id", "kind", "value", "digest", "active", "since"),
         [(i, "email", f"c{i}@example.com", f"e{i:063x}", True, BEGAN) for i in email]),
        (Consent, ("customer_id", "channel", "purpose", "granted", "at", "source"),
         [(i, it, "marketing", True, BEGAN, "till") for i in ids if i % 5 for it in ("sms", "email")]),
        (Suppression, ("channel", "digest", "reason", "at"),
         [("sms", f"{i:064x}", "hard_bounce", BEGAN) for i in ids if i % 50 == 0]),
        (Operation, ("id", "customer_id", "kind", "key", "digest", "program_version", "result", "data", "at",
                     "recorded_at"),
         [(i, i, "grant", f"k{i}", "", 1, {}, {}, BEGAN, BEGAN) for i in ids]),
        (Lot, ("customer_id", "operation_id", "slot", "account", "reason", "amount", "remaining",
               "active_from", "expires_on", "expires_at"),
         [_lot(i) for i in ids]),
    ]  # fmt: skip


def _lot(customer: int) -> tuple[Any, ...]:
    days = 12 if customer % ONE_IN == 0 else 30 + customer * 7 % 150
    last = TODAY + timedelta(days=days)
    ends = AT + timedelta(days=days + 1)
    return (customer, customer, "0", "base", "grant", 50_000, 50_000, BEGAN, last, ends)


def forecast(database: Database, running: Running, name: str, verdicts: Path | None) -> Forecast:
    """One dry run, as the command makes it."""
    with database.read() as connection:
        as_of(connection, running.program, AT)
        if verdicts is None:
            return _run(connection, running).run(running.scenarios[name])
        with verdicts.open("w", encoding="utf-8", newline="") as file:
            return _run(connection, running, VerdictLines(file)).run(running.scenarios[name])


def _run(connection: Any, running: Running, watch: VerdictLines | None = None) -> DryRun:
    return DryRun(connection, running, channels(running), LINKS, AT, watch=watch)


def measure(customers: int, folder: Path, *, rounds: int, verdicts: bool) -> list[Row]:
    """One size; seconds and megabytes."""
    file = folder / f"dry-{customers}.db"
    there = file.exists()
    database = Database(f"sqlite:///{file}", durable=False)
    if not there:
        database.create_all()
        fill(database, customers)
    rows = []
    # Each alone: what is timed is one scenario, without those that are looked at before it.
    for name, text in SCENARIOS.items():
        running = make_ready(bundle_of({name: text}, PROGRAM))
        with database.write() as connection:
            apply(connection, running, "benchmark", BEGAN)
        evidence = folder / f"{name}.csv" if verdicts else None
        took = [_timed(database, running, name, evidence) for _ in range(rounds)]
        what = f"dry run of {name}, {customers:,} customers"
        rows.append(Row(what, "10 s", "s", at_most(1), "wanted", [(it, 10) for it in took]))
    database.close()
    what = f"memory of dry runs, {customers:,} customers"
    return [*rows, Row(what, "1,000 MB", "MB", at_most(1), "wanted", [(_memory(), 1_000)])]


def _timed(database: Database, running: Running, name: str, verdicts: Path | None) -> float:
    gc.collect()
    start, worked = time.perf_counter(), time.process_time()
    made = forecast(database, running, name, verdicts)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    gates = ", ".join(f"{gate} {count:,}" for gate, count in made.gates.most_common())
    print(
        f"{name:8} {made.candidates:>9,} due {made.sends:>9,} to send  {seconds:6.2f} s"
        f" ({worked:.2f} s of processor)  {_memory():>5} MB  ({gates or 'no gate'})",
        flush=True,
    )
    return seconds


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MEGABYTE


def main() -> None:
    """Every size named on the command line."""
    load_tables()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("customers", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verdicts", action="store_true", help="write every verdict too")
    parser.add_argument("--keep", type=Path, help="a folder for the filled databases")
    asked, before = parser.parse_args(), machine()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for customers in asked.customers:
            place = asked.keep or Path(folder)
            rows += measure(customers, place, rounds=asked.rounds, verdicts=asked.verdicts)
    print(*rows, sep="\n")
    keep("dry_run", rows, before)


if __name__ == "__main__":
    main()
