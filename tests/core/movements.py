"""The movement of bonuses, reckoned again entry by entry as no database does."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from core.ledger.movement import movement
from core.ledger.settlement import settle
from core.ledger.writing import ENTRY, LOT
from core.program import Program


def check_movement(connection: Connection, program: Program, since: datetime, until: datetime) -> None:
    """Each month of each account begins and ends with what stood in the books then, and is what partners'
    statements of it come to; what is outstanding is what was left of the lots.
    """
    entries = connection.execute(select(ENTRY)).all()
    lots = {it.id: it for it in connection.execute(select(LOT))}
    found = movement(connection, program, since, until, until)
    assert (found.edges[0], found.edges[-1]) == (since, until)
    booked = {lots[it.lot_id].account for it in entries if it.recorded_at < until}
    assert booked <= {*found.accounts}
    for account, months in found.accounts.items():
        of_account = [it for it in entries if lots[it.lot_id].account == account]
        for edge, month in zip(found.edges, months, strict=False):
            assert month.opening == sum(it.amount for it in of_account if it.recorded_at < edge)
        assert months[-1].closing == sum(it.amount for it in of_account if it.recorded_at < until)
    for edge, end, month in zip(found.edges, found.edges[1:], found.months, strict=False):
        flows: Counter[str] = Counter()
        for party in settle(connection, program, edge, end).statements:
            flows.update(party.flows)
        # Bonuses of one partner that are taken back in place of another's are a debt between these alone.
        flows["given"] += flows["repaid"] - month.flows["repaid"]
        flows["repaid"] = month.flows["repaid"]
        assert Counter(month.flows) == flows
        assert not month.flows["moved"]
    assert sum(it.points for it in found.given) == sum(it.flows["given"] for it in found.months)
    left: Counter[int] = Counter()
    for it in entries:
        left[it.lot_id] += it.amount if it.recorded_at < until else 0
    ends: Counter[str] = Counter()
    for lot, points in left.items():
        ends[_end(lots[lot], points, until)] += points
    outstanding = found.outstanding
    assert Counter({it.when: it.points for it in outstanding.endings}) == ends
    assert outstanding.money == int((outstanding.points - ends["owed"]) * program.point_in_money) + int(
        ends["owed"] * program.point_in_money
    )
    assert outstanding.customers == len({lots[lot].customer_id for lot, points in left.items() if points > 0})
    waiting = (points for lot, points in left.items() if lots[lot].active_from > until)
    assert outstanding.not_started == sum(waiting)


def _end(lot: Any, points: int, at: datetime) -> str:
    if points < 0:
        return "owed"
    if lot.expires_at is None:
        return "never"
    return "over" if lot.expires_at <= at.astimezone(UTC) else f"{lot.expires_on:%Y-%m}"
