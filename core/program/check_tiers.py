"""What must fit together within `tiers`."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from core.errors import Problem
from core.program import Program
from core.program.tiers import Level
from core.source import Document, KeyPath

BASE: KeyPath = ("tiers", "levels")


def check_tiers(program: Program, document: Document) -> Iterator[Problem]:
    """What does not fit together, beyond the shape of each value."""
    yield from _names(program, document)
    yield from _invited(program, document) if _by_hand(program) else _reached(program, document)
    yield from _discount(program, document)


def _by_hand(program: Program) -> bool:
    return program.tiers.measure == "invitation"


def _names(program: Program, document: Document) -> Iterator[Problem]:
    for index, level in enumerate(program.tiers.levels):
        if level.name in program.tier_names[:index]:
            path = (*BASE, index, "name")
            yield document.problem(path, f"a second level '{level.name}'", "give it its own name")


def _invited(program: Program, document: Document) -> Iterator[Problem]:
    for index, level in enumerate(program.tiers.levels):
        if level.from_:
            what = "with 'measure: invitation' a level is given by hand, not reached"
            yield document.problem((*BASE, index, "from"), what, "remove 'from'")


def _reached(program: Program, document: Document) -> Iterator[Problem]:
    levels = program.tiers.levels
    if levels[0].from_:
        what = "the lowest level must be open to everybody"
        yield document.problem((*BASE, 0, "from"), what, "write 'from: 0'")
    for index, level in enumerate(levels):
        if level.from_ is None:
            yield document.problem((*BASE, index, "from"), "is missing", "write for example 'from: 0'")
        else:
            yield from _threshold(program, document, levels, index, level.from_)


def _threshold(
    program: Program, document: Document, levels: Sequence[Level], index: int, start: Decimal
) -> Iterator[Problem]:
    path = (*BASE, index, "from")
    below = levels[index - 1].from_ if index else None
    if below is not None and start <= below:
        yield document.problem(path, "levels must rise", f"write more than {below}")
    if not _exact(program.measured, start):
        yield document.problem(path, *_too_fine(program))


def _too_fine(program: Program) -> tuple[str, str]:
    if program.tiers.measure == "purchases":
        return "a part of a purchase", "write a whole number"
    scale = program.points.scale if program.tiers.measure == "points" else program.money_scale
    return f"more than {scale} decimal places", "write fewer decimals"


def _discount(program: Program, document: Document) -> Iterator[Problem]:
    steps = program.tiers.discount.cumulative if program.tiers.discount else ()
    for index, step in enumerate(steps):
        path: KeyPath = ("tiers", "discount", "cumulative", index)
        if index and step.from_ <= steps[index - 1].from_:
            what = f"write more than {steps[index - 1].from_}"
            yield document.problem((*path, "from"), "the steps must rise", what)
        if index and step.percent < steps[index - 1].percent:
            what = "who spends more would get less"
            yield document.problem((*path, "percent"), what, "write at least as much as in the step before")
        if not _exact(program.to_money, step.from_):
            what = f"more than {program.money_scale} decimal places"
            yield document.problem((*path, "from"), what, "write fewer decimals")


def _exact(convert: Callable[[Decimal], int], amount: Decimal) -> bool:
    try:
        convert(amount)
    except ValueError:
        return False
    return True
