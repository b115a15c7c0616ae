"""DKIM: what a mail server received is verified by dkimpy against the records that we say to publish."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from channels import create
from channels.base import Channel
from channels.email import EmailConfig, EmailSettings
from channels.email.dkim import Key, Signer
from channels.email.publishing import advise
from channels.settings import load_config, load_settings
from core.errors import EnvironmentFault
from tests.channels.helpers import AnyChannel, outgoing, run, send, use
from tests.channels.providers import email

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
CONFIG = {"from": "Кав'ярня <hello@kavarnia.example>"}
PARTS = {"subject": "У вас 500 бонусів", "html": "<p>Привіт</p>", "text": ".крапка\n..\n  пробіли  \n\n\n"}
Set = Callable[..., None]


def pem(key: object, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Set:
    """Two keys in files beside .env, and whatever else is set."""
    (tmp_path / "rsa.pem").write_bytes(pem(RSA))
    (tmp_path / "ed.pem").write_bytes(pem(ED25519))

    def set_them(environment: dict[str, str] | None = None, **more: str) -> None:
        given = {f"TIDINGS_EMAIL_{name.upper()}": value for name, value in more.items()}
        use(monkeypatch, {**(environment or {}), **given})

    return set_them


def channel(folder: Path, **config: str) -> AnyChannel:
    return create("email", {**CONFIG, **config}, outbox_dir=folder, env_file=folder / ".env")


def published(folder: Path) -> Callable[..., bytes]:
    """DNS, with the records that `tidings email dns` prints."""
    config = load_config(EmailConfig, "email", CONFIG)
    settings = load_settings(EmailSettings, folder / ".env")
    records = {it.name: it.value.encode() for it in advise(config, settings, None).records}
    return lambda name, timeout=5: records.get(name.decode().rstrip("."), b"")


def both(folder: Path) -> dict[str, str]:
    return {"dkim_key_file": f"{folder / 'rsa.pem'}, {folder / 'ed.pem'}", "dkim_selector": "one,two"}


def verified(data: bytes, dns: Callable[..., bytes]) -> list[bool]:
    """Each signature of a message, the first one first."""

    def is_good(number: int) -> bool:
        try:
            return bool(dkim.DKIM(data).verify(number, dnsfunc=dns))
        except dkim.ValidationError:  # how it says that the body was changed
            return False

    return [is_good(number) for number in range(data.count(b"DKIM-Signature:"))]


def test_what_the_mail_server_received_is_signed_by_both_keys(
    smtp: email.Server, settings: Set, tmp_path: Path
) -> None:
    settings(dict(smtp.environment()), **both(tmp_path))
    letters = [
        outgoing("accept1@example.com", PARTS, unsubscribe_url="https://kavarnia.example/u/" + "t" * 90),
        outgoing("accept2@example.com", {**PARTS, "html": "", "text": "Plain.\r\n\r\n"}, purpose="service"),
        outgoing("accept3@example.com", {**PARTS, "subject": "long " * 60, "text": "\t tab \n"}),
    ]
    send(channel(tmp_path), letters)
    dns = published(tmp_path)
    received = [envelope.original_content or b"" for envelope in smtp.envelopes]
    assert len(received) == 3
    for data in received:
        assert verified(data, dns) == [True, True]


def test_every_field_that_matters_is_signed_and_nobody_can_add_another(settings: Set, tmp_path: Path) -> None:
    data = signed(RSA).sign(MESSAGE, AT) + MESSAGE
    dns = dns_of(RSA)
    assert verified(data, dns) == [True]
    for field in (b"From: x@y.example", b"Subject: other", b"To: z@y.example", b"Reply-To: x@y.example",
                  b"List-Unsubscribe: <https://y.example>", b"List-Unsubscribe-Post: x"):  # fmt: skip
        assert verified(field + b"\r\n" + data, dns) == [False]
    for there in (b"unsubscribe", b"One-Click", b"feedback", b"Sun, 01", b"hello@", b"Hello,"):
        assert there in data
        assert verified(data.replace(there, b"changed"), dns) == [False]


@given(body=st.text(st.sampled_from("ab \t\r\n.é"), max_size=60))
def test_any_body_is_canonicalized_as_the_verifier_does(body: str) -> None:
    text = re.sub(r"\r\n|\r|\n", "\r\n", body).encode()
    message = MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\nx" + text + b"\r\n"  # as ours end
    assert verified(signed(ED25519).sign(message, AT) + message, dns_of(ED25519)) == [True]


def test_the_key_may_stand_in_the_environment_with_its_line_ends_escaped(
    settings: Set, tmp_path: Path
) -> None:
    settings(dkim_key=pem(RSA).decode().replace("\n", "\\n"), dkim_selector="one")
    dns = published(tmp_path)

    async def opened(made: Channel) -> bytes:  # type: ignore[type-arg]
        async with made:
            return bytes(made.compose(outgoing("olena@example.com", PARTS)).data)

    assert verified(run(opened(channel(tmp_path))), dns) == [True]


def test_without_a_key_mail_leaves_unsigned(settings: Set, tmp_path: Path) -> None:
    settings()
    made = channel(tmp_path)
    made.check()
    assert b"DKIM" not in made.compose(outgoing("olena@example.com", PARTS)).data


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
BROKEN = {
    "absent.pem": (None, "names .*absent.pem: no such file or directory; put the private key there"),
    "text.pem": (b"hello", "there is no private key in .*text.pem"),
    "locked.pem": (
        pem(ED25519, BestAvailableEncryption(b"x")),
        "the DKIM key in .*locked.pem is encrypted, and nobody is there to say its password",
    ),
    "curve.pem": (pem(ec.generate_private_key(ec.SECP256R1())), "the key in .*curve.pem cannot sign mail"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_key_that_cannot_sign_is_one_clear_sentence(settings: Set, tmp_path: Path, name: str) -> None:
    content, sentence = BROKEN[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    settings(dkim_key_file=name, dkim_selector="one")
    with pytest.raises(EnvironmentFault, match=sentence) as fault:
        channel(tmp_path).check()
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"dkim_selector": "one"}, "TIDINGS_EMAIL_DKIM_SELECTOR is set without a key"),
        ({"dkim_key_file": "rsa.pem"}, "names 0 DKIM selectors for 1 keys"),
        ({"dkim_key_file": "rsa.pem", "dkim_selector": "a b"}, "is no selector"),
        (
            {"dkim_key_file": "rsa.pem", "dkim_selector": "a", "dkim_domain": "no domain"},
            "TIDINGS_EMAIL_DKIM_DOMAIN is no domain",
        ),
        ({"inbox_host": "imap.example"}, "TIDINGS_EMAIL_INBOX_USERNAME and TIDINGS_EMAIL_INBOX_PASSWORD"),
    ],
)
def test_settings_that_do_not_fit_together_are_said_before_anything_is_sent(
    settings: Set, tmp_path: Path, more: dict[str, str], sentence: str
) -> None:
    settings(**more)
    with pytest.raises(EnvironmentFault, match=sentence):
        channel(tmp_path).check()


def test_what_to_publish_is_said_and_what_to_mend(settings: Set, tmp_path: Path) -> None:
    (tmp_path / "small.pem").write_bytes(pem(SMALL))
    settings(
        dkim_key_file="small.pem", dkim_selector="old", dkim_domain="other.example",
        bounce_address="bounces@bounce.kavarnia.example", host="smtp.kavarnia.example",
    )  # fmt: skip
    config = load_config(EmailConfig, "email", CONFIG)
    advice = advise(config, load_settings(EmailSettings, None), tmp_path / ".env")
    assert [(it.name, it.kind) for it in advice.records] == [
        ("old._domainkey.other.example", "TXT"),
        ("bounce.kavarnia.example", "TXT"),
        ("bounce.kavarnia.example", "MX"),
        ("_dmarc.kavarnia.example", "TXT"),
    ]
    assert advice.records[1].value == "v=spf1 a:smtp.kavarnia.example ~all"
    notes = " ".join(advice.notes)
    assert "has 1024 bits" in notes
    assert "DMARC does not take for kavarnia.example" in notes
    assert "nobody reads the bounces yet" in notes


@pytest.mark.parametrize(
    ("host", "record"),
    [
        ("smtp.kavarnia.example", "v=spf1 a:smtp.kavarnia.example ~all"),
        ("192.0.2.25", "v=spf1 ip4:192.0.2.25 ~all"),
        ("2001:DB8::25", "v=spf1 ip6:2001:db8::25 ~all"),
        ("[2001:db8::25]", "v=spf1 ip6:2001:db8::25 ~all"),
    ],
)
def test_spf_names_a_host_as_what_it_is(settings: Set, host: str, record: str) -> None:
    settings(host=host, bounce_address="bounces@kavarnia.example")
    advice = advise(load_config(EmailConfig, "email", CONFIG), load_settings(EmailSettings, None), None)
    assert advice.records[0].value == record
    assert "no SPF record" not in " ".join(advice.notes)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "10.1.2.3", "fd00::5", "postfix", "relay.internal", "mx.local."],
)
def test_a_host_that_the_world_does_not_know_is_in_no_spf_record(settings: Set, host: str) -> None:
    settings(host=host, bounce_address="bounces@mail.kavarnia.example")
    advice = advise(load_config(EmailConfig, "email", CONFIG), load_settings(EmailSettings, None), None)
    assert not [it for it in advice.records if it.value.startswith("v=spf1")]
    notes = " ".join(advice.notes)
    assert f"TIDINGS_EMAIL_HOST is {host}, which the world does not know" in notes
    assert "publish for mail.kavarnia.example the address from which the mail leaves" in notes


@pytest.mark.parametrize(
    ("sender", "other", "told"),
    [
        ("kavarnia.example", "kavarnia.example", "yes"),
        ("kavarnia.example", "mail.kavarnia.example", "yes"),
        ("news.kavarnia.example", "kavarnia.example", "yes"),
        ("news.kavarnia.example", "mail.kavarnia.example", "yes"),
        ("news.kavarnia.com.ua", "mail.kavarnia.com.ua", "yes"),
        # Two shops of one suffix look like two hosts of one shop.
        ("kavarnia.com.ua", "poshta.com.ua", "perhaps"),
        ("kavarnia.co.uk", "mailer.co.uk", "perhaps"),
        ("kavarnia.lviv.ua", "poshta.lviv.ua", "perhaps"),
        ("kavarnia.uk.com", "mailer.uk.com", "perhaps"),
        ("news.kavarnia.ua", "mail.kavarnia.ua", "perhaps"),
        ("kavarnia.example", "mailer.example", "no"),
        ("kavarnia.example", "notkavarnia.example", "no"),
        ("kavarnia.example", "kavarnia.test", "no"),
    ],
)
def test_dmarc_sees_one_organization_behind_hosts_of_one_registered_domain(
    settings: Set, tmp_path: Path, sender: str, other: str, told: str
) -> None:
    settings(
        **both(tmp_path), dkim_domain=other, bounce_address=f"bounces@{other}", inbox_host="imap.example"
    )
    config = load_config(EmailConfig, "email", {"from": f"Kavarnia <hello@{sender}>"})
    notes = [
        note
        for note in advise(config, load_settings(EmailSettings, None), None).notes
        if note.startswith(("DKIM signs for", "the return path is of"))
    ]
    assert len(notes) == (0 if told == "yes" else 2)
    assert all(("does not take for" in it or "does not count" in it) == (told == "no") for it in notes)
    assert all(("if it is" in it) == (told == "perhaps") for it in notes)


def test_a_long_record_is_written_in_strings_that_dns_holds(settings: Set, tmp_path: Path) -> None:
    settings(**both(tmp_path))
    config = load_config(EmailConfig, "email", CONFIG)
    line = advise(config, load_settings(EmailSettings, None), None).records[0].line()
    strings = re.findall(r'"([^"]*)"', line)
    assert len(strings) == 2
    assert "".join(strings) == Key("one", RSA).record()
    assert max(map(len, strings)) <= 255


MESSAGE = (
    b"Date: Sun, 01 Mar 2026 08:00:00 +0000\r\nFrom: Kavarnia\r\n <hello@kavarnia.example>\r\n"
    b"To: olena@example.com\r\nSubject: two  spaces\r\nMessage-ID: <1@kavarnia.example>\r\n"
    b"List-Unsubscribe: <https://kavarnia.example/unsubscribe>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: feedback\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: text/plain; charset="utf-8"\r\n\r\nHello,  you \r\n\r\n'
)


def signed(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> Signer:
    return Signer("kavarnia.example", (Key("one", key),))


def dns_of(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> Callable[..., bytes]:
    return lambda name, timeout=5: Key("one", key).record().encode()
