"""What has become of a customer between planning and sending, and what a rename leaves as it was."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.customers.profiles import CUSTOMER
from core.purchases import receipts, returns
from core.purchases.receipts import Line, Purchase
from tests.scheduler.kiosk import ENROLMENT, REMINDER, Kiosk
from tidings.personal_data import personal_data

GOAL = "goal: {purchase: {within: 2 days}}\n"
NIGHT = "limits: {quiet_hours: '09:00-21:00'}\n"
ASKS = "  - {id: first, message: hello, send: [sms], %s}\n"


def waiting(kiosk: Kiosk, text: str) -> None:
    """Anna's reminder is planned, and waits for the evening."""
    kiosk.write(reminder=text + NIGHT)
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    assert kiosk.state("anna") == ("deferred", "quiet_hours")


def buy(kiosk: Kiosk, number: str = "r1", ahead: timedelta = timedelta(0)) -> None:
    """A purchase, by a till whose clock may be ahead."""
    now, program = kiosk.clock.now(), kiosk.live.running().program
    purchase = Purchase(number, "anna", now + ahead, (Line("coffee", 1000, program.to_money(10)),))
    with kiosk.database.write() as connection:
        receipts.record(connection, program, [purchase], now, live=True)


def evening(kiosk: Kiosk) -> tuple[str, str | None]:
    """What becomes of the message at the end of the quiet hours."""
    kiosk.clock.move_to(kiosk.message("anna").due_at)
    kiosk.deliver()
    return kiosk.state("anna")


def enrolment(kiosk: Kiosk) -> str:
    with kiosk.database.read() as connection:
        return str(connection.scalar(ENROLMENT.select().with_only_columns(ENROLMENT.c.status)))


def reminder(asks: str = "") -> str:
    step = ASKS % asks if asks else "  - {id: first, message: hello, send: [sms]}\n"
    return REMINDER.replace("  - {id: first, message: hello, send: [push, sms, email]}\n", step)


@pytest.mark.parametrize(
    ("text", "detail"),
    [(reminder() + GOAL, "goal met"), (reminder("unless: [purchase]"), "unless purchase")],
)
def test_a_purchase_while_the_message_waits_recalls_it_and_ends_the_enrolment(
    kiosk: Kiosk, text: str, detail: str
) -> None:
    waiting(kiosk, text)
    kiosk.later(hours=1)
    buy(kiosk)
    assert evening(kiosk) == ("recalled", "exited")
    assert kiosk.verdict("anna") == ("exited", detail)
    assert enrolment(kiosk) == "exited"


def test_a_purchase_that_was_returned_meanwhile_recalls_nothing(kiosk: Kiosk) -> None:
    waiting(kiosk, reminder() + GOAL)
    kiosk.later(hours=1)
    buy(kiosk)
    kiosk.later(hours=1)
    now, program = kiosk.clock.now(), kiosk.live.running().program
    with kiosk.database.write() as connection:
        returns.take_back(connection, program, returns.Return("r1", now), now, live=True)
    assert evening(kiosk) == ("sent", None)


def test_a_purchase_before_the_enrolment_met_no_goal(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    buy(kiosk)
    kiosk.later(hours=1)
    kiosk.write(reminder=reminder() + GOAL)
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)


@pytest.mark.parametrize("text", [reminder() + GOAL, reminder("unless: [purchase]")])
def test_nor_one_of_a_till_whose_clock_was_ahead(kiosk: Kiosk, text: str) -> None:
    kiosk.customer("anna", phone="+380501000001")
    buy(kiosk, ahead=timedelta(minutes=3))
    kiosk.write(reminder=text + NIGHT)
    kiosk.plan()
    assert evening(kiosk) == ("sent", None)


def test_what_the_step_asks_of_the_customer_is_asked_once_more(kiosk: Kiosk) -> None:
    waiting(kiosk, reminder("only_if: {balance: {at_least: 300}}"))
    kiosk.later(hours=1)
    kiosk.spend("anna", 300)
    assert evening(kiosk) == ("recalled", "exited")
    assert kiosk.verdict("anna") == ("exited", "only if balance")


def test_a_fallback_that_comes_to_nothing_leaves_the_wait_where_it_began(kiosk: Kiosk) -> None:
    """The wait for the next step runs from the acceptance, not from when the second way was given up."""
    kiosk.server("sms")
    step = "{id: first, message: hello, send: [sms, email], fallback_after: 2 hours}"
    kiosk.scenario(steps=f"[{step}, {{id: next, wait: 1 day, message: hello, send: [sms]}}]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"), email="accept@example.com")
    kiosk.plan()
    kiosk.deliver()
    accepted = kiosk.clock.now()
    assert kiosk.anchor("anna") == accepted
    kiosk.later(hours=3)
    kiosk.withdraw("anna", "email")
    kiosk.set("anna", state="planned", channel="email", due_at=kiosk.clock.now(), fallback_at=None)
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", "fallback recalled: no_consent")
    assert kiosk.anchor("anna") == accepted


def test_a_renamed_scenarios_message_is_still_the_same_message(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[email]")
    kiosk.customer("anna", email="anna@example.com")
    kiosk.plan()
    names = []
    for name in ("reminder", "expiry"):
        if name == "expiry":
            text = kiosk.files["scenarios/reminder.yaml"] + "formerly: reminder\n"
            kiosk.write(reminder=None, expiry=text)
            kiosk.set("anna", state="planned", due_at=kiosk.clock.now(), accepted_at=None)
        kiosk.deliver()
        names.append({path.name for path in (kiosk.folder / "email").glob("*.eml")})
    assert len(names[0]) == 1
    assert names[1] == names[0]


def test_what_a_renamed_scenario_said_is_in_the_copy_of_the_customers_data(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    kiosk.deliver()
    kiosk.write(reminder=None, expiry=f"formerly: reminder\n{kiosk.files['scenarios/reminder.yaml']}")
    with kiosk.database.read() as connection:
        anna = connection.execute(select(CUSTOMER)).one()
        copy = personal_data(connection, kiosk.live, kiosk.links, anna, kiosk.clock.now())
    assert [(it["scenario"], it["text"]) for it in copy["messages"]] == [("expiry", {"text": "500 bonuses"})]
