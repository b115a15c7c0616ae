"""The webhook: what the retailer's system gets, how it knows that it is from us, what its answers mean."""

import ipaddress
import logging
import ssl
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from channels import Accepted, Failed, Outcome, Unknown
from channels.settings import load_settings
from channels.webhook import WebhookSettings, id_of
from channels.webhook.signing import keys_of, signature
from core.errors import EnvironmentFault
from tests.channels.helpers import AnyChannel, connected, outgoing, run, send, send_one, use
from tests.channels.providers.http import Answer
from tests.channels.providers.webhook import KEY, PATH, Server

OTHER_KEY = f"whsec_{b64encode(b'a second key, newer than the first').decode()}"


@pytest.fixture
def channel(webhook: Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("webhook", webhook, monkeypatch)


def test_the_retailers_system_is_told_who_what_and_why(webhook: Server, channel: AnyChannel) -> None:
    parts = webhook.parts | {"link": "https://kavarnia.example/card", "data.day": "2026-03-15"}
    message = replace(
        outgoing("K-100", parts, unsubscribe_url="https://kavarnia.example/u/x"),
        step="first", occasion="2026-03-15", locale="uk",
    )  # fmt: skip
    assert send_one(channel, message) == Accepted(id_of(message.key))
    assert webhook.told == [
        {
            "type": "message",
            "id": id_of(message.key),
            "timestamp": "2026-03-01T08:00:00Z",
            "data": {
                "customer": "K-100",
                "scenario": "bonus-expiring",
                "step": "first",
                "occasion": "2026-03-15",
                "purpose": "marketing",
                "locale": "uk",
                "unsubscribe_url": "https://kavarnia.example/u/x",
                "title": "Бонуси",
                "link": "https://kavarnia.example/card",
                "text": "Привіт, Олено! У вас 500 бонусів.",
                "data": {"bonuses": "500.75", "day": "2026-03-15"},
            },
        }
    ]


def test_a_message_has_one_id_however_often_it_is_sent(webhook: Server, channel: AnyChannel) -> None:
    message = outgoing("K-100", webhook.parts, key="1.Ключ з пробілом.2")
    webhook.next = [Answer(500)]
    assert send_one(channel, message) == Unknown("provider_error", "500")
    assert isinstance(send_one(channel, message), Accepted)
    assert len({request.headers["webhook-id"] for request in webhook.requests}) == 1
    assert {told["id"] for told in webhook.told} == {id_of(message.key)}


def test_data_needs_no_words(webhook: Server, channel: AnyChannel) -> None:
    assert isinstance(send_one(channel, outgoing("K-1", {"text": "", "data.deal": "7"})), Accepted)
    assert webhook.told[0]["data"]["data"] == {"deal": "7"}


def test_during_a_rotation_the_old_and_the_new_secret_both_verify(
    webhook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = connected("webhook", webhook, monkeypatch, TIDINGS_WEBHOOK_SECRET=f"{OTHER_KEY} {KEY}")
    for key in (KEY, OTHER_KEY):
        webhook.key = key
        assert isinstance(send_one(both, outgoing("K-1", webhook.parts)), Accepted)
    only_new = connected("webhook", webhook, monkeypatch, TIDINGS_WEBHOOK_SECRET=OTHER_KEY)
    webhook.key = KEY
    assert send_one(only_new, outgoing("K-1", webhook.parts)) == Failed(
        "configuration", "authentication_failed", "401"
    )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(200, {"anything": "at all"}), None),
        (Answer(202, b"<html>not JSON"), None),
        (Answer(302, headers={"Location": "https://elsewhere.example/"}),
         Failed("configuration", "redirected", "302")),
        (Answer(403), Failed("configuration", "authentication_failed", "403")),
        (Answer(404), Failed("configuration", "not_found", "404")),
        (Answer(410), Failed("configuration", "gone", "410")),
        (Answer(400), Failed("permanent", "refused", "400")),
        (Answer(429, headers={"Retry-After": "30"}),
         Failed("temporary", "rate_limited", "429", retry_after=30.0)),
        (Answer(503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}),
         Failed("temporary", "provider_busy", "503", retry_after=86400.0)),
        (Answer(503, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
         Failed("temporary", "provider_busy", "503", retry_after=0.0)),
        (Answer(502), Unknown("provider_error", "502")),
        (Answer(0), Unknown("connection_lost")),
    ],
    ids=lambda it: str(it.status) if isinstance(it, Answer) else "",
)  # fmt: skip
def test_every_answer_has_its_meaning(
    answer: Answer, outcome: Outcome | None, webhook: Server, channel: AnyChannel
) -> None:
    webhook.next = [answer]
    message = outgoing("K-1", webhook.parts)
    assert send_one(channel, message) == (outcome or Accepted(id_of(message.key)))
    assert len(webhook.requests) == 1


def test_what_is_wrong_for_all_is_not_tried_for_all(webhook: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = connected("webhook", webhook, monkeypatch, TIDINGS_WEBHOOK_CONCURRENCY="1")
    webhook.next = [Answer(410)]
    outcomes = send(channel, [outgoing(f"K-{number}", webhook.parts) for number in range(50)])
    assert set(outcomes.values()) == {Failed("configuration", "gone", "410")}
    assert len(webhook.requests) == 1


def test_a_silent_receiver_is_not_waited_for_longer_than_the_timeout(
    webhook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("webhook", webhook, monkeypatch, TIDINGS_WEBHOOK_TIMEOUT="0.2")
    assert send_one(channel, outgoing("K-hang", webhook.parts)) == Unknown("timeout")


def test_a_certificate_of_another_name_or_authority_stops_the_channel(
    webhook: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = own_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    webhook.speak_tls(context)
    more = {"TIDINGS_WEBHOOK_URL": webhook.url.replace("http:", "https:") + PATH}
    message = outgoing("K-1", webhook.parts)
    unknown = connected("webhook", webhook, monkeypatch, **more)
    assert send_one(unknown, message) == Failed("configuration", "tls_failed")
    trusted = connected("webhook", webhook, monkeypatch, **more, TIDINGS_WEBHOOK_CA_FILE=str(files[0]))
    assert isinstance(send_one(trusted, message), Accepted)
    more["TIDINGS_WEBHOOK_URL"] = more["TIDINGS_WEBHOOK_URL"].replace("127.0.0.1", "localhost")
    other_name = connected("webhook", webhook, monkeypatch, **more, TIDINGS_WEBHOOK_CA_FILE=str(files[0]))
    assert send_one(other_name, message) == Failed("configuration", "tls_failed")


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that only who is told to trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    began = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(began)
        .not_valid_after(began + timedelta(days=2)).add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "own.pem", folder / "own.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"URL": "http://crm.shop.example/messages"}, "TIDINGS_WEBHOOK_PLAIN_HTTP=true"),
        ({"URL": "ftp://crm.shop.example"}, "write https://"),
        ({"URL": "https://crm.shop.example/ours\n"}, "write https://"),
        ({"URL": "https://name:password-of-ours@crm.shop.example/"}, "leave it out"),
        ({"SECRET": "whsec_c2hvcnQ="}, "24 to 64 random octets"),
        ({"SECRET": f"{KEY} password-of-ours"}, "whsec_"),
    ],
)
def test_a_wrong_setting_is_explained_and_not_repeated(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {f"TIDINGS_WEBHOOK_{name}": value for name, value in variables.items()})
    with pytest.raises(EnvironmentFault) as fault:
        load_settings(WebhookSettings, None)
    assert f"TIDINGS_WEBHOOK_{next(iter(variables))}: " in str(fault.value)
    assert said in str(fault.value)
    assert "ours" not in str(fault.value)


def test_within_the_retailers_own_network_plain_http_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = {"TIDINGS_WEBHOOK_URL": "http://crm.internal/in", "TIDINGS_WEBHOOK_PLAIN_HTTP": "true"}
    use(monkeypatch, allowed)
    settings = load_settings(WebhookSettings, None)
    assert settings.url is not None
    assert settings.url.get_secret_value() == "http://crm.internal/in"


def test_certificates_that_are_not_there_are_one_sentence(
    webhook: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    channel = connected("webhook", webhook, monkeypatch, TIDINGS_WEBHOOK_CA_FILE=str(tmp_path / "none.pem"))
    with pytest.raises(EnvironmentFault, match="TIDINGS_WEBHOOK_CA_FILE names no file of certificates"):
        run(channel.open())


def test_a_key_in_the_address_is_in_no_log(
    webhook: Server, channel: AnyChannel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    send_one(channel, outgoing("K-1", webhook.parts))
    assert webhook.requests[0].path == PATH
    assert "POST" in caplog.text
    assert PATH not in caplog.text


KEYS = st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=3)
NOW = 1_772_352_000


@given(KEYS, st.text(min_size=1).map(id_of), st.text())
def test_each_key_makes_the_signature_of_the_reference_library(
    keys: list[bytes], own: str, text: str
) -> None:
    secrets = " ".join(f"whsec_{b64encode(key).decode()}" for key in keys)
    body = text.encode("utf-8", "ignore")
    made = signature(keys_of(SecretStr(secrets)), own, NOW, body)
    at = datetime.fromtimestamp(NOW, UTC)
    assert made.split(" ") == [Webhook(key).sign(own, at, body.decode()) for key in keys]


def test_whoever_changes_a_byte_is_found_out(webhook: Server, channel: AnyChannel) -> None:
    send_one(channel, outgoing("K-1", webhook.parts))
    request = webhook.requests[0]
    headers: dict[str, Any] = dict(request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(KEY).verify(request.body.replace(b"500", b"900"), headers)
