"""Letters that customers answer: yes to email, a copy of one's data, being forgotten."""

import asyncio
import email
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import delete, select, update

from campaigns.running import Running
from channels import Failed, Outcome, Unknown
from channels.base import Channel
from channels.email import Email
from channels.email.mime import Mail
from channels.transport import Transport
from core.customers.addresses import LIFTED, SUPPRESSION, suppress
from core.customers.consent import CONSENT
from core.customers.letters import LETTER
from core.errors import EnvironmentFault
from scheduler import letters as module
from scheduler.bounces import Bounces, Returned
from scheduler.claim import MOST_TRIES
from scheduler.letter_claim import LEASE
from scheduler.letters import Letters
from scheduler.throttle import CHANNEL, judge
from tests.api.asking import asking
from tests.api.shop import PUBLIC_URL, Shop
from tests.api.test_links import assert_private, checked, preferences_path
from tests.channels.returned import returned

OLENA: dict[str, Any] = {"name": "Олена Коваль", "locale": "uk", "email": "olena@example.com"}
LINK = re.compile(rf"{PUBLIC_URL}(/d/[\w-]+)")


@pytest.fixture(scope="module")
def compiled() -> Running:
    return asking()


@pytest.fixture
def olena(shop: Shop) -> Shop:
    shop.register(**OLENA)
    return shop


def deliver(shop: Shop) -> list[EmailMessage]:
    """Sends what is due into the outbox's folder; what lies there, oldest first."""
    here = shop.services
    send(shop, here.workspace.channels(here.program))
    files = sorted((here.workspace.outbox / "email").glob("*.eml"))
    return [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]


def send(shop: Shop, channels: Mapping[str, Channel[Any, Any, Any]]) -> None:
    here = shop.services
    letters = Letters(shop.database, here.workspace.live, here.links, shop.clock, channels.__getitem__)
    asyncio.run(letters.run())


class Silent(Transport[Mail]):
    """Takes letters and never says so."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    async def transmit(self, wire: Mail) -> Outcome:
        self.tried.append(wire.message_id)
        return Unknown("connection_lost")


class Refusing(Transport[Mail]):
    """Takes nothing just now; perhaps it says for how long."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds

    async def transmit(self, wire: Mail) -> Outcome:
        return Failed("temporary", "greylisted", retry_after=self._seconds)


class Stopping(Transport[Mail]):
    """The service is stopped while this holds on to a letter."""

    async def transmit(self, wire: Mail) -> Outcome:
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(10)
        raise AssertionError("nobody gave it up")


def by(transport: Transport[Mail], shop: Shop, **config: Any) -> Email:
    class ByThis(Email):
        def _choose_transport(self) -> Transport[Mail]:
            return transport

    said = {"from": "hello@kavarnia.example", **config}
    return ByThis.create(said, outbox_dir=shop.services.workspace.outbox)


def link_in(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    found = LINK.search(body.get_content())
    assert found
    return found[1]


def states(shop: Shop) -> list[str]:
    with shop.database.read() as connection:
        return list(connection.scalars(select(LETTER.c.state).order_by(LETTER.c.id)))


def test_a_yes_by_the_api_is_pending_until_its_letter_is_answered(olena: Shop) -> None:
    answer = olena.consent("email")
    assert [(it["channel"], it["granted"], it["pending"]) for it in answer.json()] == [("email", False, True)]
    [letter] = deliver(olena)
    assert letter["To"] == "olena@example.com"
    assert "Підтвердьте" in letter["Subject"]
    assert letter["List-Unsubscribe"] is None
    path = link_in(letter)
    page = olena.stranger.get(path)
    assert_private(page)
    assert "o•••@example.com" in page.text
    assert olena.agrees("email") is None
    seller = olena.till.get("/api/v1/till/customer?id=10042").json()
    assert {it["channel"]: it["state"] for it in seller["consents"]}["email"] == "pending"
    assert "підтверджено" in olena.stranger.post(path).text
    assert olena.agrees("email") is True
    [shown] = olena.till.get("/api/v1/customers/10042").json()["consents"]
    assert (shown["granted"], shown["pending"]) == (True, False)
    assert states(olena) == ["sent"]


def test_a_letter_that_did_not_leave_takes_no_place_of_a_new_senders_day(olena: Shop) -> None:
    def places_taken() -> int | None:
        with olena.database.read() as connection:
            return connection.scalar(select(CHANNEL.c.day_count).where(CHANNEL.c.channel == "email"))

    warm_up = {"from": olena.clock.now().date().isoformat(), "per_day": [5]}
    olena.consent("email")
    send(olena, {"email": by(Refusing(), olena, warm_up=warm_up)})
    assert (states(olena), places_taken()) == (["planned"], 0)
    olena.clock.move_by(timedelta(minutes=2))
    send(olena, {"email": by(Silent(), olena, warm_up=warm_up)})
    assert places_taken() == 1, "it may have left"


def test_a_letter_that_left_is_recorded_though_the_database_is_away_for_a_while(
    olena: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, away, naps = olena.services, [EnvironmentFault("gone"), EnvironmentFault("gone")], list[float]()

    def judge_at_last(*given: Any) -> Any:
        if away:
            raise away.pop()
        return judge(*given)

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(module, "judge", judge_at_last)
    olena.consent("email")
    channels = here.workspace.channels(here.program)
    letters = Letters(olena.database, here.workspace.live, here.links, olena.clock, channels.__getitem__, nap)
    assert asyncio.run(letters.run()) == {"sent": 1}
    assert (states(olena), naps) == (["sent"], [0.1, 0.5])


def test_a_yes_on_the_page_waits_and_says_so_and_keeps_what_was_shown(olena: Shop) -> None:
    path = preferences_path(olena)
    page = olena.stranger.post(
        path, data={"channel": ["email", "sms"], "channel.surveys": "email", "do": "save"}
    )
    assert "Ми надіслали вам лист" in page.text
    assert "Очікує" in page.text
    assert "Опитування" in page.text
    assert checked(page) == {"email", "sms"}
    [letter] = deliver(olena)
    olena.stranger.post(link_in(letter))
    with olena.database.read() as connection:
        rows = connection.execute(select(CONSENT).order_by(CONSENT.c.channel, CONSENT.c.purpose)).all()
    assert [(row.channel, row.purpose, row.granted) for row in rows] == [
        ("email", "marketing", True), ("email", "surveys", True), ("sms", "marketing", True),
    ]  # fmt: skip
    proof = rows[0].proof
    assert (rows[0].wording, proof["form"], proof["locale"]) == ("2026-03", "preference page", "uk")
    assert proof["text"].startswith("Я погоджуюся")
    assert {"asked_at", "confirmed_at"} <= set(proof)


def test_a_copy_of_all_data_comes_only_by_a_letter_to_ones_own_address(olena: Shop) -> None:
    olena.consent("sms")
    olena.buy()
    page = olena.stranger.post(preferences_path(olena), data={"do": "copy"})
    assert "o•••@example.com" in page.text
    assert "olena@example.com" not in page.text
    [letter] = deliver(olena)
    path = link_in(letter)
    assert "Завантажити" in olena.stranger.get(path).text
    copy = olena.stranger.post(path)
    assert_private_file(copy)
    found = json.loads(copy.content)
    assert found["profile"]["email"] == "olena@example.com"
    assert found["receipts"][0]["total"] == "200"
    assert found["consents"][0]["channel"] == "sms"
    assert found["bonus_lots"]
    assert found["events"]


def test_the_link_of_a_letter_that_is_gone_opens_nobody_elses(olena: Shop) -> None:
    olena.stranger.post(preferences_path(olena), data={"do": "copy"})
    path = link_in(deliver(olena)[0])
    with olena.database.write() as connection:
        # As a restored backup has it: the letter was never written there, and the next one gets its number.
        [gone] = connection.execute(delete(LETTER).returning(LETTER.c.id)).scalars()
    olena.register("bohdan", email="bohdan@example.com", locale="uk")
    own = preferences_path_of(olena, olena.id_of("bohdan"))
    olena.stranger.post(own, data={"do": "copy"})
    with olena.database.write() as connection:
        connection.execute(update(LETTER).values(id=gone))
    assert olena.stranger.get(path).status_code == olena.stranger.post(path).status_code == 404
    here = olena.services
    link = here.links.confirmation(gone, here.workspace.addresses.digest("email", "bohdan@example.com"))
    found = json.loads(olena.stranger.post(link.removeprefix(PUBLIC_URL)).content)
    assert found["profile"]["external_id"] == "bohdan"


@pytest.mark.parametrize("asked", ["copy", "erase"])
def test_a_letter_to_an_address_that_was_corrected_since_opens_nothing(olena: Shop, asked: str) -> None:
    olena.stranger.post(preferences_path(olena), data={"do": asked})
    path = link_in(deliver(olena)[0])
    olena.register(email="her.own@example.com")
    assert olena.stranger.get(path).status_code == olena.stranger.post(path).status_code == 404
    assert olena.till.get("/api/v1/customers/10042").status_code == 200


def test_being_forgotten_takes_the_letter_and_one_more_button(olena: Shop) -> None:
    olena.stranger.post(preferences_path(olena), data={"do": "erase"})
    [letter] = deliver(olena)
    path = link_in(letter)
    assert "назавжди" in olena.stranger.get(path).text
    assert olena.till.get("/api/v1/customers/10042").status_code == 200
    assert "видалено" in olena.stranger.post(path).text
    assert olena.till.get("/api/v1/customers/10042").status_code == 404
    assert olena.stranger.post(path).status_code == 404
    assert olena.stranger.get(preferences_path_of(olena, 1)).status_code == 404


def test_asking_again_at_once_sends_nothing_and_says_why(olena: Shop) -> None:
    pages = [olena.stranger.post(preferences_path(olena), data={"do": "copy"}).text for _ in range(3)]
    assert ["Лист уже в дорозі" in page for page in pages] == [False, True, True]
    assert len(deliver(olena)) == 1


def test_a_letter_is_late_after_its_time_and_forged_ones_lead_nowhere(olena: Shop) -> None:
    olena.consent("email")
    [letter] = deliver(olena)
    path = link_in(letter)
    other = olena.services.links.preferences(1).rsplit("/", 1)[1]
    for forged in (path[:-4] + "AAAA", f"/d/{other}", "/d/", "/d/%00"):
        assert olena.stranger.post(forged).status_code in (404, 405), forged
    olena.clock.move_by(timedelta(days=7))
    assert olena.stranger.get(path).status_code == olena.stranger.post(path).status_code == 404
    assert olena.agrees("email") is None


def test_who_has_no_address_is_sent_to_the_shop(shop: Shop) -> None:
    shop.register(locale="en")
    page = shop.stranger.post(preferences_path(shop), data={"do": "erase"})
    assert "ask in the shop" in page.text
    assert states(shop) == []


def test_a_letter_whose_sender_died_leaves_again_under_the_same_message_id(olena: Shop) -> None:
    olena.consent("email")
    [first] = deliver(olena)
    with olena.database.write() as connection:
        connection.execute(LETTER.update().values(state="sending", due_at=olena.clock.now() + LEASE))
    olena.clock.move_by(LEASE)
    again = deliver(olena)
    assert {it["Message-ID"] for it in again} == {first["Message-ID"]}
    assert states(olena) == ["sent"]


def test_a_letter_is_tried_again_when_the_provider_asked_for_it(olena: Shop) -> None:
    olena.consent("email")
    send(olena, {"email": by(Refusing(7200), olena)})
    with olena.database.read() as connection:
        due = connection.scalar(select(LETTER.c.due_at))
    assert due == olena.clock.now() + timedelta(hours=2)


def test_letters_that_a_stop_cuts_short_go_back_at_once(olena: Shop) -> None:
    olena.consent("email")
    with pytest.raises(asyncio.CancelledError):
        send(olena, {"email": by(Stopping(), olena)})
    with olena.database.read() as connection:
        assert connection.execute(select(LETTER.c.state, LETTER.c.reason)).all() == [
            ("planned", "interrupted")
        ]


def test_a_letter_that_may_have_left_many_times_is_given_up(olena: Shop) -> None:
    olena.consent("email")
    server = Silent()
    for _ in range(2 * MOST_TRIES):
        send(olena, {"email": by(server, olena)})
        olena.clock.move_by(timedelta(hours=2))
    assert len(server.tried) == MOST_TRIES
    assert len(set(server.tried)) == 1
    assert states(olena) == ["unknown"]


def test_a_letter_whose_senders_die_time_and_again_is_given_up(olena: Shop) -> None:
    olena.consent("email")
    with olena.database.write() as connection:
        connection.execute(LETTER.update().values(state="sending", tries=MOST_TRIES))
    assert deliver(olena) == []
    assert states(olena) == ["unknown"]


def test_a_suppressed_address_gets_no_letter(olena: Shop) -> None:
    digest = olena.services.workspace.addresses.digest("email", "olena@example.com")
    with olena.database.write() as connection:
        suppress(connection, "email", digest, "hard bounce", olena.clock.now())
    olena.consent("email")
    assert deliver(olena) == []
    assert states(olena) == ["failed"]


def test_the_api_gives_everything_to_an_admin_alone(olena: Shop) -> None:
    assert olena.till.get("/api/v1/customers/10042/data").json()["profile"]["name"] == "Олена Коваль"
    assert olena.with_key("till").get("/api/v1/customers/10042/data").status_code == 403


def assert_private_file(answer: Response) -> None:
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]


def preferences_path_of(shop: Shop, number: int) -> str:
    return shop.services.links.preferences(number).removeprefix(PUBLIC_URL)


@pytest.mark.parametrize("report", ["postfix-unknown", "arf-abuse"])
def test_a_letter_that_comes_back_stops_email_to_its_address_once(olena: Shop, report: str) -> None:
    olena.consent("email")
    [letter] = deliver(olena)
    back = Bounces(olena.database, olena.services.links, olena.clock)
    data = returned(report, str(letter["Tidings-Message"]), "olena@example.com")
    assert back.take(data) in {Returned.BOUNCED, Returned.COMPLAINED}
    with olena.database.read() as connection:
        assert connection.scalars(select(SUPPRESSION.c.channel)).all() == ["email"]
    assert back.take(data) is Returned.REPEATED


@pytest.mark.parametrize("report", ["postfix-unknown", "arf-abuse"])
def test_what_comes_back_of_a_letter_that_is_gone_is_not_about_the_next_with_its_number(
    olena: Shop, report: str
) -> None:
    olena.consent("email")
    [letter] = deliver(olena)
    token = str(letter["Tidings-Message"])
    with olena.database.write() as connection:
        digest = olena.services.workspace.addresses.digest("email", "bohdan@example.com")
        # As a restored backup has it: the letter was never written there, and another one got its number.
        number = connection.scalar(update(LETTER).values(digest=digest).returning(LETTER.c.id))
    back = Bounces(olena.database, olena.services.links, olena.clock)
    assert back.take(returned(report, token, "olena@example.com")) is Returned.FORGED
    assert suppressed(olena) == []
    as_once_signed = olena.services.links.letter_bounce(int(number or 0), "")
    back.take(returned(report, as_once_signed, "bohdan@example.com"))
    assert suppressed(olena) == ["email"]


def suppressed(shop: Shop) -> list[str]:
    with shop.database.read() as connection:
        return list(connection.scalars(select(SUPPRESSION.c.channel)))


def test_a_complaint_about_the_letter_is_a_no(olena: Shop) -> None:
    olena.consent("email")
    [letter] = deliver(olena)
    data = returned("arf-abuse", str(letter["Tidings-Message"]), "olena@example.com")
    assert Bounces(olena.database, olena.services.links, olena.clock).take(data) is Returned.COMPLAINED
    [shown] = olena.till.get("/api/v1/customers/10042").json()["consents"]
    assert (shown["granted"], shown["pending"]) == (False, False)
    assert "тим часом відкликано" in olena.stranger.post(link_in(letter)).text
    assert olena.agrees("email") is False


def close(shop: Shop, reason: str, channel: str = "email", kind: str = "email") -> None:
    address = str(OLENA["email"]) if kind == "email" else "+380501234567"
    digest = shop.services.workspace.addresses.digest(kind, address)
    with shop.database.write() as connection:
        suppress(connection, channel, digest, reason, shop.clock.now())


def test_who_complained_and_wants_letters_again_gets_the_one_that_asks(olena: Shop) -> None:
    close(olena, "complained")
    [shown] = olena.consent("email").json()
    assert (shown["pending"], shown["suppressed"]) == (True, "complained")
    assert deliver(olena) == []
    path = preferences_path(olena)
    page = olena.stranger.get(path)
    assert "Увімкніть і збережіть" in page.text
    assert checked(page) == set(), "the complaint is a no of hers, whatever the shop has said since"
    olena.stranger.post(path, data={"channel": ["sms"], "do": "save"})
    assert olena.suppressed("email", "email", OLENA["email"]), "that was no yes to email"
    olena.clock.move_by(timedelta(hours=1))
    page = olena.stranger.post(path, data={"channel": ["email", "sms"], "do": "save"})
    assert "Ми надіслали вам лист" in page.text
    assert not olena.suppressed("email", "email", OLENA["email"])
    with olena.database.read() as connection:
        lifted = connection.execute(select(LIFTED)).one()
    assert (lifted.reason, lifted.author, lifted.why) == ("complained", "the customer", "preference page")
    [letter] = deliver(olena)
    olena.stranger.post(link_in(letter))
    assert olena.agrees("email") is True


@pytest.mark.parametrize("reason", ["mailbox_unknown", "erased", "imported"])
def test_no_letter_is_promised_to_an_address_that_takes_none(olena: Shop, reason: str) -> None:
    close(olena, reason)
    page = olena.stranger.post(preferences_path(olena), data={"channel": "email", "do": "save"})
    assert "Ми надіслали" not in page.text
    assert "Примітка каже, куди нічого не дійде" in page.text
    assert "Сюди нічого не надіслати" in page.text
    assert "Очікує" not in page.text
    assert olena.suppressed("email", "email", OLENA["email"])
    [shown] = olena.till.get("/api/v1/customers/10042").json()["consents"]
    assert (shown["pending"], shown["suppressed"]) == (True, reason)


def test_who_sent_stop_is_told_to_send_start(olena: Shop) -> None:
    olena.register(phone="+380501234567")
    close(olena, "stop", "sms", "phone")
    page = olena.stranger.post(preferences_path(olena), data={"channel": "sms", "do": "save"})
    assert "Надішліть СТАРТ" in page.text
    assert olena.suppressed("sms", "phone", "+380501234567")


def test_no_letter_is_promised_where_no_address_is_known(olena: Shop) -> None:
    olena.register(email="")
    page = olena.stranger.post(preferences_path(olena), data={"channel": "email", "do": "save"})
    assert "Ми надіслали" not in page.text
    assert "Ми не знаємо, куди надсилати" in page.text
