"""What goes after a time, and what must stay: one `Kind` for each sort of rows that `retention` names.

Never gone is what keeps a promise (docs/decisions/0018): the books, who was enrolled on which occasion, proof
of consent, suppressions, links that lie in letters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, exists, false, or_, true

from campaigns.erasure import ATTEMPT, ENROLMENT, FEEDBACK, MESSAGE
from campaigns.running import Running
from campaigns.states import STATE
from campaigns.tables import WAITING, ScenarioRun
from core.customers.consent import KINDS as CHOICES
from core.customers.erasure import is_filled
from core.events import EVENT, START, Position, cursor
from core.grants.granting import READER as GRANTS
from core.tables import ConfirmationCode, Letter
from core.tiers.invitations import KIND as INVITED
from scheduler.card_changes import READER as CARDS
from scheduler.readers import slowest
from wallet.happenings import ADDED, REMOVED

CODE = ConfirmationCode.__table__  # type: ignore[attr-defined]
LETTER = Letter.__table__  # type: ignore[attr-defined]
RUN = ScenarioRun.__table__  # type: ignore[attr-defined]

# Of events these stay: proof of what customers chose and that they were erased; what levels, audiences and
# the card ask of the whole past.
LASTING = (*CHOICES.values(), "customer_erased", INVITED, "return", ADDED, REMOVED)
UNDER_WAY = (*WAITING, "sending")


# Asked anew in each transaction: readers of events move on meanwhile.
Which = Callable[[Connection, Running], ColumnElement[bool]]


def _any(_connection: Connection, _running: Running) -> ColumnElement[bool]:
    return true()


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one table that go, or are emptied, once they are old.

    `name` is its key in `retention`. `born` rises with the id: rows are walked in that order, and the walk
    ends where they are younger. `aged` is the time that counts. `may_go` leaves out what is still needed;
    `values` are what rows are emptied with instead; `with_it` are tables whose rows hang on a message.
    """

    name: str
    table: Table
    born: Column[Any]
    aged: Column[Any]
    may_go: Which = _any
    values: Mapping[str, Any] | None = None
    with_it: Sequence[Table] = ()

    @property
    def mark(self) -> str:
        """The cursor that remembers how far it was walked."""
        return f"kept:{self.name}:{self.table.name}"


def _said(_connection: Connection, _running: Running) -> ColumnElement[bool]:
    return and_(MESSAGE.c.state.not_in(UNDER_WAY), is_filled(MESSAGE.c.facts))


def _over(_connection: Connection, _running: Running) -> ColumnElement[bool]:
    return and_(ENROLMENT.c.status != "active", is_filled(ENROLMENT.c.facts))


def _settled(_connection: Connection, _running: Running) -> ColumnElement[bool]:
    """Of an enrolment under way an earlier message says how far it had come, to a look at the past."""
    over = exists().where(ENROLMENT.c.id == MESSAGE.c.enrolment_id, ENROLMENT.c.status != "active")
    return and_(MESSAGE.c.state.not_in(UNDER_WAY), over)


def _tried(_connection: Connection, _running: Running) -> ColumnElement[bool]:
    """An earlier try says whether a message that still waits may have left."""
    settled: ColumnElement[bool] = ~exists().where(
        MESSAGE.c.id == ATTEMPT.c.message_id, MESSAGE.c.state.in_(UNDER_WAY)
    )
    return settled


def _left(_connection: Connection, _running: Running) -> ColumnElement[bool]:
    return and_(LETTER.c.state.not_in(("planned", "sending")))


def _read(connection: Connection, running: Running) -> ColumnElement[bool]:
    return and_(EVENT.c.kind.not_in(LASTING), ~unread(connection, running))


EMPTY: Mapping[str, Any] = {"facts": {}}

# Every kind that is walked by its ids; what hangs on a message goes before it. Decisions have no ids.
KINDS = (
    Kind("facts", MESSAGE, MESSAGE.c.planned_at, MESSAGE.c.changed_at, _said, EMPTY),
    Kind("facts", ENROLMENT, ENROLMENT.c.at, ENROLMENT.c.at, _over, EMPTY),
    Kind("attempts", ATTEMPT, ATTEMPT.c.at, ATTEMPT.c.at, _tried),
    Kind("states", STATE, STATE.c.at, STATE.c.at),
    Kind("feedback", FEEDBACK, FEEDBACK.c.at, FEEDBACK.c.at),
    Kind("messages", MESSAGE, MESSAGE.c.planned_at, MESSAGE.c.changed_at, _settled, with_it=(ATTEMPT, STATE)),
    Kind("looks", RUN, RUN.c.fire_at, RUN.c.fire_at),
    Kind("letters", LETTER, LETTER.c.at, LETTER.c.changed_at, _left),
    Kind("codes", CODE, CODE.c.at, CODE.c.at),
    Kind("events", EVENT, EVENT.c.recorded_at, EVENT.c.recorded_at, _read),
)


def unread(connection: Connection, running: Running) -> ColumnElement[bool]:
    """Events that somebody has still to read: grants, the cards, each scenario on events of its kind."""
    behind = [_after(cursor(connection, GRANTS) or START)]
    # Who has never looked at the cards begins with all of them, not with the events.
    if (cards := cursor(connection, CARDS)) is not None:
        behind.append(_after(cards))
    for kind, place in slowest(connection, running).items():
        behind.append(and_(EVENT.c.kind == kind, _after(place)))
    return or_(false(), *behind)


def _after(place: Position) -> ColumnElement[bool]:
    same = and_(EVENT.c.transaction == place.transaction, EVENT.c.id > place.event_id)
    return or_(EVENT.c.transaction > place.transaction, same)
