"""Telegram through a local server that speaks the Bot API."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels import Accepted, Failed, Outcome, Unknown, create
from channels.telegram import updates
from core.errors import UserError
from tests.channels.helpers import AnyChannel, connected, outgoing, run, send, send_one, use
from tests.channels.providers.base import SECRET
from tests.channels.providers.http import Answer
from tests.channels.providers.telegram import Server, refusal

CHAT = "7000000001"
PICTURE = "https://kavarnia.example/cake.png"


@pytest.fixture
def telegram() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def channel(telegram: Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("telegram", telegram, monkeypatch)


def test_a_text_goes_as_it_is_with_a_button_for_its_link(channel: AnyChannel, telegram: Server) -> None:
    text = "Олено, 5 < 10 & _бонуси_ <3"
    to = telegram.address("accept")
    parts = {"text": f"{text}\n", "link": "https://kavarnia.example/card", "button": "Картка"}
    assert send_one(channel, outgoing(to, parts)) == Accepted("1")
    [(method, given)] = telegram.calls
    assert method == "sendMessage"
    assert given == {
        "chat_id": int(to),
        "text": text,
        # Else Telegram's servers would open the customer's own link.
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [[{"text": "Картка", "url": "https://kavarnia.example/card"}]]},
    }


def test_a_picture_carries_the_text_below_it_and_a_button_says_where_it_leads(
    channel: AnyChannel, telegram: Server
) -> None:
    parts = {"text": "Торт", "image": PICTURE, "link": "https://kavarnia.example/card"}
    send_one(channel, outgoing(telegram.address("accept"), parts))
    [(method, given)] = telegram.calls
    assert (method, given["photo"], given["caption"]) == ("sendPhoto", PICTURE, "Торт")
    assert given["reply_markup"]["inline_keyboard"][0][0]["text"] == "kavarnia.example"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"text": "😀" * 2048}, None),
        ({"text": "😀" * 2048 + "."}, "text_too_long"),
        ({"text": "я" * 1024, "image": PICTURE}, None),
        ({"text": "я" * 1025, "image": PICTURE}, "text_too_long"),
        ({"text": "a", "link": "javascript:alert(1)"}, "link_malformed"),
        ({"text": "a", "link": "https://[bad"}, "link_malformed"),
        ({"text": "a", "image": "cake.png"}, "image_malformed"),
    ],
)
def test_what_telegram_would_never_take_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: dict[str, str], reason: str | None
) -> None:
    use(monkeypatch, {})
    outcome = send_one(create("telegram", {}, outbox_dir=tmp_path), outgoing(CHAT, parts))
    assert isinstance(outcome, Accepted) if reason is None else outcome == Failed("permanent", reason)


@pytest.mark.parametrize("chat", ["-1001234567890", "0", "@channel", "12 34", "٣٤"])
def test_only_a_persons_own_chat_is_written_to(tmp_path: Path, chat: str) -> None:
    outcome = send_one(create("telegram", {}, outbox_dir=tmp_path), outgoing(chat, {"text": "a"}))
    assert outcome == Failed("permanent", "chat_malformed")


BLOCKED = "Forbidden: bot was blocked by the user"
GONE = "Forbidden: user is deactivated"
MOVED = "Bad Request: group chat was upgraded to a supergroup chat"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (refusal(403, BLOCKED), Failed("permanent", "blocked", "HTTP 403", "opted_out")),
        (refusal(403, GONE), Failed("permanent", "user_deactivated", "HTTP 403", "dead")),
        (refusal(403, "Forbidden: something new"), Failed("permanent", "refused", "HTTP 403")),
        (
            refusal(400, MOVED, migrate_to_chat_id=-1009),
            Failed("permanent", "chat_moved", "HTTP 400", "dead"),
        ),
        (
            refusal(400, "Bad Request: failed to get HTTP URL content"),
            Failed("permanent", "image_unavailable", "HTTP 400"),
        ),
        (refusal(400, f"Bad Request: {SECRET}"), Failed("permanent", "refused", "HTTP 400")),
        (Answer(403, b"<html>not from here</html>"), Failed("configuration", "provider_refused", "HTTP 403")),
        (refusal(401, "Unauthorized"), Failed("configuration", "authentication_failed", "HTTP 401")),
        (refusal(404, "Not Found"), Failed("configuration", "authentication_failed", "HTTP 404")),
        (
            refusal(429, "Too Many Requests: retry after 31", retry_after=31),
            Failed("temporary", "rate_limited", "HTTP 429", retry_after=31.0),
        ),
        (Answer(429, b"slow down"), Failed("temporary", "rate_limited", "HTTP 429")),
        (
            Answer(302, b"", {"Location": "http://127.0.0.1:9/login"}),
            Failed("configuration", "redirected", "HTTP 302"),
        ),
        (Answer(502, b"<html>bad gateway</html>"), Unknown("provider_error", "HTTP 502")),
        (Answer(200, b"{not json"), Unknown("unreadable_answer")),
        (Answer(200, {"ok": True, "result": True}), Unknown("unreadable_answer")),
        (Answer(200, [1]), Unknown("unreadable_answer")),
        (Answer(0), Unknown("connection_lost")),
    ],
)
def test_each_answer_says_what_to_do_and_is_asked_for_once(
    channel: AnyChannel, telegram: Server, answer: Answer, outcome: Outcome
) -> None:
    telegram.next = [answer]
    assert send_one(channel, outgoing(CHAT, {"text": "a"})) == outcome
    assert len(telegram.calls) == 1


def test_no_answer_in_time_leaves_it_unknown(telegram: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = connected("telegram", telegram, monkeypatch, TIDINGS_TELEGRAM_TIMEOUT="0.2")
    assert send_one(channel, outgoing(telegram.address("hang"), {"text": "a"})) == Unknown("timeout")


def test_an_answer_that_drips_in_for_ever_is_not_waited_for(
    telegram: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("telegram", telegram, monkeypatch, TIDINGS_TELEGRAM_TIMEOUT="0.1")
    telegram.next = [Answer(-2)]
    assert send_one(channel, outgoing(CHAT, {"text": "a"})) == Unknown("timeout")


def test_a_wrong_token_stops_the_batch(telegram: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"TIDINGS_TELEGRAM_TOKEN": "1:wrong", "TIDINGS_TELEGRAM_CONCURRENCY": "1"}
    channel = connected("telegram", telegram, monkeypatch, **wrong)
    batch = [outgoing(telegram.address("accept", n), {"text": "a"}) for n in range(9)]
    outcomes = send(channel, batch)
    assert set(outcomes.values()) == {Failed("configuration", "authentication_failed", "HTTP 401")}
    assert len(telegram.requests) == 1


def test_the_token_is_on_the_wire_and_nowhere_else(
    channel: AnyChannel, telegram: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []

    async def trouble() -> None:
        async with channel:
            bot = channel._transport._bot  # type: ignore[union-attr]
            for server_is_there in (True, False):
                if not server_is_there:
                    telegram.close()
                try:
                    seen.append(await bot.call("sendMessage", chat_id=1, text="a"))
                except httpx.HTTPError as error:
                    seen.extend((error, error.request, error.request.url))

    run(trouble())
    answer = seen[0]
    assert SECRET in telegram.requests[0].path
    shown = f"{seen!r} {answer.request!r} {answer.url} {answer.headers} {caplog.text}"
    assert "HTTP Request" in caplog.text
    assert SECRET not in shown


def test_a_bots_name_may_be_written_with_its_at_sign(tmp_path: Path) -> None:
    assert create("telegram", {"bot": "@KavarniaBot"}, outbox_dir=tmp_path).config.bot == "KavarniaBot"
    with pytest.raises(UserError, match=r"channels\.telegram\.bot.*KavarniaBot"):
        create("telegram", {"bot": "https://t.me/KavarniaBot"}, outbox_dir=tmp_path)


def test_as_many_leave_in_a_second_as_a_bot_may(tmp_path: Path) -> None:
    assert str(create("telegram", {}, outbox_dir=tmp_path).config.rate) == "25 per second"


@pytest.mark.parametrize(
    "body",
    [
        b"{not json", b"[]", b"{}", b'{"message": 5}', b'{"message": {"text": "/start"}}',
        b'{"my_chat_member": []}', b'{"my_chat_member": {"new_chat_member": {"status": "kicked"}}}',
        json.dumps({"message": {
            "text": "/stop", "date": 10**20, "from": {}, "chat": {"id": 5, "type": "private"},
        }}).encode(),
        json.dumps({"message": {
            "text": "/stop", "date": 1, "from": {}, "chat": {"id": -5, "type": "supergroup"},
        }}).encode(),
    ],
)  # fmt: skip
def test_an_update_that_is_none_of_ours_is_passed_over(body: bytes) -> None:
    assert updates.read(body) is None
