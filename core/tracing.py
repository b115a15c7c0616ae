"""Spans: what a piece of work was part of, and how long it took. Nothing, and no cost, until a tracer is set.

The application knows no vendor: `tidings.telemetry` sets a tracer where one is wanted.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol

Kind = Literal["internal", "server"]


class Span(Protocol):
    """Work under way. Attributes are opaque ids, names of ours and numbers: never an address or a text."""

    def set(self, **attributes: Any) -> None:
        """Say more of it; `message_id=7` becomes `tidings.message.id`."""

    def rename(self, name: str) -> None:
        """What it was is known only now."""

    def fail(self, reason: str) -> None:
        """It came to nothing, for this named reason."""

    def end(self) -> None:
        """It is over; only for what `begin` began."""


class Tracer(Protocol):
    """What keeps the spans."""

    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Any]
    ) -> AbstractContextManager[Span]:
        """Work that lasts as long as the block, under whatever is under way, or under a `traceparent`."""
        ...

    def here(self) -> Any:
        """What is under way, for `begin`."""
        ...

    def begin(self, name: str, parent: Any, attributes: dict[str, Any]) -> Span:
        """A call to somebody else, whose end is told; nothing becomes part of it."""
        ...


class _Nothing:
    """Where nobody traces."""

    def set(self, **_attributes: Any) -> None:
        """Nobody listens."""

    def rename(self, name: str) -> None:
        """Nobody listens."""

    def fail(self, reason: str) -> None:
        """Nobody listens."""

    def end(self) -> None:
        """Nobody listens."""


NOTHING: Span = _Nothing()
_UNTRACED: AbstractContextManager[Span] = nullcontext(NOTHING)
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """From now on spans are kept by this one; None: by nobody."""
    global _tracer  # noqa: PLW0603 - one for the process, as the log is
    _tracer = tracer


def active() -> bool:
    """Whether anybody keeps spans."""
    return _tracer is not None


def span(
    name: str, kind: Kind = "internal", parent: str | None = None, **attributes: Any
) -> AbstractContextManager[Span]:
    """A block of work. `parent` is a caller's `traceparent` (W3C Trace Context), if there is one."""
    return _UNTRACED if _tracer is None else _tracer.span(name, kind, parent, attributes)


def here() -> Any:
    """What is under way, for `begin`; None where nobody traces."""
    return None if _tracer is None else _tracer.here()


def begin(name: str, parent: Any, **attributes: Any) -> Span:
    """A call to somebody else that ends in another place than it began."""
    return NOTHING if _tracer is None else _tracer.begin(name, parent, attributes)
