"""What comes back of email is handed over by the mail server or fetched; DNS records are said."""

import io
import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.channels.providers import imap
from tests.channels.providers.base import SECRET
from tests.channels.returned import returned
from tests.support.shop import Said, Shop, shop

__all__ = ["shop"]


@pytest.fixture
def live(shop: Shop) -> Shop:
    assert shop.run("apply", "--yes").code == 0
    return shop


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[imap.Server]:
    server = imap.Server("Done")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()


def piped(shop: Shop, monkeypatch: pytest.MonkeyPatch, data: bytes) -> Said:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    return shop.run("bounce", "--recipient", "bounces@mail.kiosk.example")


def test_a_mail_server_may_hand_over_whatever_arrives(live: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, what in {
        "letter": "letter",
        "out-of-office": "auto_reply",
        "postfix-unknown": "forged",
    }.items():
        said = piped(live, monkeypatch, returned(name, "a" * 26))
        assert (said.code, said.out) == (0, f"{what}\n")
        assert "example.com" not in said.err
    huge = returned("letter", "a" * 26) + b"x" * 1_000_000
    assert piped(live, monkeypatch, huge).out == "letter\n"


def test_the_mailbox_is_read_on_demand(
    live: Shop, mailbox: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.put(returned("postfix-unknown", "a" * 26))
    mailbox.put(returned("out-of-office", "a" * 26))
    assert live.run("email", "inbox").out == "1 auto reply, 1 forged\n"
    assert live.run("email", "inbox").out == "nothing has come back\n"
    monkeypatch.setenv("TIDINGS_EMAIL_INBOX_FOLDER", "Nowhere")
    said = live.run("email", "inbox")
    assert said.code == 3
    assert "it refuses the login, the mailbox or a command" in said.err
    assert SECRET not in said.err
    monkeypatch.delenv("TIDINGS_EMAIL_INBOX_HOST")
    assert live.run("email", "inbox").code == 2


def test_dns_records_are_printed_as_a_zone_file_has_them(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    shop.write("dkim.pem", pem.decode())
    monkeypatch.setenv("TIDINGS_EMAIL_DKIM_KEY_FILE", "dkim.pem")
    monkeypatch.setenv("TIDINGS_EMAIL_DKIM_SELECTOR", "spring")
    said = shop.run("email", "dns")
    assert said.code == 0
    assert 'spring._domainkey.kavarnia.example. IN TXT ( "v=DKIM1; k=ed25519; p=' in said.out
    assert '_dmarc.kavarnia.example. IN TXT ( "v=DMARC1; p=none;' in said.out
    assert "sign by an RSA key as well" in said.out
    records = json.loads(shop.run("email", "dns", "--format", "json").out)["records"]
    assert [record["kind"] for record in records] == ["TXT", "TXT", "MX", "TXT"]
    shop.write("dkim.pem", "no key")
    assert shop.run("email", "dns").code == 3


def test_a_program_without_email_is_looked_at_and_sent_from_like_any_other(shop: Shop) -> None:
    without_email(shop)
    assert shop.run("check").code == 0
    assert shop.run("apply", "--yes").code == 0
    for command in ("tick", "status", "dry-run"):
        said = shop.run(command)
        assert (said.code, said.err) == (0, ""), command
    said = shop.run("email", "dns")
    assert said.code == 2
    assert "sets up no email" in said.err


def test_a_program_without_email_is_tested_and_gets_new_scenarios_like_any_other(shop: Shop) -> None:
    without_email(shop)
    said = shop.run("test")
    assert (said.code, said.err) == (0, "")
    given = ("--trigger", "inactive", "-p", "for=30 days", "--channel", "sms")
    said = shop.run("new", "scenario", "spring", *given)
    assert (said.code, said.err) == (0, "")
    assert (shop.path / "tests" / "spring.yaml").exists()


def without_email(shop: Shop) -> None:
    program = (shop.path / "program.yaml").read_text("utf-8").splitlines(keepends=True)
    shop.write("program.yaml", "".join(line for line in program if not line.startswith("  email: {")))
    for file in (shop.path / "scenarios").glob("*.yaml"):
        text = file.read_text("utf-8")
        file.write_text(text.replace("[email, push]", "[push]").replace(", email", ""), "utf-8")
    for name in ("win-back", "bonus-accrued"):
        (shop.path / f"tests/{name}.yaml").unlink()
