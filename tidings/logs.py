"""Logs on stderr: JSON lines, at a terminal lines for people. Opaque ids, never addresses, names or texts."""

import contextlib
import io
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from structlog.typing import Processor


def configure(level: str) -> None:
    """Set up structlog once for this process."""
    import structlog

    number = logging.getLevelNamesMapping().get(level.upper(), logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendered(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # Looked up each time: whoever redirects or closes stderr later does not take the logger with it.
        logger_factory=lambda *_: structlog.PrintLogger(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=False,
    )


class _Stderr(io.TextIOBase):
    """A line that cannot be written, on a full disk say, ends no request and no delivery."""

    def write(self, text: str) -> int:
        """At once, if it goes."""
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
        return len(text)


def _rendered() -> "Sequence[Processor]":
    import structlog

    if sys.stderr.isatty():
        # Without the values of local variables, which may be a customer's.
        plain: Any = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
