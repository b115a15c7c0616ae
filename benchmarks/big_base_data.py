"""A large base straight in SQL: customers with addresses, consents, two receipts each, and their ledger.

Everything follows from the customer's number, so two bases of one size are the same. What is bought brings a
tenth back, for 180 days; what is older has expired in the ledger too. Lines of receipts are left out: no
scenario of the benchmark asks for goods. Numbers are taken by moduli without a common factor: who agreed to
be written to says nothing of who is silent, or lives in the west.
"""

import re
import threading
from collections.abc import Sequence

import psycopg
from sqlmodel import SQLModel

# Customers in one statement.
CHUNK = 100_000
DAYS_AGO = 199
LASTS = 180
# A tier is kept so long by two purchases: a year, and thirty days of grace.
KEPT = 395

# Of customer i: bought last so many days ago, and before that; whole money of either receipt; a tenth of it.
_PEOPLE = f"""
    SELECT i, (i * 7919 % {DAYS_AGO})::int AS last, (i * 7919 % {DAYS_AGO} + 30 + i % 197)::int AS first,
           50 + (i * 31 % 601) AS paid, 50 + (i * 17 % 599) AS before,
           %(at)s::timestamptz - make_interval(hours => (i % 11)::int) AS hour
    FROM generate_series(%(low)s::bigint, %(high)s::bigint) AS i"""
# Each receipt with its number and operation: two of each customer.
_BOUGHT = f"""
    SELECT i, i * 2 - 1 AS id, paid, hour - make_interval(days => last) AS at, last AS days FROM ({_PEOPLE}) p
    UNION ALL
    SELECT i, i * 2, before, hour - make_interval(days => first), first FROM ({_PEOPLE}) p"""
_EXPIRED = f"days > {LASTS}"

STATEMENTS = (
    """INSERT INTO customer (id, external_id, card, name, phone, email, birthday, birthday_md, locale,
           time_zone, attributes, tier, tier_since, registered_at, updated_at, opted_in)
       SELECT i, 'c' || i, '29' || lpad(i::text, 10, '0'), 'Customer ' || i, '+380' || lpad(i::text, 9, '0'),
           CASE WHEN i % 2 = 0 THEN 'c' || i || '@example.com' END, born, extract(month FROM born) * 100 +
           extract(day FROM born), CASE WHEN i % 3 = 0 THEN 'en' ELSE 'uk' END,
           CASE WHEN i % 19 = 0 THEN 'Europe/Lisbon' END, '{}',
           CASE WHEN paid + before >= 1000 AND first < {KEPT} THEN 'silver' ELSE 'bronze' END,
           hour - interval '400 days', hour - make_interval(days => 400 + (i * 13 % 1499)::int), hour,
           CASE WHEN i % 5 > 0 THEN ' email sms ' ELSE '' END
       FROM (SELECT *, date '1950-01-01' + (i * 37 % 19997)::int AS born FROM ({people}) p) p""",
    """INSERT INTO address (customer_id, kind, value, digest, active, since)
       SELECT i, 'phone', '+380' || lpad(i::text, 9, '0'), md5('p' || i) || md5('q' || i), true, hour
       FROM ({people}) p""",
    """INSERT INTO address (customer_id, kind, value, digest, active, since)
       SELECT i, 'email', 'c' || i || '@example.com', md5('e' || i) || md5('f' || i), true, hour
       FROM ({people}) p WHERE i % 2 = 0""",
    """INSERT INTO consent (customer_id, channel, purpose, granted, at, source)
       SELECT i, channel, 'marketing', true, hour, 'till'
       FROM ({people}) p, (VALUES ('email'), ('sms')) AS said (channel) WHERE i % 5 > 0""",
    """INSERT INTO customer_stats (customer_id, first_purchase_at, last_purchase_at, purchases, spent)
       SELECT i, hour - make_interval(days => first), hour - make_interval(days => last), 2,
           (paid + before) * 100
       FROM ({people}) p""",
    """INSERT INTO operation (id, customer_id, kind, key, digest, program_version, result, data, at,
           recorded_at)
       SELECT id, i, 'purchase', 'receipt:r' || id, md5(id::text), 1, '{}', '{}', at, at FROM ({bought}) b""",
    """INSERT INTO operation (id, customer_id, kind, key, digest, program_version, result, data, at,
           recorded_at)
       SELECT -id, i, 'expiry', 'expiry:' || id, md5(id::text), 1, '{}', '{}', at + interval '181 days',
           at + interval '181 days' FROM ({bought}) b WHERE {expired}""",
    """INSERT INTO receipt (id, external_id, customer_id, operation_id, program_version, store, at,
           recorded_at, total, paid_points, earned_points)
       SELECT id, 'r' || id, i, id, 1, 'store-' || i % 200, at, at, paid * 100, 0, paid * 10
       FROM ({bought}) b""",
    """INSERT INTO lot (id, customer_id, operation_id, slot, account, reason, amount, remaining, active_from,
           expires_on, expires_at)
       SELECT id, i, id, '0', 'base', 'base', paid * 10, CASE WHEN {expired} THEN 0 ELSE paid * 10 END, at,
           (at + interval '180 days')::date, (at + interval '181 days')::date FROM ({bought}) b""",
    """INSERT INTO entry (customer_id, operation_id, lot_id, kind, amount, rule, program_version, at,
           recorded_at)
       SELECT i, id, id, 'accrual', paid * 10, 'base', 1, at, at FROM ({bought}) b""",
    """INSERT INTO entry (customer_id, operation_id, lot_id, kind, amount, program_version, at,
           recorded_at)
       SELECT i, -id, id, 'expiry', -paid * 10, 1, at + interval '181 days', at + interval '181 days'
       FROM ({bought}) b WHERE {expired}""",
    """INSERT INTO account (customer_id, total, last_at, moved_at)
       SELECT i, sum(CASE WHEN {expired} THEN 0 ELSE paid * 10 END), max(at),
           max(CASE WHEN {expired} THEN at + interval '181 days' ELSE at END) FROM ({bought}) b GROUP BY i""",
)  # fmt: skip
# Of one customer in a hundred: what they bought today, and what it gave them.
EVENTS = """INSERT INTO event (customer_id, kind, subject, live, at, recorded_at, data)
       SELECT customer_id, kind, prefix || external_id, true, %(at)s, %(at)s,
           jsonb_build_object('amount', earned_points, 'slot', '0', 'reason', 'purchase')
       FROM receipt, (VALUES ('purchase', ''), ('bonus_accrued', 'receipt:')) AS happened (kind, prefix)
       WHERE id %% 199 = 1"""
TABLES = re.findall(r"INSERT INTO (\w+)", " ".join(STATEMENTS))


def fill(url: str, customers: int, at: str) -> None:
    """Fill the tables, which are there and empty, by two connections; their indexes are made afterwards."""
    with psycopg.connect(url, autocommit=True) as connection:
        indexes = _drop_indexes(connection)
        connection.execute("INSERT INTO time_zone (name) VALUES ('Europe/Lisbon')")
    starts = range(1, customers + 1, CHUNK)
    _both(
        [(url, [(it, min(it + CHUNK - 1, customers)) for it in starts[n::2]], at) for n in (0, 1)], _fill_part
    )
    _both([(url, indexes[n::2]) for n in (0, 1)], _run)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def as_filled(url: str) -> None:
    """Forget what looks have kept, and what they looked at: the base as it was filled."""
    filled = {"time_zone", *TABLES}
    others = sorted(name for name in SQLModel.metadata.tables if name not in filled)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(others)}".encode())


def _drop_indexes(connection: psycopg.Connection) -> list[str]:
    """All but primary keys; returns how they are made."""
    tables = [sorted(set(TABLES))]
    unique = connection.execute(
        "SELECT format('ALTER TABLE %%s ', conrelid::regclass), conname, pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'u' AND conrelid = ANY(%s::text[]::regclass[])", tables,
    ).fetchall()  # fmt: skip
    for table, name, _ in unique:
        connection.execute(f"{table} DROP CONSTRAINT {name}".encode())
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND NOT EXISTS (SELECT FROM"
        " pg_constraint WHERE conname = indexname)", tables,
    ).fetchall()  # fmt: skip
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}".encode())
    made = [f"{table} ADD CONSTRAINT {name} {definition}" for table, name, definition in unique]
    return made + [definition for _, definition in found]


def _fill_part(url: str, chunks: Sequence[tuple[int, int]], at: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        # What refers to a customer is made with the customer: nothing is asked or written again for each row.
        connection.execute("SET session_replication_role = replica")
        for low, high in chunks:
            for statement in STATEMENTS:
                made = statement.replace("{people}", _PEOPLE).replace("{bought}", _BOUGHT)
                made = made.replace("{expired}", _EXPIRED).replace("{KEPT}", str(KEPT)).replace(" % ", " %% ")
                connection.execute(made.encode(), {"low": low, "high": high, "at": at})


def _run(url: str, statements: Sequence[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '1GB'")
        for statement in statements:
            connection.execute(statement.encode())


def _both(arguments: Sequence[tuple[object, ...]], work: object) -> None:
    threads = [threading.Thread(target=work, args=it) for it in arguments]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
