"""Who is to be phoned on a day, read anew each time, and what came of the calls."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, literal, select

from campaigns.names import as_called_then
from campaigns.short_links import as_long
from campaigns.tables import Message
from campaigns.versions import Live
from channels import AddressFault
from channels.call_list import LISTED
from channels.call_list.sheet import RESULTS, Call
from core.customers.consent import Choice, choose
from core.customers.profiles import CUSTOMER
from core.db import Database, UtcDateTime
from core.errors import Problem, Problems, UserError
from core.explain import suggest
from core.links import Links
from core.program import Program
from scheduler.outcomes import Heard, confirm
from scheduler.reach import Reach, left_behind
from templates.facts import Context, contexts, with_trigger
from triggers import discover

MESSAGE = Message.__table__  # type: ignore[attr-defined]
CHANNEL = "call_list"
# How many customers' facts are read at once.
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls: those listed on a day of the program's zone, of one scenario or all."""

    day: date
    scenario: str | None = None


@dataclass(slots=True)
class Listed:
    """The calls in their order, and how many are left out, by the reason."""

    calls: list[Call] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def listed(database: Database, live: Live, links: Links, wanted: Wanted, at: datetime) -> Listed:
    """The list as it is at `at`: today's phones and words, nobody who may not be called any more."""
    running = live.running()
    found = Listed()
    with database.read() as connection:
        rows = _rows(connection, running.program, wanted)
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            reach = Reach(connection, running, at, some).of(CHANNEL)
            open_to = [row for row in some if not _closed(reach.gate(row), found)]
            customers = [row.customer_id for row in open_to]
            known = contexts(connection, running.program, customers, at, links) if customers else {}
            for row in open_to:
                said = _said(connection, live, row, known[row.customer_id], links, at)
                if said is None:
                    found.left_out["not_rendered"] += 1
                else:
                    found.calls.append(_call(running.program, row, reach.addresses[row.customer_id], said))
    return found


def _closed(gate: str | None, found: Listed) -> bool:
    if gate is not None:
        found.left_out[gate] += 1
    return gate is not None


def _rows(connection: Connection, program: Program, wanted: Wanted) -> Sequence[Any]:
    begins = datetime.combine(wanted.day, time(), program.zone).astimezone(UTC)
    ends = datetime.combine(wanted.day + timedelta(days=1), time(), program.zone).astimezone(UTC)
    rows = (
        select(MESSAGE, CUSTOMER.c.external_id, CUSTOMER.c.name, CUSTOMER.c.locale.label("speaks"))
        .join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id)
        .where(MESSAGE.c.channel == CHANNEL, MESSAGE.c.state == "sent")
        .where(MESSAGE.c.provider_id.startswith(LISTED))
        .where(MESSAGE.c.accepted_at >= literal(begins, UtcDateTime))
        .where(MESSAGE.c.accepted_at < literal(ends, UtcDateTime))
    )
    if wanted.scenario is not None:
        rows = rows.where(MESSAGE.c.scenario == wanted.scenario)
    return connection.execute(rows.order_by(MESSAGE.c.scenario, MESSAGE.c.planned_at, MESSAGE.c.id)).all()


def _said(
    connection: Connection, live: Live, row: Any, known: Context, links: Links, at: datetime
) -> str | None:
    """The words by the version that listed them; None if they cannot be said any more."""
    try:
        running = live.of(row.version)
        scenario = as_called_then(connection, running, row.scenario)
        if scenario is None:
            return None
        facts = discover()[scenario.trigger].read(row.facts, running.program, at)
        also = as_long(running.program, CHANNEL, links)
        return running.library.render(
            row.message, CHANNEL, row.speaks, with_trigger(known, facts, CHANNEL) | also
        ).parts["text"].strip()  # fmt: skip
    except (UserError, Problems, KeyError):
        return None


def _call(program: Program, row: Any, phone: str, said: str) -> Call:
    planned = row.planned_at.astimezone(program.zone).replace(tzinfo=None)
    language = row.speaks or program.locale
    return Call(
        row.provider_id, planned, row.scenario, row.external_id, row.name or "", phone, language, said
    )


# --- what came of it

# Result → what is reported of the message, with its detail, and what it tells of the phone.
_REPORTS: Mapping[str, tuple[str, str | None, AddressFault | None]] = {
    "reached": ("delivered", None, None),
    "no answer": ("undelivered", "no_answer", None),
    "wrong number": ("undelivered", "number_invalid", "dead"),
    "no more calls": ("delivered", "opted_out", None),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One line of a sheet that came back."""

    line: int
    call: str
    result: str


def read_results(path: Path) -> list[Result]:
    """The lines of a CSV with a result; Problems with every word that is none, UserError for no CSV."""
    try:
        return _results(path)
    except csv.Error as error:
        raise UserError(f"{path.name} cannot be read as CSV ({error}); save the sheet as such") from None


def _results(path: Path) -> list[Result]:
    text = path.read_bytes().decode("utf-8-sig", "replace")
    head = text.partition("\n")[0]
    # Excel writes what its language separates lists by.
    rows = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ","
    )
    missing = {"call", "result"} - {_word(name) for name in rows.fieldnames or ()}
    if missing:
        raise UserError(
            f"{path.name} has no column '{min(missing)}'; save the sheet of "
            "`tidings calls` as CSV, with its head"
        )
    found, problems = [], []
    for row in rows:
        cells = {_word(name): cell for name, cell in row.items() if isinstance(cell, str)}
        result = _word(cells.get("result"))
        if result and result not in _REPORTS:
            what, fix = f"'{result}' is no result of a call", suggest(result, RESULTS)
            problems.append(Problem(path.name, rows.line_num, 1, "", what, fix))
        elif result:
            found.append(Result(rows.line_num, (cells.get("call") or "").strip(), result))
    if problems:
        raise Problems(problems)
    return found


def _word(cell: str | None) -> str:
    return " ".join((cell or "").lower().split())


def record(connection: Connection, results: Sequence[Result], at: datetime) -> Counter[str]:
    """Keep what came of the calls, each once: how many `recorded`, `repeated` and `unknown`.

    Whom nobody reached is written to on the next channel of the cascade, a wrong number is never called
    again, and who wants no more calls has withdrawn consent to them.
    """
    counted: Counter[str] = Counter()
    for it in results:
        kind, detail, fault = _REPORTS[it.result]
        customer = _customer_of(connection, it.call)
        heard = Heard.NOT_OURS
        if customer is not None:
            heard = confirm(connection, it.call, kind, detail, at, address=fault)
        if heard is Heard.NEWS and detail == "opted_out":
            choose(connection, [Choice(customer or 0, CHANNEL, False, at, "call")], at, live=True)
        counted[{Heard.NEWS: "recorded", Heard.REPEATED: "repeated", Heard.NOT_OURS: "unknown"}[heard]] += 1
    return counted


def _customer_of(connection: Connection, call: str) -> int | None:
    """Whose call it is, be it that their message has gone on since; None for what is not on the list."""
    own = select(MESSAGE.c.customer_id).where(MESSAGE.c.provider_id == call, MESSAGE.c.channel == CHANNEL)
    found: int | None = connection.scalar(own)
    tried = left_behind(connection, call) if found is None else None
    return tried.customer_id if tried is not None and tried.channel == CHANNEL else found
