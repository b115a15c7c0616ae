"""Google Wallet on this machine, written from its documentation: one request at a time or many in a batch.

Bodies are checked by the schema that the vendor's own client ships, made strict.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from email.parser import BytesParser
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import jwt

from tests.wallet.servers import Answer, Fake, Seen

API = "/walletobjects/v1/"
NOTICES_A_DAY = 3


@cache
def google_schema(name: str, *, whole: bool) -> Any:
    """Google's own schema of a body, made strict: nothing unknown, and all that is required if `whole`."""
    documents = files("googleapiclient") / "discovery_cache" / "documents"
    document = json.loads((documents / "walletobjects.v1.json").read_text())
    definitions = {key: _strict(value, whole=whole) for key, value in document["schemas"].items()}
    return jsonschema.Draft202012Validator({"$defs": definitions, "$ref": f"#/$defs/{name}"})


def _strict(schema: Any, *, whole: bool) -> Any:
    """Google's discovery format as JSON Schema."""
    if isinstance(schema, list):
        return [_strict(item, whole=whole) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kept = {key: _strict(schema[key], whole=whole) for key in ("type", "items", "enum") if key in schema}
    if schema.get("format") == "int64":
        kept["pattern"] = "^-?[0-9]+$"
    if "properties" in schema:
        properties = schema["properties"]
        kept["properties"] = {key: _strict(value, whole=whole) for key, value in properties.items()}
        kept["additionalProperties"] = False
        if whole:
            kept["required"] = [
                key
                for key, value in properties.items()
                if value.get("description", "").startswith("Required")
            ]
    return kept


def without_nulls(body: Any) -> Any:
    """What a patch leaves there: null takes a field away."""
    if isinstance(body, dict):
        return {key: without_nulls(value) for key, value in body.items() if value is not None}
    return [without_nulls(item) for item in body] if isinstance(body, list) else body


def refusal(code: int, reason: str, message: str = "") -> Answer:
    """An error as the API words it."""
    errors = [{"message": message, "domain": "walletobjects", "reason": reason}]
    return code, {"error": {"code": code, "message": message, "errors": errors}}


@dataclass
class Google(Fake):
    """Google Wallet: keeps what is written, answers as documented, notifies three times a day and pass.

    `failures` are answers for the next requests, `broken` those for one object whenever it is written, and
    what ends as one of `lost` is done, but its answer gets lost.
    """

    public_key: Any = None
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[Answer] = field(default_factory=list)
    broken: dict[str, Answer] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    notified: Counter[tuple[str, str]] = field(default_factory=Counter)
    single: list[tuple[str, str, Any]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    token: str = "the-token"

    def answer(self, request: Seen) -> Answer:
        if request.path == "/token":
            return self._token(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"error": {"status": "UNAUTHENTICATED"}}
        if self.failures:
            return self.failures.pop(0)
        if request.path == "/batch":
            return self._batch(request)
        return self.one(request.method, request.path, request.body)

    def one(self, method: str, path: str, content: bytes) -> Answer:
        """One request, alone or of a batch."""
        answer = self._one(method, path, content)
        for ending in (it for it in self.lost if path.endswith(it)):
            self.lost.remove(ending)
            return 500, None
        return answer

    def _one(self, method: str, path: str, content: bytes) -> Answer:
        kind, _, rest = path.removeprefix(API).partition("/")
        body: Any = json.loads(content) if content else None
        self.single.append((method, path.removeprefix(API), body))
        name, _, verb = rest.partition("/")
        if (broken := self.broken.get(name or str((body or {}).get("id")))) is not None:
            return broken
        if method == "GET":
            return (200, self.kept[name]) if name in self.kept else refusal(404, "resourceNotFound")
        if verb:
            return self._add_message(name, body)
        return self._insert(kind, body) if method == "POST" else self._patch(kind, name, body)

    def _batch(self, request: Seen) -> Answer:
        head = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
        asked = list(BytesParser().parsebytes(head + request.body).walk())[1:]
        self.batches.append(len(asked))
        parts = [self._part(part) for part in asked]
        # In any order: each answer names the request that it belongs to.
        content = b"".join(b"--answers\r\n" + part for part in reversed(parts)) + b"--answers--\r\n"
        return 200, content, {"content-type": 'multipart/mixed; boundary="answers"'}

    def _part(self, part: Any) -> bytes:
        assert part.get_content_type() == "application/http"
        line, _, rest = part.get_payload(decode=True).replace(b"\r\n", b"\n").partition(b"\n")
        method, path, _ = line.decode().split(" ")
        status, content, *more = self.one(method, path.partition("?")[0], rest.partition(b"\n\n")[2].strip())
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {it}" for some in more for name, it in some.items())]
        inner = "\r\n".join([*lines, "Content-Type: application/json; charset=UTF-8", "", ""]).encode()
        name = str(part["Content-ID"]).replace("<", "<response-", 1)
        outer = f"Content-Type: application/http\r\nContent-ID: {name}\r\n\r\n".encode()
        return outer + inner + (b"" if content is None else json.dumps(content).encode()) + b"\r\n"

    def _insert(self, kind: str, body: dict[str, Any]) -> Answer:
        google_schema(f"L{kind[1:]}", whole=True).validate(body)
        if body["id"] in self.kept:
            return refusal(409, "existingResource")
        if kind == "loyaltyObject" and body["classId"] not in self.kept:
            return refusal(404, "classNotFound")
        self.kept[body["id"]] = self._reviewed(kind, body)
        return 200, self.kept[body["id"]]

    def _patch(self, kind: str, name: str, body: dict[str, Any]) -> Answer:
        google_schema(f"L{kind[1:]}", whole=False).validate(without_nulls(body))
        if name not in self.kept:
            return refusal(404, "resourceNotFound")
        if body.get("classId", "") not in {"", *self.kept}:
            return refusal(404, "classNotFound")
        if kind == "loyaltyClass" and body.get("reviewStatus") != "UNDER_REVIEW":
            return refusal(400, "invalidResource", "Invalid review status Optional[APPROVED].")
        if "notifyPreference" in body and not self._may_notify(name, "update"):
            return refusal(403, "quotaExceeded", "Quota exceeded for issuer when updating the object.")
        whole = _merged(self.kept[name], {**body, "notifyPreference": None})
        google_schema(f"L{kind[1:]}", whole=True).validate(whole)
        self.kept[name] = self._reviewed(kind, whole)
        return 200, whole

    def _add_message(self, name: str, body: dict[str, Any]) -> Answer:
        google_schema("AddMessageRequest", whole=True).validate(body)
        if name not in self.kept:
            return refusal(404, "resourceNotFound")
        message = body["message"]
        if message["messageType"] == "TEXT_AND_NOTIFY" and not self._may_notify(name, "message"):
            return refusal(403, "quotaExceeded", "Quota exceeded for issuer when adding TEXT_AND_NOTIFY.")
        self.kept[name]["messages"] = [*self.kept[name].get("messages", []), message]
        assert len(self.kept[name]["messages"]) <= 10
        return 200, {"resource": self.kept[name]}

    def _may_notify(self, name: str, kind: str) -> bool:
        if self.notified[name, kind] >= NOTICES_A_DAY:
            return False
        self.notified[name, kind] += 1
        return True

    @staticmethod
    def _reviewed(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "reviewStatus": "APPROVED"} if kind == "loyaltyClass" else body

    def _token(self, request: Seen) -> Answer:
        (assertion,) = parse_qs(request.body.decode())["assertion"]
        claims = jwt.decode(assertion, self.public_key, ["RS256"], options={"verify_aud": False})
        assert claims["scope"] == "https://www.googleapis.com/auth/wallet_object.issuer"
        return 200, {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of what was asked, alone or in batches, but for tokens."""
        return [(method, path) for method, path, _ in self.single]

    def objects(self) -> list[dict[str, Any]]:
        """What objects were patched or inserted with, in order."""
        return [
            body
            for _, path, body in self.single
            if path.startswith("loyaltyObject") and body and "message" not in body
        ]


def _merged(old: Any, new: Any) -> Any:
    """A patch: objects are merged, lists replaced, null takes away."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return without_nulls(new)
    kept = {key: value for key, value in old.items() if key not in new}
    return kept | {key: _merged(old.get(key), value) for key, value in new.items() if value is not None}
