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
# A part of a look at a large base, whichever is free.
SHARD = "shard"
# A part of an import. Arguments: part, its id.
IMPORT = "import"
# Phones that are to be woken.
CARDS = "cards"


def defer(
    connection: Connection, task: str, arguments: Sequence[Mapping[str, Any]], *, queue: str,
    lock: str | None = None,
) -> None:  # fmt: skip
    """Have `task` done for each of `arguments` once this transaction is committed; PostgreSQL only.

    Jobs of one `lock` go one after another, in their order.
    """
    from procrastinate.jobs import Job

    jobs = [
        Job(id=None, queue=queue, task_name=task, task_kwargs=dict(it), lock=lock, queueing_lock=None)
        for it in arguments
    ]
    if jobs:
        _manager().batch_defer_jobs(jobs, connection=connection.connection.driver_connection)


def queue_of(channel: str) -> str:
    """The queue of a channel's deliveries."""
    return f"{DELIVER}:{channel}"


def opened(connection: Connection, task: str) -> dict[str, int]:
    """Queue → how many jobs of this task wait there or are done by somebody who lives."""
    rows = connection.execute(_OPEN, {"task": task, **_DEAD})
    return {row.queue_name: row.jobs for row in rows}


def give_back(connection: Connection) -> int:
    """What dead workers had begun is to be done by others; returns how many jobs.

    A delivery is just forgotten: whatever is due is asked for anew.
    """
    connection.execute(_FORGET, {"task": DELIVER, **_DEAD})
    given = connection.scalars(_GIVE_BACK, {"task": DELIVER, **_DEAD}).all()
    connection.execute(_PRUNE, _DEAD)
    return len(given)


# Seconds since the last sign of life of a worker that is dead.
DEAD_SECONDS = 15.0
_DEAD = {"dead": DEAD_SECONDS}
_OPEN = text("""
SELECT job.queue_name, count(*) AS jobs FROM procrastinate_jobs job
LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
WHERE job.task_name = :task AND (job.status = 'todo' OR job.status = 'doing'
    AND worker.last_heartbeat > now() - make_interval(secs => :dead))
GROUP BY job.queue_name
""")
_FORGET = text("""
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT job.id FROM procrastinate_jobs job
    LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND job.task_name = :task
        AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :dead))
    FOR UPDATE OF job SKIP LOCKED)
""")
_GIVE_BACK = text("""
SELECT procrastinate_retry_job_v2(orphan.id, now(), NULL, NULL, NULL) FROM (
    SELECT job.id FROM procrastinate_jobs job
    LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND job.task_name <> :task
        AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :dead))
    FOR UPDATE OF job SKIP LOCKED) orphan
""")
_PRUNE = text("SELECT * FROM procrastinate_prune_stalled_workers_v1(:dead)")


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
