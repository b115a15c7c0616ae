"""What `retention` lets go, what stays, and that every promise holds afterwards."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Table, func, select, text, update

from campaigns.caveats import caveats
from campaigns.tables import Attempt, Decision, Enrolment, Message, MessageState
from campaigns.versions import pause, resume
from core.customers.erasure import erase
from core.events import EVENT, Happening, append
from core.tables import Account, Entry, Lot, Operation
from scheduler import pruning
from scheduler.readers import unread_since
from tests.scheduler.kiosk import PROGRAM, Kiosk
from tidings.erasure import request_of

ATTEMPT: Table = Attempt.__table__  # type: ignore[attr-defined]
DECISION: Table = Decision.__table__  # type: ignore[attr-defined]
ENROLMENT: Table = Enrolment.__table__  # type: ignore[attr-defined]
BOOKS: list[Table] = [it.__table__ for it in (Account, Lot, Operation, Entry)]  # type: ignore[union-attr]
MESSAGE: Table = Message.__table__  # type: ignore[attr-defined]
STATE: Table = MessageState.__table__  # type: ignore[attr-defined]

SILENT = """
when: {inactive: {for: 30 days, at_least_receipts: 0}}
steps: [{message: missed, send: [sms]}]
schedule: every day at 10:00
"""
THANKS = """
when: {event: {name: visit}}
purpose: service
steps: [{message: missed, send: [sms]}]
"""
MONTH = timedelta(days=31)


def shop(kiosk: Kiosk) -> None:
    """Somebody who stays silent was told so, years ago; others hear of something new meanwhile."""
    kiosk.files["messages/missed/sms.txt"] = "We miss you\n"
    kiosk.write(silent=SILENT, thanks=THANKS, program=PROGRAM + "events: [visit]\n")
    kiosk.customer("anna", phone="+380501000001")
    kiosk.later(days=31)
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.message("anna").scenario == "silent"
    # The newest row of every table stays.
    kiosk.later(days=26 * 31)
    kiosk.customer("olha", phone="+380501000003")
    kiosk.later(days=31)
    kiosk.plan()
    kiosk.deliver()


def visit(kiosk: Kiosk, name: str) -> None:
    at = kiosk.clock.now()
    with kiosk.database.write() as connection:
        append(connection, [Happening(kiosk.ids[name], "visit", at)], at, live=True)


def prune(kiosk: Kiosk, **options: Any) -> Mapping[str, int]:
    done = pruning.prune(kiosk.database, kiosk.live.running(), kiosk.clock.now(), **options)
    return {name: rows for name, rows in done.rows.items() if rows}


def count(kiosk: Kiosk, table: Table, name: str | None = None) -> int:
    rows = select(func.count()).select_from(table)
    with kiosk.database.read() as connection:
        mine = rows.where(table.c.customer_id == kiosk.ids[name]) if name else rows
        return connection.scalar(mine) or 0


def books(kiosk: Kiosk) -> list[Any]:
    with kiosk.database.read() as connection:
        return [connection.execute(select(table).order_by(*table.primary_key)).all() for table in BOOKS]


def test_a_message_goes_with_all_that_hangs_on_it_and_nobody_is_told_again(kiosk: Kiosk) -> None:
    shop(kiosk)
    before = books(kiosk)
    expected = prune(kiosk, dry=True)
    assert count(kiosk, MESSAGE, "anna") == 1, "a dry run changes nothing"
    assert prune(kiosk) == expected
    assert expected["messages"] == 1
    assert [count(kiosk, table, "anna") for table in (MESSAGE, ATTEMPT, DECISION)] == [0, 0, 0]
    assert count(kiosk, ENROLMENT, "anna") == 1, "who was enrolled on which occasion stays for ever"
    assert books(kiosk) == before, "the books stay whole"
    kiosk.later(days=1)
    kiosk.plan()
    kiosk.deliver()
    assert count(kiosk, MESSAGE, "anna") == 0, "the same silence is no second reason"
    assert prune(kiosk) == {}, "what went is not looked for again"


def test_a_message_that_is_to_be_sent_again_at_this_moment_stays(postgres_kiosk: Kiosk) -> None:
    kiosk = postgres_kiosk
    shop(kiosk)
    anna = update(MESSAGE).where(MESSAGE.c.customer_id == kiosk.ids["anna"])
    with kiosk.database.write() as connection:
        connection.execute(anna.values(facts={}))
    with ThreadPoolExecutor(1) as pool:
        with kiosk.database.write() as connection:
            connection.execute(anna.values(state="planned"))
            night = pool.submit(prune, kiosk)
            while not (waits(kiosk) or night.done()):
                sleep(0.01)
        night.result()
    assert count(kiosk, MESSAGE, "anna") == 1


def waits(kiosk: Kiosk) -> bool:
    """Whether somebody waits for a lock."""
    with kiosk.database.read() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_what_a_message_said_goes_before_the_message(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    kiosk.deliver()
    kiosk.later(days=14 * 31)
    kiosk.customer("olha", phone="+380501000003")
    kiosk.plan()
    assert kiosk.message("anna").facts["expiring"] == 50_000
    assert prune(kiosk)["facts"] == 2, "of the message, and of the reason for it"
    assert (kiosk.message("anna").facts, kiosk.state("anna")) == ({}, ("sent", None))
    assert kiosk.message("olha").facts["expiring"] == 50_000, "what is still to be said is kept"


def test_what_is_under_way_keeps_its_words_however_old(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    with kiosk.database.write() as connection:
        pause(connection, "reminder")
    kiosk.later(days=30 * 31)
    prune(kiosk)
    assert kiosk.state("anna") == ("planned", None)
    assert kiosk.message("anna").facts["expiring"] == 50_000
    kiosk.set("anna", state="failed", changed_at=kiosk.clock.now() - 14 * MONTH)
    kiosk.later(days=pruning.ROUND_DAYS)
    assert prune(kiosk)["facts"] == 1, "passed by, it is looked at again within a month"


def test_no_event_goes_that_somebody_has_still_to_read(kiosk: Kiosk) -> None:
    shop(kiosk)
    with kiosk.database.write() as connection:
        pause(connection, "thanks")
    visit(kiosk, "anna")
    kiosk.later(days=26 * 31)
    visit(kiosk, "olha")
    kiosk.plan()
    prune(kiosk)
    with kiosk.database.read() as connection:
        visits = select(EVENT.c.customer_id).where(EVENT.c.kind == "visit").order_by(EVENT.c.id)
        assert list(connection.scalars(visits)) == [kiosk.ids["anna"], kiosk.ids["olha"]]
        consents = select(func.count()).where(EVENT.c.kind == "consent_given")
        assert connection.scalar(consents) == 2, "proof of consent is never among what goes"
        assert list(unread_since(connection, kiosk.live.running())) == ["visit"]
    with kiosk.database.write() as connection:
        resume(connection, "thanks")
    kiosk.plan()
    assert kiosk.message("anna").scenario == "thanks", "whoever waits hears of everything"
    kiosk.later(days=pruning.ROUND_DAYS)
    assert prune(kiosk)["events"] == 1


def test_a_night_that_was_broken_off_is_gone_on_with(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "ROWS", 2)
    shop(kiosk)
    whole, nights = prune(kiosk, dry=True), []
    more = True
    while more:
        go_on = partial(next, iter((True, True, True)), False)
        done = pruning.prune(kiosk.database, kiosk.live.running(), kiosk.clock.now(), go_on=go_on)
        nights.append(done.rows)
        more = done.more
    assert len(nights) == 3
    assert {name: sum(night[name] for night in nights) for name in whole} == whole


def test_what_breaks_in_the_middle_has_taken_nothing(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    shop(kiosk)
    expected, rows = prune(kiosk, dry=True), count(kiosk, MESSAGE)
    with monkeypatch.context() as broken:
        broken.setattr(pruning, "note_gone", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prune(kiosk)
    assert count(kiosk, MESSAGE) == rows
    again = prune(kiosk)
    assert again["messages"] == expected["messages"]


def test_a_night_comes_once_and_only_at_night(kiosk: Kiosk) -> None:
    shop(kiosk)
    night = pruning.Nights(kiosk.database, kiosk.live, kiosk.clock).prune
    kiosk.later(hours=15)
    assert night() is None, "01:00"
    kiosk.later(hours=3)
    done = night()
    assert done is not None
    assert done.rows["messages"] == 1
    assert night() is None, "it was done"


def test_what_an_audience_asks_for_stays_whatever_the_program_says(kiosk: Kiosk) -> None:
    shop(kiosk)
    kiosk.write(asking=SILENT + "audience: {not: {received: {scenario: silent}}}\n")
    assert "messages" not in prune(kiosk, dry=True)
    kiosk.write(asking=SILENT + "audience: {not: {received: {scenario: silent, within: 30 days}}}\n")
    assert prune(kiosk, dry=True)["messages"] == 1


def test_an_event_stays_as_long_as_its_message_may_be_sent(kiosk: Kiosk) -> None:
    shop(kiosk)
    kiosk.write(thanks=THANKS + "limits: {valid_for: 900 days}\n", program=PROGRAM + "events: [visit]\n")
    oldest = pruning.oldest_kept(kiosk.live.running(), "events", kiosk.clock.now())
    assert oldest is not None
    assert kiosk.clock.now() - oldest > timedelta(days=899)


def test_a_look_at_the_past_says_what_is_no_longer_there(kiosk: Kiosk) -> None:
    shop(kiosk)
    long_ago, lately = kiosk.clock.now() - 27 * MONTH, kiosk.clock.now() - MONTH
    prune(kiosk)
    with kiosk.database.read() as connection:
        assert any(said.startswith("messages from before ") for said in caveats(connection, long_ago))
        assert not any("no longer kept" in said for said in caveats(connection, lately))


def test_who_was_erased_is_gone_with_the_others(kiosk: Kiosk) -> None:
    shop(kiosk)
    program = kiosk.live.running().program
    with kiosk.database.write() as connection:
        erase(connection, program, request_of(kiosk.addresses, "anna"), kiosk.clock.now())
    kiosk.later(days=26 * 31)
    kiosk.customer("petro", phone="+380501000005")
    prune(kiosk)
    assert count(kiosk, MESSAGE, "anna") == 0
    with kiosk.database.read() as connection:
        kept = select(EVENT.c.kind).where(EVENT.c.customer_id == kiosk.ids["anna"])
        assert "customer_erased" in set(connection.scalars(kept))
