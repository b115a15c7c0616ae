"""On which occasion, from which lots, and whether they may enter at all."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Integer, case, select
from sqlalchemy import cast as sql_cast

from campaigns.audience import EVERYBODY, And, Node, Not, Or, Segment, Test
from campaigns.conditions import Audience
from campaigns.dryrun.evidence.facts import Batch, Told
from campaigns.dryrun.forecast import Evidence
from campaigns.tables import Enrolment
from core.ledger.reading import OPEN
from core.tables import Customer, Lot, Operation

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
OPERATION = Operation.__table__  # type: ignore[attr-defined]
# More lots than these are only counted.
LOTS_NAMED = 6


def occasion(batch: Batch) -> Told:
    """What the raw occasion means."""
    for row in batch.rows:
        said = batch.words.occasion(batch.step.scenario.trigger, row.facts, batch.step.at)
        yield row.id, Evidence("occasion", said or row.occasion)


def lots(batch: Batch) -> Told:
    """The lots that the occasion is about: what expires on its day, what its operation gave."""
    trigger = batch.step.scenario.trigger
    if trigger not in ("bonus_expiring", "bonus_accrued", "balance_reached"):
        return
    found = _by_operation(batch) if trigger == "bonus_accrued" else _open_lots(batch)
    for row in batch.rows:
        theirs = [lot for lot in found[row.customer_id] if _concerns(trigger, lot, row.subject)]
        for lot in theirs[:LOTS_NAMED]:
            yield row.id, _lot(batch, lot)
        if rest := theirs[LOTS_NAMED:]:
            whole = batch.words.points(sum(lot.remaining for lot in rest))
            yield row.id, Evidence("lots", f"and {len(rest)} more lots with {whole}")


def _concerns(trigger: str, lot: Any, subject: str | None) -> bool:
    if trigger == "bonus_expiring":
        return str(lot.expires_on) == subject
    return trigger != "bonus_accrued" or bool(lot.key == subject)


def _open_lots(batch: Batch) -> dict[int, list[Any]]:
    theirs = select(LOT).where(LOT.c.customer_id.in_(batch.customers), *OPEN)
    return _grouped(batch.connection.execute(theirs.order_by(LOT.c.expires_at, LOT.c.id)))


def _by_operation(batch: Batch) -> dict[int, list[Any]]:
    keys = {row.subject for row in batch.rows}
    theirs = select(LOT, OPERATION.c.key).join(OPERATION, OPERATION.c.id == LOT.c.operation_id)
    theirs = theirs.where(OPERATION.c.key.in_(keys), LOT.c.customer_id.in_(batch.customers))
    return _grouped(batch.connection.execute(theirs.order_by(LOT.c.id)))


def _grouped(rows: Any) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.customer_id].append(row)
    return found


def _lot(batch: Batch, lot: Any) -> Evidence:
    words, given = batch.words, batch.step.program.day_of(lot.active_from)
    until = f"last day {words.day(lot.expires_on)}" if lot.expires_on else "never expires"
    of = f" of {words.points(lot.amount)}" if lot.amount != lot.remaining else ""
    said = f"lot {lot.id}: {words.points(lot.remaining)}{of} left, for {lot.reason}"
    values = {
        "lot": lot.id, "remaining": str(batch.step.program.from_points(lot.remaining)), "reason": lot.reason,
        "active_from": lot.active_from.isoformat(),
        "expires_on": lot.expires_on.isoformat() if lot.expires_on else None,
    }  # fmt: skip
    return Evidence("lots", f"{said}, from {words.day(given)}, {until}", values)


def audience(batch: Batch) -> Told:
    """Which parts of the audience they do not meet."""
    rows, wanted = batch.held("not_in_audience"), batch.step.scenario.audience
    if not rows or wanted == EVERYBODY:
        return
    parts = wanted.parts if isinstance(wanted, And) else (wanted,)
    step = batch.step
    asked = Audience(step.program, step.running.segments, step.at, step.kinds)
    met = [
        case((asked.condition(part), 1), else_=0).label(f"part_{number}") for number, part in enumerate(parts)
    ]
    people = select(CUSTOMER.c.id, CUSTOMER.c.tier, CUSTOMER.c.city, *(sql_cast(it, Integer) for it in met))
    people = people.where(CUSTOMER.c.id.in_({row.customer_id for row in rows}))
    found = {person.id: person for person in batch.connection.execute(people)}
    for row in rows:
        person = found[row.customer_id]
        for part, fits in zip(parts, person[3:], strict=True):
            if not fits:
                said = f"not in the audience: {describe(part)}{_own(part, person)}"
                yield row.id, Evidence("not_in_audience", said, {"part": describe(part)})


def _own(part: Node, person: Any) -> str:
    """What the customer has instead, where one column tells it."""
    field = getattr(part, "field", None)
    if field not in ("tier", "city"):
        return ""
    return f"; theirs is {getattr(person, field) or 'not known'}"


def describe(node: Node) -> str:
    """A part of an audience, as a reader would say it."""
    match node:
        case And(parts):
            return " and ".join(describe(part) for part in parts)
        case Or(parts):
            return "(" + " or ".join(describe(part) for part in parts) + ")"
        case Not(part):
            return f"not {describe(part)}"
        case Segment(name):
            return f"segment {name}"
        case Test():
            return _test(node)


def _test(test: Test) -> str:
    value = ", ".join(map(str, test.value)) if isinstance(test.value, tuple) else str(test.value)
    op = "" if test.op == "one_of" else f" {test.op.replace('_', ' ')}"
    goods = "".join(f" {kind} {', '.join(names)}" for kind, names in test.where)
    within = f" within {test.within}" if test.within else ""
    return f"{test.field.replace('_', ' ')}{goods}{op} {value}{within}"


def entered(batch: Batch) -> Told:
    """When they entered on this occasion before."""
    rows = batch.held("already_entered")
    if not rows:
        return
    before = select(ENROLMENT).where(
        ENROLMENT.c.scenario.in_(batch.step.names),
        ENROLMENT.c.customer_id.in_({it.customer_id for it in rows}),
    )
    found = {(it.customer_id, it.occasion): it for it in batch.connection.execute(before)}
    for row in rows:
        one = found.get((row.customer_id, row.occasion))
        if one is None:
            said = "was told of it before two profiles of theirs were merged"
            yield row.id, Evidence("already_entered", said)
            continue
        arm = " into the holdout" if one.arm == "holdout" else ""
        said = f"entered{arm} on {batch.words.moment(one.at)}, with version {one.version}; now {one.status}"
        values = {"at": one.at.isoformat(), "version": one.version, "arm": one.arm, "status": one.status}
        yield row.id, Evidence("already_entered", said, values)
