"""What must fit together within program.yaml, and reading it whole."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from core.errors import Problem
from core.explain import suggest
from core.program import Program, Rule
from core.source import Document, KeyPath, load

# CLDR's order of plural categories: https://cldr.unicode.org/index/cldr-spec/plural-rules
PLURALS = ("zero", "one", "two", "few", "many", "other")
FILE = "program.yaml"


def read_program(
    text: str, problems: list[Problem], channels: Iterable[str] | None = None, file: str = FILE
) -> Program | None:
    """Read program.yaml; None, and every finding in `problems`, when it is not right.

    `channels` are the names of the channels that exist; None leaves them unchecked.
    """
    document = load(text, file, problems)
    program = document and document.validate(Program, problems)
    if not document or not program:
        return None
    found = list(check_program(program, document, channels))
    problems.extend(found)
    return program if all(problem.severity != "error" for problem in found) else None


def check_program(
    program: Program, document: Document, channels: Iterable[str] | None = None
) -> Iterator[Problem]:
    """What does not fit together, beyond the shape of each value."""
    yield from _names(program, document)
    yield from _levels(program, document)
    yield from _rules(program, document)
    yield from _allowances(program, document)
    if not _exact(program.to_money, program.spend.receipt_at_least):
        yield document.problem(("spend", "receipt_at_least"), *_too_fine(program.money_scale))
    for name in program.channels:
        if channels is not None and name not in channels:
            yield document.problem(("channels", name), "no such channel", suggest(name, sorted(channels)))


def plural_forms(locale: str) -> list[str]:
    """The plural categories of a locale in CLDR's order, the way names are listed in points.name."""
    from babel import Locale  # slow to import

    tags = {*Locale.parse(locale, sep="-").plural_form.tags, "other"}
    return [tag for tag in PLURALS if tag in tags]


def _names(program: Program, document: Document) -> Iterator[Problem]:
    for locale in program.locales:
        if locale not in program.points.name:
            example = ", ".join(plural_forms(locale))
            yield document.problem(
                ("points", "name"), f"no name in '{locale}'", f"add '{locale}: [{example}]'"
            )
    for locale, names in program.points.name.items():
        forms = plural_forms(locale)
        if len(names) != len(forms):
            what = f"'{locale}' has {len(forms)} plural forms, got {len(names)}"
            yield document.problem(
                ("points", "name", locale), what, f"write them in this order: {', '.join(forms)}"
            )


def _levels(program: Program, document: Document) -> Iterator[Problem]:
    base: KeyPath = ("tiers", "levels")
    levels = program.tiers.levels
    if levels[0].from_ != 0:
        yield document.problem(
            (*base, 0, "from"), "the lowest level must be open to everybody", "write 'from: 0'"
        )
    for index, level in enumerate(levels):
        if level.name in program.tier_names[:index]:
            yield document.problem(
                (*base, index, "name"), f"a second level '{level.name}'", "give it its own name"
            )
        if index and level.from_ <= levels[index - 1].from_:
            what = "levels must rise"
            yield document.problem((*base, index, "from"), what, f"write more than {levels[index - 1].from_}")
        if not _exact(program.to_money, level.from_):
            yield document.problem((*base, index, "from"), *_too_fine(program.money_scale))


def _rules(program: Program, document: Document) -> Iterator[Problem]:
    names = [rule.rule for rule in program.earn.rules]
    for index, rule in enumerate(program.earn.rules):
        path: KeyPath = ("earn", "rules", index)
        if rule.rule in names[:index]:
            yield document.problem((*path, "rule"), f"a second rule '{rule.rule}'", "give it its own name")
        if fault := _rule_fault(rule):
            yield document.problem(path, *fault)
        if rule.give is not None and not _exact(program.to_points, rule.give):
            yield document.problem((*path, "give"), *_too_fine(program.points.scale))
    earning = any(level.earn for level in program.tiers.levels)
    if earning and not any(rule.by for rule in program.earn.rules):
        what = "the levels have 'earn', but no rule pays by it"
        yield document.problem(("earn", "rules"), what, "add '{rule: base, by: tier}'")


def _rule_fault(rule: Rule) -> tuple[str, str] | None:
    if rule.by and (rule.give is not None or rule.on or rule.lasts):
        return "'by: tier' stands alone", "put the grant in a rule of its own"
    if not rule.by and (rule.give is None or not rule.on):
        return (
            "says neither 'by' nor 'give' and 'on'",
            "write for example '{rule: welcome, give: 50, on: registered}'",
        )
    return None


def _allowances(program: Program, document: Document) -> Iterator[Problem]:
    known = ["all", *program.channels]
    for name in program.allowances.marketing:
        if name not in known:
            path = ("allowances", "marketing", name)
            yield document.problem(path, "no such channel here", suggest(name, known))


def _exact(convert: Callable[[Decimal], int], amount: Decimal) -> bool:
    try:
        convert(amount)
    except ValueError:
        return False
    return True


def _too_fine(scale: int) -> tuple[str, str]:
    return f"more than {scale} decimal places", "write fewer decimals"
