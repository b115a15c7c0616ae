"""How what stands in `{{ … }}` is printed: by one call, where Jinja's own code makes three and a `Markup`."""

from collections.abc import Callable

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import escape

try:
    # `escape` puts every text that it has escaped into an object of its own, which costs twice as much.
    from markupsafe import _escape_inner  # type: ignore[attr-defined]
except ImportError:

    def _escape_inner(text: str, /) -> str:
        return str(escape(text))


Print = Callable[[object], str]


def as_text(finalize: Callable[[object], object]) -> Print:
    """Prints for a text: what `finalize` makes of a value."""

    def printed(value: object) -> str:
        return value if value.__class__ is str else str(finalize(value))

    return printed


def as_html(finalize: Callable[[object], object]) -> Print:
    """Prints for a page: escaped, unless it says that it is HTML already."""

    def printed(value: object) -> str:
        made = finalize(value)
        return _escape_inner(made) if made.__class__ is str else str(escape(made))

    return printed


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
