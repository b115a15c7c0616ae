"""A database that was restored to an earlier moment: what was sent since is found, and never sent again."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from campaigns.tables import MessageState, ScenarioState
from core.errors import UserError
from scheduler import tally
from scheduler.presence import MISSING, Presence
from scheduler.restored import set_aside
from tests.scheduler.kiosk import ATTEMPT, MESSAGE, Kiosk
from tests.scheduler.test_asking import Twilio, ask, twilio

__all__ = ["twilio"]
STATE = MessageState.__table__  # type: ignore[attr-defined]
SCENARIO = ScenarioState.__table__  # type: ignore[attr-defined]
SERIES = """[{id: first, message: hello, send: [sms]},
  {id: second, wait: 1 hour, message: hello, send: [sms]},
  {id: third, wait: 1 hour, message: hello, send: [sms]},
  {id: fourth, wait: 1 day, message: hello, send: [sms]}]"""
CASCADE = "[{id: first, message: hello, send: [sms, email], fallback_after: 1 hour}]"


def forget_all_since_the_plan(kiosk: Kiosk) -> None:
    """As the database was when everything was planned and nothing sent."""
    with kiosk.database.write() as connection:
        for table in (ATTEMPT, STATE):
            connection.execute(delete(table))
        planned = {"state": "planned", "provider_id": None, "accepted_at": None, "tries": 0}
        connection.execute(update(MESSAGE).values(planned))


def told(kiosk: Kiosk) -> dict[str, int]:
    """What the metrics count of messages."""
    with kiosk.database.read() as connection:
        return {key[2]: times for key, times in tally.counted(connection).items() if key[0] == tally.MESSAGE}


@pytest.mark.usefixtures("twilio")
def test_what_had_left_is_found_at_the_provider_and_what_had_not_is_reported(
    kiosk: Kiosk, twilio: Twilio
) -> None:
    people = {
        name: {"phone": kiosk.to("sms", "accept", number)} for number, name in enumerate(("anna", "ihor"))
    }
    kiosk.customers(people)
    kiosk.plan()
    restored_to = kiosk.clock.now()
    kiosk.later(minutes=30)
    kiosk.deliver()
    assert len(twilio.listed) == 2
    twilio.listed = [it for it in twilio.listed if it["to"] == people["anna"]["phone"]]
    forget_all_since_the_plan(kiosk)
    kiosk.later(hours=2)
    done = set_aside(kiosk.database, kiosk.live, kiosk.clock, restored_to)
    assert done.unknown == {"sms": 2}
    assert told(kiosk) == {"sent": 2, "unknown": 2}
    kiosk.later(minutes=1)
    assert ask(kiosk).found == 1
    kiosk.deliver()
    assert (kiosk.state("anna")[0], kiosk.state("ihor")) == ("sent", ("unknown", "restored"))
    assert len(twilio.accepted) == 2, "nothing was sent after the restore"


def test_a_look_that_the_lost_time_made_writes_to_nobody_again_and_what_is_due_later_goes_out(
    kiosk: Kiosk, twilio: Twilio
) -> None:
    kiosk.customers({"anna": {"phone": kiosk.to("sms", "accept")}})
    kiosk.later(hours=2)
    done = set_aside(kiosk.database, kiosk.live, kiosk.clock, kiosk.clock.now() - timedelta(hours=2))
    assert done.unknown == {"sms": 1}
    kiosk.deliver()
    assert twilio.accepted == []
    kiosk.customers({"ihor": {"phone": kiosk.to("sms", "accept", 1)}})
    kiosk.later(days=1)
    kiosk.plan()
    kiosk.deliver()
    assert [it["to"] for it in twilio.listed] == [kiosk.to("sms", "accept", 1)]


def test_of_a_series_every_step_that_the_lost_time_saw_is_set_aside_and_the_next_one_goes_out(
    kiosk: Kiosk, twilio: Twilio
) -> None:
    kiosk.scenario(steps=SERIES)
    kiosk.customers({"anna": {"phone": kiosk.to("sms", "accept")}})
    kiosk.plan()
    restored_to = kiosk.clock.now()
    kiosk.later(hours=3)
    done = set_aside(kiosk.database, kiosk.live, kiosk.clock, restored_to)
    assert done.unknown == {"sms": 3}
    for hours in (1, 20):
        kiosk.later(hours=hours)
        kiosk.plan()
        kiosk.deliver()
    assert twilio.accepted == [], "the fourth step is to come a day after the third"
    kiosk.later(hours=6)
    kiosk.plan()
    kiosk.deliver()
    assert len(twilio.accepted) == 1


@pytest.mark.parametrize("left", [True, False], ids=["sent-before", "sent-since"])
def test_no_further_channel_says_the_same_whatever_is_heard_of_the_first(
    kiosk: Kiosk, twilio: Twilio, left: bool
) -> None:
    kiosk.scenario(steps=CASCADE)
    kiosk.customers({"anna": {"phone": kiosk.to("sms", "accept"), "email": kiosk.to("email", "accept")}})
    kiosk.plan()
    restored_to = kiosk.clock.now()
    kiosk.deliver()
    if not left:
        forget_all_since_the_plan(kiosk)
    kiosk.later(hours=2)
    set_aside(kiosk.database, kiosk.live, kiosk.clock, restored_to)
    kiosk.later(minutes=1)
    assert ask(kiosk).found == (not left)
    kiosk.deliver()
    kiosk.report("anna", "undelivered")
    kiosk.later(hours=2)
    kiosk.deliver()
    assert (len(twilio.accepted), kiosk.server("email").accepted, kiosk.state("anna")[0]) == (1, [], "failed")


@pytest.mark.usefixtures("twilio")
def test_somebody_at_work_is_noticed_and_scenarios_that_rest_are_named(kiosk: Kiosk) -> None:
    since = kiosk.clock.now()
    with kiosk.database.write() as connection:
        connection.execute(update(SCENARIO).values(status="paused"))
    Presence(kiosk.database, kiosk.clock, "serve", "1", tuple).say()
    with pytest.raises(UserError, match="worked on this database within the last minute"):
        set_aside(kiosk.database, kiosk.live, kiosk.clock, since)
    kiosk.later(seconds=MISSING.total_seconds())
    assert set_aside(kiosk.database, kiosk.live, kiosk.clock, since).idle == ["reminder"]
