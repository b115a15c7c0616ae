"""SMS by an aggregator that is described in program.yaml, over a local server."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from channels import Accepted, Failed, Outcome, Unknown, create
from core.errors import EnvironmentFault, UserError
from tests.channels.helpers import AnyChannel, connected, outgoing, run, send, send_one, use
from tests.channels.providers.base import SECRET
from tests.channels.providers.http import Answer
from tests.channels.providers.sms_http import Server, coded
from tests.contracts import test_channels as contract

PHONE = "+380500000000"
KEY = "1.клієнт.2"
SHOWN = sha256(KEY.encode()).hexdigest()[:32]


@pytest.fixture
def name() -> str:
    return "sms"


@pytest.fixture
def provider() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def channel(provider: Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("sms", provider, monkeypatch)


KEPT = (
    contract.test_a_missing_credential_is_one_clear_sentence,
    contract.test_no_secret_text_or_address_is_in_any_outcome_log_or_repr_whatever_fails,
    contract.test_one_poisoned_message_is_set_aside_and_the_others_leave,
    contract.test_what_may_be_tried_again_is_told_from_what_may_not,
    contract.test_reasons_are_words_and_details_are_codes,
    contract.test_a_channel_may_be_opened_and_closed_twice_and_opened_again,
    contract.test_each_accepted_message_has_the_providers_own_name,
    contract.test_a_message_on_its_way_when_the_batch_is_cancelled_is_unknown_and_the_rest_certainly_did_not_leave,
    contract.test_a_channel_sends_again_after_a_cancelled_batch,
    contract.test_a_provider_that_is_not_there_is_a_temporary_failure_of_all,
)


@pytest.mark.parametrize("kept", KEPT, ids=lambda it: it.__name__)
def test_an_aggregator_keeps_what_every_channel_keeps(
    kept: Callable[..., None], request: pytest.FixtureRequest, provider: Server
) -> None:
    kept(**{it: request.getfixturevalue(it) for it in signature(kept).parameters})


def answered(channel: AnyChannel, server: Server, answer: Answer) -> Outcome:
    server.next = [answer]
    outcome = send_one(channel, outgoing(PHONE, Server.parts))
    assert len(server.requests) == 1, "the provider was asked more than once, or led elsewhere"
    return outcome


def test_an_answer_that_drips_in_for_ever_is_not_waited_for(
    provider: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("sms", provider, monkeypatch, TIDINGS_SMS_TIMEOUT="0.1")
    assert answered(channel, provider, Answer(-2)) == Unknown("timeout")


def test_the_aggregator_is_asked_as_the_program_describes(channel: AnyChannel, provider: Server) -> None:
    text = 'Знижка {token} "5 %" \\ ще\nрядок'
    assert send_one(channel, outgoing(PHONE, {"text": text}, key=KEY)) == Accepted("sms/f83f-1")
    (request,) = provider.requests
    assert request.path == "/message/send.json"
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["Idempotency-Key"] == SHOWN
    # What a text holds is no place to be filled.
    assert json.loads(request.body) == {
        "recipients": ["380500000000"],
        "sms": {"sender": "Kavarnia", "text": text},
        "sequence_id": SHOWN,
    }


def test_the_key_is_the_same_at_every_try_and_does_not_tell_who_the_customer_is(
    channel: AnyChannel, provider: Server
) -> None:
    for key in (KEY, KEY, "1.клієнт.3"):
        send_one(channel, outgoing(PHONE, Server.parts, key=key))
    shown = [request.headers["Idempotency-Key"] for request in provider.requests]
    assert shown[0] == shown[1] != shown[2]
    assert all(re.fullmatch("[0-9a-f]{32}", it) for it in shown)
    assert not any("клієнт" in json.loads(it.body)["sequence_id"] for it in provider.requests)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (coded(404), Failed("permanent", "opted_out", "HTTP 200, code 404", "opted_out")),
        (coded(305), Failed("permanent", "number_invalid", "HTTP 200, code 305", "dead")),
        (coded(500), Failed("temporary", "provider_busy", "HTTP 200, code 500")),
        (coded(407), Failed("permanent", "refused", "HTTP 200, code 407")),
        (coded(0), Unknown("unreadable_answer", "HTTP 200, code 0")),
        (Answer(200, b"OK - 1 SMS"), Unknown("unreadable_answer", "HTTP 200")),
        (Answer(200, ["a", "list"]), Unknown("unreadable_answer", "HTTP 200")),
        (Answer(200, b"[" * 100_000), Unknown("unreadable_answer", "HTTP 200")),
        (Answer(500, b"oops"), Unknown("provider_error", "HTTP 500")),
        (Answer(0), Unknown("connection_lost")),
        (Answer(503, b"", {"Retry-After": "12"}), Failed("temporary", "provider_busy", "HTTP 503", None, 12)),
        (Answer(401, b"no"), Failed("configuration", "authentication_failed", "HTTP 401")),
        (Answer(404, b"no"), Failed("configuration", "provider_refused", "HTTP 404")),
        (Answer(422, b"no"), Failed("permanent", "refused", "HTTP 422")),
        (Answer(308, b"", {"Location": "/m"}), Failed("configuration", "redirected", "HTTP 308")),
        (Answer(302, b"", {"Location": "/thanks"}), Unknown("redirected", "HTTP 302")),
    ],
)
def test_each_answer_has_its_outcome(
    channel: AnyChannel, provider: Server, answer: Answer, outcome: Outcome
) -> None:
    assert answered(channel, provider, answer) == outcome


def test_a_wrong_key_is_tried_once_and_not_for_every_message(
    provider: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"TIDINGS_SMS_HTTP_TOKEN": "not it", "TIDINGS_SMS_CONCURRENCY": "1"}
    channel = connected("sms", provider, monkeypatch, **wrong)
    outcomes = send(channel, [outgoing(provider.address("accept", n), Server.parts) for n in range(30)])
    assert {it.reason for it in outcomes.values() if isinstance(it, Failed)} == {"authentication_failed"}
    assert len(provider.requests) == 1


def test_an_aggregator_that_is_not_described_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {"TIDINGS_SMS_TRANSPORT": "http"})
    with pytest.raises(EnvironmentFault, match=r"write channels\.sms\.http there, as docs/sms\.md shows"):
        run(create("sms", {"sender": "Kavarnia"}, outbox_dir=tmp_path).open())


def test_a_login_and_a_password_make_the_basic_header(provider: Server, tmp_path: Path) -> None:
    http = {**provider.config["http"], "headers": {"Authorization": "Basic {basic}"}}
    made = create("sms", {"sender": "K", "http": http}, outbox_dir=tmp_path)
    assert made.config.http.secrets() == ("http_login", "http_password")


BODY = {"to": "{to}", "text": "{text}"}
ANSWER = {"id": "id"}


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"url": "http://sms.example/send"}, "write an https:// address"),
        ({"url": "https://sms.example/{token}/send"}, "leave places and passwords to headers and body"),
        ({"form": BODY}, "write either 'json:' or 'form:'"),
        ({"json": {"to": "{to}"}}, r"put {number} \(or {to}\) and {text} into it"),
        ({"json": {**BODY, "from": "{sendr}"}}, "nothing is called '{sendr}' here; did you mean 'sender'?"),
        ({"json": {**BODY, "from": "{sender"}}, "a brace that is not closed"),
        ({"headers": {"X-Text": "{text}"}}, "nothing is called '{text}' here"),
        ({"headers": {"X-Name": "Кав'ярня"}}, "the header 'X-Name' cannot be sent"),
        ({"headers": {"X-Name:": "Kavarnia"}}, "the header 'X-Name:' cannot be sent"),
        ({"headers": {"X-Name": "Kavarnia "}}, "the header 'X-Name' cannot be sent"),
        ({"answer": {**ANSWER, "means": {"5": "ded"}}}, "no such outcome: 'ded'; did you mean 'dead'?"),
        ({"answer": {**ANSWER, "means": {"5": "dead No"}}}, "'No' is no reason"),
        ({"answer": {**ANSWER, "status": {"4xx": "permanent"}}}, "'4xx' is no HTTP status"),
        ({"answer": {"id": "a..b"}}, "expected a path, got 'a..b'"),
        ({"reports": {"id": "id", "status": "st", "means": {"D": "delivrd"}}}, "did you mean 'delivered'?"),
        ({"secret": "abc"}, "channels.sms.http.secret"),
    ],
)
def test_a_description_that_cannot_work_is_one_clear_sentence(
    described: Mapping[str, Any], said: str, tmp_path: Path
) -> None:
    http = {"url": "https://sms.example/send", "json": BODY, "answer": ANSWER, **described}
    with pytest.raises(UserError, match=re.sub(r"(?<!\\)([{}?])", r"\\\1", said)):
        create("sms", {"http": http}, outbox_dir=tmp_path)
