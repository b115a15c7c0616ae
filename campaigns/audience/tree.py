"""The tree that an `audience` or a segment is read into."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date
from decimal import Decimal

from core.source import KeyPath
from core.units import Duration

# What to do about an event that nobody tells.
ADD_EVENT = "add it to 'events' in program.yaml, if your system tells it"

Scalar = str | int | bool | Decimal | date
# What a test compares with: see `Test`.
Value = Scalar | tuple[Scalar, ...] | Duration


@dataclass(frozen=True, slots=True)
class Test:
    """One question about one field.

    `op` and its `value`: `one_of` a tuple; `at_least`, `at_most`, `more_than`, `less_than` a number in
    whole units, or the name of a level; `between` two numbers or two days, both included; `within` and
    `before` a `Duration` back from now, `before` also a day; `contains` a text. `within` narrows what is
    summed or counted; `where` names goods, stores or accounts: (("category", ("coffee",)),). A part of a
    field has a name of its own: `rfm.recency`. `place` is where it stands in its file.
    """

    __test__ = False  # not one of pytest's

    field: str
    op: str
    value: Value
    within: Duration | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    # Says nothing about what it means: two that mean the same are equal.
    place: KeyPath = dataclass_field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """Belongs to a named audience."""

    name: str
    place: KeyPath = dataclass_field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """Every part is so; without parts, everybody."""

    parts: "tuple[Node, ...]" = ()


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part is so."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not so."""

    part: "Node"


Node = And | Or | Not | Segment | Test
EVERYBODY = And()


@dataclass(frozen=True, slots=True)
class Names:
    """What an audience, or a trigger's parameter, may refer to; None where it is not known and not checked.

    `reasons` are those that an accrual may have; what `purchase_rules` give comes as a purchase. `scales`:
    how many decimal places points and money have, and what the program measures its tiers by.
    """

    tiers: Collection[str] | None = None
    channels: Collection[str] | None = None
    segments: Collection[str] | None = None
    scenarios: Collection[str] | None = None
    accounts: Collection[str] | None = None
    events: Collection[str] | None = None
    reasons: Collection[str] | None = None
    purchase_rules: Collection[str] = ()
    scales: Mapping[str, int] = dataclass_field(default_factory=dict)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything inside it."""
    yield node
    if isinstance(node, (And, Or)):
        for part in node.parts:
            yield from walk(part)
    if isinstance(node, Not):
        yield from walk(node.part)
