"""Were the files read before others went live? Asked before a message of an unknown scenario is given up.

What is live is asked before a transaction begins, and on SQLite that may wait for its turn. Meanwhile an
apply may have renamed a scenario with its messages, and a look have planned for one that is new.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from campaigns.running import Running
from campaigns.versions import live_version


class Outdated(Exception):
    """other files are live than those that the messages were looked at by"""


def refuse_outdated(connection: Connection, running: Running, rows: Iterable[Any]) -> None:
    """Raises Outdated if a message is of a scenario that only newer files may know; the caller holds them."""
    if {row.scenario for row in rows} - running.scenarios.keys() and live_version(
        connection
    ) > running.version:
        raise Outdated
