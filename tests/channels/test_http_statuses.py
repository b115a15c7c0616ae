"""What an HTTP status says by itself is the same in every channel that speaks HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from channels import Failed, Outcome, Unknown, http_faults
from channels.http_faults import broken, refusal, retry_after
from channels.transport import ChannelDown
from core.clock import MovableClock
from tests.channels.helpers import AnyChannel, connected, outgoing, send
from tests.channels.providers import push, sms, sms_http, telegram, webhook, whatsapp
from tests.channels.providers.http import Answer

SERVERS: dict[str, type[Any]] = {
    "sms by Twilio": sms.Server,
    "sms by an aggregator": sms_http.Server,
    "whatsapp": whatsapp.Server,
    "push": push.Server,
    "telegram": telegram.Server,
    "webhook": webhook.Server,
}
ELSEWHERE = {"Location": "/elsewhere"}


@pytest.fixture(params=SERVERS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(way: str) -> Iterator[Any]:
    made = SERVERS[way]()
    yield made
    made.close()


@pytest.fixture
def channel(way: str, server: Any, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    name = way.partition(" ")[0]
    return connected(name, server, monkeypatch, **{f"TIDINGS_{name.upper()}_CONCURRENCY": "1"})


def outcomes(channel: AnyChannel, server: Any, answer: Answer) -> list[Outcome]:
    """Of three messages, while the server has nothing else to say."""
    server.next = [answer] * 3
    batch = [outgoing(server.address("accept", number), server.parts) for number in range(3)]
    return list(send(channel, batch).values())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_ours_to_mend_and_stops_the_channel(
    channel: AnyChannel, way: str, server: Any, status: int
) -> None:
    told = outcomes(channel, server, Answer(status, b"<html>moved</html>", ELSEWHERE))
    if way == "sms by an aggregator" and status in (302, 303):
        # An aggregator may be a page that takes a form, and leads on when it has.
        assert {it.reason for it in told if isinstance(it, Unknown)} == {"redirected"}
        return
    assert {(it.kind, it.reason) for it in told if isinstance(it, Failed)} == {
        ("configuration", "redirected")
    }
    assert len(server.next) == 2, "it was tried with every message"


@pytest.mark.parametrize(("status", "reason"), [(407, "proxy_refused"), (410, "gone")])
def test_a_proxys_password_and_an_address_that_is_gone_are_ours_to_mend(
    channel: AnyChannel, server: Any, status: int, reason: str
) -> None:
    told = outcomes(channel, server, Answer(status, b"no"))
    assert {(it.kind, it.reason) for it in told if isinstance(it, Failed)} == {("configuration", reason)}
    assert len(server.next) == 2, "it was tried with every message"


@pytest.mark.parametrize(
    ("way", "setting", "value"),
    [
        ("sms by Twilio", "BASE_URL", "api.twilio.com"),
        ("sms by an aggregator", "HTTP_TOKEN", "k\u0435y"),
        ("sms by an aggregator", "HTTP_TOKEN", "key "),
        ("telegram", "TOKEN", "1:abc?"),
        ("push", "BASE_URL", "fcm.googleapis.com"),
    ],
)
def test_what_no_request_can_be_made_with_rests_the_channel_and_costs_no_message(
    way: str, server: Any, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    name = way.partition(" ")[0]
    channel = connected(name, server, monkeypatch, **{f"TIDINGS_{name.upper()}_{setting}": value})
    told = outcomes(channel, server, Answer(200, b"{}"))
    assert set(told) == {Failed("configuration", "settings_malformed")}
    assert len(server.next) == 3, "something left"


@pytest.mark.parametrize("status", [200, 410])
def test_an_answer_without_end_is_read_no_further_than_anybody_reads(
    channel: AnyChannel, server: Any, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    async def whole(answer: httpx.Response) -> bytes:
        content = await aread(answer)
        read.append(len(content))
        return content

    aread = httpx.Response.aread
    monkeypatch.setattr(httpx.Response, "aread", whole)
    monkeypatch.setattr(http_faults, "LONGEST_ANSWER", 100_000)
    told = outcomes(channel, server, Answer(status, b"<p>" + b"more and " * 500_000))
    assert max(read, default=0) < 500_000
    if status == 410:
        assert {(it.kind, it.reason) for it in told if isinstance(it, Failed)} == {("configuration", "gone")}


@pytest.mark.parametrize("status", [408, 425])
def test_what_was_not_begun_is_tried_again(channel: AnyChannel, server: Any, status: int) -> None:
    told = outcomes(channel, server, Answer(status, b"later"))
    assert {(it.kind, it.reason) for it in told if isinstance(it, Failed)} == {("temporary", "provider_busy")}


@pytest.mark.parametrize(
    ("words", "failed"),
    [
        ("407 Proxy Authentication Required", Failed("configuration", "proxy_refused")),
        ("403 Forbidden", Failed("configuration", "proxy_refused")),
        ("502 Bad Gateway", Failed("temporary", "cannot_connect")),
    ],
)
def test_a_proxy_that_makes_no_tunnel_let_nothing_through(words: str, failed: Failed) -> None:
    with pytest.raises(ChannelDown) as down:
        broken(httpx.ProxyError(words))
    assert down.value.outcome == failed


def test_a_success_of_another_kind_than_agreed_on_may_have_been_one() -> None:
    assert refusal(204, "HTTP 204") == Unknown("unreadable_answer", "HTTP 204")


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:51:37 GMT", 120.0),
        ("Sunday, 06-Nov-94 08:51:37 GMT", 120.0),
        ("Sun Nov  6 08:51:37 1994", 120.0),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 0.0),
        ("Mon, 06 Nov 1995 08:49:37 GMT", 86400.0),
        ("Sun, 06 Nov 99999999999 08:51:37 GMT", None),
        ("tomorrow", None),
    ],
)
def test_a_date_to_come_back_at_is_held_against_the_answers_own_date(
    clock: MovableClock, date: str, seconds: float | None
) -> None:
    headers = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After": date}
    assert retry_after(httpx.Headers(headers), clock) == seconds


@pytest.mark.parametrize("own", [{}, {"Date": "today"}], ids=["no Date", "no date in Date"])
def test_a_date_to_come_back_at_is_held_against_our_clock_where_the_answer_has_none(
    clock: MovableClock, own: dict[str, str]
) -> None:
    at = format_datetime(clock.now() + timedelta(seconds=90), usegmt=True)
    assert retry_after(httpx.Headers({**own, "Retry-After": at}), clock) == 90.0
