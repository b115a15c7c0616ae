"""Audiences that nobody can belong to: `tier: gold` and `not: {tier: gold}` in one breath.

Only what the files say is looked at, never who is in the database: two conditions that exclude each other
whoever the customer is. A named segment says what stands in its file.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.audience import And, Node, Not, Or, Segment, Test
from campaigns.fields import field_named
from campaigns.ranges import always, never_both, range_of
from core.errors import Problem
from core.source import Document, KeyPath, dotted

# Fields of which a customer has one value at a time; of the others (channels, attributes) several may be so.
_SEVERAL = ("reachable", "consent", "has_card", "household", "known", "received", "sample", "attributes")
# Of each named segment the file, and what it was read into.
Segments = Mapping[str, tuple[Document, Node]]


def contradictions(document: Document, path: KeyPath, node: Node, segments: Segments) -> list[Problem]:
    """What in the audience at `path` of a file, read into `node`, cannot be true together.

    An error where nobody at all is left, a warning where only one branch of an `any` is in vain. Each names
    both places; of two places only the first contradiction is told.
    """
    search = _Search()
    nobody = search.dead(_Plain(segments).branch(node, document), ())
    severity = "error" if nobody else "warning"
    told: dict[tuple[_Fact, ...], _Clash] = {}
    for clash in search.clashes:
        told.setdefault((clash.first.source, clash.second.source), clash)
    return [_problem(document, path, clash, severity) for clash in told.values()]


_REACTIONS = ("opened", "clicked")


@dataclass(frozen=True, slots=True, eq=False)
class _Fact:
    """A test or a segment, and whether it is to be so or not; `of` the segment in whose file it stands."""

    about: Test | Segment
    so: bool
    document: Document
    of: "_Fact | None" = None

    @property
    def source(self) -> "_Fact":
        """What the audience that is looked at says: this, or a segment."""
        return self.of or self

    @property
    def place(self) -> KeyPath:
        """Where it says so."""
        return self.source.about.place


@dataclass(frozen=True, slots=True)
class _Clash:
    """Two facts that exclude each other, in the order in which they stand in the file."""

    first: _Fact
    second: _Fact


@dataclass(frozen=True, slots=True)
class _Plain:
    """Turns a tree into branches without `not` around anything but a single fact.

    `of` is the fact that named the segment which is read, `within` the segments on the way to it.
    """

    segments: Segments
    of: _Fact | None = None
    within: Collection[str] = ()

    def branch(self, node: Node, document: Document, so: bool = True) -> "_Branch":
        """A node that is to be so, or not."""
        match node:
            case Not(part):
                return self.branch(part, document, not so)
            case And(parts):
                return _Branch(so, tuple(self.branch(part, document, so) for part in parts), written=False)
            case Or(parts):
                # That a segment has other members too is no mistake of whoever names it.
                inside = tuple(self.branch(part, document, so) for part in parts)
                return _Branch(not so, inside, written=self.of is None)
            case Test() | Segment():
                fact = _Fact(node, so, document, self.of)
                return _Branch(True, tuple(self._behind(fact)), (fact,))

    def _behind(self, fact: _Fact) -> Iterator["_Branch"]:
        """What a named segment says. A circle of them is told of elsewhere."""
        name = fact.about.name if isinstance(fact.about, Segment) else ""
        if name in self.segments and name not in self.within:
            document, node = self.segments[name]
            inner = _Plain(self.segments, fact.source, (*self.within, name))
            yield inner.branch(node, document, fact.so)


@dataclass(frozen=True, slots=True)
class _Branch:
    """Facts and branches: `every` one of them is so, or at least one.

    `written` so, as an `any`; the branches of a `not` around several conditions were not meant as such.
    """

    every: bool
    parts: "tuple[_Branch, ...]"
    facts: tuple[_Fact, ...] = ()
    written: bool = True


@dataclass(slots=True)
class _Search:
    clashes: list[_Clash] = field(default_factory=list)

    def dead(self, branch: _Branch, given: Sequence[_Fact]) -> bool:
        """Whether nobody is left of those of whom `given` is so."""
        if not branch.every:
            return self._none(branch, given)
        facts, choices = _spread(branch)
        known = [*given]
        clash = False
        for fact in facts:
            clash = self._clashes(fact, known) or clash
            known.append(fact)
        in_vain = [self.dead(choice, known) for choice in choices]
        return clash or any(in_vain)

    def _none(self, branch: _Branch, given: Sequence[_Fact]) -> bool:
        # Every part is looked at: each that is in vain is said. One without parts was complained of.
        before = len(self.clashes)
        in_vain = [self.dead(part, given) for part in branch.parts]
        nobody = bool(in_vain) and all(in_vain)
        if not nobody and not branch.written:
            del self.clashes[before:]
        return nobody

    def _clashes(self, fact: _Fact, known: Sequence[_Fact]) -> bool:
        for other in known:
            # What a segment says of itself is told at its own file.
            if fact.source is not other.source and _exclude(other, fact):
                self.clashes.append(_Clash(other, fact))
                return True
        return False


def _spread(branch: _Branch) -> tuple[list[_Fact], list[_Branch]]:
    """All that must be so at once, and the choices beside it."""
    facts, choices = [*branch.facts], []
    for part in branch.parts:
        if not part.every:
            choices.append(part)
            continue
        more, others = _spread(part)
        facts += more
        choices += others
    return facts, choices


# --- two facts


def _exclude(one: _Fact, other: _Fact) -> bool:
    if isinstance(one.about, Segment) or isinstance(other.about, Segment):
        return one.about == other.about and one.so != other.so
    if one.about.field != other.about.field or one.about.where != other.about.where:
        return False
    if one.so and other.so:
        return _never_both(one.about, other.about)
    if one.so == other.so:
        return False
    so, not_so = (one.about, other.about) if one.so else (other.about, one.about)
    return _always(so, not_so)


def _never_both(one: Test, other: Test) -> bool:
    if one.within != other.within:
        return _more_in_less_time(one, other) or _more_in_less_time(other, one)
    if one.op == other.op == "one_of" and range_of(one) is None:
        return not _values(one) & _values(other) and _one_at_a_time(one, other)
    return never_both(one, other)


def _one_at_a_time(one: Test, other: Test) -> bool:
    if one.field.partition(".")[0] not in _SEVERAL:
        return True
    # Whoever has no card has none of them.
    return _values(one) == {False} or _values(other) == {False}


def _always(so: Test, not_so: Test) -> bool:
    """Whether the first is never so without the second."""
    if so == not_so:
        return True
    if so.within != not_so.within:
        return False
    if so.op == not_so.op == "one_of":
        return _values(so) <= _values(not_so)
    return always(so, not_so)


def _more_in_less_time(one: Test, other: Test) -> bool:
    """At least so much in a shorter time than that in which there is less."""
    if one.within is None or (other.within and other.within.total_seconds < one.within.total_seconds):
        return False
    if one.field not in ("spent", "purchases", "bought", "returned", "friends", "expiring", *_REACTIONS):
        return False
    high, low = range_of(one), range_of(other)
    return high is not None and low is not None and low.below(high)


def _values(test: Test) -> frozenset[object]:
    values = frozenset[object](test.value if isinstance(test.value, tuple) else ())
    known = field_named(test.field)
    return values | frozenset(known.choices) - {False} if known and "any" in values else values


# --- saying it


def _problem(document: Document, path: KeyPath, clash: _Clash, severity: str) -> Problem:
    first, second = clash.first, clash.second
    where = f"{dotted(first.place or path)} at {_line(document, first.place or path)}"
    what = f"{_named(second)} excludes {_named(first)} ({where}): nobody is both"
    return document.problem(second.place or path, what, "remove one of them", severity)


def _line(document: Document, path: KeyPath) -> str:
    line, col = document.position(path)
    return f"{document.file}:{line}:{col}"


def _named(fact: _Fact) -> str:
    """A fact; of a segment its name, with what its file says, and where."""
    if fact.of is None:
        return _say(fact)
    return f"{_say(fact.of)}, which says {_say(fact)} at {_line(fact.document, fact.about.place)},"


def _say(fact: _Fact) -> str:
    about = fact.about
    text = f"segment {about.name}" if isinstance(about, Segment) else _say_test(about)
    return f"'{text}'" if fact.so else f"'not {text}'"


def _say_test(test: Test) -> str:
    value = test.value
    said = " or ".join(_word(it) for it in value) if isinstance(value, tuple) else _word(value)
    if test.op == "between" and isinstance(value, tuple):
        said = f"between {_word(value[0])} and {_word(value[1])}"
    elif test.op != "one_of":
        said = f"{test.op.replace('_', ' ')} {said}"
    within = f" within {test.within}" if test.within else ""
    names = "".join(f" of {key} {', '.join(names)}" for key, names in test.where)
    return f"{test.field}{names} {said}{within}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
