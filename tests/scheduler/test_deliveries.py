"""The channels of a process: what is said before a message leaves, and how a new version reaches them."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from core.errors import EnvironmentFault
from core.links import Links
from scheduler.deliveries import Deliveries
from tests.scheduler.kiosk import PROGRAM, SECRET, Kiosk
from tidings.workspace import Workspace


def notes(kiosk: Kiosk, url: str, only: Sequence[str]) -> list[str]:
    """What a process warns of whose links begin with this address."""
    links = Links(url, SECRET)
    deliveries = Deliveries(
        kiosk.database, kiosk.live, kiosk.clock, lambda _: kiosk.channels(), lambda _: links, lambda _: None,
        only=only,
    )  # fmt: skip

    async def begin() -> None:
        await deliveries.open()
        await deliveries.close()

    with capture_logs() as logs:
        asyncio.run(begin())
    return [line["note"] for line in logs if line["event"] == "not for customers yet"]


@pytest.mark.parametrize("url", ["http://localhost:8000", "https://127.0.0.1", "http://kiosk.example"])
def test_links_that_customers_cannot_follow_are_told_of_before_they_leave(kiosk: Kiosk, url: str) -> None:
    kiosk.server("email")
    [note] = notes(kiosk, url, ["email", "sms"])
    assert "by email lead to" in note
    assert url in note
    assert "TIDINGS_PUBLIC_URL" in note


def test_who_only_rehearses_or_has_an_address_is_told_nothing(kiosk: Kiosk) -> None:
    kiosk.server("email")
    assert notes(kiosk, "http://localhost:8000", ["sms", "wallet"]) == []
    assert notes(kiosk, "https://kiosk.example", ["email", "sms"]) == []


def test_a_wrong_setting_written_meanwhile_stops_no_other_channel_at_the_next_version(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    (kiosk.folder / ".env").write_text(f"TIDINGS_SECRET={SECRET.decode()}\n")
    workspace = Workspace(kiosk.folder)
    workspace.__dict__.update(database=kiosk.database, live=kiosk.live)
    deliveries = Deliveries(
        kiosk.database, kiosk.live, kiosk.clock, workspace.each_channel, lambda _: kiosk.links,
        lambda _: None,
    )  # fmt: skip

    async def life() -> None:
        await deliveries.open()
        (kiosk.folder / ".env").write_text("TIDINGS_EMAIL_PORT=many\n")
        kiosk.write(program=PROGRAM.replace("sender: Kiosk, ", "sender: Kiosk, rate: 10 per second, "))
        await deliveries.run()
        assert kiosk.state("anna")[0] == "sent", "its own configuration changed, not that of email"
        kiosk.write(program=PROGRAM.replace("Kiosk <hello@", "Kiosk <news@"))
        with capture_logs() as logs:
            await deliveries.run()
        [told] = [line for line in logs if line["event"] == "channel not opened"]
        assert (told["channel"], "TIDINGS_EMAIL_PORT" in told["error"]) == ("email", True)
        await deliveries.close()

    asyncio.run(life())


def test_a_channel_that_a_new_version_cannot_open_holds_up_no_other(kiosk: Kiosk) -> None:
    kiosk.server("email")
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    kiosk.scenario(send="[email]")
    kiosk.later(days=1)
    kiosk.customer("olha", email="accept@example.com")
    deliveries = Deliveries(
        kiosk.database, kiosk.live, kiosk.clock, lambda _: kiosk.channels(), lambda _: kiosk.links,
        lambda _: None,
    )  # fmt: skip

    async def life() -> None:
        await deliveries.open()
        kiosk.write(program=PROGRAM.replace("sender: Kiosk, ", ""))
        kiosk.plan()
        for _ in range(3):
            await deliveries.run()
        assert (kiosk.state("anna")[0], kiosk.state("olha")[0]) == ("planned", "sent")
        kiosk.write(program=PROGRAM)
        await deliveries.run()
        await deliveries.close()

    with capture_logs() as logs:
        asyncio.run(life())
    assert kiosk.state("anna")[0] == "sent"
    [told] = [line for line in logs if line["event"] == "channel not opened"]
    assert "nobody to send as" in told["error"]


def test_a_process_asks_nothing_of_channels_by_which_it_does_not_deliver(kiosk: Kiosk) -> None:
    (kiosk.folder / ".env").write_text(f"TIDINGS_SECRET={SECRET.decode()}\nTIDINGS_EMAIL_PORT=many\n")
    workspace = Workspace(kiosk.folder)
    workspace.__dict__.update(database=kiosk.database, live=kiosk.live)
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()

    async def life(only: Sequence[str]) -> None:
        deliveries = Deliveries(
            kiosk.database, kiosk.live, kiosk.clock, workspace.each_channel, lambda _: kiosk.links,
            lambda _: None, only=only,
        )  # fmt: skip
        await deliveries.open()
        await deliveries.run()
        await deliveries.close()

    asyncio.run(life(["sms"]))
    assert kiosk.state("anna")[0] == "sent"
    with pytest.raises(EnvironmentFault, match="TIDINGS_EMAIL_PORT"):
        asyncio.run(life(["email"]))
