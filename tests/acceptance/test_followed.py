"""One receipt, followed to the delivery of its message: through the log of a real `serve`, and its spans."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.acceptance.test_serve import Server, applied, server, until
from tests.channels.providers.http import Answer, HttpServer, Request

__all__ = ["applied", "server"]


@dataclass(frozen=True)
class Kept:
    """A span as it arrived."""

    name: str
    trace: bytes
    id: bytes
    parent: bytes
    said: dict[str, Any]


class Collector(HttpServer):
    """Takes spans as OpenTelemetry's collector does: protobuf over HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Kept] = []

    def answer(self, request: Request) -> Answer:
        assert request.path == "/v1/traces"
        for of_service in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            for scope in of_service.scope_spans:
                self.spans += [_kept(span) for span in scope.spans]
        return Answer(200, b"")

    def of(self, name: str) -> list[Kept]:
        return [it for it in self.spans if it.name == name]


def _kept(span: Any) -> Kept:
    said = {it.key: it.value.string_value or it.value.int_value for it in span.attributes}
    return Kept(span.name, span.trace_id, span.span_id, span.parent_span_id, said)


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]


def said(found: list[dict[str, Any]], event: str, **values: Any) -> dict[str, Any]:
    """The one line of this kind with these values."""
    [line] = [it for it in found if it["event"] == event and values.items() <= it.items()]
    return line


def test_a_receipt_is_followed_to_its_message_and_the_provider(
    server: Server, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    environment = server.workspace / ".env"
    environment.write_text(environment.read_text("utf-8").replace("LEVEL=info", "LEVEL=debug"), "utf-8")
    server.start()
    server.register("olena")
    body = {"id": "R1", "customer": "olena", "at": datetime.now(UTC).isoformat(),
            "lines": [{"sku": "flat-white", "total": "1000"}]}  # fmt: skip
    caller = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"X-Request-ID": "till-7.0001", "traceparent": f"00-{caller}-00f067aa0ba902b7-01"}
    answer = server.client.post("/api/v1/receipts", json=body, headers=headers)
    assert (answer.status_code, answer.headers["x-request-id"]) == (201, "till-7.0001")
    until(lambda: server.rows("SELECT id FROM attempt"), "the delivery recorded")
    server.send_signal(signal.SIGTERM)
    assert server.ended() == 0

    found = lines(server)
    receipt = said(found, "receipt recorded", request_id="till-7.0001", receipt="R1")
    planned = said(found, "message planned", scenario="bonus-accrued")
    assert planned["event_id"] in receipt["event_ids"]
    assert planned["customer"] == receipt["customer"]
    tried = said(found, "message tried", message=planned["message"])
    assert (tried["outcome"], tried["attempt"]) == ("accepted", 1)
    stored = server.rows("SELECT message_id, number, provider_id FROM attempt")
    assert stored == [(tried["message"], tried["attempt"], tried["provider_id"])]
    request = said(found, "request", request_id="till-7.0001")
    assert (request["method"], request["route"], request["status"]) == ("POST", "/api/v1/receipts", 201)
    assert "Гість" not in server.log
    assert "olena@example.com" not in server.log

    [request_span] = collector.of("POST /api/v1/receipts")
    [inside] = collector.of("receipt")
    assert (request_span.trace.hex(), inside.parent) == (caller, request_span.id)
    assert inside.said["tidings.receipt"] == "R1"
    [call] = [it for it in collector.of("provider call")
              if it.said["tidings.message.id"] == str(tried["message"])]  # fmt: skip
    [chunk] = [it for it in collector.of("chunk") if it.id == call.parent]
    assert (chunk.said["tidings.channel"], call.said["tidings.provider.id"]) == (
        "email",
        tried["provider_id"],
    )
    assert {"tidings.scenario": "bonus-accrued"} in [it.said for it in collector.of("look")]
    told = " ".join(f"{it.said}" for it in collector.spans)
    assert "olena@example.com" not in told
