"""The database: SQLite or PostgreSQL behind one door.

`database` is the door, `spelling` what the two spell differently, `rows` how rows go in; `bulk`, `hot` and
`trip` are for what is asked and written at every receipt, `sets` for many values at once.
"""

from core.db.database import NOTICED, Database, only_reads
from core.db.rows import allocate, ask_ids, insert_ignoring, insert_many, upsert
from core.db.spelling import (
    Id,
    Json,
    UtcDateTime,
    bucket_of,
    days_between,
    dumps,
    facts,
    hash_bucket,
    json_is,
    json_number,
    json_object,
    json_string,
    json_text,
    json_without,
    looked_up,
    transaction_id,
)

__all__ = [
    "NOTICED",
    "Database",
    "Id",
    "Json",
    "UtcDateTime",
    "allocate",
    "ask_ids",
    "bucket_of",
    "days_between",
    "dumps",
    "facts",
    "hash_bucket",
    "insert_ignoring",
    "insert_many",
    "json_is",
    "json_number",
    "json_object",
    "json_string",
    "json_text",
    "json_without",
    "looked_up",
    "only_reads",
    "transaction_id",
    "upsert",
]
