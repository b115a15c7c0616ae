"""Whether it is still true what messages are about to say (promise 9), asked of their triggers.

To build a trigger's question costs SQLAlchemy half as much as a database needs to answer it for a thousand
messages. So a question serves all claims of one second: it asks how things stand when that second ends. What
was written down within it is seen, and nothing is said of what ends within it; bonuses go at midnight, with
which a second begins.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, cast, select

from campaigns.membership import informed
from campaigns.running import Running
from campaigns.staging import ZONE
from campaigns.tables import Message
from core.db.hot import at_once
from core.db.sets import Numbers, among, update_each
from core.events import START
from scheduler.reach import MessageRow
from triggers import Look, discover

MESSAGE = Message.__table__  # type: ignore[attr-defined]
_DUE = (MESSAGE.c.id, MESSAGE.c.customer_id, MESSAGE.c.occasion, MESSAGE.c.subject, MESSAGE.c.facts)

# A version, the end of a second, and the questions of its scenarios.
_Made = tuple[Running | None, datetime | None, dict[str, Select[Any]]]


class Truth:
    """Asks triggers. Safe to share between threads."""

    def __init__(self) -> None:
        self._made: _Made = (None, None, {})

    def of(
        self, connection: Connection, running: Running, rows: Sequence[MessageRow], at: datetime
    ) -> dict[int, Mapping[str, Any]]:
        """Message id → its facts as they are now, for those whose trigger still holds.

        What the message will say is kept with it, so that it can be shown again.
        """
        found: dict[int, Mapping[str, Any]] = {}
        kept = {row.id: row.facts for row in rows}
        for name in sorted({row.scenario for row in rows}):
            question = self._question(connection, running, name, at)
            answers = at_once(connection, question, ids=[row.id for row in rows if row.scenario == name])
            # As text, all of which is read in one go.
            facts = json.loads(f"[{','.join([text for _, text in answers])}]")
            found |= zip([number for number, _ in answers], facts, strict=True)
            changed = [(number, found[number]) for number, text in answers if text != kept[number]]
            update_each(connection, MESSAGE, {}, ("facts",), changed)
        return found

    def _question(self, connection: Connection, running: Running, name: str, at: datetime) -> Select[Any]:
        made, second = self._made, at.replace(microsecond=999_999)
        if made[0] is not running or made[1] != second:
            made = self._made = (running, second, {})
        if name not in made[2]:
            made[2][name] = _question(connection, running, name, second)
        return made[2][name]


def _question(connection: Connection, running: Running, name: str, at: datetime) -> Select[Any]:
    scenario = running.scenarios[name]
    look = informed(connection, running, scenario, Look(at, running.program, ZONE, (), START, START))
    due = select(*_DUE).where(among(MESSAGE.c.id, bindparam("ids", type_=Numbers()))).subquery("due")
    still = discover()[scenario.trigger].still_true(scenario.parameters, look, due).subquery("still")
    # Of a text that was an object SQLite remembers it, unless something is done to it.
    return select(still.c.id, (cast(still.c.facts, Text) + "").label("facts"))
