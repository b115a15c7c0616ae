"""A retailer's system: takes what is signed by Standard Webhooks, checked with their own library."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.channels.providers.base import SECRET, Provider, Verdict
from tests.channels.providers.http import Answer, HttpServer, Request

KEY = f"whsec_{b64encode(SECRET.encode()).decode()}"
PATH = f"/messages/{SECRET}"

ANSWERS: dict[Verdict, Answer] = {
    "permanent": Answer(422),
    "temporary": Answer(429, headers={"Retry-After": "7"}),
    "hang": Answer(-1),
    "drop": Answer(0),
}


class Server(HttpServer, Provider):
    transport = "http"
    config: ClassVar[Mapping[str, Any]] = {}
    # No number that a port or a status might hold: it is looked for in what is logged.
    parts = {"text": "Привіт, Олено! У вас 500 бонусів.", "title": "Бонуси", "data.bonuses": "500.75"}
    credentials = ("TIDINGS_WEBHOOK_URL", "TIDINGS_WEBHOOK_SECRET")
    # A customer's number is no address that could be dead.
    never = frozenset({"dead"})

    def __init__(self) -> None:
        super().__init__()
        self.next: list[Answer] = []
        self.key = KEY
        self._accepted: list[str] = []

    def environment(self) -> Mapping[str, str]:
        account = {"TIDINGS_WEBHOOK_URL": f"{self.url}{PATH}", "TIDINGS_WEBHOOK_SECRET": KEY}
        return {"TIDINGS_WEBHOOK_TRANSPORT": "http", **account}

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return f"customer-{verdict}-{number:04}"

    @property
    def accepted(self) -> list[str]:
        return self._accepted

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.requests]

    def answer(self, request: Request) -> Answer:
        if request.path != PATH:
            return Answer(404)
        try:
            told = Webhook(self.key).verify(request.body, {k.lower(): v for k, v in request.headers.items()})
        except WebhookVerificationError:
            return Answer(401)
        if self.next:
            return self.next.pop(0)
        customer = told["data"]["customer"]
        verdict = customer.split("-")[1] if "-" in customer else "accept"
        if verdict in ANSWERS:
            return ANSWERS[verdict]
        self._accepted.append(customer)
        return Answer(204, b"")
