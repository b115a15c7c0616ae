"""What must fit together within program.yaml, and reading it whole."""

from collections.abc import Iterable, Iterator

from core.errors import Problem
from core.explain import suggest
from core.program import Program
from core.program.check_rules import check_earning
from core.program.check_spend import check_spending
from core.program.check_tiers import check_tiers
from core.program.consent import check_consent
from core.program.retention import check_retention
from core.program.transfers import check_transfers
from core.source import Document, as_far_as_read, load

# CLDR's order of plural categories: https://cldr.unicode.org/index/cldr-spec/plural-rules
PLURALS = ("zero", "one", "two", "few", "many", "other")
FILE = "program.yaml"


def read_program(text: str, problems: list[Problem], channels: Iterable[str] | None = None) -> Program | None:
    """Read program.yaml; None, and every finding in `problems`, when it is not right.

    `channels` are the names of the channels that exist; None leaves them unchecked.
    """
    document = load(text, FILE, problems)
    program = document and document.validate(Program, problems)
    if not document or not program:
        return None
    program.keep(text)
    found = list(check_program(program, document, channels))
    problems.extend(found)
    return program if all(problem.severity != "error" for problem in found) else None


def check_program(program: Program, document: Document, channels: Iterable[str] | None) -> Iterator[Problem]:
    """What does not fit together, beyond the shape of each value, as far as it could be read."""
    for findings in (
        _names(program, document),
        check_tiers(program, document),
        check_earning(program, document),
        check_spending(program, document),
        _transfers(program, document),
        _allowances(program, document),
        _consent(program, document),
        _retention(program, document),
        _channels(program, document, channels),
    ):
        yield from as_far_as_read(findings)


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


def _transfers(program: Program, document: Document) -> Iterator[Problem]:
    accounts = [account.name for account in program.accounts]
    yield from check_transfers(program.transfers, program.points.scale, accounts, document)


def _consent(program: Program, document: Document) -> Iterator[Problem]:
    yield from check_consent(program.consent, program.locale, document)


def _retention(program: Program, document: Document) -> Iterator[Problem]:
    yield from check_retention(program.retention, document)


def _channels(program: Program, document: Document, channels: Iterable[str] | None) -> Iterator[Problem]:
    for name in program.channels:
        if channels is not None and name not in channels:
            yield document.problem(("channels", name), "no such channel", suggest(name, sorted(channels)))


def _allowances(program: Program, document: Document) -> Iterator[Problem]:
    known = ["all", *program.channels]
    for name in program.allowances.marketing:
        if name not in known:
            path = ("allowances", "marketing", name)
            yield document.problem(path, "no such channel here", suggest(name, known))
