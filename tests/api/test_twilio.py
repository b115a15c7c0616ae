"""What Twilio calls: reports and answers, signed or not at all."""

from datetime import UTC, datetime
from itertools import count

import pytest
from httpx import Response
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from campaigns.tables import Enrolment, Feedback, Message
from channels.sms import callbacks
from core.customers.consent import CONSENT
from scheduler.closing import close_address
from tests.api.shop import AUTH_TOKEN, PUBLIC_URL, Shop
from tidings.api import Services

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
PHONE = "+380501234567"
REPLIES = count(1)


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
    own = {"MessageSid": f"SM{next(REPLIES)}", "From": PHONE, "To": "+380440000000", "Body": body}
    return call(shop, "inbound", **own, **more)


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


def test_reports_come_out_of_order_and_twice(shop_with_olena: Shop) -> None:
    message = a_message(shop_with_olena)
    for status in ("delivered", "sent", "queued", "delivered", "undelivered", "read"):
        assert call(shop_with_olena, "status", MessageSid="SM1", MessageStatus=status).status_code == 204
    assert state_of(shop_with_olena, message) == "delivered"
    with shop_with_olena.database.read() as connection:
        kinds = connection.scalars(select(FEEDBACK.c.kind).order_by(FEEDBACK.c.id)).all()
    assert kinds == ["delivered", "undelivered", "read"]


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


WORDS = (
    ("STOP", "START"), ("stop", "старт"), (" Stop! ", "Почати"), ("СТОП", "unstop"), ("стоп.", "Подписаться"),
    ("Відписатися", "«Старт»"), ("отписаться", "yes"), ("UNSUBSCRIBE", "СТАРТ"), ("Stop all", "начать"),
)  # fmt: skip


def test_stop_and_start_in_any_language_act_at_once(shop_with_olena: Shop) -> None:
    minute = 0
    for stop, start in WORDS:
        for word, stopped in ((stop, True), (start, False)):
            minute += 1
            shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=minute))
            answer = hear(shop_with_olena, word)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/xml")
            assert shop_with_olena.suppressed("sms", "phone", PHONE) is stopped, word
            assert shop_with_olena.agrees("sms") is not stopped, word
    with shop_with_olena.database.read() as connection:
        proofs = connection.scalars(select(CONSENT.c.proof).where(CONSENT.c.channel == "sms"))
        assert list(proofs) == [{"text": WORDS[-1][1]}]


def test_a_start_that_is_played_back_after_a_stop_is_not_obeyed(shop_with_olena: Shop) -> None:
    fields = {"MessageSid": "SM-start", "From": PHONE, "To": "+380440000000", "Body": "START"}
    for hour, stopped in ((9, True), (10, False), (11, True), (12, True)):
        shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(hour=hour))
        if hour % 2:
            hear(shop_with_olena, "STOP")
        else:
            assert call(shop_with_olena, "inbound", **fields).status_code == 200
        assert shop_with_olena.suppressed("sms", "phone", PHONE) is stopped
        assert shop_with_olena.agrees("sms") is not stopped


STOPPED = (
    "<Response><Message>Kavarnia: більше не надсилатимемо повідомлень. Щоб отримувати їх знову, "
    "надішліть СТАРТ.</Message></Response>"
)


def test_a_stop_that_twilio_does_not_know_is_answered_once(shop_with_olena: Shop) -> None:
    assert hear(shop_with_olena, "Відписатися!").text == STOPPED
    assert hear(shop_with_olena, "СТОП").text == "<Response/>"


def test_what_twilio_answers_itself_is_not_answered_twice(shop_with_olena: Shop) -> None:
    for word, reading in (
        ("Stop", ""),
        ("СТОП", "STOP"),
        ("help", ""),
        ("що?", "HELP"),
        ("Допомога", "HELP"),
    ):
        assert hear(shop_with_olena, word, OptOutType=reading).text == "<Response/>"


def test_help_is_answered_in_the_customers_language_and_changes_nothing(shop_with_olena: Shop) -> None:
    answer = hear(shop_with_olena, "Помощь?")
    assert "повідомлення програми лояльності" in answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    assert shop_with_olena.agrees("sms") is True
    fields = {"From": "+380509999999", "Body": "Помощь", "MessageSid": "SM1", "To": "1"}
    assert "сообщения программы лояльности" in call(shop_with_olena, "inbound", **fields).text


def test_help_leads_to_the_shop_if_it_has_an_address(
    shop_with_olena: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "СТОП. https://kavarnia.example</Message>" in hear(shop_with_olena, "Помощь").text
    without = shop_with_olena.services.program.model_copy(update={"url": ""})
    monkeypatch.setattr(Services, "program", without)
    assert "надішліть СТОП.</Message>" in hear(shop_with_olena, "Помощь").text


def test_an_answer_is_feedback_on_the_last_message_and_its_words_are_not_kept(shop_with_olena: Shop) -> None:
    a_message(shop_with_olena)
    last = a_message(shop_with_olena, "SM2")
    for words in ("Стоп", "Стоп", "Де мій бонус?"):
        hear(shop_with_olena, words)
    with shop_with_olena.database.read() as connection:
        kept = select(FEEDBACK.c.message_id, FEEDBACK.c.kind, FEEDBACK.c.detail).order_by(FEEDBACK.c.id)
        assert connection.execute(kept).all() == [(last, "replied", "stop"), (last, "replied", None)]


def test_what_is_said_on_whatsapp_concerns_whatsapp(shop_with_olena: Shop) -> None:
    fields = {"MessageSid": "SM1", "From": f"whatsapp:{PHONE}", "To": "whatsapp:+380440000000"}
    assert call(shop_with_olena, "inbound", Body="СТОП", **fields).status_code == 200
    assert shop_with_olena.suppressed("whatsapp", "phone", PHONE)
    assert shop_with_olena.agrees("whatsapp") is False
    assert not shop_with_olena.suppressed("sms", "phone", PHONE)
    assert shop_with_olena.agrees("sms") is True


def test_anything_else_changes_nothing(shop_with_olena: Shop) -> None:
    for body in ("Де мій бонус?", "don't stop", "HELP", "", "Stopped by today, thanks", "не стоп", "5"):
        assert hear(shop_with_olena, body).status_code == 200
    assert not shop_with_olena.suppressed("sms", "phone", PHONE)
    assert shop_with_olena.agrees("sms") is True


def test_start_does_not_give_a_consent_that_was_withdrawn_elsewhere(shop_with_olena: Shop) -> None:
    shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=1))
    shop_with_olena.consent("sms", granted=False)
    shop_with_olena.clock.move_to(shop_with_olena.clock.now().replace(minute=2))
    hear(shop_with_olena, "START")
    assert shop_with_olena.agrees("sms") is False


def test_start_gives_back_what_the_provider_told_of_as_the_message_left(shop_with_olena: Shop) -> None:
    now = shop_with_olena.clock.now().replace(minute=1)
    message = a_message(shop_with_olena)
    with shop_with_olena.database.write() as connection:
        row = connection.execute(select(MESSAGE).where(MESSAGE.c.id == message)).one()
        close_address(connection, row, "sms", PHONE, "opted_out", "opted_out", now)
    assert shop_with_olena.agrees("sms") is False
    shop_with_olena.clock.move_to(now.replace(minute=2))
    hear(shop_with_olena, "START")
    assert shop_with_olena.agrees("sms") is True
    assert not shop_with_olena.suppressed("sms", "phone", PHONE)


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


def test_twilios_own_vector_is_right() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    given = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234"}
    pairs = [*given.items(), ("From", "+14158675309"), ("To", "+18005551212")]
    assert callbacks.signed("12345", url, pairs, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not callbacks.signed("12346", url, pairs, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not callbacks.signed("12345", url, pairs, "")
    assert not callbacks.signed("12345", url, pairs, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "algorithm=HMAC_MD5")


def test_a_shared_key_signs_by_sha256(shop_with_olena: Shop) -> None:
    environment = shop_with_olena.services.workspace.env_file
    environment.write_text(f"{environment.read_text()}TIDINGS_SMS_WEBHOOK_KEY=a shared key\n")
    fields = {"MessageSid": "SM1", "MessageStatus": "sent"}
    made = RequestValidator("a shared key").compute_signature(
        f"{PUBLIC_URL}/hooks/twilio/status", fields, "HMAC_SHA256"
    )
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}

    def answered(headers: dict[str, str]) -> int:
        answer: Response = shop_with_olena.stranger.post("/hooks/twilio/status", data=fields, headers=headers)
        return answer.status_code

    assert answered({"X-Twilio-Signature": made, **settings}) == 204
    assert answered({"X-Twilio-Signature": made}) == 403


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
