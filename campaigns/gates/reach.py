"""On which channels of the cascade a customer may and can be reached."""

from functools import lru_cache, reduce
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Subquery,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
    update,
)

from campaigns.gates.entry import ENTRY, NO_CONSENT
from campaigns.gates.step import Step, Who
from campaigns.staging import CANDIDATE, OPTION, analyze
from campaigns.tables import Decision
from channels.base import CARD, NO_ADDRESS
from core.customers.consent import MARKETING
from core.db import looked_up
from core.tables import Address, Consent, Suppression
from wallet.holding import in_a_wallet

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
DECISION = Decision.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]
# In their order: of a cascade in which every channel is closed, the gate that let it come furthest is named.
REACH = (NO_CONSENT, "suppressed", "unreachable")
THIS = OPTION.c.candidate_id == CANDIDATE.c.id
# A channel or a kind of address: one that is known, or a column of many.
Name = str | ColumnElement[str]


def without_consent(step: Step) -> str:
    """What became of each channel of who agreed nowhere, as `unreached` says it."""
    return ", ".join(f"{channel}: {NO_CONSENT}" for channel in step.step.send)


def said_before(
    step: Step, customer_id: ColumnElement[int], occasion: ColumnElement[str]
) -> ColumnElement[bool]:
    """An earlier look said of who agreed nowhere what this one would say."""
    return looked_up(
        DECISION.c.customer_id == customer_id, DECISION.c.scenario == step.scenario.name,
        DECISION.c.occasion == occasion, DECISION.c.step == step.step.id,
        DECISION.c.verdict == NO_CONSENT, DECISION.c.detail == without_consent(step),
    )  # fmt: skip


def first_reached(step: Step, who: Who) -> ColumnElement[str | None]:
    """The first channel of the cascade on which the customer may and can be reached; NULL if there is none.

    Most are reached by the first one: further ones are asked only of the others.
    """
    channels = tuple((channel, step.kinds[channel]) for channel in step.step.send)
    return _first_reached(who.customer_id, who.opted_in if step.marketing else None, channels)


@lru_cache(maxsize=256)
def _first_reached(
    customer_id: ColumnElement[int], opted_in: ColumnElement[str | None] | None,
    channels: tuple[tuple[str, str], ...],
) -> ColumnElement[str | None]:  # fmt: skip
    """Of channels with the kinds of their addresses; the same for every look at a scenario. `opted_in`: None
    where nobody has to have agreed.
    """
    return case(*((_reaches(customer_id, opted_in, *channel), channel[0]) for channel in channels))


def _reaches(
    customer_id: ColumnElement[int], opted_in: ColumnElement[str | None] | None, channel: str, kind: str
) -> ColumnElement[bool]:
    asked = [_agreed(customer_id, opted_in, channel)] if opted_in is not None else []
    if kind == CARD:
        asked.append(in_a_wallet(customer_id))
    elif kind != NO_ADDRESS:
        asked.append(_usable(customer_id, channel, kind))
    return and_(true(), *asked)


def _agreed(
    customer_id: ColumnElement[int], opted_in: ColumnElement[str | None], channel: str
) -> ColumnElement[bool]:
    """As `_given`, by the customer's own row where that says it."""
    return case(
        (opted_in.is_(None), _given(customer_id, channel)),
        else_=opted_in.contains(f" {channel} ", autoescape=True),
    )


def open_options(step: Step, where: ColumnElement[bool]) -> None:
    """One row for each channel of the step's cascade, closed or open, of candidates who have none yet."""
    cascade = _cascade(step)
    columns = ["candidate_id", "customer_id", "position", "channel", "kind", "gate"]
    rows = select(CANDIDATE.c.id, CANDIDATE.c.customer_id, *cascade.c, _gate(step, cascade))
    rows = rows.join_from(CANDIDATE, cascade, true()).where(where).order_by(CANDIDATE.c.id)
    opened = OPTION.insert().from_select(columns, rows).execution_options(preserve_rowcount=True)
    done: CursorResult[Any] = step.connection.execute(opened)
    if done.rowcount:
        analyze(step.connection, OPTION)


def open_further(step: Step, where: ColumnElement[bool]) -> None:
    """The same of those whom the entry let in and who have no options yet, held back by now or not."""
    let_in = func.coalesce(CANDIDATE.c.gate, "").not_in(ENTRY)
    open_options(step, and_(step.turn, let_in, ~exists().where(THIS), where))


def _cascade(step: Step) -> Subquery:
    """The channels of the step (columns position, channel, kind), the first one first."""
    channels = [
        select(
            literal(position).label("position"), literal(channel).label("channel"),
            literal(step.kinds[channel]).label("kind"),
        )
        for position, channel in enumerate(step.step.send)
    ]  # fmt: skip
    return union_all(*channels).subquery("cascade")


def _kinds(step: Step) -> set[str]:
    return {step.kinds[channel] for channel in step.step.send}


def _given(customer_id: ColumnElement[int], channel: Name) -> ColumnElement[bool]:
    """The customer has said yes to marketing on the channel."""
    return looked_up(
        CONSENT.c.customer_id == customer_id, CONSENT.c.channel == channel,
        CONSENT.c.purpose == MARKETING, CONSENT.c.granted,
    )  # fmt: skip


def _known(customer_id: ColumnElement[int], kind: Name) -> ColumnElement[bool]:
    return and_(ADDRESS.c.customer_id == customer_id, ADDRESS.c.kind == kind, ADDRESS.c.active)


def _usable(customer_id: ColumnElement[int], channel: Name, kind: Name) -> ColumnElement[bool]:
    """There is an address of the channel's kind that is not suppressed on it."""
    this: ColumnElement[int] = literal_column("1")
    blocked = select(this).where(SUPPRESSION.c.channel == channel, SUPPRESSION.c.digest == ADDRESS.c.digest)
    # Two levels further in, SQLAlchemy would put the whole cascade there once more.
    blocked = blocked.limit(1).correlate_except(SUPPRESSION)
    return looked_up(_known(customer_id, kind), blocked.scalar_subquery().is_(None))


def _gate(step: Step, cascade: Subquery) -> ColumnElement[str | None]:
    """What closes a channel to a candidate: of those that do, the first in their order.

    `no_consent`: marketing goes only where the customer said yes, for this channel. `suppressed`: there is an
    address, but none that may be used. `unreachable`: there is no address of the channel's kind. A channel
    that needs no address reaches everybody who agreed: there is nothing that could be missing or suppressed.
    The card is an address while it is in a wallet.
    """
    customer_id, channel, kind = CANDIDATE.c.customer_id, cascade.c.channel, cascade.c.kind
    refused = [(~_given(customer_id, channel), NO_CONSENT)] if step.marketing else []
    everybody = [(kind == NO_ADDRESS, None)] if NO_ADDRESS in _kinds(step) else []
    held = and_(kind == CARD, in_a_wallet(customer_id))
    holders = [(held, None)] if CARD in _kinds(step) else []
    # Most have an address that may be used: the first question settles it.
    return case(
        *refused,
        *everybody,
        *holders,
        (_usable(customer_id, channel, kind), None),
        (looked_up(_known(customer_id, kind)), "suppressed"),
        else_="unreachable",
    )


def close(step: Step, gate: str, where: ColumnElement[bool], detail: Any = None) -> bool:
    """Close the options for which `where` is true and that nothing closed before; whether there are any."""
    still_open: ColumnElement[bool] = OPTION.c.gate.is_(None)
    if step.place is not None:
        now = select(CANDIDATE.c.id).where(step.turn)
        still_open = and_(still_open, OPTION.c.candidate_id.in_(now))
    statement = update(OPTION).where(still_open, where)
    done: CursorResult[Any] = step.connection.execute(statement.values(gate=gate, detail=detail))
    return done.rowcount > 0


def narrow(step: Step, gate: str) -> None:
    """After some options were closed: who has none left is held back, the others take the next one."""
    closed = _all_closed(step)
    step.hold(gate, closed.c.candidate_id == CANDIDATE.c.id, closed.c.said)
    first = select(OPTION.c.channel).where(THIS, OPTION.c.gate.is_(None))
    step.set(exists().where(THIS), channel=first.order_by(OPTION.c.position).limit(1).scalar_subquery())


def unreached(step: Step) -> None:
    """Candidates whom no channel reaches: named after the gate that let a channel come furthest.

    There are some; it is the first gate.
    """
    open_options(step, and_(step.free, CANDIDATE.c.channel.is_(None)))
    closed = _all_closed(step)
    named = case(dict(enumerate(REACH)), value=closed.c.furthest)
    step.hold(named, closed.c.candidate_id == CANDIDATE.c.id, closed.c.said)


def _all_closed(step: Step) -> Subquery:
    """Candidates without an open option: the place in `REACH` of the gate that let a channel come furthest,
    and what became of each, as `push: unreachable, sms: capped (1 per 7 days used by win-back)`.
    """
    came = case(*((OPTION.c.gate == gate, place) for place, gate in enumerate(REACH)))
    why = OPTION.c.gate + func.coalesce(" (" + OPTION.c.detail + ")", "")
    said = (
        literal(f"{channel}: ") + func.max(case((OPTION.c.position == place, why)))
        for place, channel in enumerate(step.step.send)
    )
    found = select(
        OPTION.c.candidate_id, func.max(came).label("furthest"),
        reduce(lambda text, pair: text + ", " + pair, said).label("said"),
    )  # fmt: skip
    # What is open has no gate, and is not counted.
    found = found.group_by(OPTION.c.candidate_id).having(func.count(OPTION.c.gate) == func.count())
    return found.subquery("closed")
