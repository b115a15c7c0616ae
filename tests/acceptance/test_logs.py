"""The log: lines for programs, lines for people at a terminal; and traces only where they are wanted."""

import io
import json
import subprocess
import sys

import pytest
import structlog

from core import tracing
from core.errors import EnvironmentFault
from tidings import logs, telemetry

WANTED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("where", "for_people"), [(io.StringIO, False), (Terminal, True)])
def test_a_line_is_for_programs_unless_somebody_sits_there(
    where: type[io.StringIO], for_people: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = where()
    monkeypatch.setattr("sys.stderr", stderr)
    logs.configure("info")
    structlog.get_logger("tidings").info("message tried", message=4711)
    structlog.get_logger("tidings").debug("unheard")
    [line] = stderr.getvalue().splitlines()
    if for_people:
        assert "message tried" in line
        assert not line.startswith("{")
        return
    written = json.loads(line)
    assert (written["event"], written["message"], written["level"]) == ("message tried", 4711, "info")


def test_an_error_that_nobody_asked_for_is_told_by_its_kind_and_not_by_its_words() -> None:
    program = (
        "import asyncio, gc\n"
        "from tidings import logs\n"
        "from tidings.service import log_through_structlog\n"
        "async def breaks():\n"
        "    raise ValueError('Key (value)=(olena@example.com) already exists')\n"
        "async def main():\n"
        "    task = asyncio.create_task(breaks())\n"
        "    await asyncio.wait([task])\n"
        "logs.configure('info')\n"
        "log_through_structlog()\n"
        "asyncio.run(main())\n"
        "gc.collect()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    [line] = done.stderr.splitlines()
    said = json.loads(line)
    assert (said["event"], said["error"]) == ("Task exception was never retrieved", "ValueError")
    assert "olena" not in line


def test_nothing_is_traced_and_nothing_loaded_where_nobody_asked_for_it() -> None:
    program = (
        "import sys; from tidings import telemetry\n"
        "with telemetry.traced('1', {}):\n"
        "    pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert not tracing.active()
    assert tracing.span("look", scenario="a") is tracing.span("chunk"), (
        "one that does nothing, again and again"
    )


def test_the_standard_variables_say_whether_traces_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert telemetry.wanted(WANTED)
    assert not telemetry.wanted({**WANTED, "OTEL_SDK_DISABLED": "true"})
    assert not telemetry.wanted({**WANTED, "OTEL_TRACES_EXPORTER": "none"})
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with (
        pytest.raises(EnvironmentFault, match=r"pip install 'tidings\[otel\]'"),
        telemetry.traced("1", WANTED),
    ):
        pass


def test_a_span_that_breaks_tells_the_kind_of_the_error_and_not_its_words() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.use(telemetry.tracer_of(provider))
    try:
        with pytest.raises(ValueError, match="olena"), tracing.span("look", scenario="birthday"):
            raise ValueError("olena@example.com is no number")
    finally:
        tracing.use(None)
        provider.shutdown()
    [span] = kept.get_finished_spans()
    assert (span.status.description, span.events) == ("ValueError", ())
    assert span.attributes == {"tidings.scenario": "birthday"}
