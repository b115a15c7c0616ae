"""How the installation stands: who works on it, what waits, what is stuck and what to do."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console
from sqlalchemy import insert, text, update

from campaigns import versions
from core.customers.letters import LETTER
from core.units import Rate
from scheduler.beat import Pulse
from scheduler.presence import KEPT, MISSING, PROCESS, SILENT, Presence
from scheduler.standing import LATE, LOOK_LATE, TICK_LATE, Standing, standing
from scheduler.throttle import BREAK_AFTER, known, pause, resume, take
from tests.scheduler.kiosk import PROGRAM, Kiosk
from tidings import standing_view

SCENARIO = "steps: [{id: first, message: hello, send: [sms]}]\n"


def stands(kiosk: Kiosk) -> Standing:
    with kiosk.database.read() as connection:
        return standing(connection, kiosk.channels(), kiosk.live.running(), kiosk.clock.now())


def serving(kiosk: Kiosk, *pulses: Pulse) -> Presence:
    return Presence(kiosk.database, kiosk.clock, "serve", "0.1.0", lambda: pulses)


def test_messages_that_nobody_sends_are_told_of_until_somebody_does(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customers({f"anna{n}": {"phone": kiosk.to("sms", "accept", n)} for n in range(3)})
    kiosk.plan()
    assert stands(kiosk).trouble == ()
    kiosk.later(seconds=LATE.total_seconds() + 60)
    found = stands(kiosk)
    [sms] = [queue for queue in found.queues if queue.condition.channel == "sms"]
    assert (sms.due, sms.waited) == (3, LATE.total_seconds() + 60)
    assert found.trouble == (
        "nothing works on this database, and messages are due; start `tidings serve`",
        "sms: 3 messages are due, the first for 6 minutes",
    )
    with kiosk.database.write() as connection:
        pause(connection, "sms", kiosk.clock.now())
    serving(kiosk).say()
    assert stands(kiosk).trouble == (), "what somebody paused is not stuck"
    with kiosk.database.write() as connection:
        resume(connection, "sms")
        versions.pause(connection, "reminder")
    serving(kiosk).say()
    assert stands(kiosk).trouble == (), "nor is a scenario that somebody paused"


def test_a_server_that_only_reads_is_told_of_unless_processes_write_to_it(kiosk: Kiosk) -> None:
    if kiosk.database.dialect != "postgresql":
        return  # a file has no such state
    serving(kiosk).say()
    assert only_reading(kiosk).trouble == (), "only who asks may not write"
    kiosk.later(seconds=SILENT.total_seconds() + 1)
    [sentence] = only_reading(kiosk).trouble
    assert sentence.startswith("the database only reads: nothing is recorded, looked at or sent; ")
    assert stands(kiosk).trouble == ()


def only_reading(kiosk: Kiosk) -> Standing:
    with kiosk.database.read() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        return standing(connection, kiosk.channels(), kiosk.live.running(), kiosk.clock.now())


def test_a_rate_explains_a_long_queue_only_while_it_lets_messages_go(kiosk: Kiosk) -> None:
    kiosk.write(program=PROGRAM.replace("sender: Kiosk,", "sender: Kiosk, rate: 1 per hour,"))
    kiosk.scenario(send="[sms]")
    kiosk.customers({f"anna{n}": {"phone": kiosk.to("sms", "accept", n)} for n in range(2)})
    kiosk.plan()
    with kiosk.database.write() as connection:
        known(connection, "sms")
        take(connection, "sms", Rate(1, 3600), 1, kiosk.clock.now())
    kiosk.set("anna0", state="sent")
    kiosk.later(minutes=30)
    serving(kiosk).say()
    assert not any("are due" in it for it in stands(kiosk).trouble), "the next may go in half an hour"
    kiosk.later(minutes=40)
    serving(kiosk).say()
    [told] = stands(kiosk).trouble
    assert told.startswith("sms: 1 messages are due, the first for 70 minutes")


def test_a_process_is_shown_while_it_runs_and_missed_when_it_dies(kiosk: Kiosk) -> None:
    ill = Pulse("look", ended_at=kiosk.clock.now() - timedelta(minutes=5), failures=4, reason="a sentence")
    presence, other = serving(kiosk, ill), serving(kiosk)
    presence.say()
    other.say()
    here = stands(kiosk)
    assert [it.kind for it in here.processes] == ["serve", "serve"]
    [sentence] = here.trouble
    assert sentence.endswith(": look: a sentence")
    other.leave()
    kiosk.later(seconds=MISSING.total_seconds() + 60)
    [sentence] = stands(kiosk).trouble
    assert sentence.endswith("has been silent for 2 minutes; see its log")
    again = serving(kiosk)
    again.say()
    assert (stands(kiosk).trouble, len(stands(kiosk).processes)) == ((), 1), "it was started again"
    kiosk.later(seconds=KEPT.total_seconds() + 1)
    serving(kiosk).say()
    assert len(stands(kiosk).processes) == 1, "who has been missing for a day is forgotten"


def test_a_provider_that_is_down_and_what_may_have_left_are_told_of(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    people = {f"anna{n}": {"phone": kiosk.to("sms", "temporary", n)} for n in range(BREAK_AFTER + 2)}
    kiosk.customers({"ihor": {"phone": kiosk.to("sms", "drop")}, **people})
    kiosk.plan()
    kiosk.deliver()
    found = stands(kiosk)
    assert any(sentence.startswith("sms is left alone: ") for sentence in found.trouble)
    unknown = "sms: 1 unknown in the last 3 days; see `tidings messages --state unknown`"
    assert unknown in found.trouble
    document = found.as_json()
    assert document["scenarios"] == {"active": [*kiosk.live.running().scenarios]}
    assert next(it for it in document["channels"] if it["channel"] == "sms")["waiting"] >= BREAK_AFTER
    kiosk.later(days=4)
    assert unknown not in stands(kiosk).trouble, "by then somebody has read of it"


@pytest.mark.parametrize("when", ["{bonus_accrued: {}}", "{bonus_expiring: {at_least: 100, ahead: 3 days}}"])
def test_a_scenario_that_is_due_and_at_which_nobody_looks_is_told_of(kiosk: Kiosk, when: str) -> None:
    kiosk.files = {"program.yaml": kiosk.files["program.yaml"], "messages/hello/sms.txt": "Hello\n"}
    schedule = "" if "accrued" in when else "schedule: every day at 10:00\n"
    kiosk.write(looked=f"{SCENARIO}when: {when}\n{schedule}")
    kiosk.customer("anna", phone="+380671234567", bonuses=0)
    kiosk.give("anna", 100)
    kiosk.later(seconds=TICK_LATE.total_seconds() - 60)
    assert stands(kiosk).trouble == (), "`tidings tick` may run by night"
    serving(kiosk).say()
    assert stands(kiosk).trouble == ("looked is due, and nobody looks at it; see the log of `tidings serve`",)
    kiosk.plan()
    kiosk.later(seconds=LOOK_LATE.total_seconds())
    serving(kiosk).say()
    assert not stands(kiosk).overdue
    kiosk.give("anna", 100)
    kiosk.later(days=3)
    assert any(it.startswith("nothing works on this database, and ") for it in stands(kiosk).trouble)


def test_letters_that_somebody_waits_for_are_told_of_while_they_are_tried_again(kiosk: Kiosk) -> None:
    kiosk.customer("anna", email="anna@example.com")
    now = kiosk.clock.now()
    row = {"customer_id": kiosk.ids["anna"], "kind": "consent", "channel": "email", "digest": "d", "tries": 0}
    with kiosk.database.write() as connection:
        times = {"at": now, "due_at": now + timedelta(hours=1), "changed_at": now}
        connection.execute(insert(LETTER).values(**row, **times, state="planned"))
    assert stands(kiosk).trouble == ()
    kiosk.later(minutes=6)
    [sentence] = stands(kiosk).trouble
    assert sentence == "1 letters that somebody waits for are not sent, the first for 6 minutes"


def test_who_leads_and_who_has_hands_for_a_channel_is_told(kiosk: Kiosk) -> None:
    if kiosk.database.dialect == "sqlite":
        assert stands(kiosk).jobs is None, "one process does everything: there are no jobs, and nobody leads"
        return
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    worker = Presence(kiosk.database, kiosk.clock, "worker", "0.1.0", list, channels=["email"], concurrency=4)
    worker.say()
    kiosk.later(minutes=10)
    worker.say()
    found, start = stands(kiosk), "`tidings worker --channels sms`"
    assert (found.hands("email"), found.hands("sms"), list(found.leaders)) == (4, 0, [])
    assert found.trouble == (
        "nobody leads, so that nothing is looked at; see the logs, and start one of the processes again",
        f"sms: 1 messages are due, the first for 10 minutes; no process works on this channel: {start}",
    )
    with kiosk.database.write() as connection:
        connection.execute(update(PROCESS).values(led_at=kiosk.clock.now()))
        connection.execute(text("INSERT INTO procrastinate_jobs (queue_name, task_name, status) "
                                "VALUES ('deliver:sms', 'deliver', 'todo')"))  # fmt: skip
    found = stands(kiosk)
    assert [it.kind for it in found.leaders] == ["worker"]
    assert found.jobs == {"todo": {"deliver": 1}, "doing": {}}
    assert found.as_json()["processes"][0]["leads"] is True
    paper = StringIO()
    standing_view.show(Console(file=paper, width=120), found, kiosk.live.running().program.zone)
    shown = paper.getvalue()
    assert "leads" in shown
    assert "nobody works on it" in shown
    assert "0 under way, 1 waiting" in shown
