"""Speaks Twilio's Messages resource: forms, Basic authentication, errors as JSON with a code."""

import base64
from collections.abc import Mapping
from urllib.parse import parse_qs, parse_qsl, urlencode

from tests.channels.providers.base import SECRET, Provider, Verdict
from tests.channels.providers.http import Answer, HttpServer, Request

ACCOUNT = "AC00000000000000000000000000000001"
_NUMBERS: dict[Verdict, str] = {
    "accept": "+38050100{:04}",
    "permanent": "+38050200{:04}",
    "temporary": "+38050300{:04}",
    "dead": "+38050400{:04}",
    "hang": "+38050500{:04}",
    "drop": "+38050600{:04}",
}


def number_of(verdict: Verdict, number: int = 0) -> str:
    return _NUMBERS[verdict].format(number)


def error(status: int, code: int, **headers: str) -> Answer:
    return Answer(status, {"code": code, "message": "an error", "more_info": "", "status": status}, headers)


class Messages(HttpServer):
    """The resource as both channels use it: what is sent to it, and what it lists."""

    def __init__(self) -> None:
        super().__init__()
        self.next: list[Answer] = []
        self.listed: list[dict[str, object]] = []
        self.page = 2
        self._accepted: list[str] = []

    @property
    def accepted(self) -> list[str]:
        return self._accepted

    @property
    def forms(self) -> list[dict[str, str]]:
        return [form_of(request) for request in self.requests]

    def answer(self, request: Request) -> Answer:
        if self.next:
            return self.next.pop(0)
        wanted = base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return error(401, 20003)
        return self._list(request.path) if request.method == "GET" else self._verdict(form_of(request)["To"])

    def _list(self, path: str) -> Answer:
        """Pages of those to the number asked for, as `next_page_uri` leads through them."""
        where, _, query = path.partition("?")
        asked = dict(parse_qsl(query))
        found = [it for it in self.listed if it["to"] == asked["To"]]
        start = int(asked.get("Page", 0)) * self.page
        follows = urlencode(asked | {"Page": start // self.page + 1}) if found[start + self.page :] else None
        content = {
            "messages": found[start : start + self.page],
            "next_page_uri": f"{where}?{follows}" if follows else None,
            "page": 0,
        }
        return Answer(200, content)

    def _verdict(self, to: str) -> Answer:
        number = to.removeprefix("whatsapp:")
        kind = next(verdict for verdict, pattern in _NUMBERS.items() if number.startswith(pattern[:8]))
        if kind == "accept":
            self._accepted.append(number)
            return Answer(201, {"sid": f"SM{len(self._accepted):032x}", "status": "queued", "to": to})
        refusals = {
            "permanent": error(400, 30007),
            "temporary": error(429, 20429, **{"Retry-After": "7"}),
            "dead": error(400, 21211),
            "hang": Answer(-1),
            "drop": Answer(0),
        }
        return refusals[kind]


class Server(Messages, Provider):
    transport = "twilio"
    config = {"sender": "Kavarnia", "segments_at_most": 2, "tariff": {"UA": 0.85, "default": 2.10}}
    parts = {"text": "Привіт! У вас 500 бонусів."}
    credentials = ("TIDINGS_SMS_ACCOUNT_SID", "TIDINGS_SMS_AUTH_TOKEN")

    def environment(self) -> Mapping[str, str]:
        return {
            "TIDINGS_SMS_TRANSPORT": "twilio",
            "TIDINGS_SMS_ACCOUNT_SID": ACCOUNT,
            "TIDINGS_SMS_AUTH_TOKEN": SECRET,
            "TIDINGS_SMS_BASE_URL": self.url,
        }

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return number_of(verdict, number)


def form_of(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode(), strict_parsing=True).items()}
