"""Speaks the Bot API: JSON in, `{"ok": …}` out, the token in the path."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.channels.providers.base import SECRET, Provider, Verdict
from tests.channels.providers.http import Answer, HttpServer, Request

TOKEN = f"7012345678:{SECRET}"
NAME = "KavarniaBot"


def refusal(status: int, description: str, **parameters: int) -> Answer:
    """What the Bot API says no with."""
    content: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return Answer(status, content | ({"parameters": parameters} if parameters else {}))


ANSWERS: Mapping[Verdict, Answer] = {
    "permanent": refusal(400, "Bad Request: BUTTON_URL_INVALID"),
    "temporary": refusal(429, "Too Many Requests: retry after 7", retry_after=7),
    "dead": refusal(400, "Bad Request: chat not found"),
    "hang": Answer(-1),
    "drop": Answer(0),
}
VERDICTS: tuple[Verdict, ...] = ("accept", *ANSWERS)


class Server(HttpServer, Provider):
    transport = "bot"
    config: ClassVar[Mapping[str, Any]] = {"bot": NAME}
    parts = {"text": "Привіт, Олено! У вас 500 бонусів", "link": "https://kavarnia.example/card"}
    credentials = ("TIDINGS_TELEGRAM_TOKEN",)

    def __init__(self) -> None:
        super().__init__()
        self.next: list[Answer] = []
        self.webhook: dict[str, Any] = {"url": "", "pending_update_count": 0}
        self._accepted: list[str] = []

    def environment(self) -> Mapping[str, str]:
        return {
            "TIDINGS_TELEGRAM_TRANSPORT": "bot",
            "TIDINGS_TELEGRAM_TOKEN": TOKEN,
            "TIDINGS_TELEGRAM_BASE_URL": self.url,
        }

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return f"{VERDICTS.index(verdict) + 1}{number:09}"

    @property
    def accepted(self) -> list[str]:
        return self._accepted

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Every method that was called with a good token, and what it was given."""
        return [
            (request.path.rpartition("/")[2], json.loads(request.body))
            for request in self.requests if request.path.startswith(f"/bot{TOKEN}/")
        ]  # fmt: skip

    def answer(self, request: Request) -> Answer:
        if not request.path.startswith(f"/bot{TOKEN}/"):
            return refusal(401, "Unauthorized")
        method, given = request.path.rpartition("/")[2], json.loads(request.body)
        if self.next:
            return self.next.pop(0)
        if method == "getMe":
            return _said({"id": 7012345678, "is_bot": True, "username": NAME})
        if method == "setWebhook":
            self.webhook["url"] = given["url"]
            return _said(True)
        return _said(self.webhook) if method == "getWebhookInfo" else self._verdict(str(given["chat_id"]))

    def _verdict(self, chat: str) -> Answer:
        verdict = VERDICTS[int(chat[0]) - 1]
        if verdict in ANSWERS:
            return ANSWERS[verdict]
        self._accepted.append(chat)
        return _said({"message_id": len(self._accepted), "chat": {"id": int(chat), "type": "private"}})


def _said(result: Any) -> Answer:
    return Answer(200, {"ok": True, "result": result})
