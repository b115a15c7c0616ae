"""The description of the API: complete, true, and played against the running application."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.api.shop import Shop
from tidings.api.app import bare_app
from tidings.api.description import JSON, describe, example_of, operations
from tidings.api.problem_kinds import PROBLEMS
from tidings.api.problems import MEDIA_TYPE
from tidings.keys import SCOPES

ROOT = Path(__file__).parents[2]
DOCUMENT = describe(bare_app())
SCHEMAS = DOCUMENT["components"]["schemas"]
ENDPOINTS = [it for it in operations(DOCUMENT) if it[0].startswith("/api/v1")]
NAMES = [f"{method} {path}" for path, method, _ in ENDPOINTS]
# What ends something is played when everything else has been.
ENDS = ("merge", "/erasure")
# What needs more than the example program has, or than the examples before have done: its own tests play it.
NOT_PLAYED = (
    "promo-codes", "/households", "/transfers", "/adjustments", "/merge", "/till/", "/page", "/lift",
)  # fmt: skip


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
    """An example of a parameter; a day for one that wants a day, else the customer of the examples."""
    own = parameter.get("examples") or parameter["schema"].get("examples")
    day = parameter["schema"].get("format") == "date"
    later = "2026-04-01" if parameter["name"] == "to" else "2026-03-01"
    return str(own[0] if own else later if day else "10042")


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


def test_the_examples_can_be_played_in_their_order(shop: Shop) -> None:
    shop.clock.move_by(timedelta(minutes=15))
    played = []
    for path, method, operation in sorted(ENDPOINTS, key=lambda it: it[1] == "DELETE"):
        if method == "DELETE" or any(word in path for word in (*ENDS, *NOT_PLAYED)):
            continue
        schema, address, query = body_of(operation), path, {}
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                address = address.replace(f"{{{parameter['name']}}}", of_parameter(parameter))
            elif parameter.get("required"):
                query[parameter["name"]] = of_parameter(parameter)
        if path.endswith("/return"):
            shop.clock.move_by(timedelta(days=1, hours=9))
        example = example_of(schema, SCHEMAS) if schema else None
        answer = shop.till.request(method, address, params=query, json=example)
        assert answer.is_success, f"{method} {address}: {answer.text}"
        response = operation["responses"][str(answer.status_code)]
        if answer.content:
            assert errors(response["content"][JSON]["schema"], answer.json()) == [], path
        played.append(path)
    assert len(played) >= 12


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
