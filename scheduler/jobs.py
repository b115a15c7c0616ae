"""Jobs: work that any process on one PostgreSQL may do, deferred in the transaction that makes it due.

procrastinate keeps them. A job is a token, not a record: what is due stands in our tables, so a job that is
lost, or runs twice, loses and repeats nothing (docs/decisions/0017).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy import Connection, event, text
from sqlmodel import SQLModel

# A channel's messages that are due. Arguments: channel.
DELIVER = "deliver"
# A part of a look at a large base. Arguments: what `scheduler.shards` says.
SHARD = "shard"
# A part of an import. Arguments: what the import says.
IMPORT = "import"
# Phones and objects that are owed a card. Arguments: what `scheduler.cards` says.
CARDS = "cards"


def defer(
    connection: Connection, task: str, arguments: Sequence[Mapping[str, Any]], *, queue: str,
    lock: str | None = None, once: str | None = None, priority: int = 0,
) -> None:  # fmt: skip
    """Have `task` done for each of `arguments` once this transaction is committed; PostgreSQL only.

    Jobs of one `lock` go one after another, in their order. While a job waits, another one with the same
    `once` is a procrastinate.exceptions.AlreadyEnqueued, which ends the transaction.
    """
    from procrastinate.jobs import Job

    jobs = [
        Job(id=None, queue=queue, task_name=task, task_kwargs=dict(it), lock=lock, queueing_lock=once,
            priority=priority)
        for it in arguments
    ]  # fmt: skip
    if jobs:
        _manager().batch_defer_jobs(jobs, connection=connection.connection.driver_connection)


@cache
def _manager() -> Any:
    """By the caller's connection only: this connector has none of its own."""
    from procrastinate.manager import JobManager
    from procrastinate.sync_psycopg_connector import SyncPsycopgConnector

    return JobManager(SyncPsycopgConnector())


@event.listens_for(SQLModel.metadata, "after_create")
def _with_the_tables(_target: Any, connection: Connection, **_options: Any) -> None:
    """What migration 0006 does, for databases that are made all at once."""
    there = text("SELECT to_regclass('procrastinate_jobs')")
    if connection.dialect.name != "postgresql" or connection.scalar(there) is not None:
        return
    own: Any = connection.connection.driver_connection
    own.execute((resources.files("procrastinate.sql") / "schema.sql").read_text("utf-8"))
