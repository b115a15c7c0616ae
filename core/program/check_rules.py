"""What must fit together within `earn`: rules among themselves."""

from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError

from core.errors import Problem
from core.grants.codes import normal
from core.program import Program, Rule
from core.program.check_earn import check_rule
from core.program.check_words import too_fine
from core.program.earn import exclusion_order
from core.source import Document, KeyPath, as_far_as_read

BASE: KeyPath = ("earn", "rules")


def check_earning(program: Program, document: Document) -> Iterator[Problem]:
    """What does not fit together, beyond the shape of each value."""
    each = (check_rule(program, document, index) for index in range(len(program.earn.rules)))
    together = (_same_names, _same_codes, _percentages, _groups, _exclusions, _caps)
    for findings in (*each, *(check(program, document) for check in together)):
        yield from as_far_as_read(findings)


def _same_names(program: Program, document: Document) -> Iterator[Problem]:
    names = [rule.rule for rule in program.earn.rules]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield document.problem((*BASE, index, "rule"), f"a second rule '{name}'", "give it its own name")


def _same_codes(program: Program, document: Document) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for index, rule in enumerate(program.earn.rules):
        if rule.code is None:
            continue
        code = normal(rule.code)
        if code in taken:
            yield document.problem((*BASE, index, "code"), taken[code], "take another code")
        taken[code] = f"the rule '{rule.rule}' has this code"


def _percentages(program: Program, document: Document) -> Iterator[Problem]:
    rules = program.earn.rules
    earning = any(level.earn for level in program.tiers.levels)
    if earning and not any(rule.by for rule in rules):
        what = "the levels have 'earn', but no rule pays by it"
        yield document.problem(BASE, what, "add '{rule: base, by: tier}'")
    for index, rule in enumerate(rules):
        if rule.multiply is not None and not any(it.is_percentage for it in rules):
            what = "there is nothing to multiply: no rule gives a percentage"
            yield document.problem((*BASE, index, "multiply"), what, "add '{rule: base, by: tier}'")


def _groups(program: Program, document: Document) -> Iterator[Problem]:
    members: dict[str, list[tuple[int, Rule]]] = defaultdict(list)
    for index, rule in enumerate(program.earn.rules):
        if rule.group:
            members[rule.group].append((index, rule))
    for name, rules in members.items():
        path = (*BASE, rules[0][0], "group")
        if len(rules) == 1:
            yield document.problem(path, f"no other rule is in '{name}'", "remove it", "warning")
        if len({rule.multiply is None for _, rule in rules}) > 1:
            what = f"'{name}' has multiples and others: they cannot be compared"
            yield document.problem(path, what, "make two groups")


def _exclusions(program: Program, document: Document) -> Iterator[Problem]:
    try:
        exclusion_order([rule for rule in program.earn.rules if rule.on is None])
    except CycleError as error:
        circle = " → ".join(f"'{name}'" for name in reversed(error.args[1]))
        yield document.problem(BASE, f"rules exclude one another: {circle}", "let one of them stand")
    for index, rule in enumerate(program.earn.rules):
        always = [it.rule for it in program.earn.rules if rule.rule in it.excludes and _always(program, it)]
        if always:
            what = f"gives nothing: '{always[0]}' always gives, and excludes it"
            yield document.problem((*BASE, index), what, "remove it from 'excludes'", "warning")


def _always(program: Program, rule: Rule) -> bool:
    """Whether it gives something on nearly every purchase."""
    free = not (rule.when.said or rule.goods or rule.needs_code or rule.limit or rule.group)
    if rule.from_ or rule.until or not free:
        return False
    return bool(rule.by and all(level.earn for level in program.tiers.levels)) or bool(
        rule.earn and not isinstance(rule.earn, tuple)
    )


def _caps(program: Program, document: Document) -> Iterator[Problem]:
    caps = program.earn.at_most
    receipt = caps.receipt.points if caps.receipt else None
    for name, amount in (("receipt", receipt), ("day", caps.day)):
        path = ("earn", "at_most", name)
        yield from too_fine(document, path, amount, program.points.scale, program.to_points)
        if amount == 0:
            yield document.problem(path, "nothing could be earned", "write more than 0, or remove it")
