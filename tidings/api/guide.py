"""The description for people: /api lists the endpoints with examples, /problems explains each problem."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException

from tidings.api.access import SCOPE
from tidings.api.description import JSON, Document, examples_of, operations
from tidings.api.problem_kinds import PROBLEMS
from tidings.api.render import SHOWN
from tidings.drawn_pages import templates
from tidings.keys import ROLES, SCOPES

routes = APIRouter(include_in_schema=False)
POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@routes.api_route("/api", methods=SHOWN)
def guide(request: Request) -> HTMLResponse:
    """Every endpoint: what it does, its scope, an example of the request and of the answer."""
    document = request.app.openapi()
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for path, method, operation in operations(document):
        for tag in operation.get("tags", ["Other"])[:1]:
            groups.setdefault(tag, []).append(_endpoint(document, path, method, operation))
    return _page("guide", info=document["info"], groups=groups, roles=ROLES, scopes=SCOPES)


@routes.api_route("/problems", methods=SHOWN)
def all_problems() -> HTMLResponse:
    """Every problem."""
    return _page("problems", problems=PROBLEMS)


@routes.api_route("/problems/{name}", methods=SHOWN)
def one_problem(name: str) -> HTMLResponse:
    """What one problem means, and what to do: the `type` of a problem document leads here."""
    code = name.replace("-", "_")
    kind = PROBLEMS.get(code)
    if kind is None:
        raise HTTPException(404)
    return _page("problem", code=code, kind=kind)


def _endpoint(document: Document, path: str, method: str, operation: Document) -> Mapping[str, Any]:
    schemas = document["components"]["schemas"]
    body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
    answers = [(status, it) for status, it in operation["responses"].items() if status.startswith("2")]
    failed = [it for status, it in operation["responses"].items() if not status.startswith("2")]
    return {
        "id": operation["operationId"], "path": path, "method": method, "scope": operation.get(SCOPE),
        "about": operation.get("description") or operation.get("summary", ""),
        "parameters": operation.get("parameters", []),
        "request": "\n\n".join(_pretty(it) for it in examples_of(_one(body), schemas)) if body else "",
        "statuses": [status for status, _ in answers],
        "answer": next(filter(None, (_pretty(_example(it)) for _, it in answers)), ""),
        "problems": sorted({code for it in failed for code in _codes(it)}),
    }  # fmt: skip


def _one(schema: Document) -> Document:
    """The schema of a body that may be left out."""
    return next((it for it in schema.get("anyOf", []) if "$ref" in it), schema)


def _example(response: Document) -> Any:
    return response.get("content", {}).get(JSON, {}).get("example")


def _codes(response: Document) -> list[str]:
    content = response.get("content", {}).get("application/problem+json", {})
    return [code for code in content.get("examples", {}) if code in PROBLEMS]


def _pretty(example: Any) -> str:
    return "" if example is None else json.dumps(example, ensure_ascii=False, indent=2)


def _templates() -> Environment:
    return templates("tidings.api", "guide_pages", {"marked": _marked, "breakable": _breakable})


def _breakable(path: str) -> Markup:
    """An address that may go on in the next line after a slash."""
    return Markup("/<wbr>").join(path.split("/"))


def _marked(text: str) -> Markup:
    """Text with `code` in it."""
    parts = text.split("`")
    shown = [Markup("<code>{}</code>").format(it) if at % 2 else escape(it) for at, it in enumerate(parts)]
    return Markup("").join(shown)


def _page(name: str, **values: Any) -> HTMLResponse:
    nonce = secrets.token_urlsafe(12)
    text = _templates().get_template(f"{name}.html").render(nonce=nonce, **values)
    return HTMLResponse(text, 200, {**HEADERS, "Content-Security-Policy": POLICY.format(nonce=nonce)})
