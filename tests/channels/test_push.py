"""Push through a local server that speaks FCM's protocol."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from channels import Accepted, Failed, Outcome, Unknown, create
from core.errors import EnvironmentFault
from tests.channels.helpers import AnyChannel, connected, outcomes_of, outgoing, run, send, send_one, use
from tests.channels.providers.base import SECRET
from tests.channels.providers.http import Answer
from tests.channels.providers.push import PROJECT, SEND, Server, error

TOKEN = "c-installation-idabcde:APA91b" + "x" * 120
PARTS = Server.parts
OTHERS = "SENDER_ID_MISMATCH"
INVALID = "The registration token is not a valid FCM registration token"


@pytest.fixture
def channel(fcm: Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("push", fcm, monkeypatch)


def answered(channel: AnyChannel, server: Server, answer: Answer) -> Outcome:
    server.next = [answer]
    outcome = send_one(channel, outgoing(TOKEN, PARTS))
    assert len(server.messages) == 1, "FCM was asked more than once"
    return outcome


def test_fcm_receives_the_notification_its_link_and_how_long_to_try(channel: AnyChannel, fcm: Server) -> None:
    image = {"image": "https://kavarnia.example/cake.png"}
    outcome = send_one(channel, outgoing(TOKEN, {**PARTS, **image}, key="m1", tag="birthday"))
    assert outcome == Accepted(f"projects/{PROJECT}/messages/1")
    (message,) = fcm.messages
    identity = message["data"]["key"]
    assert message["token"] == TOKEN
    assert message["notification"] == {"title": "Бонуси", "body": "У вас 500 бонусів", **image}
    assert message["data"]["link"] == "https://kavarnia.example/card"
    assert message["android"]["collapse_key"] == "birthday"
    assert message["android"]["ttl"] == "86400s"
    assert message["android"]["notification"]["tag"] == identity
    assert message["apns"]["headers"]["apns-collapse-id"] == identity
    assert message["apns"]["headers"]["apns-expiration"] == "1772438400"
    # An iPhone fetches a picture only where the app may change the notification before it is shown.
    assert message["apns"]["payload"] == {"aps": {"sound": "default", "mutable-content": 1}}
    assert message["apns"]["fcm_options"] == image
    assert message["webpush"]["fcm_options"] == {"link": "https://kavarnia.example/card"}


def test_a_message_says_itself_what_it_replaces_how_long_it_is_kept_and_what_the_app_is_told(
    channel: AnyChannel, fcm: Server
) -> None:
    own = {
        "collapse": "balance",
        "keep": "2 hours",
        "data.screen": "card",
        "data.tab": "2",
        "link": "kava://c",
    }
    send_one(channel, outgoing(TOKEN, {**PARTS, **own}))
    (message,) = fcm.messages
    identity = message["data"].pop("key")
    assert message["data"] == {"screen": "card", "tab": "2", "link": "kava://c"}
    android, apns = message["android"], message["apns"]
    assert (android["collapse_key"], android["ttl"], android["notification"]["tag"]) == (
        "balance", "7200s", "balance",
    )  # fmt: skip
    assert apns["headers"]["apns-collapse-id"] == "balance" != identity
    assert "fcm_options" not in message["webpush"], "a browser opens web pages only"


def test_the_program_says_how_a_phone_shows_it(fcm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcm, "config", {"android_channel": "offers", "sound": None, "badge": 1})
    send_one(connected("push", fcm, monkeypatch), outgoing(TOKEN, PARTS))
    (message,) = fcm.messages
    assert message["android"]["notification"]["channel_id"] == "offers"
    assert message["apns"]["payload"] == {"aps": {"badge": 1}}
    assert "sound" not in message["android"]["notification"]


def test_a_rehearsal_asks_fcm_and_delivers_nothing(channel: AnyChannel, fcm: Server) -> None:
    async def rehearsed() -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        async with channel:
            batch = [outgoing(fcm.address("accept"), PARTS, key="good"), outgoing(TOKEN, {}, key="bad")]
            batch.append(outgoing(fcm.address("dead"), PARTS, key="dead"))
            await channel.validate(batch, outcomes.__setitem__)
        return outcomes

    outcomes = run(rehearsed())
    assert isinstance(outcomes["good"], Accepted)
    assert outcomes["bad"] == Failed("permanent", "missing_body")
    assert outcomes["dead"] == Failed("permanent", "device_unregistered", "HTTP 404 UNREGISTERED", "dead")
    bodies = [json.loads(request.body) for request in fcm.requests if request.path == SEND]
    assert [body["validate_only"] for body in bodies] == [True, True]


def test_devices_of_another_project_are_given_up_only_by_the_right_one(
    fcm: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("push", fcm, monkeypatch, TIDINGS_PUSH_CONCURRENCY="1")
    fcm.next = [mismatch := error(403, "PERMISSION_DENIED", OTHERS), Answer(200, {"name": "m/1"}), mismatch]
    outcomes = send(channel, [outgoing(TOKEN, PARTS, key=key) for key in ("first", "taken", "last")])
    first, last = outcomes["first"], outcomes["last"]
    assert isinstance(first, Failed)
    assert isinstance(last, Failed)
    assert {first.reason, last.reason} == {"device_of_another_sender"}
    # With a wrong service account every device is another project's: it would cost all of them.
    assert (first.address, last.address) == (None, "dead")


def test_it_is_a_real_message_and_not_a_rehearsal(channel: AnyChannel, fcm: Server) -> None:
    send_one(channel, outgoing(TOKEN, PARTS))
    bodies = [json.loads(request.body) for request in fcm.requests if request.path == SEND]
    assert [body.get("validate_only") for body in bodies] == [None]


@pytest.mark.parametrize(("purpose", "priority"), [("marketing", "normal"), ("transactional", "high")])
def test_only_what_cannot_wait_wakes_the_phone(
    channel: AnyChannel, fcm: Server, purpose: Any, priority: str
) -> None:
    send_one(channel, outgoing(TOKEN, PARTS, purpose=purpose))
    assert fcm.messages[0]["android"]["priority"] == priority


def test_an_installation_id_is_addressed_as_one(channel: AnyChannel, fcm: Server) -> None:
    send_one(channel, outgoing("cAbCdEfGhIjKlMnOpQrStU", PARTS))
    assert fcm.messages[0]["fid"] == "cAbCdEfGhIjKlMnOpQrStU"
    assert "token" not in fcm.messages[0]


def test_tokens_are_sent_without_the_sdks_warning_and_other_warnings_stay(
    channel: AnyChannel, fcm: Server
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        send_one(channel, outgoing(TOKEN, PARTS))
        warnings.warn("still heard", DeprecationWarning, stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["still heard"]
    assert fcm.messages[0]["token"] == TOKEN


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "address"),
    [
        (error(404, "NOT_FOUND", "UNREGISTERED"), "permanent", "device_unregistered", "dead"),
        (Answer(302, b"", {"Location": "/login"}), "configuration", "redirected", None),
        (error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", INVALID), "permanent", "device_invalid", "dead"),
        (error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "too big"), "permanent", "refused", None),
        (error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), "configuration", "apns_credentials", None),
        (error(403, "PERMISSION_DENIED"), "configuration", "provider_refused", None),
        (error(404, "NOT_FOUND"), "configuration", "project_unknown", None),
        (error(500, "INTERNAL", "INTERNAL"), "temporary", "provider_error", None),
        (error(503, "UNAVAILABLE", "UNAVAILABLE"), "temporary", "provider_busy", None),
        (Answer(503, b"<html>busy</html>"), "temporary", "provider_busy", None),
        (Answer(400, b"not json"), "permanent", "refused", None),
        (Answer(400, ["a", "list"]), "permanent", "refused", None),
    ],
)
def test_each_error_says_what_to_do(
    channel: AnyChannel, fcm: Server, answer: Answer, kind: str, reason: str, address: str | None
) -> None:
    outcome = answered(channel, fcm, answer)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason, outcome.address) == (kind, reason, address)


def test_too_many_requests_tells_when_to_come_back(channel: AnyChannel, fcm: Server) -> None:
    answer = error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", **{"Retry-After": "60"})
    expected = Failed("temporary", "rate_limited", "HTTP 429 QUOTA_EXCEEDED", retry_after=60.0)
    assert answered(channel, fcm, answer) == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(0), "connection_lost"),
        (Answer(502, b"bad gateway"), "provider_error"),
        (Answer(200, b"{not json"), "unreadable_answer"),
        (Answer(200, {}), "unreadable_answer"),
        (Answer(200, ["no", "object"]), "unreadable_answer"),
    ],
)
def test_what_may_have_been_taken_over_is_unknown_and_not_asked_again(
    channel: AnyChannel, fcm: Server, answer: Answer, reason: str
) -> None:
    outcome = answered(channel, fcm, answer)
    assert isinstance(outcome, Unknown)
    assert outcome.reason == reason


def test_a_provider_that_does_not_answer_in_time_leaves_it_unknown(
    fcm: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("push", fcm, monkeypatch, TIDINGS_PUSH_TIMEOUT="0.2")
    assert send_one(channel, outgoing(fcm.address("hang"), PARTS)) == Unknown("timeout")


def test_one_access_token_serves_all_messages(channel: AnyChannel, fcm: Server) -> None:
    send(channel, [outgoing(fcm.address("accept", n), PARTS, key=f"m{n}") for n in range(20)])
    assert sum(request.path == "/token" for request in fcm.requests) == 1


def test_a_token_that_is_no_longer_taken_is_renewed_for_the_next_message(
    channel: AnyChannel, fcm: Server
) -> None:
    async def twice() -> list[Outcome]:
        fcm.next = [error(401, "UNAUTHENTICATED")]
        async with channel:
            first = await outcomes_of(channel, [outgoing(TOKEN, PARTS)])
            second = await outcomes_of(channel, [outgoing(TOKEN, PARTS)])
        return [*first.values(), *second.values()]

    refused, accepted = run(twice())
    assert refused == Failed("configuration", "authentication_failed", "HTTP 401")
    assert isinstance(accepted, Accepted)
    assert [request.path for request in fcm.requests] == ["/token", SEND, "/token", SEND]


def test_a_refused_service_account_stops_the_batch(fcm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = connected("push", fcm, monkeypatch, TIDINGS_PUSH_CONCURRENCY="1")
    fcm.token_answer = Answer(400, {"error": "invalid_grant", "error_description": SECRET})
    outcomes = send(channel, [outgoing(fcm.address("accept", n), PARTS, key=f"m{n}") for n in range(20)])
    assert set(outcomes.values()) == {Failed("configuration", "authentication_failed")}
    assert fcm.messages == []


def test_channels_of_one_process_and_of_several_loops_do_not_meet(
    fcm: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = connected("push", fcm, monkeypatch), connected("push", fcm, monkeypatch)

    async def both() -> list[Outcome]:
        async with first, second:
            outcomes = [await outcomes_of(one, [outgoing(TOKEN, PARTS)]) for one in (first, second)]
        return [outcome for each in outcomes for outcome in each.values()]

    assert all(isinstance(outcome, Accepted) for outcome in [*run(both()), *run(both())])


def test_the_service_account_may_be_a_file(
    fcm: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "firebase.json"
    file.write_text(json.dumps(fcm.account), encoding="utf-8")
    there = {**fcm.environment(), "TIDINGS_PUSH_SERVICE_ACCOUNT_FILE": str(file)}
    del there["TIDINGS_PUSH_SERVICE_ACCOUNT"]
    use(monkeypatch, there)
    channel = create("push", {}, outbox_dir=tmp_path)
    assert isinstance(send_one(channel, outgoing(TOKEN, PARTS)), Accepted)


@pytest.mark.parametrize(
    "account", [f"{{{SECRET}", f'["{SECRET}"]', f'{{"type": "{SECRET}"}}', "incomplete", "no key"]
)
def test_a_service_account_that_is_none_is_named_and_not_shown(
    fcm: Server, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    special = {
        "incomplete": {"type": "service_account", "project_id": SECRET},
        "no key": {**fcm.account, "private_key": SECRET},
    }
    text = json.dumps(special[account]) if account in special else account
    channel = connected("push", fcm, monkeypatch, TIDINGS_PUSH_SERVICE_ACCOUNT=text)
    with pytest.raises(EnvironmentFault, match="service account") as fault:
        run(channel.open())
    assert SECRET not in str(fault.value)
    run(channel.close())


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"title": "x"}, "missing_body"),
        ({"body": "я" * 2100}, "text_too_long"),
        ({"body": "a", "data.cart": '"' * 2050}, "text_too_long"),
        ({"body": "a", "keep": "29 days"}, "keep_malformed"),
        ({"body": "a", "keep": "for ever"}, "keep_malformed"),
        ({"body": "a", "collapse": "я" * 33}, "collapse_malformed"),
        ({"body": "a", "data.google.x": "1"}, "data_malformed"),
        ({"body": "a", "data.from": "1"}, "data_malformed"),
    ],
)
def test_what_cannot_be_shown_is_not_sent(
    channel: AnyChannel, fcm: Server, parts: dict[str, str], reason: str
) -> None:
    assert send_one(channel, outgoing(TOKEN, parts)) == Failed("permanent", reason)
    assert fcm.messages == []


def test_the_program_says_how_long_to_try(tmp_path: Path) -> None:
    channel = create("push", {"keep": "6 hours"}, outbox_dir=tmp_path)
    notice = channel.compose(outgoing(TOKEN, PARTS))
    assert json.loads(notice.files()[".json"])["keep"] == 6 * 3600
