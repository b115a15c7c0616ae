"""The description of the API: complete, true, and played against the running application."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.api.shop import Shop
from tidings.api.app import bare_app
from tidings.api.description import JSON, describe, example_of, examples_of, operations
from tidings.api.problem_kinds import PROBLEMS
from tidings.api.problems import MEDIA_TYPE
from tidings.keys import SCOPES

ROOT = Path(__file__).parents[2]
DOCUMENT = describe(bare_app())
SCHEMAS = DOCUMENT["components"]["schemas"]
ENDPOINTS = [it for it in operations(DOCUMENT) if it[0].startswith("/api/v1")]
NAMES = [f"{method} {path}" for path, method, _ in ENDPOINTS]
# What needs something else than the examples before it have left: its own tests play it.
NO_BODY = {"examples": [None]}
NOT_PLAYED = {
    "/api/v1/till/holds/{id}/code": "so few bonuses are spent without a code",
    "/api/v1/till/holds/{id}/cancel": "the hold became a receipt",
    "/api/v1/suppressions/lift": "nothing of anybody is suppressed",
}


def errors(schema: Mapping[str, Any], example: Any) -> list[str]:
    """What is wrong with an example."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return [f"{it.json_path}: {it.message}" for it in Draft202012Validator(whole).iter_errors(example)]


def body_of(operation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    schema = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    found: Mapping[str, Any] | None
    found = next((it for it in (schema or {}).get("anyOf", []) if "$ref" in it), schema)
    return found


def of_parameter(parameter: Mapping[str, Any]) -> str:
    """The example of a parameter, which every one that is needed has."""
    return str(parameter["schema"]["examples"][0])


def in_order(document: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The endpoints in their order; what ends something is played last and backwards, a person at the end."""
    found = [it for it in operations(dict(document)) if it[0].startswith("/api/v1")]
    merged = [it for it in found if it[0].endswith("/merge")]
    disabled = [it for it in found if it[0].endswith("/disable")]
    ends = [it for it in found if it[1] == "DELETE"]
    rest = [it for it in found if it not in (*merged, *disabled, *ends)]
    person = [it for it in ends if it[0].endswith("/{external_id}")]
    return rest + disabled + [it for it in reversed(ends) if it not in person] + merged + person


@pytest.mark.parametrize(("path", "method", "operation"), ENDPOINTS, ids=NAMES)
def test_every_endpoint_names_its_scope_and_describes_itself(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["x-scope"] in SCOPES
    assert operation["security"]
    assert operation["description"]
    assert {"401", "403", "422", "429", "500", "503"} <= operation["responses"].keys()


@pytest.mark.parametrize(("path", "method", "operation"), ENDPOINTS, ids=NAMES)
def test_every_request_and_answer_has_an_example_that_fits_its_schema(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    if (schema := body_of(operation)) is not None:
        example = example_of(schema, SCHEMAS)
        assert example is not None, "the request has no example"
        assert errors(schema, example) == []
    for status, response in operation["responses"].items():
        for media, content in response.get("content", {}).items():
            if media == JSON and content.get("schema"):
                assert "example" in content, status
                assert errors(content["schema"], content["example"]) == []


@pytest.mark.parametrize(("path", "method", "operation"), ENDPOINTS, ids=NAMES)
def test_every_error_has_its_problem(path: str, method: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            continue
        examples = response["content"][MEDIA_TYPE]["examples"]
        assert examples
        for code, example in examples.items():
            assert example["value"]["status"] == PROBLEMS[code].status == int(status)
            assert errors(response["content"][MEDIA_TYPE]["schema"], example["value"]) == []


def test_every_post_that_writes_may_be_sent_again_under_a_key() -> None:
    reads = {"/api/v1/identify", "/api/v1/till/quote"}
    posts = {
        path: operation.get("parameters", ()) for path, method, operation in ENDPOINTS if method == "POST"
    }
    named = {path: {it["name"] for it in parameters} for path, parameters in posts.items()}
    assert {path for path, names in named.items() if "Idempotency-Key" not in names} == reads


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=100)], ids=["at first", "months later"])
def test_the_examples_work_on_the_example_shop_in_their_order(shop: Shop, later: timedelta) -> None:
    shop.clock.move_by(later)
    document = shop.stranger.get("/api/openapi.json").json()
    schemas, played, refused = document["components"]["schemas"], set(), []
    for path, method, operation in in_order(document):
        shop.clock.move_by(timedelta(minutes=1))
        address, query = path, {}
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                address = address.replace(f"{{{parameter['name']}}}", of_parameter(parameter))
            elif parameter["in"] == "query" and "examples" in parameter["schema"]:
                query[parameter["name"]] = of_parameter(parameter)
        for example in [] if path in NOT_PLAYED else examples_of(body_of(operation) or NO_BODY, schemas):
            answer = shop.till.request(method, address, params=query, json=example)
            if not answer.is_success:
                refused.append(f"{method} {address}: {answer.text}")
                continue
            schema = operation["responses"][str(answer.status_code)]
            if answer.content:
                assert errors(schema["content"][JSON]["schema"], answer.json()) == [], path
            played.add(path)
    assert refused == []
    assert played | NOT_PLAYED.keys() == {path for path, _, _ in ENDPOINTS}


def test_a_document_that_is_made_later_tells_of_later_days(shop: Shop) -> None:
    def bought() -> str:
        schemas = shop.stranger.get("/api/openapi.json").json()["components"]["schemas"]
        return str(schemas["ReceiptIn"]["examples"][0]["at"])

    assert bought() == "2026-02-27T10:15:00+02:00"
    shop.clock.move_by(timedelta(days=100))
    assert bought() == "2026-06-07T10:15:00+02:00"


def test_the_page_for_people_shows_every_endpoint(shop: Shop) -> None:
    page = shop.stranger.get("/api")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text.replace("http://localhost", "")
    assert "src=" not in page.text
    for path, _, operation in ENDPOINTS:
        assert path in page.text
        assert operation["x-scope"] in page.text


def test_the_document_is_served(shop: Shop) -> None:
    assert shop.stranger.get("/api/openapi.json").json()["paths"].keys() == DOCUMENT["paths"].keys()


def test_every_address_is_documented() -> None:
    documented = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    for path, method, _ in operations(DOCUMENT):
        assert f"`{method} {path}`" in documented
