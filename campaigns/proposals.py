"""Proposals: what waits for another person's approval before it goes live."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from campaigns.running import Running
from campaigns.tables import BundleApproval, BundleProposal
from campaigns.versions import Applied, Leave, Overtaken, apply, approvals_needed, live_version, newest_row
from core.db import insert_ignoring
from core.errors import UserError

PROPOSAL = BundleProposal.__table__  # type: ignore[attr-defined]
APPROVAL = BundleApproval.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Approved:
    """What an approval did: how many more people are needed, or what went live."""

    missing: int
    applied: Applied | None = None


def propose(connection: Connection, running: Running, who: str, at: datetime, leave: Leave) -> int:
    """Keep a checked bundle until others approve it; returns its number. Overtaken as `apply` is."""
    newest = newest_row(connection)
    live = newest.version if newest else 0
    if leave.base is not None and newest and leave.base != live:
        raise Overtaken(live, newest.applied_by, newest.applied_at)
    row = {
        "base": live,
        "digest": running.loaded.bundle.digest,
        "files": running.loaded.bundle.to_json(),
        "proposed_at": at,
        "proposed_by": who,
        "note": leave.note,
        "restores": leave.restores,
        "status": "open",
    }
    return int(connection.scalar(PROPOSAL.insert().values(**row).returning(PROPOSAL.c.number)) or 0)


def approve(connection: Connection, number: int, running: Running, who: str, at: datetime) -> Approved:
    """Agree to a proposal, whose bundle is `running`; the last approval needed makes it live.

    UserError for one's own proposal, for one that is decided, and for one that something overtook.
    """
    row = _open(connection, number)
    if _same(who, row.proposed_by):
        raise UserError(
            f"proposal {number} is your own ({row.proposed_by}); ask another person to run "
            f"`tidings approve {number}`"
        )
    newest = newest_row(connection)
    if newest and newest.version != row.base:
        raise Overtaken(newest.version, newest.applied_by, newest.applied_at)
    _count(connection, number, who, at)
    people = approvers(connection, number)
    missing = approvals_needed(connection) - len(people)
    if missing > 0:
        return Approved(missing)
    leave = Leave(row.base, row.note, tuple(people), row.restores)
    applied = apply(connection, running, row.proposed_by, at, leave)
    _decide(connection, number, "applied", who, at)
    return Approved(0, applied)


def reject(connection: Connection, number: int, who: str, at: datetime) -> None:
    """Put a proposal away. UserError if it is decided already."""
    _open(connection, number)
    _decide(connection, number, "rejected", who, at)


def proposal(connection: Connection, number: int) -> Any:
    """The row of a proposal; UserError if there is none."""
    row = connection.execute(select(PROPOSAL).where(PROPOSAL.c.number == number)).first()
    if row is None:
        raise UserError(f"there is no proposal {number}; `tidings history` lists those that wait")
    return row


def waiting(connection: Connection) -> list[Any]:
    """The proposals that may still be approved, oldest first."""
    mine = (PROPOSAL.c.status == "open", PROPOSAL.c.base == live_version(connection))
    return list(connection.execute(select(PROPOSAL).where(*mine).order_by(PROPOSAL.c.number)))


def approvers(connection: Connection, number: int) -> list[str]:
    """Who agreed to a proposal so far, in order."""
    rows = select(APPROVAL.c.who).where(APPROVAL.c.proposal == number)
    return list(connection.scalars(rows.order_by(APPROVAL.c.at, APPROVAL.c.who)))


def _open(connection: Connection, number: int) -> Any:
    """The proposal under its lock: of two who decide at once, the second reads what the first decided."""
    proposal(connection, number)
    mine = select(PROPOSAL).where(PROPOSAL.c.number == number)
    row = connection.execute(mine.with_for_update()).one()
    if row.status != "open":
        raise UserError(
            f"{row.decided_by} was faster: proposal {number} was {row.status} at "
            f"{row.decided_at:%Y-%m-%d %H:%M} UTC; there is nothing left to decide"
        )
    return row


def _count(connection: Connection, number: int, who: str, at: datetime) -> None:
    if any(_same(who, other) for other in approvers(connection, number)):
        raise UserError(f"you ({who}) have approved proposal {number} already; it waits for somebody else")
    connection.execute(insert_ignoring(connection, APPROVAL).values(proposal=number, who=who, at=at))


def _same(one: str, other: str) -> bool:
    # Anna and anna are one person.
    return one.strip().casefold() == other.strip().casefold()


def _decide(connection: Connection, number: int, status: str, who: str, at: datetime) -> None:
    mine = update(PROPOSAL).where(PROPOSAL.c.number == number)
    connection.execute(mine.values(status=status, decided_at=at, decided_by=who))
