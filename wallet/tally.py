"""How often what came of what: counted in the database; processes agree, and a restart forgets nothing."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from core.db import insert_ignoring
from wallet.tables import TALLY

PUSH, GOOGLE = "push", "google"


def add(connection: Connection, what: str, counts: Mapping[str, int]) -> None:
    """Count outcomes, in the transaction that records them. Do it last: the rows are everybody's."""
    for outcome, count in sorted(counts.items()):
        row = {"what": what, "outcome": outcome, "times": 0}
        connection.execute(insert_ignoring(connection, TALLY).values(**row))
        mine = (TALLY.c.what == what) & (TALLY.c.outcome == outcome)
        connection.execute(TALLY.update().where(mine).values(times=TALLY.c.times + count))


def counted(connection: Connection) -> Mapping[tuple[str, str], int]:
    """(what, outcome) → how often."""
    return {(row.what, row.outcome): row.times for row in connection.execute(select(TALLY))}
