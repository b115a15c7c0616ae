"""Files of messages/ that bring in themselves: rendering one would never end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from jinja2 import nodes

from core.errors import Problem
from templates.located import Located, Source

References = Sequence[tuple[nodes.Stmt, str]]


@dataclass
class Circles:
    """Walks from a text to all that it includes, imports or extends, each file once.

    `references` reads the tags of a text, `find` the file that a path means.
    """

    references: Callable[[Located], References]
    find: Callable[[str], Source | None]
    _done: set[str] = field(default_factory=set)
    # (a file, one that it brings in) → where it says so
    _places: dict[tuple[str, str], tuple[Located, int]] = field(default_factory=dict)

    def problems(self, file: str, text: Located, way: tuple[str, ...] = ()) -> Iterator[Problem]:
        """Each circle once, at the same place whichever of its files is met first."""
        way = (*way, file)
        for node, path in self.references(text):
            source = self.find(path)
            if source is None:
                continue
            self._places.setdefault((file, source.file), (text, _offset(text, node, path)))
            if source.file in way:
                yield self._told(way[way.index(source.file) :])
            elif source.file not in self._done:
                yield from self.problems(source.file, Located.slice(source, 0), way)
        self._done.add(file)

    def _told(self, circle: tuple[str, ...]) -> Problem:
        first = circle.index(min(circle))
        circle = (*circle[first:], *circle[:first])
        text, offset = self._places[circle[-1], circle[0]]
        what = f"a file brings in itself: {' → '.join((*circle, circle[0]))}"
        return text.problem(offset, what, "leave one of the includes out")


def _offset(text: Located, node: nodes.Stmt, path: str) -> int:
    start = text.line_start(node.lineno)
    found = text.text.find(path, start)
    return found if found >= 0 else start
