"""Speaks as a local aggregator does: JSON in, HTTP 200 for nearly everything, and a code that says more."""

import json
from collections.abc import Mapping

from tests.channels.providers.base import SECRET, Provider, Verdict
from tests.channels.providers.http import Answer, HttpServer, Request

VERDICTS: tuple[Verdict, ...] = ("accept", "permanent", "temporary", "dead", "hang", "drop")


def coded(code: int, name: str | None = None) -> Answer:
    one = {"phone": "", "response_code": code, "message_id": name, "response_status": "X"}
    return Answer(200, {"response_code": 802, "response_status": "X", "response_result": [one]})


ANSWERS: dict[Verdict, Answer] = {
    "permanent": coded(304),
    "temporary": Answer(429, {"response_code": None}, {"Retry-After": "7"}),
    "dead": coded(305),
    "hang": Answer(-1),
    "drop": Answer(0),
}


class Server(HttpServer, Provider):
    transport = "http"
    parts = {"text": "Привіт! У вас 500 бонусів."}
    credentials = ("TIDINGS_SMS_HTTP_TOKEN",)

    def __init__(self) -> None:
        super().__init__()
        self.next: list[Answer] = []
        self._accepted: list[str] = []
        answer = {
            "id": "response_result.0.message_id",
            "code": ["response_result.0.response_code", "response_code"],
            "means": {
                "0": "accepted",
                "103": "configuration authentication_failed",
                "304": "permanent text_refused",
                "305": "dead",
                "404": "opted_out",
                "500": "temporary",
            },
            "otherwise": "permanent",
        }
        http = {
            "url": f"{self.url}/message/send.json",
            "headers": {"Authorization": "Bearer {token}", "Idempotency-Key": "{key}"},
            "json": {
                "recipients": ["{number}"],
                "sms": {"sender": "{sender}", "text": "{text}"},
                "sequence_id": "{key}",
            },
            "answer": answer,
        }
        # Its address is drawn anew for each server.
        self.config = {"sender": "Kavarnia", "segments_at_most": 2, "http": http}  # type: ignore[misc]

    def environment(self) -> Mapping[str, str]:
        return {"TIDINGS_SMS_TRANSPORT": "http", "TIDINGS_SMS_HTTP_TOKEN": SECRET}

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return f"+38050{VERDICTS.index(verdict)}{number:06}"

    @property
    def accepted(self) -> list[str]:
        return self._accepted

    def answer(self, request: Request) -> Answer:
        if self.next:
            return self.next.pop(0)
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return Answer(200, {"response_code": 103, "response_status": "X", "response_result": None})
        to = "+" + json.loads(request.body)["recipients"][0]
        verdict = VERDICTS[int(to[6])]
        if verdict != "accept":
            return ANSWERS[verdict]
        self._accepted.append(to)
        return coded(0, f"f83f-{len(self._accepted)}")
