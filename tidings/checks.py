"""What `tidings check` looks at beyond the bundle itself: the scenario tests, the length of SMS, the card."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from campaigns.bundle import Bundle, check
from campaigns.ruletest import is_rule_test, read_rule_test, untested
from campaigns.running import library_of
from campaigns.scenario import Scenario
from campaigns.scenariotest import Known, read_test
from channels import discover as discover_channels
from core.errors import Problem, Problems, UserError
from core.program import Program
from core.program.check import FILE as PROGRAM_FILE
from core.source import load
from scheduler.deck import check_card
from templates.check import too_long
from templates.context import CustomerView, ExpiringView, LinksView, ProgramView, TierView
from templates.library import Library
from tidings.settings import misspelt
from tidings.workspace import Workspace
from triggers import discover as discover_triggers

# A long name, a long link and round numbers: an SMS that fits these fits nearly everybody.
SAMPLE_FACTS: dict[str, Any] = {
    "points": Decimal(1250),
    "number": 14,
    "percent": Decimal(5),
    "text": "silver",
    "date": date(2026, 9, 28),
    "local_date": date(2026, 9, 28),
    "time": datetime(2026, 9, 28, 9, tzinfo=UTC),
}


def more_findings(here: Workspace, bundle: Bundle) -> list[Problem]:
    """Problems of the tests and of what texts come to; nothing while program.yaml cannot be read."""
    problems: list[Problem] = []
    checked = check(bundle, discover_triggers(), discover_channels())
    if checked.program is None:
        return problems
    tiers = [level.name for level in checked.program.tiers.levels]
    known = Known(
        scenarios=list(bundle.names_in("scenarios")), tiers=tiers, channels=list(discover_channels())
    )
    rule_tests = []
    for path in sorted((here.path / "tests").glob("*.yaml")):
        text, file = path.read_text("utf-8"), f"tests/{path.name}"
        if is_rule_test(text):
            rule_tests.append(read_rule_test(path.stem, text, file, checked.program, problems))
        else:
            read_test(path.stem, text, file, known, problems)
    if document := load(bundle.files[PROGRAM_FILE].decode(), PROGRAM_FILE, []):
        problems += untested(checked.program, document, [test for test in rule_tests if test])
    library = library_of(bundle, checked.program)
    problems += check_card(bundle.files, library)
    problems += misspelt(here.env_file)
    for scenario in checked.scenarios.values():
        problems += _lengths(scenario, library, checked.program)
    return problems


def _lengths(scenario: Scenario, library: Library, program: Program) -> Iterator[Problem]:
    most = (program.channels.get("sms") or {}).get("segments_at_most")
    if not isinstance(most, int):
        return
    facts = discover_triggers()[scenario.trigger].facts
    context = sample_context(program) | {
        "trigger": {name: SAMPLE_FACTS[fact.type] for name, fact in facts.items()}
    }
    for step in scenario.steps:
        for message in step.messages if "sms" in step.send else ():
            try:
                yield from too_long(library, message, [context], most)
            except (Problems, UserError):
                continue  # what is wrong with the template is a finding of its own


def sample_context(program: Program) -> dict[str, Any]:
    """A customer who does not exist, for checks and previews."""
    level = program.level(None)
    url = f"{(program.public_url or 'https://bonus.example.org').rstrip('/')}/p/AbCdEfGhIjKlMnOpQr"
    return {
        "customer": CustomerView(
            external_id="10042", name="Олександра Коваленко", first_name="Олександра", card="10042"
        ),
        "program": ProgramView(program.name, program.currency, program.terms_in(program.locale), program.url),
        "balance": Decimal(1250),
        "tier": TierView(level.name, level.earn * 100, None, None),
        "expiring": ExpiringView(Decimal(500), date(2026, 9, 28)),
        "links": LinksView(url, url, url),
    }
