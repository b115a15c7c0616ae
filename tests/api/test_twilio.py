"""What Twilio calls: reports and answers, signed or not at all."""

from datetime import UTC, datetime

import pytest
from httpx import Response
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from campaigns.tables import Enrolment, Feedback, Message
from tests.api.shop import AUTH_TOKEN, PUBLIC_URL, Shop

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
PHONE = "+380501234567"


@pytest.fixture
def shop_with_olena(shop: Shop) -> Shop:
    shop.register(locale="uk", phone=PHONE)
    shop.consent("sms")
    return shop


def call(shop: Shop, what: str, token: str = AUTH_TOKEN, query: str = "", **fields: str) -> Response:
    """A request as Twilio signs it."""
    signature = RequestValidator(token).compute_signature(f"{PUBLIC_URL}/hooks/twilio/{what}{query}", fields)
    headers = {"X-Twilio-Signature": signature}
    answer: Response = shop.stranger.post(f"/hooks/twilio/{what}{query}", data=fields, headers=headers)
    return answer


def hear(shop: Shop, body: str, **more: str) -> Response:
    return call(shop, "inbound", MessageSid="SM1", From=PHONE, To="+380440000000", Body=body, **more)


def a_message(shop: Shop, sid: str = "SM1", state: str = "sent") -> int:
    """A message that Twilio has taken over."""
    now = datetime(2026, 3, 1, 8, tzinfo=UTC)
    with shop.database.write() as connection:
        enrolment = connection.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM enrolment").scalar_one()
        customer = shop.id_of()
        common = {"scenario": "win-back", "version": 1, "customer_id": customer, "occasion": sid, "facts": {}}
        connection.execute(ENROLMENT.insert().values(id=enrolment, at=now, **common))
        row = {
            "enrolment_id": enrolment, "step": "hello", "step_index": 0, "purpose": "marketing",
            "priority": 50, "message": "win-back", "channels": ["sms"], "channel": "sms", "state": state,
            "planned_at": now, "due_at": now, "changed_at": now, "accepted_at": now, "provider_id": sid,
            **common,
        }  # fmt: skip
        return int(connection.execute(MESSAGE.insert().values(row).returning(MESSAGE.c.id)).scalar_one())


def state_of(shop: Shop, message: int) -> str:
    with shop.database.read() as connection:
        return str(connection.scalar(select(MESSAGE.c.state).where(MESSAGE.c.id == message)))


def test_a_delivered_message_is_marked_and_remembered(shop_with_olena: Shop) -> None:
    message = a_message(shop_with_olena)
    assert call(shop_with_olena, "status", MessageSid="SM1", MessageStatus="delivered").status_code == 204
    assert state_of(shop_with_olena, message) == "delivered"
    with shop_with_olena.database.read() as connection:
        assert connection.scalars(select(FEEDBACK.c.kind)).all() == ["delivered"]


def test_reports_of_what_is_under_way_change_nothing(shop_with_olena: Shop) -> None:
    message = a_message(shop_with_olena)
    for status in ("queued", "sending", "sent"):
        assert call(shop_with_olena, "status", MessageSid="SM1", MessageStatus=status).status_code == 204
    assert state_of(shop_with_olena, message) == "sent"


def test_a_report_that_overtakes_its_message_finds_it_a_moment_later(shop_with_olena: Shop) -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            a_message(shop_with_olena)

    object.__setattr__(shop_with_olena.services, "pause", pause)
    assert call(shop_with_olena, "status", MessageSid="SM1", MessageStatus="delivered").status_code == 204
    assert len(waited) == 2


def test_a_report_of_somebody_elses_message_is_not_found(shop_with_olena: Shop) -> None:
    async def pause(_seconds: float) -> None:
        """Nothing happens meanwhile."""

    object.__setattr__(shop_with_olena.services, "pause", pause)
    assert call(shop_with_olena, "status", MessageSid="SM9", MessageStatus="delivered").status_code == 404


def test_a_number_that_does_not_exist_is_never_used_again(shop_with_olena: Shop) -> None:
    a_message(shop_with_olena)
    fields = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005", "To": PHONE}
    assert call(shop_with_olena, "status", **fields).status_code == 204
    assert shop_with_olena.suppressed("sms", "phone", PHONE)
    assert shop_with_olena.agrees("sms") is True


def test_a_handset_that_was_off_stays_usable(shop_with_olena: Shop) -> None:
    a_message(shop_with_olena)
    fields = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003", "To": PHONE}
    assert call(shop_with_olena, "status", **fields).status_code == 204
    assert not shop_with_olena.suppressed("sms", "phone", PHONE)


@pytest.mark.parametrize(
    "word",
    ["STOP", "stop", " Stop! ", "СТОП", "стоп.", "Відписатися", "отписаться", "UNSUBSCRIBE", "Stop all"],
)
def test_stop_in_any_language_acts_at_once(shop_with_olena: Shop, word: str) -> None:
    answer = hear(shop_with_olena, word)
    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert answer.headers["content-type"].startswith("text/xml")
    assert shop_with_olena.suppressed("sms", "phone", PHONE)
    assert shop_with_olena.agrees("sms") is False


def test_twilios_own_reading_of_a_word_comes_first(shop_with_olena: Shop) -> None:
    hear(shop_with_olena, "basta", OptOutType="STOP")
    assert shop_with_olena.suppressed("sms", "phone", PHONE)


@pytest.mark.parametrize("body", ["Де мій бонус?", "don't stop", "HELP", "", "Stopped by today, thanks"])
def test_anything_else_changes_nothing(shop_with_olena: Shop, body: str) -> None:
    assert hear(shop_with_olena, body).status_code == 200
    assert not shop_with_olena.suppressed("sms", "phone", PHONE)
    assert shop_with_olena.agrees("sms") is True


@pytest.mark.parametrize("word", ["START", "старт", "Почати"])
def test_start_lifts_what_stop_did(shop_with_olena: Shop, word: str) -> None:
    hear(shop_with_olena, "STOP")
    shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=1))
    hear(shop_with_olena, word)
    assert not shop_with_olena.suppressed("sms", "phone", PHONE)
    assert shop_with_olena.agrees("sms") is True


def test_start_does_not_give_a_consent_that_was_withdrawn_elsewhere(shop_with_olena: Shop) -> None:
    shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=1))
    shop_with_olena.consent("sms", granted=False)
    shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=2))
    hear(shop_with_olena, "START")
    assert shop_with_olena.agrees("sms") is False


def test_a_number_that_nobody_has_can_say_stop_too(shop_with_olena: Shop) -> None:
    fields = {"From": "+380509999999", "Body": "STOP", "MessageSid": "SM1", "To": "1"}
    assert call(shop_with_olena, "inbound", **fields).status_code == 200
    assert shop_with_olena.suppressed("sms", "phone", "+380509999999")
    assert shop_with_olena.agrees("sms") is True
    assert call(shop_with_olena, "inbound", **{**fields, "From": "whatever"}).status_code == 200


@pytest.mark.parametrize("what", ["status", "inbound"])
def test_what_twilio_did_not_sign_is_refused(shop_with_olena: Shop, what: str) -> None:
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered", "From": PHONE, "Body": "STOP"}
    wrong = call(shop_with_olena, what, token="another", **fields)
    bare = shop_with_olena.stranger.post(f"/hooks/twilio/{what}", data=fields)
    for answer in (wrong, bare):
        assert (answer.status_code, answer.json()["code"]) == (403, "signature")
    assert shop_with_olena.agrees("sms") is True


def test_a_signature_covers_the_query_too(shop_with_olena: Shop) -> None:
    fields = {"MessageSid": "SM1", "MessageStatus": "sent"}
    assert call(shop_with_olena, "status", query="?shop=1&x=%20", **fields).status_code == 204
    signature = RequestValidator(AUTH_TOKEN).compute_signature(f"{PUBLIC_URL}/hooks/twilio/status", fields)
    path = "/hooks/twilio/status?shop=2"
    assert (
        shop_with_olena.stranger.post(
            path, data=fields, headers={"X-Twilio-Signature": signature}
        ).status_code
        == 403
    )


def test_without_an_auth_token_nobody_is_believed(shop_with_olena: Shop) -> None:
    environment = shop_with_olena.services.workspace.env_file
    environment.write_text(environment.read_text().replace(AUTH_TOKEN, ""))
    assert call(shop_with_olena, "inbound", token="", From=PHONE, Body="STOP").status_code == 403
    assert shop_with_olena.agrees("sms") is True


def test_a_repeated_report_does_not_undo_what_the_customer_chose_since(shop_with_olena: Shop) -> None:
    a_message(shop_with_olena)
    fields = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "21610", "To": PHONE}
    assert call(shop_with_olena, "status", **fields).status_code == 204
    assert shop_with_olena.agrees("sms") is False
    shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=1))
    hear(shop_with_olena, "START")
    shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=2))
    assert call(shop_with_olena, "status", **fields).status_code == 204
    assert not shop_with_olena.suppressed("sms", "phone", PHONE)
    assert shop_with_olena.agrees("sms") is True
