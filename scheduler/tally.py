"""How many messages came to what: counted in the database, so that a restart forgets nothing and every
process tells the same.

Each chunk adds rows of its own and waits for nobody; every so many rows they are summed up, so that reading
them stays a matter of some hundreds however many messages ever left.
"""

import itertools
import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from core.db.bulk import insert_rows
from core.db.sets import among
from scheduler.tables import DeliveryTally

if TYPE_CHECKING:
    from scheduler.outbox import Turn

TALLY = DeliveryTally.__table__  # type: ignore[attr-defined]

# What became of a message by our hand; what was reported of it afterwards.
MESSAGE, REPORT = "message", "report"
# What became of what, on which channel, why.
Key = tuple[str, str, str, str]

FOLD_EVERY = 500
FOLD_AT_MOST = 5_000
# Rows that this process has added. A process that ends after a few rows sums up as seldom as it must.
_added = itertools.count(secrets.randbelow(FOLD_EVERY))
_COLUMNS = ("what", "channel", "outcome", "reason", "times")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def count(connection: Connection, turns: Sequence["Turn"]) -> None:
    """Count what became of messages, in the transaction that writes it."""
    alike = Counter(
        (turn.row.channel, turn.state, turn.reason, "channel" in turn.values, "accepted_at" in turn.values)
        for turn in turns
    )
    counted: Counter[Key] = Counter()
    for (channel, state, reason, moved, accepted), times in alike.items():
        if (outcome := _outcome(state, moved=moved, accepted=accepted)) is not None:
            counted[MESSAGE, channel, outcome, reason_of(reason)] += times
    add(connection, counted)


def report(connection: Connection, channel: str, kind: str) -> None:
    """Count one report of a provider or a customer."""
    add(connection, {(REPORT, channel, kind, ""): 1})


def add(connection: Connection, counted: Mapping[Key, int]) -> None:
    """Add to what was counted before."""
    insert_rows(connection, TALLY, _COLUMNS, [(*key, times) for key, times in sorted(counted.items())])
    if any(next(_added) % FOLD_EVERY == 0 for _ in counted):
        fold(connection)


def counted(connection: Connection) -> Mapping[Key, int]:
    """Everything that was ever counted."""
    key = (TALLY.c.what, TALLY.c.channel, TALLY.c.outcome, TALLY.c.reason)
    rows = connection.execute(select(*key, func.sum(TALLY.c.times)).group_by(*key))
    return {(row[0], row[1], row[2], row[3]): int(row[4]) for row in rows}


def fold(connection: Connection) -> None:
    """Sum rows up. Those that somebody else is summing up, or has not committed, are left as they are."""
    some = select(TALLY).order_by(TALLY.c.id).limit(FOLD_AT_MOST).with_for_update(skip_locked=True)
    found = connection.execute(some).all()
    sums: Counter[Key] = Counter()
    for row in found:
        sums[row.what, row.channel, row.outcome, row.reason] += row.times
    if len(sums) == len(found):
        return
    first, last = found[0].id, found[-1].id
    mine = [row.id for row in found]
    # Between the first and the last there may be rows of others.
    connection.execute(TALLY.delete().where(TALLY.c.id.between(first, last), among(TALLY.c.id, mine)))
    insert_rows(connection, TALLY, _COLUMNS, [(*key, times) for key, times in sums.items()])


def reason_of(said: str | None) -> str:
    """The name in a reason ("after sms: not_delivered"); what is none of our names is `other`."""
    last = (said or "").rpartition(": ")[2]
    return last if not last or _NAME.fullmatch(last) else "other"


def _outcome(state: str, *, moved: bool, accepted: bool) -> str | None:
    """What a turn is to whoever counts; None for what is under way, and for a fallback that is no longer
    worth it: nothing changed.
    """
    if state == "planned":
        return "fallback" if moved else "retry"
    return None if state == "sending" or (state == "sent" and not accepted) else state
