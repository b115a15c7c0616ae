"""What nobody knows of is looked for at Twilio: asking can confirm, and nothing else."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from channels import Accepted, create
from channels.asking import Doubt
from tests.channels.helpers import AnyChannel, connected, run, use
from tests.channels.providers import sms, whatsapp
from tests.channels.providers.http import Answer
from tests.channels.providers.sms_http import Server as Aggregator

AT = datetime(2026, 3, 1, 8, 0, 30, 500_000, tzinfo=UTC)
PHONE = "+380501000000"
TEXT = "Привіт! У вас 500 бонусів."


def doubt(parts: Mapping[str, str] = sms.Server.parts, *known: str) -> Doubt:
    return Doubt("m1", PHONE, parts, (AT - timedelta(minutes=5), AT + timedelta(minutes=5)), frozenset(known))


def listed(name: str, *, at: datetime = AT, **more: str) -> dict[str, object]:
    return {
        "sid": name, "to": PHONE, "from": "Kavarnia", "body": TEXT, "direction": "outbound-api",
        "status": "delivered", "date_created": format_datetime(at), "date_sent": format_datetime(at), **more,
    }  # fmt: skip


def ask(channel: AnyChannel, about: Doubt) -> Accepted | None:
    async def whole() -> Accepted | None:
        async with channel:
            return await channel.ask(about)

    return run(whole())


@pytest.fixture
def channel(twilio: sms.Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("sms", twilio, monkeypatch)


def test_the_one_message_with_this_text_is_found_on_whichever_page(
    channel: AnyChannel, twilio: sms.Server
) -> None:
    others = [
        listed("SM1", body="Інший текст"),
        listed("SM2", direction="inbound"),
        listed("SM3", direction="outbound-reply"),
        listed("SM4", at=AT - timedelta(minutes=6)),
        listed("SM5", at=AT + timedelta(minutes=6)),
        listed("SM6", to="+380501000001"),
    ]
    twilio.listed = [*others, listed("SM7")]
    assert ask(channel, doubt()) == Accepted("SM7")
    assert len(twilio.requests) == 3
    path, _, query = twilio.requests[0].path.partition("?")
    assert path == f"/2010-04-01/Accounts/{sms.ACCOUNT}/Messages.json"
    asked = parse_qs(query)
    assert (asked["To"], asked["DateSent>"], asked["DateSent<"]) == (
        [PHONE], ["2026-03-01T07:55:30Z"], ["2026-03-01T08:05:31Z"],
    )  # fmt: skip


def test_what_is_ours_already_is_not_this_one(channel: AnyChannel, twilio: sms.Server) -> None:
    twilio.listed = [listed("SM1"), listed("SM2")]
    assert ask(channel, doubt()) is None, "two of them fit"
    assert ask(channel, doubt(sms.Server.parts, "SM1")) == Accepted("SM2")
    assert ask(channel, doubt(sms.Server.parts, "SM1", "SM2")) is None


@pytest.mark.parametrize(
    "answer",
    [Answer(0), Answer(500, b"oops"), Answer(429), Answer(401), Answer(200, b"{no"), Answer(200, ["a"])],
)
def test_trouble_in_asking_is_no_answer(channel: AnyChannel, twilio: sms.Server, answer: Answer) -> None:
    twilio.next = [answer]
    assert ask(channel, doubt()) is None
    assert len(twilio.requests) == 1, "it was asked more than once"


def test_a_provider_that_is_not_there_or_cannot_be_asked_is_no_answer(
    channel: AnyChannel, twilio: sms.Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    twilio.close()
    assert ask(channel, doubt()) is None
    assert ask(channel, doubt({})) is None
    aggregator = Aggregator()
    assert ask(connected("sms", aggregator, monkeypatch), doubt()) is None
    assert aggregator.requests == []
    aggregator.close()
    use(monkeypatch, {})
    assert ask(create("push", {}, outbox_dir=tmp_path), doubt()) is None


def test_a_template_is_found_by_the_text_that_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    server = whatsapp.Server()
    text = server.parts["text"]
    server.listed = [listed("SM1", to=f"whatsapp:{PHONE}"), listed("SM2", to=f"whatsapp:{PHONE}", body=text)]
    assert ask(connected("whatsapp", server, monkeypatch), doubt(server.parts)) == Accepted("SM2")
    server.close()


def test_a_doubt_shows_neither_the_number_nor_the_text() -> None:
    assert PHONE not in repr(doubt())
    assert TEXT not in repr(doubt())
