"""Named audiences: one file each in segments/, the file's name is the segment's name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from campaigns.audience import EVERYBODY, Names, Node, Segment, read_audience, walk
from core.errors import Problem
from core.explain import describe
from core.source import Document, KeyPath

# The keys of the file that are not conditions.
OWN_KEYS = ("about",)


@dataclass(frozen=True, slots=True)
class NamedAudience:
    """A segment: its name, what it is for, and who belongs to it."""

    name: str
    about: str
    audience: Node


def read_segment(name: str, document: Document, names: Names, problems: list[Problem]) -> NamedAudience:
    """Read one file; what is wrong goes to `problems`."""
    before = len(problems)
    about = document.data.get("about", "")
    if not isinstance(about, str):
        problems.append(
            document.problem(("about",), f"expected text, got {describe(about)}", "put it in quotes")
        )
    audience = read_audience(document, (), names, problems, skip=OWN_KEYS)
    if audience == EVERYBODY and len(problems) == before:
        problems.append(
            document.problem((), "a segment without conditions", "write for example 'tier: gold'")
        )
    return NamedAudience(name, str(about), audience)


def uses(audience: Node) -> list[str]:
    """The segments that an audience names, sorted."""
    return sorted({node.name for node in walk(audience) if isinstance(node, Segment)})


def circles(segments: Mapping[str, NamedAudience], documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Segments that lead back to themselves: one problem a circle, with the way around."""
    known: set[frozenset[str]] = set()
    for name in sorted(segments):
        way = _way_back(name, segments)
        if way and frozenset(way) not in known:
            known.add(frozenset(way))
            yield _circle([*way, name], segments, documents)


def _circle(
    way: Sequence[str], segments: Mapping[str, NamedAudience], documents: Mapping[str, Document]
) -> Problem:
    """Where the first one names the next, and where each of the others does."""
    places = [_place(segments[one].audience, following) for one, following in pairwise(way)]
    hops = [
        f"{one} ({documents[one].file}:{documents[one].position(place)[0]})"
        for one, place in zip(way, places, strict=False)
    ]
    what = f"a segment cannot contain itself: {' → '.join([*hops, way[-1]])}"
    return documents[way[0]].problem(places[0], what, "break the circle")


def _place(audience: Node, name: str) -> KeyPath:
    named = (node.place for node in walk(audience) if isinstance(node, Segment) and node.name == name)
    return next(named, ())


def _way_back(start: str, segments: Mapping[str, NamedAudience]) -> list[str]:
    # The shortest way from a segment back to itself, breadth first; empty when there is none.
    ways, seen = [[start]], set()
    for way in ways:
        for following in uses(segments[way[-1]].audience):
            if following == start:
                return way
            if following in segments and following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
