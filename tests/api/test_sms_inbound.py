"""What customers write back by an SMS aggregator."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response

from tests.api.aggregator import PHONE, SECRET, describe, reached_by_sms
from tests.api.shop import Shop

PATH = "/hooks/sms/inbound"
INBOUND = {"from": "msisdn", "text": "message", "id": "id"}


def described(shop: Shop, **inbound: Any) -> Shop:
    return describe(shop, inbound=inbound or INBOUND)


@pytest.fixture
def kavarnia(shop: Shop) -> Shop:
    return described(reached_by_sms(shop))


def hear(shop: Shop, text: str, number: str = PHONE, name: str = "1") -> Response:
    shop.clock.move_to(shop.clock.now().replace(minute=shop.clock.now().minute + 1))
    content = {"msisdn": number, "message": text, "id": name}
    answer: Response = shop.stranger.post(f"{PATH}/{SECRET}", json=content)
    return answer


@pytest.mark.parametrize("number", [PHONE, "380501234567", " 380501234567"])
@pytest.mark.parametrize("text", ["STOP", "стоп", "Відпишіть мене, будь ласка!"])
def test_stop_closes_the_channel_for_the_number(kavarnia: Shop, text: str, number: str) -> None:
    assert hear(kavarnia, text, number).status_code == 204
    assert kavarnia.suppressed("sms", "phone", PHONE)
    assert kavarnia.agrees("sms") is False


@pytest.mark.parametrize("text", ["STOP\0", "STOP \ud83d", "\0стоп\0"])
def test_a_stop_that_came_with_a_broken_sign_is_heard(kavarnia: Shop, text: str) -> None:
    kavarnia.clock.move_by(timedelta(minutes=1))
    body = json.dumps({"msisdn": PHONE, "message": text, "id": "1"})
    assert kavarnia.stranger.post(f"{PATH}/{SECRET}", content=body).status_code == 204
    assert kavarnia.agrees("sms") is False
    mine = kavarnia.till.get("/api/v1/customers/10042/data")
    [said] = [it for it in mine.json()["consents"] if it["channel"] == "sms"]
    assert said["proof"]["text"] in ("STOP", "STOP ?", "стоп")


@pytest.mark.parametrize("name", ["1\0", "\ud83d"])
def test_an_answer_whose_number_no_database_can_hold_is_answered(kavarnia: Shop, name: str) -> None:
    content = json.dumps({"msisdn": PHONE, "message": "START", "id": name})
    assert kavarnia.stranger.post(f"{PATH}/{SECRET}", content=content).status_code == 204


OLD = "msisdn=380501234567&message=%D1%F2%EE%EF"
MULTIPART = (
    '--cut\r\nContent-Disposition: form-data; name="msisdn"\r\n\r\n380501234567\r\n'
    '--cut\r\nContent-Disposition: form-data; name="message"\r\n\r\nСтоп\r\n--cut--\r\n'
)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(OLD.encode(), id="a form in windows-1251"),
        pytest.param("msisdn=380501234567&message=Стоп".encode("cp1251"), id="the same, not as percents"),
        pytest.param('{"msisdn": 380501234567, "message": "Стоп"}'.encode("utf-8-sig"), id="marked JSON"),
        pytest.param(MULTIPART.encode(), id="a form in several parts"),
    ],
)
def test_stop_is_heard_however_an_aggregator_writes_a_form(kavarnia: Shop, body: bytes) -> None:
    kavarnia.clock.move_by(timedelta(minutes=1))
    assert kavarnia.stranger.post(f"{PATH}/{SECRET}", content=body).status_code == 204
    assert kavarnia.agrees("sms") is False


def test_stop_is_heard_in_an_address_in_windows_1251(kavarnia: Shop) -> None:
    kavarnia.clock.move_by(timedelta(minutes=1))
    assert kavarnia.stranger.get(f"{PATH}/{SECRET}?{OLD}").status_code == 204
    assert kavarnia.agrees("sms") is False


def test_start_takes_a_stop_back_and_is_heard_once(kavarnia: Shop) -> None:
    hear(kavarnia, "СТОП", name="1")
    hear(kavarnia, "СТАРТ", name="2")
    assert not kavarnia.suppressed("sms", "phone", PHONE)
    assert kavarnia.agrees("sms") is True
    hear(kavarnia, "СТОП", name="3")
    hear(kavarnia, "СТАРТ", name="2")
    assert kavarnia.suppressed("sms", "phone", PHONE)
    assert kavarnia.agrees("sms") is False


def test_start_does_not_end_what_an_erasure_began(kavarnia: Shop) -> None:
    hear(kavarnia, "СТОП", name="1")
    kavarnia.with_key("admin", "admin").delete("/api/v1/customers/10042")
    hear(kavarnia, "СТАРТ", name="2")
    assert kavarnia.suppressed("sms", "phone", PHONE)


def test_start_is_not_heard_where_answers_have_no_name(kavarnia: Shop) -> None:
    described(kavarnia, **{"from": "msisdn", "text": "message"})
    hear(kavarnia, "STOP")
    hear(kavarnia, "START")
    assert kavarnia.suppressed("sms", "phone", PHONE)


def test_other_words_and_help_change_nothing(kavarnia: Shop) -> None:
    for text in ("дякую!", "HELP", ""):
        assert hear(kavarnia, text).status_code == 204
    assert kavarnia.agrees("sms") is True
    assert not kavarnia.suppressed("sms", "phone", PHONE)


def test_a_form_an_address_and_several_at_once_are_read_as_well(kavarnia: Shop) -> None:
    described(kavarnia, **INBOUND, each="answers", reply="OK")
    other = "+380671112233"
    content = {"answers": [{"odd": 1}, None, {"msisdn": other, "message": "STOP", "id": 7}]}
    answer = kavarnia.stranger.post(f"{PATH}/{SECRET}", json=content)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert kavarnia.suppressed("sms", "phone", other)
    described(kavarnia)
    fields = {"msisdn": PHONE, "message": "стоп"}
    assert kavarnia.stranger.get(f"{PATH}/{SECRET}", params=fields).status_code == 204
    assert kavarnia.suppressed("sms", "phone", PHONE)


def test_a_stranger_cannot_say_stop_for_somebody(kavarnia: Shop) -> None:
    for secret in ("", "/", "/wrong", f"/{SECRET}x", "/секрет"):
        answer = kavarnia.stranger.post(f"{PATH}{secret}", json={"msisdn": PHONE, "message": "STOP"})
        assert answer.status_code in {403, 404}
    described(kavarnia, **INBOUND, signature={"header": "X-Signature"})
    body = json.dumps({"msisdn": PHONE, "message": "STOP"}).encode()
    assert kavarnia.stranger.post(f"{PATH}/{SECRET}", content=body).status_code == 403
    assert kavarnia.stranger.post(PATH, content=body, headers={"X-Signature": "00"}).status_code == 403
    assert kavarnia.agrees("sms") is True
    right = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert kavarnia.stranger.post(PATH, content=body, headers={"X-Signature": right}).status_code == 204
    assert kavarnia.agrees("sms") is False


def test_what_cannot_be_read_changes_nothing(kavarnia: Shop) -> None:
    for content in (b"", b"\xff\xfe", b"{", b"[" * 50_000, b"null", b"5", b'{"msisdn": {}}', b"[[]]"):
        answer = kavarnia.stranger.post(f"{PATH}/{SECRET}", content=content)
        assert answer.status_code == 204, content[:9]
    for number in ("0501234567", "Kavarnia", "+", "9" * 400):
        assert hear(kavarnia, "STOP", number).status_code == 204
    assert kavarnia.agrees("sms") is True
