"""On which channels of the cascade a customer may and can be reached."""

from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, select, update

from campaigns.gates.step import Step
from campaigns.staging import CANDIDATE, OPTION
from core.customers.consent import MARKETING
from core.tables import Address, Consent, Suppression

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]
# In their order: of a cascade in which every channel is closed, the gate that let it come furthest is named.
REACH = ("no_consent", "suppressed", "unreachable")
THIS = OPTION.c.candidate_id == CANDIDATE.c.id
# The option's customer has an address of the channel's kind.
_ADDRESS = and_(
    ADDRESS.c.customer_id == OPTION.c.customer_id, ADDRESS.c.kind == OPTION.c.kind, ADDRESS.c.active
)


def open_options(step: Step) -> None:
    """One row for each candidate and channel of the step, in the order of its cascade."""
    columns = ["candidate_id", "customer_id", "position", "channel", "kind"]
    for position, channel in enumerate(step.step.send):
        option = (literal(position), literal(channel), literal(step.kinds[channel]))
        rows = select(CANDIDATE.c.id, CANDIDATE.c.customer_id, *option).where(step.free)
        step.connection.execute(OPTION.insert().from_select(columns, rows.order_by(CANDIDATE.c.id)))


def close(step: Step, gate: str, where: ColumnElement[bool], detail: Any = None) -> None:
    """Close the options for which `where` is true and that nothing closed before."""
    still_open: ColumnElement[bool] = OPTION.c.gate.is_(None)
    if step.place is not None:
        now = select(CANDIDATE.c.id).where(step.turn)
        still_open = and_(still_open, OPTION.c.candidate_id.in_(now))
    statement = update(OPTION).where(still_open, where)
    step.connection.execute(statement.values(gate=gate, detail=detail))


def no_consent(step: Step) -> None:
    """Marketing goes only where the customer said yes, for this channel."""
    if step.marketing:
        given = exists().where(
            CONSENT.c.customer_id == OPTION.c.customer_id, CONSENT.c.channel == OPTION.c.channel,
            CONSENT.c.purpose == MARKETING, CONSENT.c.granted,
        )  # fmt: skip
        close(step, "no_consent", ~given)


def suppressed(step: Step) -> None:
    """There is an address, but none that may be used."""
    same = and_(SUPPRESSION.c.channel == OPTION.c.channel, SUPPRESSION.c.digest == ADDRESS.c.digest)
    blocked = exists().where(same).correlate(ADDRESS, OPTION)
    # Most are not suppressed: one address and one look at its suppression tell so.
    close(step, "suppressed", and_(exists().where(_ADDRESS, same), ~exists().where(_ADDRESS, ~blocked)))


def unreachable(step: Step) -> None:
    """There is no address of the channel's kind."""
    close(step, "unreachable", ~exists().where(_ADDRESS))


def unreached(step: Step) -> None:
    """Candidates without any open channel: named after the gate that let a channel come furthest."""
    for gate in reversed(REACH):
        closed = exists().where(THIS, OPTION.c.gate == gate)
        step.hold(gate, and_(closed, ~open_option()), per_channel(step))


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
