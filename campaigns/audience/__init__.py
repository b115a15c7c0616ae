"""Who of them: what stands under `audience`, in a segment, in `only_if`, and the tree that it is read into.

A mapping is an *and*; `any`, `all` and `not` combine. A value is equality, a list is *one of*, a mapping is
operators.
"""

from campaigns.audience.reading import COMBINATIONS, read_audience
from campaigns.audience.tree import (
    EVERYBODY,
    And,
    Names,
    Node,
    Not,
    Or,
    Scalar,
    Segment,
    Test,
    Value,
    walk,
)

__all__ = [
    "COMBINATIONS",
    "EVERYBODY",
    "And",
    "Names",
    "Node",
    "Not",
    "Or",
    "Scalar",
    "Segment",
    "Test",
    "Value",
    "read_audience",
    "walk",
]
