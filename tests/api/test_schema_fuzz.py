"""Whatever is sent to the API, it answers as its description says, and never with an error of its own."""

from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from core.db import Database, dumps
from tests.api.shop import TOKEN, Shop

# How many requests of each kind go to each operation, the same each time.
HOW_MANY = {GenerationMode.POSITIVE: 2, GenerationMode.NEGATIVE: 1}
FEW = settings(
    deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
# What holds for every address.
NOT_DESCRIBED = {404, 405, 413}


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """What is read from a request does not depend on the database."""
    return sqlite_database


def operations(shop: Shop) -> list[Any]:
    """Every operation of the description; what ends a customer comes last."""
    schema = schemathesis.openapi.from_dict(shop.till.get("/api/openapi.json").json())
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    own = [it for it in found if it.path.startswith("/api/v1")]
    return sorted(own, key=lambda it: it.method == "delete" or it.path.endswith("/merge"))


def known(names: Any) -> dict[str, str]:
    return {name: "10042" for name in names or () if name in ("external_id", "customer", "head", "member")}


def told(client: TestClient, case: Case[Any]) -> int:
    """What is answered to one request, about somebody who is there: about nobody all answers are alike."""
    case.path_parameters = {**(case.path_parameters or {}), **known(case.path_parameters)}
    if isinstance(case.body, dict):
        case.body = {**case.body, **known(case.body)}
    asked = case.as_transport_kwargs(base_url="http://testserver")
    # The till's own key: with an invented one nothing but the lock would be tried.
    headers = {**asked["headers"], "Authorization": f"Bearer {TOKEN}"}
    content = asked.get("data") if "data" in asked else dumps(asked["json"]) if "json" in asked else None
    url, query = asked["url"], asked.get("params")
    answer: Response = client.request(case.method, url, params=query, content=content, headers=headers)
    return answer.status_code


def test_the_api_answers_whatever_is_sent_as_its_description_says(shop: Shop) -> None:
    shop.register(name="Olena", phone="+380501234567")
    shop.buy()
    wrong = [it for operation in operations(shop) for it in tried(shop.till, operation)]
    assert wrong == []


def tried(client: TestClient, operation: Any) -> list[str]:
    """The requests to one operation that were answered as nobody expects."""
    described = {int(code) for code in operation.definition.raw["responses"] if code.isdigit()}
    wrong: list[str] = []

    def some(case: Case[Any]) -> None:
        status = told(client, case)
        if status >= 500 or status not in described | NOT_DESCRIBED:
            wrong.append(f"{case.method} {case.formatted_path}: {status} {case.body!r} {case.query!r}")

    for mode, count in HOW_MANY.items():
        settings(FEW, max_examples=count)(given(case=operation.as_strategy(generation_mode=mode))(some))()
    return wrong


HOSTILE = (
    b"", b"\xff\xfe\x00", b"{", b"a=" + b"x" * 5000, b"a&" * 300, "я=%ZZ&\0".encode(), b'{"a": NaN}',
)  # fmt: skip
TYPES = (
    "application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=",
    "multipart/form-data; boundary=x; charset=\xff", "text/plain", "",
)  # fmt: skip
PATHS = (
    "/u/email/{}", "/u/{}/x", "/p/{}", "/c/{}", "/d/{}", "/r/{}", "/h/{}", "/o/{}.gif", "/hooks/{}/status",
    "/hooks/twilio/{}", "/wallet/apple/v1/passes/{}/x", "/wallet/google/{}",
)  # fmt: skip
TRICKS = (
    "x", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..", "%00", "%FF%FE", "%F0%9F%92%A9", "%0d%0aX-Evil:%201",
    "A" * 8000, "https:%2f%2fevil.example", "%D1%8F=", "{{7*7}}", "'%20OR%201=1--",
)  # fmt: skip


def test_whatever_a_stranger_sends_to_public_addresses_is_refused(shop: Shop) -> None:
    wrong: list[str] = []
    asked = [(path.format(trick), method) for path in PATHS for trick in TRICKS for method in ("GET", "POST")]
    for number, (path, method) in enumerate(asked):
        body, kind = HOSTILE[number % len(HOSTILE)], TYPES[number % len(TYPES)]
        content = body if method == "POST" else None
        headers = {"Content-Type": kind.encode("latin-1")}
        answer = shop.stranger.request(method, path, content=content, headers=headers, follow_redirects=False)
        if not 400 <= answer.status_code < 500 or "location" in answer.headers or "x-evil" in answer.headers:
            wrong.append(f"{method} {path[:80]}: {answer.status_code}")
    assert wrong == []
    huge = shop.stranger.post("/p/x", content=b"channel=" + b"x" * 2**21)
    assert huge.status_code == 413
