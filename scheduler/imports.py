"""Imports that the processes of one database share: parts are jobs (`core.imports.parts`)."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection

from core.db import Database
from core.imports import parts
from core.imports.parts import Give
from scheduler import jobs
from scheduler.presence import present

if TYPE_CHECKING:
    from scheduler.hands import Tools


def helpers(database: Database) -> Give | None:
    """How others are told of a part; None where nobody is there who could bring one in."""
    if database.dialect != "postgresql":
        return None
    with database.read() as connection:
        somebody = any(process.concurrency for process in present(connection))
    return _give if somebody else None


def _give(connection: Connection, part: int, lane: str) -> None:
    # One job of a lane at a time: the others would wait for its rows.
    jobs.defer(connection, jobs.IMPORT, [{"part": part}], queue=jobs.IMPORT, lock=lane)


async def bring_in(tools: "Tools", part: int) -> None:
    """The job."""
    await tools.at_length(parts.bring_in, tools.database, tools.addresses, part)
