"""A scenario's message on the wallet card: who gets it there, what becomes of it, how long it stands."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from channels import Accepted, Failed
from scheduler import tally, throttle
from scheduler.board import CardBoard, LiveDeck, report
from tests.channels.helpers import outgoing, send
from tests.scheduler.kiosk import Kiosk
from tests.wallet.cards import EXAMPLE
from wallet import news, passes, registrations, updates
from wallet.design import Face
from wallet.news import News
from wallet.tables import DEVICE, PASS

CARD = """
about: Kiosk card
images: {icon: images/icon.png, logo: images/logo.png}
front: {header: [{key: balance, label: Bonuses, value: "{{ balance | number }}"}]}
"""
TEXT = (
    "---\ntitle: Soon gone\nlink: https://kiosk.example/menu\n---\n{{ trigger.expiring | points }} expire\n"
)


class Holders:
    """Customers of the kiosk with the card in a wallet."""

    def __init__(self, kiosk: Kiosk) -> None:
        self.kiosk = kiosk
        kiosk.settings["TIDINGS_WALLET_TRANSPORT"] = "card"
        kiosk.files["program.yaml"] += "  wallet: {}\n"
        kiosk.files["cards/loyalty.yaml"] = CARD
        kiosk.files["messages/hello/wallet.txt"] = TEXT
        self.pictures()
        self.deck = LiveDeck(kiosk.live, lambda _: kiosk.links)

    def pictures(self) -> None:
        images = EXAMPLE / "cards" / "images"
        self.kiosk.pictures = {f"cards/images/{it.name}": it.read_bytes() for it in images.glob("*.png")}

    def add(self, name: str, wallet: str = "apple", **person: Any) -> str:
        """A customer who has the card; returns the serial."""
        self.kiosk.customer(name, **{"consented": ["wallet", "sms"], **person})
        now = self.kiosk.clock.now()
        with self.kiosk.database.write() as connection:
            row = passes.issue(connection, self.kiosk.ids[name], self.face(name), now)
            if wallet == "apple":
                registrations.register(connection, row.serial, f"phone-{name}", "aa", now)
            else:
                connection.execute(PASS.update().where(PASS.c.serial == row.serial).values(google_saved=True))
        return str(row.serial)

    def face(self, name: str) -> Face:
        deck = self.deck()
        assert deck is not None
        with self.kiosk.database.read() as connection:
            return deck.faces(connection, [self.kiosk.ids[name]], self.kiosk.clock.now())[
                self.kiosk.ids[name]
            ]

    def said(self, name: str) -> tuple[str, str, str | None] | None:
        """Label, text and link of the message on the card."""
        face = self.face(name)
        link = next((it.uri for it in face.links if it.key == "news-link"), None)
        return next(((it.label, it.value, link) for it in face.back if it.key == "news"), None)

    def remove(self, name: str, serial: str) -> None:
        with self.kiosk.database.write() as connection:
            registrations.unregister(connection, serial, f"phone-{name}", self.kiosk.clock.now())

    def row(self, name: str) -> Any:
        with self.kiosk.database.read() as connection:
            return passes.current(connection, self.kiosk.ids[name])

    def fetch(self, name: str) -> None:
        """The phone fetches the pass as it is now."""
        row = self.row(name)
        with self.kiosk.database.write() as connection:
            news.seen(connection, row.serial, row.news_message, self.kiosk.clock.now())
        report(self.kiosk.database, self.kiosk.clock.now())

    def owed(self) -> set[str]:
        with self.kiosk.database.read() as connection:
            return set(connection.scalars(select(DEVICE.c.device).where(DEVICE.c.push_at.is_not(None))))

    def take_off(self) -> None:
        CardBoard(self.kiosk.database, self.deck).take_off(self.kiosk.clock.now())


@pytest.fixture
def holders(kiosk: Kiosk) -> Holders:
    return Holders(kiosk)


def test_a_message_stands_on_the_card_and_is_delivered_once_a_wallet_has_it(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(send="[wallet]", priority="70")
    holders.add("anna")
    holders.add("ihor", "google")
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.state("anna") == kiosk.state("ihor") == ("sent", None)
    assert holders.said("anna") == ("Soon gone", "500 bonuses expire", "https://kiosk.example/menu")
    assert holders.row("anna").news_priority == 70
    assert holders.owed() == {"phone-anna"}
    assert kiosk.message("anna").cost == 0
    holders.fetch("anna")
    assert kiosk.state("anna") == ("delivered", None)
    with kiosk.database.read() as connection:
        assert tally.counted(connection)[tally.REPORT, "wallet", "delivered", ""] == 1
    assert kiosk.state("ihor") == ("sent", None)


def test_who_has_no_card_in_a_wallet_is_reached_by_the_next_channel(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(send="[wallet, sms]")
    serial = holders.add("anna", phone="+380501234567")
    kiosk.customer("ihor", consented=["wallet"])
    kiosk.customer("olha", consented=["sms"], phone="+380501234568")
    holders.add("petro", consented=["sms"])
    kiosk.plan()
    assert kiosk.message("anna").channel == "wallet"
    assert kiosk.verdict("ihor") == ("unreachable", "wallet: unreachable, sms: no_consent")
    assert kiosk.message("olha").channel == "sms"
    assert kiosk.verdict("petro") == ("unreachable", "wallet: no_consent, sms: unreachable")
    holders.remove("anna", serial)
    kiosk.deliver()
    assert kiosk.message("anna").channel == "sms"
    assert kiosk.state("anna") == ("sent", None)


def test_a_card_that_leaves_the_wallet_at_the_last_moment_fails_for_good(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(send="[wallet]")
    serials = {name: holders.add(name) for name in ("anna", "ihor")}
    channel = kiosk.channels()["wallet"]
    holders.remove("ihor", serials["ihor"])
    outcomes = send(channel, [outgoing(serial, {"text": "Hello"}) for serial in serials.values()])
    assert isinstance(outcomes[f"m-{serials['anna']}"], Accepted)
    assert outcomes[f"m-{serials['ihor']}"] == Failed("permanent", "no_card")


def test_a_sender_that_dies_before_it_wrote_down_what_it_did_tells_nobody_twice(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(send="[wallet]")
    holders.add("anna")
    kiosk.plan()
    kiosk.deliver()
    before = holders.row("anna")
    kiosk.later(minutes=10)
    kiosk.set("anna", state="sending", fence="of the dead", lease_until=kiosk.clock.now(), provider_id=None)
    holders.fetch("anna")
    assert kiosk.state("anna")[0] == "sending"
    kiosk.later(seconds=1)
    kiosk.deliver()
    after = holders.row("anna")
    assert (after.tag, after.news_at, after.news_message) == (before.tag, before.news_at, before.news_message)
    report(kiosk.database, kiosk.clock.now())
    assert kiosk.state("anna") == ("delivered", None)


def test_what_may_stand_on_a_card_that_was_removed_is_not_told_once_more_by_sms(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(send="[wallet, sms]")
    serial = holders.add("anna", phone="+380501234567")
    kiosk.plan()
    kiosk.deliver()
    kiosk.set("anna", state="sending", fence="of the dead", lease_until=kiosk.clock.now(), accepted_at=None)
    holders.remove("anna", serial)
    kiosk.later(seconds=1)
    kiosk.deliver()
    assert kiosk.state("anna") == ("unknown", "after wallet: unreachable")
    assert kiosk.message("anna").channel == "wallet"


def test_what_no_phone_has_fetched_in_time_goes_out_by_the_next_channel(holders: Holders) -> None:
    kiosk = holders.kiosk
    step = "[{id: first, message: hello, send: [wallet, sms], fallback_after: 2 hours}]"
    kiosk.scenario(steps=step)
    for name, phone in (("anna", "+380501234567"), ("ihor", "+380501234568")):
        holders.add(name, phone=phone)
    kiosk.plan()
    kiosk.deliver()
    holders.fetch("ihor")
    kiosk.later(hours=2)
    kiosk.deliver()
    assert kiosk.message("anna").channel == "sms"
    assert (kiosk.message("ihor").channel, kiosk.state("ihor")[0]) == ("wallet", "delivered")
    holders.take_off()
    assert holders.said("anna") is None, "she is told by SMS, and not once more when the phone comes on"
    assert holders.said("ihor") is not None


def test_a_phone_that_comes_on_while_the_fallback_waits_has_it_from_the_card(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(steps="[{id: first, message: hello, send: [wallet, sms], fallback_after: 2 hours}]")
    holders.add("anna", phone="+380501234567")
    kiosk.plan()
    kiosk.deliver()
    with kiosk.database.write() as connection:
        throttle.pause(connection, "sms", kiosk.clock.now())
    kiosk.later(hours=2)
    kiosk.deliver()
    assert (kiosk.message("anna").channel, kiosk.state("anna")[0]) == ("sms", "planned")
    holders.fetch("anna")
    assert (kiosk.message("anna").channel, kiosk.state("anna")[0]) == ("wallet", "delivered")


def test_a_phone_that_comes_on_after_the_fallback_holds_up_no_confirmation(
    holders: Holders, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk = holders.kiosk
    monkeypatch.setattr("scheduler.board.BATCH", 1)
    step = "[{id: first, message: hello, send: [wallet, sms], fallback_after: 2 hours}]"
    kiosk.scenario(steps=step)
    holders.add("anna", phone="+380501234567")
    holders.add("ihor")
    kiosk.plan()
    kiosk.deliver()
    kiosk.later(hours=2)
    kiosk.deliver()
    assert kiosk.message("anna").channel == "sms"
    holders.fetch("anna")
    assert holders.row("anna").news_report_at > kiosk.clock.now()
    holders.fetch("ihor")
    assert kiosk.state("ihor") == ("delivered", None)
    for _ in range(12):
        kiosk.later(minutes=10)
        report(kiosk.database, kiosk.clock.now())
    assert holders.row("anna").news_report_at is None


def test_the_newest_message_stands_and_the_same_words_again_have_been_seen(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(send="[wallet]")
    serial = holders.add("anna")
    board = CardBoard(kiosk.database, holders.deck)
    for number, text in enumerate(["One", "Two", "Two"]):
        board.put([News(serial, text, kiosk.clock.now(), f"card-{number}")])
        if number == 1:
            holders.fetch("anna")
        kiosk.later(minutes=1)
    row = holders.row("anna")
    assert (row.news, row.news_message) == ("Two", "card-2")
    assert row.news_seen_at is not None
    assert board.put([News(serial, "Less", kiosk.clock.now(), priority=10),
                      News(serial, "More", kiosk.clock.now(), priority=90),
                      News(serial, "Same", kiosk.clock.now(), priority=10)]) == {serial}  # fmt: skip
    assert holders.said("anna") == ("News", "More", None)


def test_a_message_that_was_seen_is_delivered_though_another_one_takes_its_place_at_once(
    holders: Holders,
) -> None:
    kiosk = holders.kiosk
    step = "[{id: first, message: hello, send: [wallet, sms], fallback_after: 2 hours}]"
    kiosk.scenario(steps=step)
    serial = holders.add("anna", phone="+380501234567")
    kiosk.plan()
    kiosk.deliver()
    seen = holders.row("anna")
    with kiosk.database.write() as connection:
        news.seen(connection, serial, seen.news_message, kiosk.clock.now())
    CardBoard(kiosk.database, holders.deck).put([News(serial, "Another", kiosk.clock.now(), "card-2")])
    report(kiosk.database, kiosk.clock.now())
    assert kiosk.state("anna") == ("delivered", None)
    kiosk.later(hours=2)
    kiosk.deliver()
    assert kiosk.message("anna").channel == "wallet", "no SMS for what was read"


@pytest.mark.parametrize("how", ["its time is over", "the card is revoked"])
def test_a_message_that_was_seen_is_delivered_though_it_leaves_the_card_at_once(
    holders: Holders, how: str
) -> None:
    kiosk = holders.kiosk
    kiosk.files["messages/hello/wallet.txt"] = TEXT.replace("link:", "keep: 1 hour\nlink:")
    kiosk.scenario(steps="[{id: first, message: hello, send: [wallet, sms], fallback_after: 2 hours}]")
    serial = holders.add("anna", phone="+380501234567")
    kiosk.plan()
    kiosk.deliver()
    with kiosk.database.write() as connection:
        news.seen(connection, serial, holders.row("anna").news_message, kiosk.clock.now())
    kiosk.later(hours=1)
    if how == "the card is revoked":
        with kiosk.database.write() as connection:
            updates.retire(connection, kiosk.ids["anna"], kiosk.clock.now())
    else:
        holders.take_off()
        assert holders.said("anna") is None
    report(kiosk.database, kiosk.clock.now())
    assert kiosk.state("anna") == ("delivered", None)
    kiosk.later(hours=1)
    kiosk.deliver()
    assert kiosk.message("anna").channel == "wallet", "no SMS for what was read"


def test_a_message_stands_as_long_as_it_says_and_then_goes_without_a_word(holders: Holders) -> None:
    kiosk = holders.kiosk
    kiosk.files["messages/hello/wallet.txt"] = TEXT.replace("link:", "keep: 3 days\nlink:")
    kiosk.scenario(send="[wallet]")
    holders.add("anna")
    kiosk.plan()
    kiosk.deliver()
    kiosk.later(days=3, minutes=-1)
    holders.take_off()
    assert holders.said("anna") is not None
    tag = holders.row("anna").tag
    kiosk.later(minutes=1)
    holders.take_off()
    assert holders.said("anna") is None
    assert holders.row("anna").tag > tag


@pytest.mark.parametrize(
    ("valid_for", "stands"), [("2 days", timedelta(days=2)), ("60 days", timedelta(days=30))]
)
def test_a_message_stands_no_longer_than_it_is_of_use(
    holders: Holders, valid_for: str, stands: timedelta
) -> None:
    kiosk = holders.kiosk
    kiosk.scenario(send="[wallet]", limits=f"{{valid_for: {valid_for}}}")
    holders.add("anna")
    kiosk.plan()
    kiosk.deliver()
    assert holders.row("anna").news_until == kiosk.clock.now() + stands
