"""The versions that were applied: who made what live, when and why, and what it changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from campaigns.bundle import Bundle
from campaigns.difference import Differs, between, brief
from campaigns.versions import VERSION, live_version
from core.errors import UserError

NOTHING = Bundle({})


@dataclass(frozen=True, slots=True)
class Version:
    """One apply. `restores` is the version whose files it brought back, `changes` what it made different."""

    version: int
    at: datetime
    who: str
    approved_by: tuple[str, ...]
    note: str | None
    restores: int | None
    changes: tuple[Differs, ...]

    @property
    def brief(self) -> str:
        """What it changed, in one line."""
        return "the first version" if self.version == 1 else brief(self.changes)

    def as_json(self) -> dict[str, Any]:
        """For programs, without the files' diffs."""
        return {
            "version": self.version,
            "at": self.at.isoformat(),
            "who": self.who,
            "approved_by": list(self.approved_by),
            "note": self.note,
            "restores": self.restores,
            "changes": [{"file": it.file, "change": it.kind, "says": list(it.says)} for it in self.changes],
        }


def history(connection: Connection, limit: int) -> Iterator[Version]:
    """The newest versions, the live one first; what they changed is read one after the other."""
    numbers = select(VERSION.c.version).order_by(VERSION.c.version.desc()).limit(limit)
    for number in connection.scalars(numbers).all():
        yield version_of(connection, number)


def version_of(connection: Connection, number: int) -> Version:
    """One version and what it changed; UserError if there is none."""
    row = _row(connection, number)
    before = bundle_of(connection, number - 1) if number > 1 else NOTHING
    return Version(
        row.version,
        row.applied_at,
        row.applied_by,
        tuple(row.approved_by or ()),
        row.note,
        row.restores,
        between(before, Bundle.from_json(row.files)),
    )


def bundle_of(connection: Connection, number: int) -> Bundle:
    """The files of a version (none for 0, before the first apply); UserError if there is none."""
    return Bundle.from_json(_row(connection, number).files) if number else NOTHING


def _row(connection: Connection, number: int) -> Any:
    row = connection.execute(select(VERSION).where(VERSION.c.version == number)).first()
    if row is None:
        live = live_version(connection)
        known = f"there are 1 to {live}" if live else "nothing is live yet; run `tidings apply`"
        raise UserError(f"there is no version {number}; {known}")
    return row
