"""What comes back of email, as real mail systems write it: who is meant, and what it says of the address."""

from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.reports import Bounce, Complaint, Neither, read
from channels.email.reports.reading import MOST_ADDRESSES
from channels.email.reports.status import classify
from core.links import Links
from tests.channels.returned import NAMES, returned

LINKS = Links("https://kiosk.example", b"the secret of the tests")
TO = "anna@example.com"
TOKEN = LINKS.bounce(4711, TO)
BOUNCES = {
    "postfix-unknown": ("hard", "mailbox_unknown", "5.1.1"),
    "postfix-expired": ("soft", "mailbox_full", "4.2.2"),
    "gmail-unknown": ("hard", "mailbox_unknown", "5.1.1"),
    "gmail-unauthenticated": ("policy", "blocked_by_policy", "5.7.26"),
    "outlook-unknown": ("hard", "mailbox_unknown", "5.1.10"),
    "outlook-authentication": ("policy", "blocked_by_policy", "5.7.515"),
    "sendmail-unknown": ("hard", "mailbox_unknown", "5.1.1"),
    "exim-unrouteable": ("hard", "mailbox_unknown", "5.1.1"),
    "qmail-unknown": ("hard", "mailbox_unknown", "5.1.1"),
    "yahoo-disabled": ("hard", "mailbox_disabled", "5.0.0"),
    "mailru-unknown": ("other", "unclassified", ""),
}
COMPLAINTS = {"arf-abuse", "arf-message-id", "arf-redacted"}
NEITHER = {
    "postfix-delayed": "delayed",
    "delivered": "arrived",
    "arf-not-spam": "other_feedback",
    "out-of-office": "auto_reply",
    "vacation": "auto_reply",
    "letter": "letter",
}


def test_every_sample_is_expected_to_be_something() -> None:
    assert {*BOUNCES, *COMPLAINTS, *NEITHER} == set(NAMES)


@pytest.mark.parametrize("name", BOUNCES)
def test_a_bounce_says_which_message_and_why(name: str) -> None:
    report = read(returned(name, TOKEN))
    assert isinstance(report, Bounce)
    assert (report.kind, report.reason, report.status) == BOUNCES[name]
    assert LINKS.read_bounce(report.tokens[0], TO) == 4711
    assert "anna@example.com" in report.addresses


def wrapped(report: bytes) -> bytes:
    """As a gateway passes it on that adds a footer of its own."""
    head = b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.com\r\nMIME-Version: 1.0\r\n"
    footer = b"Content-Type: text/plain\r\n\r\nScanned.\r\n"
    inner = report[report.index(b"MIME-Version") :]
    mark = b"--outer\r\n"
    kind = b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\n'
    return head + kind + mark + inner + b"\r\n" + mark + footer + b"--outer--\r\n"


def international(report: bytes) -> bytes:
    """As a mail system writes it that speaks SMTPUTF8 (RFC 6533)."""
    return report.replace(b"message/delivery-status", b"message/global-delivery-status")


def encoded(report: bytes) -> bytes:
    """As a gateway passes it on that encodes every part."""
    begin = report.index(b"\r\n\r\n", report.index(b"message/delivery-status"))
    end = report.index(b"\r\n--", begin)
    fields = b64encode(report[begin:end].strip())
    return report[:begin] + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + fields + report[end:]


@pytest.mark.parametrize("changed", [wrapped, international, encoded, lambda it: international(encoded(it))])
def test_a_bounce_is_read_however_it_was_passed_on(changed: Callable[[bytes], bytes]) -> None:
    report = read(changed(returned("postfix-unknown", TOKEN)))
    assert isinstance(report, Bounce)
    assert (report.kind, report.status) == ("hard", "5.1.1")
    assert LINKS.read_bounce(report.tokens[0], TO) == 4711


@pytest.mark.parametrize(
    ("sender", "text", "kind"),
    [
        ("MAILER-DAEMON@mx.example.com", "<anna@example.com>: 550 5.1.1 no such user", Bounce),
        ("MAILER-DAEMON@mx.example.com", "Thank you, somebody will read it.", Neither),
        ("anna@example.com", "I am away. My other mailbox said 550 5.1.1.", Neither),
    ],
)
def test_a_daemon_that_calls_its_bounce_automatic_names_a_code(sender: str, text: str, kind: type) -> None:
    to = f"bounces+{TOKEN}@mail.kiosk.example"
    data = f"From: {sender}\r\nTo: {to}\r\nAuto-Submitted: auto-replied\r\n\r\n{text}\r\n"
    assert isinstance(read(data.encode()), kind)


@pytest.mark.parametrize("name", sorted(COMPLAINTS))
def test_a_complaint_says_which_message(name: str) -> None:
    report = read(returned(name, TOKEN))
    assert isinstance(report, Complaint)
    assert LINKS.read_bounce(report.tokens[0], TO) == 4711


def test_a_complaint_whose_copy_of_the_message_was_encoded_says_which_message() -> None:
    report = returned("arf-abuse", TOKEN).replace(b"+" + TOKEN.encode() + b"@", b"@")
    begin = report.index(b"\r\n\r\n", report.index(b"message/rfc822"))
    end = report.index(b"\r\n--", begin)
    copy = b64encode(report[begin:end].strip())
    head = b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    read_back = read(report[:begin] + head + copy + report[end:])
    assert isinstance(read_back, Complaint)
    assert list(read_back.tokens) == [TOKEN]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (
            "** THIS IS A WARNING MESSAGE ONLY **\r\n451 4.4.1 timed out\r\nWill keep trying for 5 days.",
            "delayed",
        ),
        ("450 4.2.1 busy. Your message is still being retried.", "delayed"),
        ("451 4.4.1 timed out. It has been in the queue too long, I am not going to try again.", "bounced"),
        ("550 5.1.1 no such user. Other recipients will be retried.", "bounced"),
    ],
)
def test_a_warning_in_words_that_it_is_still_tried_is_no_bounce(words: str, what: str) -> None:
    to = f"bounces+{TOKEN}@mail.kiosk.example"
    data = f"From: MAILER-DAEMON@mx.example.com\r\nTo: {to}\r\nSubject: Warning\r\n\r\n{words}\r\n"
    report = read(data.encode())
    assert (report.what if isinstance(report, Neither) else "bounced") == what


def test_of_a_list_of_addresses_some_are_looked_at_and_none_that_is_unprintable() -> None:
    many = " ".join(f"guest{number}@example.com" for number in range(5_000))
    report = read(returned("qmail-unknown", TOKEN, f"{many} \x00@example.com"))
    assert isinstance(report, Bounce)
    assert 1 <= len(report.addresses) <= MOST_ADDRESSES
    assert all(address.isprintable() for address in report.addresses)


@pytest.mark.parametrize("word", ["a" * 250_000, "a@" * 100_000, "5.1.1" * 50_000, "-" * 250_000])
def test_a_strangers_endless_word_is_read_like_any_other(word: str) -> None:
    # With a search that starts anew at each of its letters this would not end within a day.
    report = read(returned("qmail-unknown", TOKEN, word))
    assert isinstance(report, Bounce)


@pytest.mark.parametrize("name", NEITHER)
def test_of_anything_else_nothing_follows(name: str) -> None:
    assert read(returned(name, TOKEN)) == Neither(NEITHER[name])  # type: ignore[arg-type]


def test_the_envelope_tells_more_than_the_header() -> None:
    data = returned("qmail-unknown", "nobody").replace(b"bounces+nobody@", b"bounces@")
    report = read(data, [f"bounces+{TOKEN}@mail.kiosk.example"])
    assert isinstance(report, Bounce)
    assert list(report.tokens) == [TOKEN]


def test_no_report_shows_an_address_or_a_token_in_its_repr() -> None:
    for name in (*BOUNCES, *COMPLAINTS):
        shown = repr(read(returned(name, TOKEN)))
        assert "example.com" not in shown
        assert TOKEN not in shown


@pytest.mark.parametrize(
    ("status", "text", "kind", "reason"),
    [
        ("5.1.1", "smtp; 550 5.7.1 blocked", "policy", "blocked_by_policy"),
        ("4.7.0", "", "policy", "blocked_by_policy"),
        ("5.2.2", "", "soft", "mailbox_full"),
        ("", "<anna@example.com>:\nuser over quota. (#5.1.1)\n", "soft", "mailbox_full"),
        ("5.1.1", "smtp; 550 5.1.1 <anna@example.com>: the mailbox is full", "soft", "mailbox_full"),
        ("4.4.7", "", "soft", "deferred"),
        ("5.0.0", "smtp; 550 5.2.1 disabled", "hard", "mailbox_disabled"),
        (
            "5.2.1",
            "smtp; 550-5.2.1 The user you are trying to contact is receiving mail at a rate that",
            "soft",
            "mailbox_unavailable",
        ),
        ("5.2.1", "", "soft", "mailbox_unavailable"),
        ("5.1.10", "smtp; 556 5.1.10 Recipient address has null MX", "hard", "domain_refuses_mail"),
        ("5.3.4", "", "other", "message_too_large"),
        ("", "550 no such user", "other", "unclassified"),
        ("", "smtp; 550 No Such User Here", "hard", "mailbox_unknown"),
        (
            "5.0.0",
            "SMTP;554-delivery error: this user doesn't have a yahoo.com account",
            "hard",
            "mailbox_unknown",
        ),
        ("unreadable", "smtp; 553 sorry, no mailbox here by that name", "hard", "mailbox_unknown"),
        ("5.0.0", "smtp; 550 unknown user, relay not permitted", "other", "refused"),
        ("", "smtp; 550 Sender verify failed: no such user", "policy", "blocked_by_policy"),
        ("5.1.8", "smtp;550 5.1.8 Access denied, bad outbound sender", "policy", "blocked_by_policy"),
        ("4.1.8", "smtp; 450 <hello@shop.example>: Sender address: no", "policy", "blocked_by_policy"),
        ("5.1.1", "smtp; 550 Sender address rejected: User unknown", "policy", "blocked_by_policy"),
        ("", "smtp; 550 No such user on the white list", "other", "unclassified"),
        ("", "smtp; 550 Requested action not taken: mailbox unavailable", "other", "unclassified"),
        ("", "smtp; 450 unknown user", "other", "unclassified"),
        ("4.4.7", "smtp; 550 unknown user", "soft", "deferred"),
        ("5.5.0", "smtp; 550 unknown user", "other", "refused"),
        ("", "x-unix; 550 unknown user", "other", "unclassified"),
        ("", "from 5.1.1.1 by Exim 4.94.2, version 15.1.1", "other", "unclassified"),
    ],
)
def test_a_code_or_well_known_words_beside_a_reply_say_what_is_wrong(
    status: str, text: str, kind: str, reason: str
) -> None:
    assert classify(status, text)[:2] == (kind, reason)


@given(data=st.binary(max_size=300))
def test_whatever_arrives_is_read(data: bytes) -> None:
    assert isinstance(read(data), Bounce | Complaint | Neither)


@given(at=st.integers(0, 3000), name=st.sampled_from(NAMES), junk=st.binary(max_size=20))
def test_a_mangled_report_is_read_too(at: int, name: str, junk: bytes) -> None:
    data = returned(name, TOKEN)
    assert isinstance(read(data[:at] + junk + data[at + len(junk) :]), Bounce | Complaint | Neither)
