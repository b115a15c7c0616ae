"""What an SMS aggregator calls: reports to a secret address, or signed ones."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import select

from campaigns.tables import Feedback
from tests.api.aggregator import PHONE, SECRET, describe, reached_by_sms
from tests.api.shop import Shop
from tests.api.test_twilio import a_message, state_of

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
REPORTS = {
    "id": "message_id",
    "status": "status",
    "means": {
        "DELIVRD": "delivered",
        "EXPIRED": "undelivered expired",
        "UNKNOWN_NUMBER": "dead number_unknown",
        "STOPLIST": "opted_out",
    },
    "reply": "OK",
}


def described(shop: Shop, **more: Any) -> Shop:
    return describe(shop, reports={**REPORTS, **more})


@pytest.fixture
def kavarnia(shop: Shop) -> Shop:
    async def pause(_seconds: float) -> None:
        """Nothing happens meanwhile."""

    object.__setattr__(shop.services, "pause", pause)
    return described(reached_by_sms(shop))


def tell(shop: Shop, document: object, *, secret: str = f"/{SECRET}", **headers: str | bytes) -> Response:
    content = json.dumps(document).encode()
    answer: Response = shop.stranger.post(f"/hooks/sms/reports{secret}", content=content, headers=headers)
    return answer


def told(status: str, name: str = "106") -> Mapping[str, str]:
    return {"message_id": name, "status": status}


def test_a_delivered_message_is_marked_and_the_aggregator_reads_its_reply(kavarnia: Shop) -> None:
    message = a_message(kavarnia, "sms/106")
    for status in ("ENROUTE", "DELIVRD", "DELIVRD", "EXPIRED"):
        answer = tell(kavarnia, told(status))
        assert (answer.status_code, answer.text) == (200, "OK")
    assert state_of(kavarnia, message) == "delivered"


def test_a_report_that_names_a_message_by_the_key_of_an_earlier_release_is_understood(kavarnia: Shop) -> None:
    message = a_message(kavarnia, "sms/2.A-2.2")
    assert tell(kavarnia, told("DELIVRD", "2.A-2.2")).status_code == 200
    assert state_of(kavarnia, message) == "delivered"


@pytest.mark.parametrize("odd", ["9\0", "\ud83d"])
def test_a_report_that_no_database_can_hold_keeps_no_other_from_being_heard(kavarnia: Shop, odd: str) -> None:
    described(kavarnia, each="reports")
    message = a_message(kavarnia, "sms/106")
    assert tell(kavarnia, {"reports": [told("DELIVRD", odd), told("DELIVRD")]}).status_code == 200
    assert state_of(kavarnia, message) == "delivered"


def test_a_form_and_an_address_are_read_as_well(kavarnia: Shop) -> None:
    first, second = a_message(kavarnia, "sms/1"), a_message(kavarnia, "sms/2")
    path = f"/hooks/sms/reports/{SECRET}"
    assert kavarnia.stranger.post(path, data=told("DELIVRD", "1")).status_code == 200
    assert kavarnia.stranger.get(path, params=told("DELIVRD", "2")).status_code == 200
    assert [state_of(kavarnia, it) for it in (first, second)] == ["delivered", "delivered"]


def test_many_reports_may_come_at_once_and_some_of_them_not_be_ours(kavarnia: Shop) -> None:
    described(kavarnia, each="reports")
    message = a_message(kavarnia, "sms/106")
    reports = [told("DELIVRD", "elsewhere"), told("DELIVRD"), {"odd": 1}, None]
    assert tell(kavarnia, {"reports": reports}).status_code == 200
    assert state_of(kavarnia, message) == "delivered"
    assert tell(kavarnia, {"reports": [told("DELIVRD", "elsewhere")]}).status_code == 404


def test_what_a_report_says_of_a_number_is_heeded(kavarnia: Shop) -> None:
    a_message(kavarnia, "sms/106")
    assert tell(kavarnia, told("UNKNOWN_NUMBER")).status_code == 200
    assert kavarnia.suppressed("sms", "phone", PHONE)
    assert kavarnia.agrees("sms") is True
    with kavarnia.database.read() as connection:
        kept = select(FEEDBACK.c.kind, FEEDBACK.c.detail)
        assert connection.execute(kept).all() == [("undelivered", "number_unknown")]


def test_an_opt_out_at_the_aggregator_withdraws_consent(kavarnia: Shop) -> None:
    a_message(kavarnia, "sms/106")
    kavarnia.clock.move_to(kavarnia.clock.now().replace(minute=1))
    assert tell(kavarnia, told("STOPLIST")).status_code == 200
    assert kavarnia.agrees("sms") is False


def test_who_does_not_know_the_address_is_not_heard(kavarnia: Shop) -> None:
    message = a_message(kavarnia, "sms/106")
    for secret in ("", "/", "/wrong", f"/{SECRET}x", f"/{SECRET}/x", "/секрет"):
        assert tell(kavarnia, told("DELIVRD"), secret=secret).status_code in {403, 404}
    assert state_of(kavarnia, message) == "sent"


def test_a_signature_is_asked_for_where_the_program_says_so(kavarnia: Shop) -> None:
    described(kavarnia, signature={"header": "X-Signature"})
    message = a_message(kavarnia, "sms/106")
    right = hmac.new(SECRET.encode(), json.dumps(told("DELIVRD")).encode(), hashlib.sha256).hexdigest()
    assert tell(kavarnia, told("DELIVRD")).status_code == 403, "the address alone is not enough"
    for wrong in ("", "é", right[:-1], right.replace(right[0], "g")):
        answer = tell(kavarnia, told("DELIVRD"), secret="", **{"X-Signature": wrong.encode()})
        assert answer.status_code == 403
    forged = tell(kavarnia, told("EXPIRED"), secret="", **{"X-Signature": right})
    assert forged.status_code == 403
    assert state_of(kavarnia, message) == "sent"
    assert tell(kavarnia, told("DELIVRD"), secret="", **{"X-Signature": f"sha256={right}"}).status_code == 200
    assert state_of(kavarnia, message) == "delivered"


def test_what_cannot_be_read_changes_nothing(kavarnia: Shop) -> None:
    message = a_message(kavarnia, "sms/106")
    for content in (b"", b"\xff\xfe", b"{", b"[" * 50_000, b"null", b"5", b'{"message_id": {}}', b"[[]]"):
        answer = kavarnia.stranger.post(f"/hooks/sms/reports/{SECRET}", content=content)
        assert answer.status_code == 200, content[:9]
    assert state_of(kavarnia, message) == "sent"
