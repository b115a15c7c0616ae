"""What a template says, taken from its tree: the names that it uses, makes and brings in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from jinja2 import nodes

from core.letters import without_unkept


@dataclass(frozen=True)
class Reading:
    """What one template text says, taken from its tree once however many messages bring it in."""

    tree: nodes.Template

    @cached_property
    def references(self) -> tuple[tuple[nodes.Stmt, str], ...]:
        """The tags that bring in another file, with its path where it is written out."""
        return tuple(_references(self.tree))

    @cached_property
    def declared(self) -> frozenset[str]:
        """Names that it makes itself."""
        return frozenset(_declared(self.tree))

    @cached_property
    def uses(self) -> dict[str, int]:
        """Dotted name → the line where it stands first."""
        first: dict[str, int] = {}
        for dotted, line in _uses(self.tree):
            first.setdefault(dotted, line)
        return first

    @cached_property
    def plain(self) -> tuple[tuple[str, int], ...]:
        """What stands outside of tags, and the line where it begins."""
        return tuple((each.data, each.lineno) for each in self.tree.find_all(nodes.TemplateData))

    @cached_property
    def unkept(self) -> tuple[tuple[int, str, str], ...]:
        """The line of each text that nothing could be done with, in tags too; what is wrong, and the fix."""
        quoted = ((it.value, it.lineno) for it in self.tree.find_all(nodes.Const))
        texts = [it for it in (*self.plain, *quoted) if isinstance(it[0], str)]
        return tuple((line, *wrong) for text, line in texts for wrong in without_unkept(text)[1])

    @cached_property
    def words(self) -> tuple[nodes.Filter | nodes.Test, ...]:
        """Every use of a filter or a test."""
        return tuple(self.tree.find_all((nodes.Filter, nodes.Test)))


def dotted_name(node: nodes.Node) -> str | None:
    """`trigger.expiring`, of a name or of what is read of one; None of anything else."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        owner = dotted_name(node.node)
        return f"{owner}.{node.attr}" if owner else None
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        owner = dotted_name(node.node)
        return f"{owner}.{node.arg.value}" if owner and isinstance(node.arg.value, str) else None
    return None


def _references(tree: nodes.Template) -> Iterator[tuple[nodes.Stmt, str]]:
    """The tags that bring in another file, with its path where it is written out."""
    for each in tree.find_all(nodes.Stmt):
        if isinstance(each, nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends):
            path = each.template.value if isinstance(each.template, nodes.Const) else None
            if isinstance(path, str):
                yield each, path


def _uses(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    """Every dotted name that is read, and each of its owners: `a.b.c` gives `a.b.c`, `a.b` and `a`."""
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load":
            yield name.name, name.lineno
    for each in tree.find_all((nodes.Getattr, nodes.Getitem)):
        if dotted := dotted_name(each):
            yield dotted, each.lineno


def _declared(tree: nodes.Template) -> set[str]:
    """Names that the template makes itself: set, for, macro, import."""
    names = {each.name for each in tree.find_all(nodes.Name) if each.ctx in ("store", "param")}
    names |= {each.name for each in tree.find_all(nodes.Macro)}
    names |= {each.target for each in tree.find_all(nodes.Import)}
    for each in tree.find_all(nodes.FromImport):
        names |= {name[1] if isinstance(name, tuple) else name for name in each.names}
    return names
