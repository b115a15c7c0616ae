"""Speaks FCM's messages:send and the OAuth endpoint before it, with a service account made for the test."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.channels.providers.base import SECRET, Provider, Verdict
from tests.channels.providers.http import Answer, HttpServer, Request

PROJECT = "kavarnia-test"
SEND = f"/v1/projects/{PROJECT}/messages:send"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


@cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def error(status: int, name: str, code: str = "", message: str = "an error", **headers: str) -> Answer:
    details = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    content = {"error": {"code": status, "message": message, "status": name, "details": details}}
    return Answer(status, content, headers)


class Server(HttpServer, Provider):
    transport = "firebase"
    config: ClassVar[Mapping[str, Any]] = {}
    parts = {"title": "Бонуси", "body": "У вас 500 бонусів", "link": "https://kavarnia.example/card"}
    credentials = ("TIDINGS_PUSH_SERVICE_ACCOUNT",)

    def __init__(self) -> None:
        super().__init__()
        self.next: list[Answer] = []
        self.token_answer = Answer(200, {"access_token": SECRET, "expires_in": 3600, "token_type": "Bearer"})
        self._accepted: list[str] = []

    def environment(self) -> Mapping[str, str]:
        return {
            "TIDINGS_PUSH_TRANSPORT": "firebase",
            "TIDINGS_PUSH_SERVICE_ACCOUNT": json.dumps(self.account),
            "TIDINGS_PUSH_BASE_URL": self.url,
        }

    @property
    def account(self) -> dict[str, str]:
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": SECRET,
            "private_key": private_key(),
            "client_email": f"tidings@{PROJECT}.iam.gserviceaccount.com",
            "token_uri": f"{self.url}/token",
        }

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return f"c{number:021}:APA91b_{verdict}_{'x' * 120}"

    @property
    def accepted(self) -> list[str]:
        return self._accepted

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was sent, in order, by the names of FCM's own schema."""
        return [json.loads(request.body)["message"] for request in self.requests if request.path == SEND]

    def answer(self, request: Request) -> Answer:
        if request.path == "/token":
            return self.token_answer
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return error(401, "UNAUTHENTICATED")
        if self.next:
            return self.next.pop(0)
        message = json.loads(request.body)["message"]
        return self._verdict(message.get("token") or message["fid"])

    def _verdict(self, to: str) -> Answer:
        refusals = {
            "permanent": error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
            "temporary": error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", **{"Retry-After": "7"}),
            "dead": error(404, "NOT_FOUND", "UNREGISTERED"),
            "hang": Answer(-1),
            "drop": Answer(0),
        }
        for verdict, refusal in refusals.items():
            if f"_{verdict}_" in to:
                return refusal
        self._accepted.append(to)
        return Answer(200, {"name": f"projects/{PROJECT}/messages/{len(self._accepted)}"})
