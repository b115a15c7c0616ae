"""On which channels of the cascade a customer may and can be reached."""

from functools import reduce
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
    select,
    true,
    union_all,
    update,
)

from campaigns.gates.step import Step
from campaigns.staging import CANDIDATE, OPTION
from channels.base import CARD, NO_ADDRESS
from core.customers.consent import MARKETING
from core.tables import Address, Consent, Suppression
from wallet.holding import in_a_wallet

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]
# In their order: of a cascade in which every channel is closed, the gate that let it come furthest is named.
REACH = ("no_consent", "suppressed", "unreachable")
THIS = OPTION.c.candidate_id == CANDIDATE.c.id


def open_options(step: Step) -> None:
    """One row for each candidate and channel of the step, in the order of its cascade, closed or open."""
    cascade = _cascade(step)
    columns = ["candidate_id", "customer_id", "position", "channel", "kind", "gate"]
    rows = select(CANDIDATE.c.id, CANDIDATE.c.customer_id, *cascade.c, _gate(step, cascade))
    rows = rows.join_from(CANDIDATE, cascade, true()).where(step.free).order_by(CANDIDATE.c.id)
    step.connection.execute(OPTION.insert().from_select(columns, rows))


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


def _gate(step: Step, cascade: Subquery) -> ColumnElement[str | None]:
    """What closes a channel to a candidate: of those that do, the first in their order.

    `no_consent`: marketing goes only where the customer said yes, for this channel. `suppressed`: there is an
    address, but none that may be used. `unreachable`: there is no address of the channel's kind. A channel
    that needs no address reaches everybody who agreed: there is nothing that could be missing or suppressed.
    The card is an address while it is in a wallet.
    """
    given = exists().where(
        CONSENT.c.customer_id == CANDIDATE.c.customer_id, CONSENT.c.channel == cascade.c.channel,
        CONSENT.c.purpose == MARKETING, CONSENT.c.granted,
    )  # fmt: skip
    theirs = and_(
        ADDRESS.c.customer_id == CANDIDATE.c.customer_id, ADDRESS.c.kind == cascade.c.kind, ADDRESS.c.active
    )
    blocked = exists().where(
        SUPPRESSION.c.channel == cascade.c.channel, SUPPRESSION.c.digest == ADDRESS.c.digest
    )
    refused = [(~given, "no_consent")] if step.marketing else []
    everybody = [(cascade.c.kind == NO_ADDRESS, None)] if NO_ADDRESS in _kinds(step) else []
    held = and_(cascade.c.kind == CARD, in_a_wallet(CANDIDATE.c.customer_id))
    holders = [(held, None)] if CARD in _kinds(step) else []
    # Most have an address that may be used: the first question settles it.
    return case(
        *refused,
        *everybody,
        *holders,
        (exists().where(theirs, ~blocked.correlate(ADDRESS, cascade)), None),
        (exists().where(theirs), "suppressed"),
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


def unreached(step: Step) -> None:
    """Candidates without any open channel: named after the gate that let a channel come furthest."""
    closed = select(literal(1)).select_from(OPTION).where(OPTION.c.gate.is_not(None)).limit(1)
    if step.connection.scalar(closed) is None:
        return
    came = case(*((OPTION.c.gate == gate, place) for place, gate in enumerate(REACH)))
    furthest = select(func.max(came)).where(THIS).scalar_subquery()
    named = case(dict(enumerate(REACH)), value=furthest)
    step.hold(named, ~open_option(), per_channel(step))


def open_option() -> ColumnElement[bool]:
    """Some channel is still open to the candidate."""
    return exists().where(THIS, OPTION.c.gate.is_(None))


def per_channel(step: Step) -> ColumnElement[str]:
    """What became of each channel, as `push: unreachable, sms: capped (1 per 7 days used by win-back)`."""
    said = OPTION.c.gate + func.coalesce(" (" + OPTION.c.detail + ")", "")
    pairs = []
    for channel in step.step.send:
        gate = select(said).where(THIS, OPTION.c.channel == channel).scalar_subquery()
        pairs.append(literal(f"{channel}: ") + func.coalesce(gate, "open"))
    return reduce(lambda text, pair: text + ", " + pair, pairs)
