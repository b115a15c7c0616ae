"""What docs/sms.md shows works: each aggregator is asked as described, and its answers are understood."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from campaigns.running import findings
from channels import Accepted, Failed, Outcome, Unknown, create
from channels.sms.aggregator.reports import Report, document, heard
from channels.sms.config import SmsConfig
from core.errors import Problem
from core.source import load
from tests.channels.helpers import AnyChannel, outgoing, send_one, use
from tests.channels.providers.http import Answer, HttpServer, Request
from tests.support.world import bundle_of

PAGE = Path(__file__).parents[2] / "docs" / "sms.md"
SECRETS = {
    "TIDINGS_SMS_TRANSPORT": "http",
    "TIDINGS_SMS_HTTP_TOKEN": "a token",
    "TIDINGS_SMS_HTTP_LOGIN": "kavarnia",
    "TIDINGS_SMS_HTTP_PASSWORD": "a password",
}


def shown() -> dict[str, dict[str, Any]]:
    """The aggregators of the page by the host that is asked, read as the program is."""
    problems: list[Problem] = []
    found = {}
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        read = load(block, "program.yaml", problems)
        sms = read.data.get("channels", {}).get("sms") if read else None
        if sms and "http" in sms:
            found[str(urlsplit(sms["http"]["url"]).hostname)] = sms
    assert problems == []
    return found


class Aggregator(HttpServer):
    def __init__(self) -> None:
        super().__init__()
        self.next = Answer(500)

    def answer(self, request: Request) -> Answer:
        return self.next


@pytest.fixture
def server() -> Iterator[Aggregator]:
    made = Aggregator()
    yield made
    made.close()


def channel_to(server: Aggregator, sms: dict[str, Any], tmp_path: Path) -> AnyChannel:
    http = {**sms["http"], "url": server.url + urlsplit(sms["http"]["url"]).path}
    return create("sms", {**sms, "http": http}, outbox_dir=tmp_path)


def one(code: int, name: str | None = None) -> Mapping[str, object]:
    return {"response_code": 0, "response_result": [{"response_code": code, "message_id": name}]}


ANSWERS: dict[str, list[tuple[object, Outcome]]] = {
    "api.turbosms.ua": [
        (one(0, "f83f8868"), Accepted("sms/f83f8868")),
        (one(404), Failed("permanent", "in_stop_list", "HTTP 200, code 404", "opted_out")),
        (one(407), Failed("permanent", "refused", "HTTP 200, code 407")),
        ({"response_code": 103, "response_result": None},
         Failed("configuration", "authentication_failed", "HTTP 200, code 103")),
    ],
    "smscentre.com": [
        ({"id": 1234, "cnt": 1}, Accepted("sms/1234")),
        ({"error": "invalid number", "error_code": 7},
         Failed("permanent", "number_invalid", "HTTP 200, code 7", "dead")),
        ({"error": "duplicate", "error_code": 9}, Failed("temporary", "rate_limited", "HTTP 200, code 9")),
        ({"error": "new", "error_code": 99}, Unknown("unreadable_answer", "HTTP 200, code 99")),
    ],
    "im.smsclub.mobi": [
        ({"success_request": {"info": {"106": "380500000000"}}}, Accepted("sms/106")),
        ({"success_request": {"info": {}}}, Unknown("unreadable_answer", "HTTP 200")),
    ],
}  # fmt: skip
SENT: dict[str, object] = {
    "api.turbosms.ua": {"recipients": ["380500000000"], "sms": {"sender": "Kavarnia", "text": "Привіт & 5%"}},
    "smscentre.com": {
        "login": "kavarnia", "psw": "a password", "phones": "380500000000", "mes": "Привіт & 5%",
        "sender": "Kavarnia", "charset": "utf-8", "fmt": "3",
    },
    "im.smsclub.mobi": {"phone": ["380500000000"], "message": "Привіт & 5%", "src_addr": "Kavarnia"},
}  # fmt: skip


@pytest.mark.parametrize("host", sorted(ANSWERS))
def test_an_aggregator_of_the_page_works(
    host: str, server: Aggregator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, SECRETS)
    channel = channel_to(server, shown()[host], tmp_path)
    for content, outcome in ANSWERS[host]:
        server.next = Answer(200, content)
        assert send_one(channel, outgoing("+380500000000", {"text": "Привіт & 5%"})) == outcome
        request = server.requests.pop()
        body = request.body.decode()
        assert SENT[host] == (json.loads(body) if body.startswith("{") else dict(parse_qsl(body)))
        if host != "smscentre.com":
            assert request.headers["Authorization"] == "Bearer a token"


def test_the_page_shows_these_aggregators_and_the_check_finds_nothing_wrong() -> None:
    found = shown()
    assert sorted(found) == sorted(ANSWERS)
    for sms in found.values():
        bundle = bundle_of({}, {"channels": {"sms": sms}})
        assert [it for it in findings(bundle) if it.severity == "error"] == []


def test_the_reports_of_the_page_are_understood() -> None:
    turbosms, smsc = (
        SmsConfig.model_validate(shown()[it]).http for it in ("api.turbosms.ua", "smscentre.com")
    )
    assert turbosms is not None
    assert smsc is not None
    assert turbosms.reports is not None
    assert smsc.reports is not None
    told = document(b'{"message_id": "f83f", "status": "EXPIRED"}', "")
    assert list(heard(turbosms.reports, told)) == [Report("sms/f83f", "undelivered", "expired", None)]
    told = document(b"id=1234&status=22&phone=380500000000", "")
    assert list(heard(smsc.reports, told)) == [Report("sms/1234", "undelivered", "number_invalid", "dead")]
    assert list(heard(smsc.reports, document(b"", "id=1234&status=1"))) == [
        Report("sms/1234", "delivered", None, None)
    ]
    assert list(heard(smsc.reports, document(b"id=1234&status=0", ""))) == []
