"""From a message that left to what comes back of it: the state, the next channel, the address, consent."""

import re
from collections.abc import Iterator
from email import message_from_bytes

import pytest
from sqlalchemy import select

from campaigns.tables import Feedback
from channels.email import EmailSettings
from channels.email.reports.inbox import inbox_of
from channels.settings import load_settings
from core.customers.addresses import SUPPRESSION, Answerable, lift
from core.customers.consent import CONSENT
from core.customers.merging import Merge, merge
from core.purchases.receipts import Recorded
from scheduler.bounces import Bounces, Returned
from scheduler.retrying import retry
from tests.channels.providers import imap
from tests.channels.returned import returned
from tests.scheduler.kiosk import TEXTS, Kiosk

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
BY_EMAIL = "[{id: first, message: hello, send: [email, sms]}]"
EMAIL_ONLY = "[{id: first, message: hello, send: [email]}]"
ON_NEWS = "when: {bonus_accrued: {}}\nsteps: [{id: first, message: news, send: [email]}]\n"
BOUNCES = {"TIDINGS_EMAIL_BOUNCE_ADDRESS": "bounces@mail.kiosk.example"}


@pytest.fixture
def mailbox() -> Iterator[imap.Server]:
    server = imap.Server("Done")
    yield server
    server.close()


def sent(kiosk: Kiosk, steps: str = BY_EMAIL) -> str:
    """Anna's email was accepted; returns the address to which it comes back."""
    kiosk.settings = dict(BOUNCES)
    kiosk.scenario(steps=steps)
    kiosk.customer("anna", email=kiosk.to("email", "accept"), phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)
    return str(kiosk.server("email").envelopes[-1].mail_from)


def take(kiosk: Kiosk, name: str, token: str, address: str = "accept0@example.com") -> Returned:
    return Bounces(kiosk.database, kiosk.links, kiosk.clock).take(returned(name, token, address))


def token_of(path: str) -> str:
    found = re.fullmatch(r"bounces\+([0-9a-f]+)@mail\.kiosk\.example", path)
    assert found
    return found[1]


def feedback(kiosk: Kiosk) -> list[tuple[str, str | None]]:
    with kiosk.database.read() as connection:
        found = connection.execute(select(FEEDBACK.c.kind, FEEDBACK.c.detail).order_by(FEEDBACK.c.id))
        return [tuple(row) for row in found]


def agrees(kiosk: Kiosk, channel: str = "email") -> bool:
    with kiosk.database.read() as connection:
        return bool(connection.scalar(select(CONSENT.c.granted).where(CONSENT.c.channel == channel)))


def test_a_hard_bounce_of_a_sent_email_suppresses_and_the_next_channel_follows(
    kiosk: Kiosk, mailbox: imap.Server
) -> None:
    token = token_of(sent(kiosk))
    mailbox.put(returned("postfix-unknown", token, "accept0@example.com"))
    kiosk.environments["imap"] = mailbox.environment() | {"TIDINGS_EMAIL_INBOX_DONE": "Done"}
    kiosk.channels()
    inbox = inbox_of(load_settings(EmailSettings, None))
    assert inbox is not None
    counts = Bounces(kiosk.database, kiosk.links, kiosk.clock).read(inbox)
    assert counts == {Returned.BOUNCED: 1}
    assert mailbox.mailboxes["INBOX"] == []
    assert kiosk.suppressed() == {("email", "mailbox_unknown")}
    assert feedback(kiosk) == [("bounced", "mailbox_unknown")]
    assert kiosk.deliver().fell_back == 1
    assert kiosk.state("anna") == ("sent", None)
    assert [channel for channel, *_ in kiosk.attempts("anna")] == ["email", "sms"]
    assert agrees(kiosk)


def test_with_no_channel_left_it_has_failed(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk, EMAIL_ONLY))
    assert take(kiosk, "qmail-unknown", token) is Returned.BOUNCED
    kiosk.deliver()
    assert kiosk.state("anna") == ("failed", "mailbox_unknown")
    assert kiosk.verdict("anna") == ("failed", "email: mailbox_unknown")


@pytest.mark.parametrize("name", ["gmail-unauthenticated", "postfix-expired", "mailru-unknown"])
def test_what_says_nothing_of_the_mailbox_suppresses_nobody(kiosk: Kiosk, name: str) -> None:
    token = token_of(sent(kiosk))
    assert take(kiosk, name, token) is Returned.BOUNCED
    assert kiosk.suppressed() == set()
    assert kiosk.deliver().fell_back == 1


@pytest.mark.parametrize("name", ["postfix-delayed", "delivered", "out-of-office", "letter", "arf-not-spam"])
def test_of_what_is_no_bounce_nothing_follows(kiosk: Kiosk, name: str) -> None:
    token = token_of(sent(kiosk))
    take(kiosk, name, token)
    assert feedback(kiosk) == []
    assert kiosk.deliver().fell_back == 0
    assert kiosk.state("anna") == ("sent", None)


def test_a_forged_report_changes_nothing(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    forged = ("b" if token[0] == "a" else "a") + token[1:]
    for name in ("postfix-unknown", "arf-abuse", "arf-message-id"):
        assert take(kiosk, name, forged) is Returned.FORGED
    assert feedback(kiosk) == []
    assert kiosk.suppressed() == set()


@pytest.mark.parametrize("name", ["postfix-unknown", "arf-abuse"])
def test_what_comes_back_of_a_message_that_a_restore_forgot_is_not_about_the_one_with_its_number(
    kiosk: Kiosk, name: str
) -> None:
    token = token_of(sent(kiosk))
    kiosk.customer("bohdan", email="bohdan@example.com", consented=())
    # As a restored database has it: Anna's message was never written there, and Bohdan's took its number.
    kiosk.set("anna", customer_id=kiosk.ids["bohdan"])
    assert take(kiosk, name, token) is Returned.FORGED
    assert kiosk.suppressed() == set()
    assert feedback(kiosk) == []
    assert agrees(kiosk)


def test_what_left_before_tokens_were_bound_to_an_address_still_comes_back(kiosk: Kiosk) -> None:
    sent(kiosk)
    token = kiosk.links.bounce(kiosk.message("anna").id, "")
    assert take(kiosk, "postfix-unknown", token) is Returned.BOUNCED
    assert kiosk.suppressed() == {("email", "mailbox_unknown")}


def test_a_report_that_names_no_address_is_about_the_one_that_its_message_went_to(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    with kiosk.database.write() as connection:
        kiosk.addresses.put(
            connection, [(kiosk.ids["anna"], "email", "new@example.com")], ["email"], kiosk.clock.now()
        )
    assert take(kiosk, "arf-redacted", token, "") is Returned.COMPLAINED
    with kiosk.database.read() as connection:
        assert connection.scalars(select(SUPPRESSION.c.digest)).all() == [
            kiosk.addresses.digest("email", "accept0@example.com")
        ]


def test_a_report_that_no_database_could_hold_keeps_no_later_one_from_being_read(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    # Somebody who has one token could stop every bounce from being read.
    assert take(kiosk, "postfix-unknown", token, "an\x00na@example.com") is Returned.BOUNCED
    assert kiosk.suppressed() == {("email", "mailbox_unknown")}


def test_a_report_that_cannot_be_taken_back_is_left_for_people(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(sent(kiosk))

    def broken(*_: object) -> Returned:
        raise ValueError("anna@example.com")

    monkeypatch.setattr("scheduler.bounces.take_back", broken)
    assert take(kiosk, "postfix-unknown", token) is Returned.UNREADABLE


def test_the_same_report_twice_changes_nothing_even_if_somebody_lifted_the_suppression(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    assert take(kiosk, "postfix-unknown", token) is Returned.BOUNCED
    with kiosk.database.write() as connection:
        digest = connection.scalar(select(SUPPRESSION.c.digest))
        lift(connection, "email", str(digest), Answerable("maria", "a mistake"), kiosk.clock.now())
    assert take(kiosk, "sendmail-unknown", token) is Returned.REPEATED
    assert kiosk.suppressed() == set()
    assert feedback(kiosk) == [("bounced", "mailbox_unknown")]


def test_what_is_retried_once_its_suppression_was_lifted_and_comes_back_again_is_suppressed_again(
    kiosk: Kiosk,
) -> None:
    take(kiosk, "postfix-unknown", token_of(sent(kiosk, EMAIL_ONLY)))
    kiosk.deliver()
    kiosk.later(hours=1)
    with kiosk.database.write() as connection:
        digest = connection.scalar(select(SUPPRESSION.c.digest))
        lift(connection, "email", str(digest), Answerable("maria", "a broken directory"), kiosk.clock.now())
        retry(connection, [kiosk.message("anna").id], kiosk.clock.now())
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)
    kiosk.later(minutes=1)
    token = token_of(str(kiosk.server("email").envelopes[-1].mail_from))
    assert take(kiosk, "postfix-unknown", token) is Returned.BOUNCED
    assert kiosk.suppressed() == {("email", "mailbox_unknown")}
    assert take(kiosk, "postfix-unknown", token) is Returned.REPEATED
    kiosk.deliver()
    assert kiosk.state("anna") == ("failed", "mailbox_unknown")


def test_a_bounce_after_the_message_went_on_leaves_the_other_channel_alone(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    take(kiosk, "postfix-expired", token)
    kiosk.deliver()
    assert take(kiosk, "postfix-unknown", token) is Returned.BOUNCED
    assert kiosk.suppressed() == {("email", "mailbox_unknown")}
    assert kiosk.deliver().fell_back == 0
    assert kiosk.state("anna") == ("sent", None)


def test_while_its_message_is_being_sent_a_bounce_has_to_wait(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    kiosk.set("anna", state="sending")
    assert take(kiosk, "postfix-unknown", token) is Returned.TOO_EARLY
    assert feedback(kiosk) == []


@pytest.mark.parametrize(("send", "state"), [("[email]", "failed"), ("[email, sms]", "sent")])
@pytest.mark.parametrize("tries", [1, 6])
def test_what_may_have_left_and_came_back_did_leave_and_goes_on_or_has_failed(
    kiosk: Kiosk, send: str, state: str, tries: int
) -> None:
    kiosk.settings = dict(BOUNCES)
    kiosk.server("email")
    kiosk.scenario(send=send)
    kiosk.customer("anna", email="drop@example.com", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    for _ in range(tries):
        kiosk.deliver()
        kiosk.later(minutes=15)
    assert kiosk.state("anna") == ("planned" if tries == 1 else "unknown", "connection_lost")
    token = kiosk.links.bounce(kiosk.message("anna").id, "drop@example.com")
    assert take(kiosk, "postfix-unknown", token, "drop@example.com") is Returned.BOUNCED
    kiosk.deliver()
    assert kiosk.state("anna")[0] == state
    assert kiosk.suppressed() == {("email", "mailbox_unknown")}
    assert "unknown" not in kiosk.states()


def test_a_former_address_that_bounces_is_suppressed_and_not_the_new_one(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    kiosk.later(hours=1)
    with kiosk.database.write() as connection:
        kiosk.addresses.put(
            connection, [(kiosk.ids["anna"], "email", "new@example.com")], ["email"], kiosk.clock.now()
        )
    take(kiosk, "postfix-unknown", token)
    with kiosk.database.read() as connection:
        assert connection.scalars(select(SUPPRESSION.c.digest)).all() == [
            kiosk.addresses.digest("email", "accept0@example.com")
        ]


@pytest.mark.parametrize("name", ["arf-abuse", "arf-redacted"])
def test_a_complaint_suppresses_and_withdraws_consent_once(kiosk: Kiosk, name: str) -> None:
    token = token_of(sent(kiosk))
    assert take(kiosk, name, token) is Returned.COMPLAINED
    assert kiosk.suppressed() == {("email", "complained")}
    assert not agrees(kiosk)
    assert feedback(kiosk) == [("complained", None)]
    assert kiosk.state("anna") == ("sent", None)
    assert take(kiosk, name, token) is Returned.REPEATED


def test_a_complaint_of_somebody_who_was_merged_since_is_that_of_the_survivor(kiosk: Kiosk) -> None:
    token = token_of(sent(kiosk))
    kiosk.customer("anna-2", email=kiosk.to("email", "accept", 7))
    with kiosk.database.write() as connection:
        request = Merge("anna", "anna-2", "maria", "the same person")
        done = merge(connection, kiosk.live.running().program, request, kiosk.clock.now(), live=True)
        assert isinstance(done, Recorded), done
    kiosk.later(minutes=1)
    assert take(kiosk, "arf-abuse", token) is Returned.COMPLAINED
    with kiosk.database.read() as connection:
        theirs = (CONSENT.c.customer_id == kiosk.ids["anna-2"]) & (CONSENT.c.channel == "email")
        assert connection.scalars(select(CONSENT.c.granted).where(theirs)).all() == [False]


def daily(kiosk: Kiosk) -> Iterator[int]:
    """Anna gets a bonus and an email about it each day; each day is as it was tried."""
    kiosk.settings = dict(BOUNCES)
    kiosk.files["messages/news/email.txt"] = TEXTS["email.txt"].replace("trigger.expiring", "balance")
    kiosk.write(reminder=ON_NEWS)
    kiosk.customer("anna", email=kiosk.to("email", "accept"))
    for day in range(8):
        kiosk.later(seconds=1)
        kiosk.give("anna", 10)
        kiosk.later(seconds=1)
        kiosk.plan()
        for _ in range(7):
            kiosk.deliver()
            kiosk.later(minutes=15)
        yield day
        kiosk.later(hours=22)


@pytest.mark.parametrize(
    "reply",
    ["550 Not accepted", "552 5.2.2 mailbox full", "550 5.4.1 Recipient address rejected: Access denied",
     "452 4.2.2 mailbox full", "550 5.2.1 receiving mail at a rate that"],
)  # fmt: skip
def test_an_address_that_servers_refuse_on_five_days_is_suppressed(kiosk: Kiosk, reply: str) -> None:
    kiosk.server("email").on_recipient = {"accept": reply}
    suppressed = [kiosk.suppressed() for _ in daily(kiosk)]
    assert suppressed == [set()] * 4 + [{("email", "soft_bounces")}] * 4


@pytest.mark.parametrize(
    "reply",
    ["550 5.7.1 blocked", "451 4.7.1 greylisted", "451 4.3.0 lookup failed", "552 5.3.4 too large",
     "550 relay not permitted", "450 4.1.8 <hello@kiosk.example>: Sender address rejected: Domain not found"],
)  # fmt: skip
def test_days_of_refusals_that_do_not_speak_of_the_mailbox_suppress_nobody(kiosk: Kiosk, reply: str) -> None:
    kiosk.server("email").on_recipient = {"accept": reply}
    assert [kiosk.suppressed() for _ in daily(kiosk)] == [set()] * 8


def test_an_email_that_was_taken_over_between_refusals_starts_the_count_anew(kiosk: Kiosk) -> None:
    suppressed = []
    server = kiosk.server("email")
    for day in daily(kiosk):
        suppressed.append(kiosk.suppressed())
        server.on_recipient = {} if day == 1 else {"accept": "550 not here"}
    assert suppressed == [set()] * 7 + [{("email", "soft_bounces")}]


def test_days_before_somebody_lifted_the_suppression_count_no_more(kiosk: Kiosk) -> None:
    kiosk.server("email").on_recipient = {"accept": "552 5.2.2 mailbox full"}
    suppressed = []
    for day in daily(kiosk):
        suppressed.append(kiosk.suppressed())
        if day == 4:
            with kiosk.database.write() as connection:
                digest = str(connection.scalar(select(SUPPRESSION.c.digest)))
                lift(connection, "email", digest, Answerable("maria", "emptied"), kiosk.clock.now())
    assert suppressed == [set()] * 4 + [{("email", "soft_bounces")}] + [set()] * 3


def test_refusals_and_bounces_count_together(kiosk: Kiosk) -> None:
    suppressed = []
    server = kiosk.server("email")
    for day in daily(kiosk):
        if server.envelopes and not server.on_recipient:
            take(kiosk, "postfix-expired", token_of(str(server.envelopes[-1].mail_from)))
        server.on_recipient = {} if day % 2 else {"accept": "552 5.2.2 full"}
        suppressed.append(kiosk.suppressed())
    assert suppressed == [set()] * 4 + [{("email", "soft_bounces")}] * 4


def test_a_complaint_that_leaves_only_the_message_id_finds_its_message(kiosk: Kiosk) -> None:
    sent(kiosk)
    head = message_from_bytes(kiosk.server("email").envelopes[-1].content)
    report = returned("arf-message-id", "", "")
    report = re.sub(rb"Message-ID: <.*>", b"Message-ID: " + head["Message-ID"].encode(), report)
    assert Bounces(kiosk.database, kiosk.links, kiosk.clock).take(report) is Returned.COMPLAINED
    assert kiosk.suppressed() == {("email", "complained")}


def test_five_days_of_bounces_in_a_row_suppress_and_a_delivery_between_them_does_not(kiosk: Kiosk) -> None:
    kiosk.settings = dict(BOUNCES)
    kiosk.files["messages/news/email.txt"] = TEXTS["email.txt"].replace("trigger.expiring", "balance")
    kiosk.write(reminder=ON_NEWS)
    kiosk.customer("anna", email=kiosk.to("email", "accept"))
    suppressed = []
    for day in range(8):
        kiosk.later(seconds=1)
        kiosk.give("anna", 10)
        kiosk.later(seconds=1)
        kiosk.plan()
        kiosk.deliver()
        assert len(kiosk.server("email").envelopes) == day + 1
        if day != 2:  # on the third day it was delivered
            name = "mailru-unknown" if day % 2 else "postfix-expired"
            take(kiosk, name, token_of(str(kiosk.server("email").envelopes[-1].mail_from)))
        suppressed.append(kiosk.suppressed())
        kiosk.later(days=1)
    assert suppressed == [set()] * 7 + [{("email", "soft_bounces")}]
