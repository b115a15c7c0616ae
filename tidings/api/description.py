"""The OpenAPI document: what FastAPI makes of the endpoints, with problems and an example of each answer."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tidings.api.access import described
from tidings.api.answers import ProblemOut
from tidings.api.idempotency import ONCE
from tidings.api.problems import MEDIA_TYPE

Document = dict[str, Any]
JSON = "application/json"
IDEMPOTENCY_KEY = "Idempotency-Key"
_REF = "#/components/schemas/"
# The day of the first purchase in the examples as they are written, and how long ago it is to have been.
WRITTEN, AGO = date(2026, 3, 1), timedelta(days=2)
# Where a sentence names a day of that month, all of the example stays in it.
_IN_WORDS = "березня"
_TIME = re.compile(r"(2026-\d\d-\d\d)(T.*)?")


def describe(app: FastAPI) -> Document:
    """The document; made once an application."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        schemas.update(_problem_schemas())
        for schema in schemas.values():
            if "examples" in schema:
                schema["examples"] = [_with_nulls(it, schema, schemas) for it in schema["examples"]]
        for _, _, operation in operations(document):
            _add_problems(operation)
            for response in operation["responses"].values():
                _add_example(response.get("content", {}).get(JSON), schemas)
        app.openapi_schema = document
    return app.openapi_schema


def as_of(document: Document, today: date) -> Document:
    """The document with the days of its examples moved near today: a receipt of long ago is refused."""
    by = today - AGO - WRITTEN
    moved: Document = _moved(document, by)
    return moved


def _moved(value: Any, by: timedelta) -> Any:
    if isinstance(value, dict):
        return {name: it if _stays(name, it) else _moved(it, by) for name, it in value.items()}
    if isinstance(value, list):
        return [_moved(it, by) for it in value]
    if isinstance(value, str) and (time := _TIME.fullmatch(value)):
        return f"{date.fromisoformat(time[1]) + by}{time[2] or ''}"
    return value


def _stays(name: str, value: Any) -> bool:
    return name in ("example", "examples") and _IN_WORDS in str(value)


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """(path, method, operation), in the order of the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _problem_schemas() -> Document:
    schema = ProblemOut.model_json_schema(ref_template=_REF + "{model}")
    return {**schema.pop("$defs", {}), "ProblemOut": schema}


def _with_nulls(example: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """An example in the order of its schema, with the nulls that FastAPI leaves out of its document."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].removeprefix(_REF)]
    chosen = [it for it in schema.get("anyOf", ()) if it.get("type") != "null"]
    if len(chosen) == 1 and example is not None:
        return _with_nulls(example, chosen[0], schemas)
    if isinstance(example, list):
        return [_with_nulls(it, schema.get("items", {}), schemas) for it in example]
    if not isinstance(example, dict) or "properties" not in schema:
        return example
    properties = schema["properties"]
    known = {name: _with_nulls(it, properties.get(name, {}), schemas) for name, it in example.items()}
    missing = [it for it in schema.get("required", ()) if it not in example and _may_be_null(properties[it])]
    whole = known | dict.fromkeys(missing)
    return {name: whole[name] for name in sorted(whole, key=[*properties, *whole].index)}


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", ())


def _add_problems(operation: Document) -> None:
    """What any endpoint may answer that takes an Idempotency-Key."""
    if any(it["name"] == IDEMPOTENCY_KEY for it in operation.get("parameters", ())):
        for status, response in described(ONCE).items():
            known = operation["responses"].setdefault(str(status), response)
            examples = known["content"][MEDIA_TYPE]["examples"]
            examples.update(response["content"][MEDIA_TYPE]["examples"])
            known["description"] = ", ".join(f"`{code}`" for code in examples)


def _add_example(content: Document | None, schemas: Mapping[str, Any]) -> None:
    if content is not None and "example" not in content and "schema" in content:
        example = example_of(content["schema"], schemas)
        if example is not None:
            content["example"] = example


def examples_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[Any]:
    """Every example of a request's schema."""
    if "$ref" in schema:
        return examples_of(schemas[schema["$ref"].removeprefix(_REF)], schemas)
    return list(schema.get("examples", ()))


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """An example of a schema: its own, that of a list's item, or a page of it; None if there is none."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(_REF)], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("type") == "array":
        item = example_of(schema["items"], schemas)
        return None if item is None else [item]
    properties = schema.get("properties", {})
    if properties.keys() == {"items", "next"}:
        null = _may_be_null(properties["next"])
        return {
            "items": example_of(properties["items"], schemas),
            "next": None if null else "WyJldmVudHMiLDAsNF0",
        }
    return None
