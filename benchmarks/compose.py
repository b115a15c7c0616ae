"""Composing email: our skeleton beside `email.message.EmailMessage` with its SMTP policy, in one run.

    python -m benchmarks.compose [--seconds 1] [--rounds 5]

Two messages, text and page: a short one in English (2.4 KB) and a long one in Russian (17 KB). Both ways
make the same headers and the same parts; the bytes of ours are parsed back before anything is measured. Then
ours once more with a DKIM signature, by each kind of key.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from benchmarks.report import MORE, Row, keep, machine
from channels.email.addresses import Mailbox
from channels.email.dkim import Key, Signer
from channels.email.mime import Skeleton
from channels.email.verp import ReturnPath
from channels.outgoing import Outgoing

SENDER = Mailbox("Kavarnia", "hello@kavarnia.example")
RETURN = ReturnPath("bounces", "kavarnia.example")
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
LINK = "https://kavarnia.example/u/email/AQIDBAUGBwgJCgsMDQ4PEBES"
ENGLISH = "Your bonuses wait for you, and they are good for coffee, cake and everything on the shelf. "
RUSSIAN = "Ваши бонусы ждут вас: ими можно заплатить за кофе, торт и всё, что стоит на полке. "


def parts(sentence: str, size: int) -> dict[str, str]:
    """A text, and a page that says the same: so many octets together."""
    text = page = ""
    while len((text + page).encode()) < size:
        text += f"{sentence}\n"
        page += f'<p style="margin:0 0 16px;font:16px/24px sans-serif">{sentence}</p>\n'
    return {
        "subject": sentence[:40],
        "text": text,
        "html": f"<!doctype html>\n<html><body>\n{page}</body></html>\n",
    }


def batch(given: dict[str, str]) -> list[Outgoing]:
    """A hundred messages to a hundred people."""
    return [
        Outgoing(
            f"1.c{number}.{number}", f"anna{number}@example.com", given, "marketing", AT, "bonus-expiring",
            unsubscribe_url=LINK, return_token="2a7d04c1f86b3e9958d0a1b2c3",
        )
        for number in range(100)
    ]  # fmt: skip


def library(outgoing: Outgoing) -> bytes:
    """The same message by the standard library."""
    message = EmailMessage(policy.SMTP)
    message["Date"] = format_datetime(outgoing.at)
    message["From"] = f"{SENDER.name} <{SENDER.address}>"
    message["To"] = outgoing.to
    message["Subject"] = outgoing.parts["subject"]
    message["Message-ID"] = f"<{outgoing.key}@{SENDER.domain}>"
    message["Feedback-ID"] = f"{outgoing.tag}:{outgoing.purpose}:kavarnia"
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "bulk"
    message["List-Unsubscribe"] = f"<{outgoing.unsubscribe_url}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Tidings-Message"] = outgoing.return_token
    message.set_content(outgoing.parts["text"])
    message.add_alternative(outgoing.parts["html"], subtype="html")
    return message.as_bytes()


def rate(compose: Callable[[Outgoing], object], messages: list[Outgoing], seconds: float) -> float:
    """Messages a second of the processor."""
    done, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for message in messages:
            compose(message)
        done += len(messages)
    return done / spent


def check(skeleton: Skeleton, message: Outgoing) -> None:
    """What is measured is a whole message that says what it should."""
    parsed = message_from_bytes(skeleton.compose(message).data, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    for kind, name in (("plain", "text"), ("html", "html")):
        body = parsed.get_body((kind,))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n").rstrip("\n") == message.parts[name].rstrip("\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    arguments.add_argument("--seconds", type=float, default=1.0, help="how long each is measured")
    arguments.add_argument("--rounds", type=int, default=5)
    asked, before = arguments.parse_args(), machine()
    keys = {
        "Ed25519": Key("a", ed25519.Ed25519PrivateKey.generate()),
        "RSA 2048": Key("a", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    }
    rows = [
        row
        for name, sentence, size in (("English, 2.4 KB", ENGLISH, 2_400), ("Russian, 17 KB", RUSSIAN, 17_000))
        for row in compare(name, batch(parts(sentence, size)), keys, asked.rounds, asked.seconds)
    ]
    print(*rows, sep="\n")
    keep("compose", rows, before)


def compare(
    name: str, messages: list[Outgoing], keys: dict[str, Key], rounds: int, seconds: float
) -> list[Row]:
    """Ours beside the library, and with a signature beside itself without one."""
    skeleton = Skeleton(SENDER, RETURN)
    check(skeleton, messages[0])
    plain = Row(f"composing {name}", "EmailMessage", "/s", MORE, "naive")
    signed = {it: Row(f"composing {name}, signed by {it}", "unsigned", "/s", MORE, "smaller") for it in keys}
    for _ in range(rounds):
        ours = rate(skeleton.compose, messages, seconds)
        plain.pairs.append((ours, rate(library, messages, seconds)))
        for kind, key in keys.items():
            signing = Skeleton(SENDER, RETURN, Signer(SENDER.domain, (key,)))
            signed[kind].pairs.append((rate(signing.compose, messages, seconds), ours))
    return [plain, *signed.values()]


if __name__ == "__main__":
    main()
