"""Traces by OpenTelemetry, where it is installed (`pip install tidings[otel]`) and told where to send them.

Everything is set by the standard variables: OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) switches it
on, OTEL_SDK_DISABLED off; OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS and the others
mean what OpenTelemetry's documents say.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

from core import tracing
from core.errors import EnvironmentFault
from core.tracing import Kind, Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer as OtelTracer

WHERE_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
# How long the last spans may take to leave when the process ends, seconds: a collector that answers nothing
# must not keep it. OpenTelemetry's own limit of a flush is not kept while a request is under way.
LEAVE_SECONDS = 3.0


@contextmanager
def traced(version: str, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Keep spans while the block lasts, if the variables want it.

    EnvironmentFault if they do and OpenTelemetry is not installed.
    """
    if not wanted(environment):
        yield
        return
    provider = _provider(version)
    tracing.use(tracer_of(provider))
    try:
        yield
    finally:
        tracing.use(None)
        leaving = Thread(target=provider.shutdown, daemon=True)
        leaving.start()
        leaving.join(LEAVE_SECONDS)


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables say where traces go."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    return any(environment.get(name) for name in WHERE_TO)


def tracer_of(provider: "TracerProvider") -> tracing.Tracer:
    """Ours over OpenTelemetry's."""
    return _Tracer(provider.get_tracer("tidings"))


def _provider(version: str) -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise EnvironmentFault(
            f"{' or '.join(WHERE_TO)} is set, and OpenTelemetry is not installed; run "
            "`pip install 'tidings[otel]'`, or take the variable away"
        ) from None
    own = Resource({"service.name": "tidings", "service.version": version})
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before ours.
    resource = Resource.create().merge(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class _Tracer:
    """What `core.tracing` asks for."""

    def __init__(self, tracer: "OtelTracer") -> None:
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer, self._trace, self._context = tracer, trace, context
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Any]) -> Iterator[Span]:
        """Under what is under way, or under a caller's `traceparent`."""
        above = self._propagator.extract({"traceparent": parent}) if parent else None
        of_kind = getattr(self._trace.SpanKind, kind.upper())
        span = self._tracer.start_span(name, above, of_kind, _named_by_us(attributes))
        made = _Span(span)
        # Neither the words nor the traceback of an error: they may hold a customer's data.
        with self._trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            try:
                yield made
            except BaseException as error:
                made.fail(type(error).__name__)
                raise

    def here(self) -> Any:
        """The context under way."""
        return self._context.get_current()

    def begin(self, name: str, parent: Any, attributes: dict[str, Any]) -> Span:
        """A client's call."""
        kind = self._trace.SpanKind.CLIENT
        return _Span(self._tracer.start_span(name, parent, kind, _named_by_us(attributes)))


class _Span:
    def __init__(self, span: "OtelSpan") -> None:
        self._span = span

    def set(self, **attributes: Any) -> None:
        self._span.set_attributes(_named_by_us(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, reason: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_status(Status(StatusCode.ERROR, reason))

    def end(self) -> None:
        self._span.end()


# Names that OpenTelemetry's conventions have for what we say, too.
_STANDARD: Mapping[str, str] = {
    "method": "http.request.method", "route": "http.route", "status": "http.response.status_code",
}  # fmt: skip


def _named_by_us(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _STANDARD.get(name, f"tidings.{name.replace('_', '.')}"): value
        for name, value in attributes.items() if value is not None
    }  # fmt: skip
