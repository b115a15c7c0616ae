"""Email through a real SMTP server, well-behaved and otherwise."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels import Accepted, Failed, Outcome, Unknown
from channels.email.replies import failure
from tests.channels.helpers import AnyChannel, connected, outcomes_of, outgoing, run, send, send_one
from tests.channels.providers.email import Server

PARTS = Server.parts


@pytest.fixture
def channel(smtp: Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("email", smtp, monkeypatch)


def reply(channel: AnyChannel, server: Server, *, recipient: str = "", data: str = "") -> Outcome:
    """The outcome where the server answers RCPT or DATA so."""
    server.on_recipient = {"x": recipient}
    server.on_data = {"x": data}
    return send_one(channel, outgoing("x@example.com", PARTS))


def test_the_server_receives_the_bytes_that_were_composed(channel: AnyChannel, smtp: Server) -> None:
    message = outgoing("accept@example.com", PARTS, unsubscribe_url="https://kavarnia.example/u/" + "t" * 90)
    outcome = send_one(channel, message)
    mail = channel.compose(message)
    (envelope,) = smtp.envelopes
    assert outcome == Accepted(mail.message_id)
    assert envelope.content == mail.data
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hello@kavarnia.example", ["accept@example.com"])
    assert f"SIZE={len(mail.data)}" in [option.upper() for option in envelope.mail_options]


def test_lines_that_begin_with_a_dot_survive_the_protocol(channel: AnyChannel, smtp: Server) -> None:
    send_one(channel, outgoing("accept@example.com", {**PARTS, "text": ".\n..hidden\n.\r\nend\n"}))
    assert b"\r\n.\r\n..hidden\r\n.\r\nend\r\n" in (smtp.envelopes[0].content or b"")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("550 5.1.1 <x@example.com> unknown", "mailbox_unknown"),
        ("550 5.1.2 bad domain", "domain_unknown"),
        ("551 5.1.6 moved", "mailbox_moved"),
        ("556 5.1.10 null MX", "domain_refuses_mail"),
        ("550 5.2.1 disabled", "mailbox_disabled"),
        (
            "550-5.2.1 The email account that you tried to reach is inactive.\r\n550 5.2.1 Learn more",
            "mailbox_disabled",
        ),
        ("550 5.2.1 No such user here", "mailbox_unknown"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient x@example.com not found", "mailbox_unknown"),
    ],
)
def test_a_mailbox_that_is_gone_is_dead(channel: AnyChannel, smtp: Server, answer: str, reason: str) -> None:
    outcome = reply(channel, smtp, recipient=answer)
    code, enhanced = answer[:3], answer[4:].split(maxsplit=1)[0]
    assert outcome == Failed("permanent", reason, f"SMTP {code} {enhanced}", "dead")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("550 No Such User Here", "mailbox_unknown"),
        ("550 User unknown in relay recipient table", "mailbox_unknown"),
        ("554 30 Sorry. This mailbox is disabled (554.30).", "mailbox_disabled"),
    ],
)
def test_well_known_words_of_a_mailbox_need_no_enhanced_code(
    channel: AnyChannel, smtp: Server, answer: str, reason: str
) -> None:
    outcome = reply(channel, smtp, recipient=answer)
    assert outcome == Failed("permanent", reason, f"SMTP {answer[:3]}", "dead")
    assert reply(channel, smtp, data=answer) == Failed("permanent", "content_refused", f"SMTP {answer[:3]}")


@pytest.mark.parametrize("answer", ["550 5.7.1 blocked", "550 5.7.515 no DMARC", "554 5.7.26 no SPF"])
def test_a_policy_against_us_kills_no_address(channel: AnyChannel, smtp: Server, answer: str) -> None:
    outcome = reply(channel, smtp, data=answer)
    assert outcome == Failed("permanent", "blocked_by_policy", f"SMTP {answer[:3]} {answer.split()[1]}")


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ("450 4.2.1 try later", "temporary", "deferred"),
        ("451 4.7.1 greylisted", "temporary", "deferred_by_policy"),
        ("452 4.2.2 full", "temporary", "mailbox_full"),
        ("452 4.3.1 insufficient system storage", "temporary", "server_busy"),
        ("451 4.3.0 lookup failed", "temporary", "server_busy"),
        ("451 later", "temporary", "deferred"),
        ("552 5.2.2 full", "permanent", "mailbox_full"),
        ("550 5.1.1 user over quota", "permanent", "mailbox_full"),
        ("552 Requested mail action aborted: exceeded storage allocation", "permanent", "mailbox_full"),
        ("552 1 Requested mail action aborted, mailbox not found", "permanent", "refused"),
        ("552 message size exceeds fixed maximum", "permanent", "message_too_large"),
        (
            "550 5.2.1 The user you are trying to contact is receiving mail at a rate",
            "permanent",
            "mailbox_unavailable",
        ),
        ("552 5.3.4 too big", "permanent", "message_too_large"),
        ("550 no words to go by", "permanent", "refused"),
        ("551 User not local", "permanent", "refused"),
        ("550 relay not permitted", "permanent", "blocked_by_policy"),
        ("554 Your host is blocked using a blocklist", "permanent", "blocked_by_policy"),
        ("421 4.3.2 closing", "temporary", "server_closing"),
    ],
)
def test_other_replies_say_whether_to_come_back(
    channel: AnyChannel, smtp: Server, answer: str, kind: str, reason: str
) -> None:
    outcome = reply(channel, smtp, recipient=answer)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason, outcome.address) == (kind, reason, None)


@pytest.mark.parametrize(
    "answer",
    [
        "550 5.1.8 <hello@shop.example>: Sender address rejected: Domain not found",
        "450 4.1.8 <hello@shop.example>: Sender address rejected: Domain not found",
        "550 5.1.7 <hello@shop.example>: Sender address rejected: undeliverable address",
        "550 5.1.0 <hello@shop.example>: Sender address rejected: User unknown in virtual mailbox table",
        "550 5.1.1 <hello@shop.example>: sender rejected, user unknown",
        "550 5.1.8 Access denied, bad outbound sender",
        "550 Sender verify failed: no such user",
        "550-Verification failed for <hello@shop.example>",
        "504 5.5.2 <tidings>: Helo command rejected: need fully-qualified hostname",
    ],
)
def test_a_sender_that_is_refused_once_a_recipient_is_named_says_nothing_of_the_mailbox(answer: str) -> None:
    outcome = failure("recipient", int(answer[:3]), answer[4:])
    kinds = {"4": ("temporary", "deferred_by_policy"), "5": ("permanent", "blocked_by_policy")}
    assert (outcome.kind, outcome.reason) == kinds[answer[0]]
    assert outcome.address is None


def test_a_refused_sender_is_ours_to_mend() -> None:
    assert failure("sender", 550, "5.1.8 bad sender").kind == "configuration"
    assert failure("sender", 550, "5.7.1 who are you").reason == "sender_refused"
    assert failure("sender", 530, "5.7.0 log in first") == failure("data", 530, "5.7.0 log in first")
    assert failure("connect", 554, "no service").kind == "configuration"
    assert failure("connect", 421, "too many connections").kind == "temporary"


def test_what_is_said_before_a_recipient_or_of_a_whole_message_speaks_of_the_server() -> None:
    assert failure("sender", 451, "4.7.1 too much mail from you").reason == "server_busy"
    assert failure("data", 454, "Throttling failure: Daily message quota exceeded").reason == "server_busy"
    assert failure("data", 451, "4.7.1 greylisted").reason == "deferred_by_policy"
    assert failure("data", 452, "4.2.2 full").reason == "mailbox_full"
    assert failure("data", 554, "transaction failed").reason == "content_refused"
    assert failure("data", 552, "5.2.2 full").reason == "mailbox_full"


def test_a_message_that_is_too_large_for_a_server_is_said_to_be_so_in_its_envelope() -> None:
    assert failure("sender", 552, "too large").reason == "message_too_large"
    assert failure("sender", 552, "5.3.4 too large").kind == "permanent"
    assert failure("recipient", 552, "full").reason == "mailbox_full"


def test_a_line_lost_after_the_content_left_is_unknown(channel: AnyChannel, smtp: Server) -> None:
    assert send_one(channel, outgoing("drop@example.com", PARTS)) == Unknown("connection_lost")


def test_a_line_lost_before_the_content_left_is_certain(channel: AnyChannel, smtp: Server) -> None:
    smtp.hang_up_once_at = {"MAIL"}
    assert send_one(channel, outgoing("accept@example.com", PARTS)) == Failed("temporary", "connection_lost")
    assert smtp.accepted == []


def test_a_kept_connection_that_the_server_left_is_replaced_without_anybody_noticing(
    channel: AnyChannel, smtp: Server
) -> None:
    async def two_batches() -> list[Outcome]:
        async with channel:
            first = await outcomes_of(channel, [outgoing("accept1@example.com", PARTS)])
            smtp.hang_up_once_at = {"MAIL"}
            second = await outcomes_of(channel, [outgoing("accept2@example.com", PARTS)])
            return [*first.values(), *second.values()]

    assert all(isinstance(outcome, Accepted) for outcome in run(two_batches()))
    assert smtp.accepted == ["accept1@example.com", "accept2@example.com"]
    assert smtp.connections == 2


def test_connections_are_kept_between_messages_and_batches(channel: AnyChannel, smtp: Server) -> None:
    async def batches() -> None:
        async with channel:
            for start in (0, 20):
                batch = [outgoing(f"accept{n}@example.com", PARTS) for n in range(start, start + 20)]
                await outcomes_of(channel, batch)

    run(batches())
    assert len(smtp.accepted) == 40
    assert smtp.connections <= channel.settings.concurrency


def test_a_connection_is_renewed_after_its_share_of_messages(
    smtp: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = {"TIDINGS_EMAIL_CONCURRENCY": "1", "TIDINGS_EMAIL_MESSAGES_PER_CONNECTION": "3"}
    channel = connected("email", smtp, monkeypatch, **share)
    send(channel, [outgoing(f"accept{n}@example.com", PARTS) for n in range(7)])
    assert (len(smtp.accepted), smtp.connections) == (7, 3)


def test_after_421_and_refusals_the_others_leave_on_a_clean_connection(
    smtp: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    smtp.on_recipient = {"closing": "421 4.3.2 closing"}
    channel = connected("email", smtp, monkeypatch, TIDINGS_EMAIL_CONCURRENCY="1")
    names = ["accept1", "closing", "accept2", "dead", "accept3", "drop", "accept4"]
    outcomes = send(channel, [outgoing(f"{name}@example.com", PARTS) for name in names])
    assert smtp.accepted == [f"accept{n}@example.com" for n in (1, 2, 3, 4)]
    assert isinstance(outcomes["m-drop@example.com"], Unknown)


def test_a_wrong_password_is_tried_once_and_not_for_every_message(
    smtp: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"TIDINGS_EMAIL_PASSWORD": "not it", "TIDINGS_EMAIL_CONCURRENCY": "1"}
    channel = connected("email", smtp, monkeypatch, **wrong)
    outcomes = send(channel, [outgoing(f"accept{n}@example.com", PARTS) for n in range(50)])
    assert set(outcomes.values()) == {Failed("configuration", "authentication_failed", "SMTP 535 5.7.8")}
    assert smtp.connections == 1


def test_without_a_username_nobody_logs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Server(login=False)) as server:
        channel = connected("email", server, monkeypatch)
        assert isinstance(send_one(channel, outgoing("accept@example.com", PARTS)), Accepted)


def test_a_server_without_starttls_is_not_spoken_to_in_the_clear(
    smtp: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("email", smtp, monkeypatch, TIDINGS_EMAIL_TLS="starttls")
    outcome = send_one(channel, outgoing("accept@example.com", PARTS))
    assert outcome == Failed("configuration", "server_lacks_feature")


def test_a_greeting_that_cannot_be_said_rests_the_channel_and_costs_no_message(
    smtp: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("email", smtp, monkeypatch, TIDINGS_EMAIL_HELO="кав'ярня")
    outcomes = send(channel, [outgoing(f"accept{n}@example.com", PARTS) for n in range(3)])
    assert set(outcomes.values()) == {Failed("configuration", "settings_malformed")}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start.replace(year=2100))
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture(params=["starttls", "tls"])
def encrypted(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(tls=context, starttls=request.param == "starttls")
    yield server
    server.close()


def test_a_trusted_server_is_spoken_to_encrypted(
    encrypted: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    channel = connected("email", encrypted, monkeypatch)
    assert isinstance(send_one(channel, outgoing("accept@example.com", PARTS)), Accepted)


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(
    encrypted: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("email", encrypted, monkeypatch)
    outcome = send_one(channel, outgoing("accept@example.com", PARTS))
    assert outcome == Failed("configuration", "tls_failed")
    assert encrypted.accepted == []
