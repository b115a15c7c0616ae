"""The sandbox a template runs in: nothing outside the context, nothing that could exhaust the machine."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2.environment import Environment
from jinja2.exceptions import SecurityError
from jinja2.runtime import Macro, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import UserError
from templates.context import FIELDS
from templates.filters import Conventions, bare, filters
from templates.nothing import silent
from templates.printing import Printer, as_html, as_text
from templates.tracking import tracked

# Of tags, brackets and operators within each other; Python itself takes 20 loops, and 100 levels of lines.
MOST_LEVELS = 120
TOO_DEEP = "tags or brackets are nested too deeply: take them apart"
# A message has tens of lines, not thousands.
_RANGE_AT_MOST = 1_000
_NONE: frozenset[str] = frozenset()
# With a text or a list these would fill memory.
_REPEATING = frozenset({"*", "**", "%"})
_PADDING = frozenset({"ljust", "rjust", "center", "zfill", "expandtabs"})


class RenderError(UserError):
    """A template failed on this customer's facts: file, line and what is missing, never a value."""


class MessageEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox for one locale and one kind of text; `trim` lets a line that holds only a tag vanish.

    A mapping's attribute is its item (`customer.attributes.items` is what the shop stored under `items`,
    never a method). Immutable: a template cannot change the facts that other messages are made from.
    """

    code_generator_class = Printer
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, conventions: Conventions, *, autoescape: bool, trim: bool, loader: BaseLoader) -> None:
        written = filters(conventions)
        finalize = bare(written)
        self.text_of, self.html_of = as_text(finalize), as_html(finalize)
        super().__init__(
            undefined=StrictUndefined,
            autoescape=autoescape,
            loader=loader,
            finalize=finalize,
            trim_blocks=trim,
            lstrip_blocks=trim,
            auto_reload=False,
            cache_size=-1,
        )
        self.filters.update(silent(self.filters), **written, tracked=tracked)
        for name in ("center", "format", "indent", "pprint", "random"):
            self.filters.pop(name)
        # `namespace` is how a loop remembers; the others only fill memory or repeat what loops give.
        self.globals = {"range": _short_range, "namespace": self.globals["namespace"]}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Its tree, no deeper than whoever reads it can follow. TemplateSyntaxError else."""
        try:
            tree = super()._parse(source, name, filename)
        except RecursionError:
            raise TemplateSyntaxError(TOO_DEEP, 1, name, filename) from None
        except ValueError:  # Python's own limit
            raise TemplateSyntaxError("a number of so many digits", 1, name, filename) from None
        depth, line = _deepest(tree)
        if depth > MOST_LEVELS:
            raise TemplateSyntaxError(TOO_DEEP, line, name, filename)
        return tree

    def compile(  # type: ignore[override]  # whichever way it is asked, it is passed on
        self, source: Any, name: str | None = None, filename: str | None = None, **how: Any
    ) -> Any:
        """Compile it; TemplateSyntaxError also for what Jinja reads and Python does not."""
        tree = self.parse(source, name, filename) if isinstance(source, str) else source
        try:
            return super().compile(tree, name, filename, **how)
        except (SyntaxError, RecursionError, MemoryError) as error:
            said = error.msg if isinstance(error, SyntaxError) else ""
            deep = not said or said.startswith(("too many", "unindent", "inconsistent"))
            raise TemplateSyntaxError(TOO_DEEP if deep else said, _deepest(tree)[1], name, filename) from None

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An attribute of a view, an item of a mapping; everything else as the sandbox allows."""
        # The first question is the trigger's facts, which every message asks many times.
        kind = obj.__class__
        if kind is dict:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if attribute in FIELDS.get(kind, _NONE):
            return getattr(obj, attribute)
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what is safe; a macro is the template's own."""
        if called.__class__ is Macro:
            return called(context.eval_ctx, *args, **kwargs)
        return super().call(context, called, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Padding methods are refused: one call could make a text of any length."""
        return attr not in _PADDING and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers of ordinary size; no repeating or formatting of texts.

        `0.1` in a template is as exact as the amount that it is reckoned with.
        """
        repeats = operator in _REPEATING
        if operator == "**" or (repeats and any(isinstance(it, str | list | tuple) for it in (left, right))):
            raise SecurityError(f"'{operator}' is not allowed here")
        if isinstance(left, Decimal) and isinstance(right, float):
            right = Decimal(str(right))
        elif isinstance(left, float) and isinstance(right, Decimal):
            left = Decimal(str(left))
        return super().call_binop(context, operator, left, right)

    def joined(self, pieces: Iterable[Any], *, escaped: bool) -> str:
        """What `~` makes of several values: nothing of one that is not known."""
        known = [it for it in pieces if it is not None]
        return markup_join(known) if escaped else str_join(known)


class PartLoader(BaseLoader):
    """Serves `{% include %}` from the bundle's messages/ only."""

    def __init__(self, find: Callable[[str], tuple[str, str] | None]) -> None:
        self._find = find

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, None]:
        """The part's text and path; TemplateNotFound for anything outside messages/."""
        found = self._find(template)
        if found is None:
            raise TemplateNotFound(template)
        return found[1], found[0], None


def _deepest(tree: nodes.Template) -> tuple[int, int]:
    """How many levels a tree has, and the line of the lowest one; without recursion, which it may be too
    deep for.
    """
    depth, line, level = 0, 1, [*tree.body]
    while level:
        depth, line = depth + 1, level[0].lineno or line
        level = [child for node in level for child in node.iter_child_nodes()]
    return depth, line


def _short_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _RANGE_AT_MOST:
        raise SecurityError(f"a range of more than {_RANGE_AT_MOST} is not allowed here")
    return numbers
