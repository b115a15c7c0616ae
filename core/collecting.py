"""Python's search for circular garbage, and how often it is worth its time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Live objects before each search of the young, young ones of the middle, and those of all: Python's own
# 700 has every look, import and delivery search the same living objects again and again.
SELDOM = (50_000, 50, 100)


def collect_seldom() -> None:
    """For a process that sends: a fifth of a message's time went into searching what the libraries hold."""
    gc.set_threshold(*SELDOM)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """For one piece of work."""
    before = gc.get_threshold()
    collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)
