"""What became of messages is counted for good, and what is counted stays small."""

from datetime import timedelta

from sqlalchemy import func, select

from campaigns.versions import STATE
from core.db import Database
from scheduler import tally
from scheduler.readers import lags
from scheduler.tally import FOLD_EVERY, MESSAGE, REPORT, TALLY
from tests.channels.providers.base import Verdict
from tests.scheduler.kiosk import Kiosk

SPEAKS = "steps: [{id: first, message: thanks, send: [sms]}]\n"


def counted(database: Database) -> dict[tuple[str, str, str, str], int]:
    with database.read() as connection:
        return dict(tally.counted(connection))


def late(kiosk: Kiosk, scenario: str) -> float | None:
    with kiosk.database.read() as connection:
        return connection.scalar(select(STATE.c.late_seconds).where(STATE.c.name == scenario))


def test_each_outcome_is_counted_once_with_its_channel_and_reason(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms, email]")
    verdicts: dict[Verdict, int] = {"accept": 3, "permanent": 2, "drop": 1}
    people = {
        f"{verdict}{n}": {"phone": kiosk.to("sms", verdict, n), "email": kiosk.to("email", "accept", n)}
        for verdict, count in verdicts.items() for n in range(count)
    }  # fmt: skip
    kiosk.customers(people)
    kiosk.plan()
    kiosk.deliver()
    found = counted(kiosk.database)
    of_sms = {key[2]: times for key, times in found.items() if key[:2] == (MESSAGE, "sms")}
    assert of_sms == {"sent": 3, "fallback": 2, "unknown": 1}
    assert found[MESSAGE, "email", "sent", ""] == 2
    assert all(reason for _, _, outcome, reason in found if outcome in ("fallback", "unknown"))
    kiosk.deliver()
    assert counted(kiosk.database) == found, "nothing was done, nothing is counted"


def test_what_a_provider_reports_is_counted_apart(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    kiosk.deliver()
    kiosk.report("anna", "delivered")
    kiosk.report("anna", "delivered")
    assert counted(kiosk.database)[REPORT, "sms", "delivered", ""] == 1


def test_rows_are_summed_up_and_nothing_is_lost_by_it(database: Database) -> None:
    key = (MESSAGE, "sms", "sent", "")
    other = (MESSAGE, "sms", "failed", "not_on_sms")
    for _ in range(FOLD_EVERY + 20):
        with database.write() as connection:
            tally.add(connection, {key: 200, other: 1})
    with database.read() as connection:
        rows = connection.scalar(select(func.count()).select_from(TALLY))
    assert rows is not None
    assert rows < FOLD_EVERY + 2
    assert counted(database) == {key: 200 * (FOLD_EVERY + 20), other: FOLD_EVERY + 20}


def test_two_that_sum_up_at_one_moment_count_nothing_twice(postgres_database: Database) -> None:
    key = (MESSAGE, "push", "sent", "")
    for _ in range(5):
        with postgres_database.write() as connection:
            tally.add(connection, {key: 1})
    with postgres_database.write() as first, postgres_database.write() as second:
        tally.fold(first)
        tally.add(second, {key: 1})
        tally.fold(second)
    assert counted(postgres_database) == {key: 6}


def test_a_reason_is_a_name_whatever_was_said() -> None:
    assert tally.reason_of("after sms: not_delivered") == "not_delivered"
    assert tally.reason_of(None) == ""
    assert tally.reason_of("+380 67 123 45 67 is no number") == "other"


def test_how_late_a_look_was_is_kept_with_its_scenario(kiosk: Kiosk) -> None:
    kiosk.files["messages/thanks/sms.txt"] = "Thank you\n"
    kiosk.write(greeting=f"when: {{bonus_accrued: {{}}}}\n{SPEAKS}")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    kiosk.later(seconds=1)
    kiosk.give("anna", 100)
    kiosk.later(seconds=40)
    kiosk.give("anna", 50)
    kiosk.later(seconds=5)
    with kiosk.database.read() as connection:
        assert lags(connection, kiosk.live.running(), kiosk.clock.now())["greeting"] == 45
    kiosk.plan()
    with kiosk.database.read() as connection:
        assert lags(connection, kiosk.live.running(), kiosk.clock.now())["greeting"] == 0
    assert late(kiosk, "greeting") == 45
    at = kiosk.clock.now()
    tomorrow = (at + timedelta(days=1)).replace(minute=1, second=30)
    kiosk.later(seconds=(tomorrow - at).total_seconds())
    kiosk.plan()
    assert late(kiosk, "reminder") == 90
