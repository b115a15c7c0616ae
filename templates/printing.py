"""How what stands in `{{ … }}` is printed: by one call, where Jinja's own code makes three and a `Markup`."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import escape

from templates.filters import REMEMBERED

try:
    # `escape` puts every text that it has escaped into an object of its own, which costs twice as much.
    from markupsafe import _escape_inner  # type: ignore[attr-defined]
except ImportError:

    def _escape_inner(text: str, /) -> str:
        return str(escape(text))


Print = Callable[[object], str]
# Amounts and days, of which a batch has few: what they look like is kept.
_REPEATED = frozenset({Decimal, date})


def as_text(finalize: Callable[[object], object]) -> Print:
    """Prints for a text: what `finalize` makes of a value."""
    known = _remembering(lambda value: str(finalize(value)))

    def printed(value: object) -> str:
        kind = value.__class__
        if kind is str:
            return value  # type: ignore[return-value]
        return known(value) if kind in _REPEATED else str(finalize(value))

    return printed


def as_html(finalize: Callable[[object], object]) -> Print:
    """Prints for a page: escaped, unless it says that it is HTML already."""
    known = _remembering(lambda value: _escaped(finalize(value)))

    def printed(value: object) -> str:
        kind = value.__class__
        if kind is str:
            return _escape_inner(value)  # type: ignore[arg-type]
        return known(value) if kind in _REPEATED else _escaped(finalize(value))

    return printed


def _escaped(made: object) -> str:
    return _escape_inner(made) if made.__class__ is str else str(escape(made))


def _remembering(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lru_cache(maxsize=REMEMBERED)(write)


class Printer(CodeGenerator):
    """Makes templates print by `text_of` and `html_of` of their environment."""

    def _output_child_pre(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        if frame.eval_ctx.volatile:  # only a running template knows whether it escapes
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write(f"environment.{'html' if frame.eval_ctx.autoescape else 'text'}_of(")

    def _output_child_post(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        if frame.eval_ctx.volatile:
            super()._output_child_post(node, frame, finalize)
        else:
            self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """`~`, which writes nothing for what is not known, as `{{ … }}` does."""
        volatile, escapes = frame.eval_ctx.volatile, frame.eval_ctx.autoescape
        self.write("environment.joined((")
        for piece in node.nodes:
            self.visit(piece, frame)
            self.write(", ")
        self.write(f"), escaped={'context.eval_ctx.autoescape' if volatile else bool(escapes)})")
