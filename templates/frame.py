"""What a template is run with: nothing is copied, and nothing is made that hardly any template asks for."""

from typing import Any

from jinja2 import Template
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.utils import missing


class Names(dict[str, Any]):
    """What the templates of one message may speak of, what every template may call included."""

    def __missing__(self, name: str) -> Any:
        """As Jinja says it of a name that nobody knows."""
        return missing


class Frame(Context):
    """A `Context` over names that already hold the globals: what `Template.new_context` makes, but sooner."""

    def __init__(self, template: Template, names: Names) -> None:
        self.environment, self.name, self.parent = template.environment, template.name, names
        self.vars: dict[str, Any] = {}
        self._blocks = template.blocks
        if not template.blocks:
            # Names that it gives a value are variables of its own: only blocks look for them here.
            self.resolve_or_missing = names.__getitem__  # type: ignore[assignment,method-assign]

    def __getattr__(self, name: str) -> Any:
        """What only blocks, imports and macros ask for."""
        made: Any
        if name == "eval_ctx":
            made = EvalContext(self.environment, self.name)
        elif name == "blocks":
            made = {each: [block] for each, block in self._blocks.items()}
        elif name in ("exported_vars", "globals_keys"):
            made = set()
        else:
            raise AttributeError(name)
        setattr(self, name, made)
        return made
