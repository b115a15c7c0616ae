"""What a year takes on the disk: bytes a customer, a receipt, a message, an event, by table and index.

    python -m benchmarks.size [--customers 1000] [--quick] [--only sqlite|postgresql]

A small shop lives through a year by the product's own ways (`benchmarks.year`) on SQLite and on PostgreSQL;
then both are asked how large each table and index is. Each figure is held against the values alone, as the
database keeps them in its rows: the rest is indexes, heads of rows and room for changes.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

from benchmarks.postgres import database_on, durable_server
from benchmarks.report import LESS, Row, keep, machine
from benchmarks.year import WEEKS, Year
from core.db import Database
from scheduler.pruning import prune
from tidings.schema import prepare

MILLION = 1_000_000
# What a row belongs to; a table that is not named is the installation's own, and hardly grows.
OF = {
    "customer": ("customer", "address", "consent", "customer_stats", "account", "tier_change"),
    "receipt": ("receipt", "receipt_line", "operation", "lot", "entry"),
    "message": ("enrolment", "message", "attempt", "message_state", "feedback", "decision"),
    "event": ("event",),
    "card": ("wallet_pass", "wallet_device", "wallet_registration"),
}
ARTICLE = {"event": "an"}
COUNTED = {"customer": "customer", "receipt": "receipt", "message": "message", "event": "event",
           "card": "wallet_pass"}  # fmt: skip


@dataclass
class Size:
    """One table: rows, bytes of the table, of the values in it, and of each index."""

    rows: int
    table: int
    values: int
    indexes: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """With its indexes."""
        return self.table + sum(self.indexes.values())


Sizes = Mapping[str, Size]


def main() -> None:
    """Live through the year, measure, print, keep."""
    options, before, rows, all_sizes = _options(), machine(), [], {}
    for name, opened in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        if options.only in (None, name):
            with opened() as database:
                year = Year(database, options.customers)
                for week in year.weeks(options.weeks):
                    print(f"\r{name}: week {week + 1}", end="", flush=True)
                print()
                sizes = measured(database)
                rows += _rows(name, sizes)
                _show(name, sizes, options.customers)
                _show_waste(database, options.customers)
                all_sizes[name] = {table: vars(size) for table, size in sizes.items()}
                _prune(year, name)
                _show_left(database, options.customers)
    print(*rows, sep="\n")
    keep("size", rows, before, customers=options.customers, sizes=all_sizes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true", help="100 customers and six weeks: that it works")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    options.customers, options.weeks = (100, 6) if options.quick else (options.customers, WEEKS)
    return options


@contextmanager
def _sqlite() -> Iterator[Database]:
    # How fast it is written does not matter here.
    with tempfile.TemporaryDirectory(prefix="tidings-size-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'year.db'}", durable=False)
        prepare(database)
        yield database
        database.close()


@contextmanager
def _postgresql() -> Iterator[Database]:
    with durable_server() as server, database_on(server, "size") as database:
        prepare(database)
        yield database


def measured(database: Database) -> Sizes:
    """Every table that has rows, the largest first."""
    sizes = _of_sqlite(database) if database.dialect == "sqlite" else _of_postgresql(database)
    return dict(sorted(sizes.items(), key=lambda it: -it[1].total))


def _of_sqlite(database: Database) -> dict[str, Size]:
    pages = "SELECT name, SUM(pgsize), SUM(payload) FROM dbstat GROUP BY name"
    found: dict[str, Size] = {}
    with database.read() as connection:
        sizes = {name: (size, payload) for name, size, payload in connection.exec_driver_sql(pages)}
        kinds = connection.exec_driver_sql(
            "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY type DESC"
        )
        for kind, name, table in kinds.all():
            if kind == "table" and name in sizes:
                rows = connection.exec_driver_sql(f"SELECT COUNT(*) FROM {name}").scalar() or 0
                found[name] = Size(rows, *sizes[name])
            elif kind == "index" and name in sizes and table in found:
                found[table].indexes[name] = sizes[name][0]
    return {name: size for name, size in found.items() if size.rows}


def _of_postgresql(database: Database) -> dict[str, Size]:
    tables = (
        "SELECT relname, oid, pg_table_size(oid) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    indexes = (
        "SELECT i.relname, pg_relation_size(i.oid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
        "WHERE x.indrelid = %s"
    )
    found: dict[str, Size] = {}
    with database.read() as connection:
        for name, oid, size in connection.exec_driver_sql(tables).all():
            counted = f"SELECT COUNT(*), COALESCE(SUM(pg_column_size(it.*)), 0) FROM {name} it"
            rows, values = connection.exec_driver_sql(counted).one()
            # The head of a row is 24 bytes.
            found[name] = Size(rows, size, int(values) - 24 * rows)
            found[name].indexes = dict(connection.exec_driver_sql(indexes, (oid,)).all())
    return {name: size for name, size in found.items() if size.rows}


def per_thing(sizes: Sizes) -> Iterator[tuple[str, int, float, float]]:
    """Thing, how many there are, bytes of one with its indexes, bytes of its values."""
    for thing, tables in OF.items():
        number = sizes[COUNTED[thing]].rows
        there = [sizes[it] for it in tables if it in sizes]
        yield thing, number, sum(it.total for it in there) / number, sum(it.values for it in there) / number


def _rows(name: str, sizes: Sizes) -> list[Row]:
    return [
        Row(
            f"{name}: {ARTICLE.get(thing, 'a')} {thing}",
            "its values alone",
            "bytes",
            LESS,
            "limit",
            [(ours, values)],
        )
        for thing, _, ours, values in per_thing(sizes)
    ]


def _show(name: str, sizes: Sizes, customers: int) -> None:
    console = Console(width=130)
    shown = Shown("table", "rows", "bytes a row", "values", "indexes", "a million customers, GB", title=name)
    for table, size in sizes.items():
        if size.rows >= customers // 10:
            each = [it / size.rows for it in (size.total, size.values, sum(size.indexes.values()))]
            shown.add_row(table, f"{size.rows:,}", *(f"{it:,.0f}" for it in each),
                          f"{size.total / customers * MILLION / 1e9:.1f}")  # fmt: skip
    console.print(shown)
    indexes = [it for size in sizes.values() for it in size.indexes.items()]
    for index, size_of in sorted(indexes, key=lambda it: -it[1])[:12]:
        console.print(f"  {index}: {size_of / customers:,.0f} bytes a customer")
    for thing, number, bytes_each, _ in per_thing(sizes):
        console.print(f"{number / customers:6.1f} {thing}s a customer and year, {bytes_each:,.0f} bytes each")
    whole = sum(it.total for it in sizes.values())
    console.print(
        f"a customer's year: {whole / customers:,.0f} bytes; a million: {whole / customers / 1e3:,.0f} GB"
    )


def _show_waste(database: Database, customers: int) -> None:
    """What is kept several times, and on PostgreSQL the indexes that nothing read all the year."""
    length = "LENGTH(CAST(facts AS TEXT))"
    with database.read() as connection:
        for table, column in (("event", "data"), ("enrolment", "facts"), ("message", "facts"),
                              ("operation", "result"), ("operation", "data")):  # fmt: skip
            counted = f"SELECT SUM({length.replace('facts', column)}) FROM {table}"
            size = connection.exec_driver_sql(counted).scalar() or 0
            print(f"  {table}.{column}: {size / customers:,.0f} bytes a customer")
        if database.dialect == "postgresql":
            unread = (
                "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes "
                "JOIN pg_index USING (indexrelid) "
                "WHERE idx_scan = 0 AND NOT indisunique ORDER BY 2 DESC LIMIT 12"
            )
            for index, size in connection.exec_driver_sql(unread).all():
                print(f"  not read in this year: {index}, {size / customers:,.0f} bytes a customer")


def _show_left(database: Database, customers: int) -> None:
    """What stays of a year for ever, once its room was given back to the disk."""
    whole = "VACUUM" if database.dialect == "sqlite" else "VACUUM FULL"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(whole)
    left = measured(database)
    for table, size in [*left.items()][:6]:
        print(f"  {table}: {size.total / customers:,.0f} bytes a customer stay")
    print(
        f"of a customer's year {sum(it.total for it in left.values()) / customers:,.0f} bytes stay for ever"
    )


def _prune(year: Year, name: str) -> None:
    """Let all of it grow old and go: how fast, and for how long one transaction keeps others waiting."""
    times = [time.perf_counter()]

    def note() -> bool:
        times.append(time.perf_counter())
        return True

    at = year.clock.now() + timedelta(days=3 * 365)
    done = prune(year.database, year.live.running(), at, go_on=note)
    seconds, longest = times[-1] - times[0], max(b - a for a, b in pairwise(times))
    rows = ", ".join(f"{count:,} {kind}" for kind, count in done.rows.items())
    print(f"{name}: {rows} went in {seconds:.1f} s, {done.rows.total() / seconds:,.0f}/s; "
          f"the longest transaction took {longest * 1000:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
