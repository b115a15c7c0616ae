"""SMS through a local server that speaks Twilio's protocol."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import Accepted, Failed, Outcome, Outgoing, Unknown, create
from core.errors import EnvironmentFault, UserError
from templates.sms import segments
from tests.channels.helpers import AnyChannel, connected, outgoing, run, send, send_one, use
from tests.channels.providers.http import Answer
from tests.channels.providers.sms import ACCOUNT, Server, error

PHONE = "+380501000000"
PARTS = Server.parts


@pytest.fixture
def channel(twilio: Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("sms", twilio, monkeypatch)


def answered(channel: AnyChannel, server: Server, answer: Answer) -> Outcome:
    server.next = [answer]
    outcome = send_one(channel, outgoing(PHONE, PARTS))
    assert len(server.requests) == 1, "the provider was asked more than once"
    return outcome


def test_twilio_receives_number_sender_and_text(channel: AnyChannel, twilio: Server) -> None:
    outcome = send_one(channel, outgoing(PHONE, {"text": "Привіт!\r\nУ вас 500 бонусів\n"}))
    assert outcome == Accepted(f"SM{1:032x}")
    assert twilio.requests[0].path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert twilio.forms == [{"To": PHONE, "From": "Kavarnia", "Body": "Привіт!\nУ вас 500 бонусів"}]


def test_a_messaging_service_picks_the_sender_and_reports_are_asked_for(
    twilio: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = {
        "TIDINGS_SMS_MESSAGING_SERVICE_SID": "MG1",
        "TIDINGS_SMS_STATUS_CALLBACK": "https://kavarnia.example/feedback/twilio",
    }
    use(monkeypatch, {**twilio.environment(), **service})
    send_one(create("sms", {}, outbox_dir=tmp_path), outgoing(PHONE, PARTS))
    (form,) = twilio.forms
    assert form["MessagingServiceSid"] == "MG1"
    assert form["StatusCallback"] == "https://kavarnia.example/feedback/twilio"
    assert "From" not in form


SENDERS = {"UA": "Kavarnia", "US": "+12025550123", "default": "Kava"}


@pytest.mark.parametrize(
    ("phone", "country", "sender"),
    [
        ("+380501000000", None, "Kavarnia"),
        ("+12025550199", None, "+12025550123"),
        ("+48501234567", None, "Kava"),
        ("+48501234567", "UA", "Kavarnia"),
    ],
)
def test_a_country_has_its_own_sender(phone: str, country: str | None, sender: str, tmp_path: Path) -> None:
    made = create("sms", {"sender": SENDERS}, outbox_dir=tmp_path)
    assert made.compose(outgoing(phone, PARTS, country=country)).sender == sender


def test_a_messaging_service_wins_over_the_programs_senders(
    twilio: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, {**twilio.environment(), "TIDINGS_SMS_MESSAGING_SERVICE_SID": "MG1"})
    send_one(create("sms", {"sender": SENDERS}, outbox_dir=tmp_path), outgoing(PHONE, PARTS))
    (form,) = twilio.forms
    assert (form["MessagingServiceSid"], form.get("From")) == ("MG1", None)


def test_without_a_sender_or_a_service_there_is_nobody_to_send_as(
    twilio: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, twilio.environment())
    with pytest.raises(EnvironmentFault, match=r"nobody to send as; write channels\.sms\.sender"):
        run(create("sms", {}, outbox_dir=tmp_path).open())


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "address"),
    [
        (error(400, 21610), "permanent", "opted_out", "opted_out"),
        (error(400, 21211), "permanent", "number_invalid", "dead"),
        (error(400, 21614), "permanent", "not_a_mobile_number", "dead"),
        (error(400, 21408), "configuration", "region_disabled", None),
        (error(400, 21612), "configuration", "no_route", None),
        (error(400, 21617), "configuration", "text_too_long", None),
        (error(401, 20003), "configuration", "authentication_failed", None),
        (error(400, 30001), "temporary", "queue_overflow", None),
        (error(400, 30007), "permanent", "filtered_by_carrier", None),
        (error(400, 21635), "permanent", "not_a_mobile_number", "dead"),
        (error(400, 30002), "configuration", "account_suspended", None),
        (error(400, 30022), "temporary", "rate_limited", None),
        (error(400, 30034), "configuration", "sender_not_registered", None),
        (error(400, 30410), "temporary", "provider_error", None),
        (error(400, 99999), "permanent", "refused", None),
        (error(404, 20404), "configuration", "provider_refused", None),
        (Answer(503, b"<html>busy</html>"), "temporary", "provider_busy", None),
        (Answer(400, b"not json"), "permanent", "refused", None),
        (Answer(400, ["a", "list"]), "permanent", "refused", None),
    ],
)
def test_each_error_code_says_what_to_do(
    channel: AnyChannel, twilio: Server, answer: Answer, kind: str, reason: str, address: str | None
) -> None:
    outcome = answered(channel, twilio, answer)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason, outcome.address) == (kind, reason, address)


def test_too_many_requests_tells_when_to_come_back(channel: AnyChannel, twilio: Server) -> None:
    outcome = answered(channel, twilio, error(429, 20429, **{"Retry-After": "12"}))
    assert outcome == Failed("temporary", "rate_limited", "HTTP 429", retry_after=12.0)


@pytest.mark.parametrize("code", ["nobody at +380501234567\x00", [21211], {}])
def test_a_code_that_is_no_number_is_not_kept(channel: AnyChannel, twilio: Server, code: object) -> None:
    outcome = answered(channel, twilio, Answer(400, {"code": code, "message": "no"}))
    assert outcome == Failed("permanent", "refused", "HTTP 400")


@pytest.mark.parametrize("header", ["soon", "", "-1", "1.5", "Wed, 41 Oct 2026 07:28:00 GMT"])
def test_an_unreadable_retry_after_is_none(channel: AnyChannel, twilio: Server, header: str) -> None:
    outcome = answered(channel, twilio, error(429, 20429, **{"Retry-After": header}))
    assert outcome == Failed("temporary", "rate_limited", "HTTP 429")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(0), "connection_lost"),
        (Answer(500, {"code": 20500, "message": "oops"}), "provider_error"),
        (Answer(502, b"bad gateway"), "provider_error"),
        (Answer(201, b"{not json"), "unreadable_answer"),
        (Answer(201, ["no", "object"]), "unreadable_answer"),
        (Answer(201, {"status": "queued"}), "unreadable_answer"),
    ],
)
def test_what_may_have_been_queued_is_unknown_and_not_asked_again(
    channel: AnyChannel, twilio: Server, answer: Answer, reason: str
) -> None:
    outcome = answered(channel, twilio, answer)
    assert isinstance(outcome, Unknown)
    assert outcome.reason == reason


def test_a_provider_that_does_not_answer_in_time_leaves_it_unknown(
    twilio: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("sms", twilio, monkeypatch, TIDINGS_SMS_TIMEOUT="0.2")
    assert send_one(channel, outgoing(twilio.address("hang"), PARTS)) == Unknown("timeout")


def test_an_answer_that_drips_in_for_ever_is_not_waited_for(
    twilio: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected("sms", twilio, monkeypatch, TIDINGS_SMS_TIMEOUT="0.1")
    assert answered(channel, twilio, Answer(-2)) == Unknown("timeout")


def test_a_wrong_token_is_tried_once_and_not_for_every_message(
    twilio: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"TIDINGS_SMS_AUTH_TOKEN": "not it", "TIDINGS_SMS_CONCURRENCY": "1"}
    channel = connected("sms", twilio, monkeypatch, **wrong)
    outcomes = send(channel, [outgoing(twilio.address("accept", n), PARTS) for n in range(30)])
    assert set(outcomes.values()) == {
        Failed("configuration", "authentication_failed", "HTTP 401, Twilio 20003")
    }
    assert len(twilio.requests) == 1


def test_longer_texts_than_the_program_allows_are_not_sent(channel: AnyChannel, twilio: Server) -> None:
    fits, too_long = (
        outgoing(PHONE, {"text": "я" * 134}, key="fits"),
        outgoing(PHONE, {"text": "я" * 135}, key="not"),
    )
    outcomes = send(channel, [fits, too_long])
    assert isinstance(outcomes["fits"], Accepted)
    assert outcomes["not"] == Failed("permanent", "text_too_long")
    assert len(twilio.requests) == 1


@pytest.mark.parametrize("number", ["380501234567", "+38 050 123 45 67", "+0501234567", "+38050\n", "Anna"])
def test_a_number_is_e164_or_refused(channel: AnyChannel, twilio: Server, number: str) -> None:
    assert send_one(channel, outgoing(number, PARTS, key="k")) == Failed("permanent", "number_malformed")
    assert twilio.requests == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("😀" * 35, 1),
        ("я" * 66 + "😀" + "я" * 66, 3),
        ("“", 1),
        ("a" * 70 + "“", 2),
    ],
)
def test_segments_are_counted_as_operators_do(text: str, count: int) -> None:
    assert segments(text).count == count


@given(st.text(), st.characters(codec="utf-8"))
def test_a_longer_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert segments(text + more).count >= segments(text).count


def priced(tariff: dict[str, object], message: Outgoing, tmp_path: Path) -> Decimal | None:
    return create("sms", {"sender": "Kavarnia", "tariff": tariff}, outbox_dir=tmp_path).cost(message)


@pytest.mark.parametrize(
    ("phone", "country", "cost"),
    [
        ("+380501234567", None, "1.70"),
        ("+48501234567", None, "4.20"),
        ("+48501234567", "UA", "1.70"),
        ("+99912345678", None, "4.20"),
    ],
)
def test_a_message_costs_its_segments_by_the_tariff_of_its_country(
    phone: str, country: str | None, cost: str, tmp_path: Path
) -> None:
    message = outgoing(phone, {"text": "я" * 71}, country=country)
    assert priced({"UA": 0.85, "default": 2.10}, message, tmp_path) == Decimal(cost)


def test_without_a_tariff_nobody_claims_to_know_the_cost(tmp_path: Path) -> None:
    assert priced({}, outgoing(PHONE, PARTS), tmp_path) is None
    assert priced({"PL": 1}, outgoing(PHONE, PARTS), tmp_path) is None


@pytest.mark.parametrize(
    "config",
    [
        {"sender": "Кав'ярня"},
        {"sender": "longer than eleven"},
        {"sender": "+38 050"},
        {"sender": True},
        {"sender": {"UA": "Kavarnia"}},
        {"sender": {"default": "Кав'ярня"}},
        {"sender": {"Ukraine": "Kavarnia", "default": "Kavarnia"}},
        {"transliterate": "Ukrainian"},
        {"transliterate": ["uk", 5]},
        {"tariff": {"ua": 1}},
        {"tariff": {"UA": -1}},
        {"segments_at_most": 0},
        {"rate": "fast"},
    ],
)
def test_a_config_that_cannot_work_is_refused_where_it_stands(
    config: dict[str, object], tmp_path: Path
) -> None:
    (key,) = config
    with pytest.raises(UserError, match=rf"program\.yaml: channels\.sms\.{key}"):
        create("sms", config, outbox_dir=tmp_path)


@pytest.mark.parametrize("sender", ["Kavarnia", "+380501234567", "12345", 12345, "Kava & Co"])
def test_senders_are_names_numbers_and_short_codes(sender: object, tmp_path: Path) -> None:
    assert create("sms", {"sender": sender}, outbox_dir=tmp_path).config.sender == str(sender)


def test_the_folder_shows_to_whom_from_whom_and_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {})
    send_one(create("sms", Server.config, outbox_dir=tmp_path), outgoing(PHONE, PARTS, key="m1"))
    written = (tmp_path / "sms" / "m1.txt").read_text(encoding="utf-8")
    assert written == f"To: {PHONE}\nFrom: Kavarnia\n\nПривіт! У вас 500 бонусів.\n"
