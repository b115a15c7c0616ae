"""The audit can fail: of a copy of a sound scene one thing is broken, and just that promise is not kept."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from core.db import Database
from tests.faults.audit import audit
from tests.faults.evidence import Evidence, Wish
from tests.faults.scenes import perform
from tests.faults.stage import Stage, close

Break = Callable[[Evidence, sqlite3.Connection], object]


# What a kill meets is chance. Another scene is played where one left something out of the audit.
SEEDS = range(7, 13)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, Path]:
    """A scene in which a service was killed, with what it left: all as promised, and all compared."""
    idle: list[str] = []
    for seed in SEEDS:
        evidence, file, idle = _played(tmp_path_factory.mktemp("sound"), seed)
        if not idle:
            return evidence, file
    pytest.fail(f"in none of {len(SEEDS)} scenes was all compared; in the last one not: {', '.join(idle)}")


def _played(folder: Path, seed: int) -> tuple[Evidence, Path, list[str]]:
    """What the world outside knows of a scene, its database, and what had nothing to compare."""
    with ExitStack() as stack:
        stage = Stage(folder, stack, seed, rounds={"killed": 2}, each=20, say=lambda _: None)
        town = perform(stage, "killed")
        assert town is not None
        findings = close(stage, town)
        assert [it for it in findings if not it.kept] == []
    file = folder / "shop" / "tidings.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return town.evidence, file, [it.compared for it in findings if not it.count]


def sent(evidence: Evidence, channel: str) -> int:
    """Where in the record the last message of a channel stands."""
    return max(at for at, it in enumerate(evidence.taken) if it.channel == channel)


def twice(evidence: Evidence, channel: str, times: int = 1, **changed: str) -> None:
    """The provider has it once more, or twenty times; changed a little, perhaps."""
    twin = replace(evidence.taken[sent(evidence, channel)], **changed)  # type: ignore[arg-type]
    evidence.taken = [*evidence.taken, *[twin] * times]


def without(evidence: Evidence, channel: str) -> None:
    """The provider does not know of a message that is called sent."""
    gone = sent(evidence, channel)
    evidence.taken = [it for at, it in enumerate(evidence.taken) if at != gone]


def wish(evidence: Evidence, kind: str) -> None:
    """It was said before the last message left, and none had begun to."""
    last = evidence.taken[sent(evidence, "email")]
    said = Wish(kind, "somebody", last.address, (last.text,), last.at - 1.0, begun=0)
    evidence.wishes = [*evidence.wishes, said]


def sql(statement: str) -> Break:
    return lambda _, connection: connection.execute(statement)


def outbox_without_its_key(_: Evidence, connection: sqlite3.Connection) -> None:
    connection.executescript("""
        CREATE TABLE copy AS SELECT * FROM message;
        DROP TABLE message;
        ALTER TABLE copy RENAME TO message;
        INSERT INTO message SELECT * FROM message WHERE state = 'sent' LIMIT 1;
    """)


DECIDED = "(SELECT MIN(customer_id) FROM decision)"
PUSHED = "(SELECT MIN(id) FROM attempt WHERE channel = 'push' AND outcome = 'accepted')"
UNKNOWN = "(SELECT MAX(id) FROM message WHERE state = 'unknown')"
BROKEN: dict[str, tuple[str, Break]] = {
    "a lot is deleted": ("1", sql("DELETE FROM lot WHERE id = (SELECT MAX(id) FROM lot)")),
    "a balance is one too high": ("1", sql("UPDATE account SET total = total + 1 WHERE customer_id = 3")),
    "an entry is another one's": ("1", sql("UPDATE entry SET rule = 'another' WHERE id = 2")),
    "an occasion has two messages": ("2", outbox_without_its_key),
    "a message left that is none": ("2", lambda it, _: twice(it, "sms", text="thanks R99999")),
    "a receipt is gone": ("3", sql("UPDATE receipt SET external_id = 'gone' WHERE id = 2")),
    "a receipt is booked for more": ("3", sql("UPDATE receipt SET earned_points = 9999 WHERE id = 2")),
    "a refused receipt is booked": (
        "3", lambda it, _: setattr(it, "refused", {*it.refused, next(iter(it.acknowledged))})
    ),
    "a decision is gone": ("3", sql(f"DELETE FROM decision WHERE customer_id = {DECIDED}")),
    "a message is still on its way": ("3", sql("UPDATE message SET state = 'planned' WHERE id = 1")),
    "a sent message never arrived": ("3", lambda it, _: without(it, "push")),
    "an SMS came twice": ("4", lambda it, _: twice(it, "sms")),
    "an email came twice by another name": ("4", lambda it, _: twice(it, "email", name="<another>")),
    "an email came more often than it was tried": (
        "4", lambda it, _: twice(it, "email", 20)
    ),
    "more is unknown than may be": ("4", lambda it, _: setattr(it, "at_most", 0)),
    "an unknown message is told of nowhere": (
        "4", sql(f"DELETE FROM attempt WHERE message_id = {UNKNOWN}")
    ),
    "a decision has no name": ("7", sql(f"UPDATE decision SET verdict = 'so' WHERE customer_id = {DECIDED}")),
    "a message failed for no reason": ("7", sql(f"UPDATE message SET reason = NULL WHERE id = {UNKNOWN}")),
    "a STOP is not heard": ("8", lambda it, _: wish(it, "STOP")),
    "spent bonuses are reminded of": ("9", lambda it, _: wish(it, "spent")),
    "a try is of no message": ("rows:", sql(f"UPDATE attempt SET message_id = 0 WHERE id = {PUSHED}")),
    "a phone shows another balance": (
        "cards:", lambda it, _: setattr(it, "shown", dict.fromkeys(it.shown, "7"))
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_the_audit_names_the_promise_that_is_broken_and_no_other(
    sound: tuple[Evidence, Path], tmp_path: Path, what: str
) -> None:
    evidence, file = copy(sound[0]), tmp_path / "tidings.db"
    shutil.copyfile(sound[1], file)
    promise, break_it = BROKEN[what]
    with closing(sqlite3.connect(file)) as connection, connection:
        break_it(evidence, connection)
    evidence.database = Database(f"sqlite:///{file}", durable=False)
    with closing(evidence.database):
        broken = {it.promise.split()[0] for it in audit(evidence) if not it.kept}
    assert broken == {promise}
