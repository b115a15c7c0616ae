"""Addresses that an app or a messenger reports: put aside when dead, good again when reported again."""

from sqlalchemy import select

from campaigns.tables import Decision
from core.customers.addresses import ADDRESS
from core.customers.consent import CONSENT
from tests.channels.providers.push import error
from tests.channels.providers.telegram import refusal
from tests.scheduler.kiosk import Kiosk

DECISION = Decision.__table__  # type: ignore[attr-defined]


def usable(kiosk: Kiosk, kind: str) -> list[bool]:
    with kiosk.database.read() as connection:
        mine = select(ADDRESS.c.active).where(ADDRESS.c.kind == kind).order_by(ADDRESS.c.id)
        return list(connection.scalars(mine))


def report(kiosk: Kiosk, kind: str, address: str) -> None:
    with kiosk.database.write() as connection:
        kiosk.addresses.add(connection, [(kiosk.ids["anna"], kind, address)], kiosk.clock.now())


def the_next_reminder(kiosk: Kiosk, name: str) -> None:
    kiosk.write(**{name: kiosk.files["scenarios/reminder.yaml"].replace("day at 10:00", "minute")})
    kiosk.plan()
    kiosk.deliver()


def test_a_device_without_the_app_is_unreachable_until_the_app_is_back(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[push]")
    device = kiosk.to("push", "dead")
    kiosk.customer("anna", push=device)
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.state("anna") == ("failed", "device_unregistered")
    assert usable(kiosk, "push") == [False]
    assert kiosk.suppressed() == set()

    kiosk.later(minutes=1)
    the_next_reminder(kiosk, "second")
    with kiosk.database.read() as connection:
        second = select(DECISION.c.verdict).where(DECISION.c.scenario == "second")
        assert connection.scalars(second).all() == ["unreachable"]
    report(kiosk, "push", device)
    assert usable(kiosk, "push") == [True]


def test_a_wrong_service_account_costs_no_device(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[push, sms]")
    kiosk.customer("anna", push=kiosk.to("push", "accept"), phone=kiosk.to("sms", "accept"))
    kiosk.server("push").next = [error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")]
    kiosk.plan()
    kiosk.deliver()
    assert [(channel, reason) for channel, *_, reason in kiosk.attempts("anna")] == [
        ("push", "device_of_another_sender"), ("sms", None),
    ]  # fmt: skip
    assert usable(kiosk, "push") == [True]


def test_who_blocked_the_bot_gets_nothing_more_there_and_agrees_to_no_offers(kiosk: Kiosk) -> None:
    kiosk.write(program=kiosk.files["program.yaml"].replace("push: {}", "push: {}\n  telegram: {}"))
    kiosk.scenario(send="[telegram, email]")
    kiosk.customer("anna", email="accept@example.com", consented=["telegram", "email"])
    report(kiosk, "telegram", kiosk.to("telegram", "accept"))
    kiosk.server("telegram").next = [refusal(403, "Forbidden: bot was blocked by the user")]
    kiosk.plan()
    kiosk.deliver()
    assert [(channel, reason) for channel, *_, reason in kiosk.attempts("anna")] == [
        ("telegram", "blocked"), ("email", None),
    ]  # fmt: skip
    assert usable(kiosk, "telegram") == [False]
    with kiosk.database.read() as connection:
        agreed = select(CONSENT.c.granted).where(CONSENT.c.channel == "telegram")
        assert connection.scalars(agreed).all() == [False]
