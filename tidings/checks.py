"""Everything that `tidings check` looks at: the bundle, the tests, what texts come to, the card."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from campaigns.bundle import Bundle, Checked, check
from campaigns.checks.over import check_over
from campaigns.checks.unused import unused_messages, unused_segments
from campaigns.running import findings, latin, library_of
from campaigns.scenario import Scenario
from channels import discover as discover_channels
from core.clock import SystemClock
from core.errors import Problem
from core.explain import suggest
from core.program import Program
from core.program.check import FILE as PROGRAM_FILE
from core.source import Document, load
from scheduler.letter_words import LETTERS
from templates import check as template_check
from templates.attributes import check_attributes
from templates.blank import check_blank
from templates.context import NAMES
from templates.fitting import TYPES
from templates.library import Library
from templates.nowhere import check_addresses
from templates.reckoning import too_long
from tidings.card_checked import check_card
from tidings.card_messages_checked import check_card_messages
from tidings.certificates_checked import check_certificates
from tidings.samples import longest_contexts
from tidings.settings import misspelt
from tidings.tests_checked import check_tests
from tidings.workspace import Workspace
from triggers import discover as discover_triggers

# What the program itself sends, in the workspace's words if it has them, and the facts it has then.
OWN_MESSAGES = {
    "confirmation-code": ("code", "points", "minutes"),
    **dict.fromkeys(LETTERS, ("link", "days", "wording")),
}


def everything(here: Workspace, bundle: Bundle) -> list[Problem]:
    """Every finding in every file of the workspace, in the order of the files."""
    return sorted({*findings(bundle), *more_findings(here, bundle)})


def more_findings(here: Workspace, bundle: Bundle) -> list[Problem]:
    """What the bundle alone does not show; nothing of it while program.yaml cannot be read."""
    checked = check(bundle, discover_triggers(), discover_channels())
    problems = [*_unused(bundle), *misspelt(here.env_file)]
    if checked.program is None:
        return problems
    library = library_of(bundle, checked.program)
    program = _document(bundle, PROGRAM_FILE)
    assert program is not None
    problems += check_tests(here.path, checked, checked.program, program)
    now = SystemClock().now()
    problems += check_card(bundle.files, library, checked.program, now)
    problems += check_certificates(here.env_file, checked.program, program, now)
    problems += _unsent_messages(checked, library)
    for name, scenario in checked.scenarios.items():
        document = _document(bundle, f"scenarios/{name}.yaml")
        assert document is not None
        problems += check_over(scenario, document, now, checked.program.zone)
        problems += _lengths(scenario, library, checked.program)
    problems += check_blank(library)
    problems += check_attributes(library)
    email = checked.program.channels.get("email") or {}
    problems += check_addresses(library, inline=email.get("images") == "inline")
    problems += check_card_messages(bundle, checked, library)
    problems += _tariffs(checked, checked.program, program)
    problems += _unheeded_by_sms(checked, checked.program, program)
    return problems


def _document(bundle: Bundle, path: str) -> Document | None:
    return load(bundle.files[path].decode(errors="replace"), path, [])


def _unused(bundle: Bundle) -> Iterator[Problem]:
    def of(folder: str) -> dict[str, Document]:
        read = {name: _document(bundle, path) for name, path in bundle.names_in(folder).items()}
        return {name: document for name, document in read.items() if document}

    scenarios = of("scenarios").values()
    yield from unused_messages(bundle.messages, scenarios, OWN_MESSAGES)
    yield from unused_segments(of("segments"), scenarios)


def _unsent_messages(checked: Checked, library: Library) -> Iterator[Problem]:
    """Texts that no scenario sends yet: any trigger may, so its facts are not known."""
    sent = {name for it in checked.scenarios.values() for step in it.steps for name in step.messages}
    for name in (each for each in library.messages() if each not in sent):
        names: dict[str, Any] = {**NAMES, "trigger": OWN_MESSAGES.get(name)}
        yield from template_check.check(
            library, name, names, "this message", purpose="transactional", types=TYPES
        )


def _lengths(scenario: Scenario, library: Library, program: Program) -> Iterator[Problem]:
    most = (program.channels.get("sms") or {}).get("segments_at_most")
    if not isinstance(most, int):
        return
    contexts = list(longest_contexts(program, discover_triggers()[scenario.trigger].facts))
    for step in scenario.steps:
        for message in step.messages if "sms" in step.send else ():
            yield from too_long(library, message, contexts, most)


def _tariffs(checked: Checked, program: Program, document: Document) -> Iterator[Problem]:
    """Channels that cost by a tariff, and are used without one."""
    used = {channel for it in checked.scenarios.values() for step in it.steps for channel in step.send}
    for name in _priced(sorted(used & set(program.channels))):
        tariff = (program.channels[name] or {}).get("tariff") or {}
        if "default" not in tariff:
            where = "of other countries " if tariff else ""
            what = f"what {name} messages {where}cost is not known"
            each = "segment" if name == "sms" else "message"
            fix = f"write for example 'tariff: {{{_example(tariff)}default: 2.10}}', per {each}"
            yield document.problem(("channels", name), what, fix, "warning", "sms-without-tariff")


def _unheeded_by_sms(checked: Checked, program: Program, document: Document) -> Iterator[Problem]:
    """What of `channels.sms` is never asked: languages of no text, codes of no answer, reports of nobody."""
    sms = program.channels.get("sms") or {}
    known = {locale.replace("_", "-").split("-")[0].lower() for locale in program.locales}
    wanted = latin(program)
    for language in () if isinstance(wanted, bool) else wanted:
        if language not in known:
            fix = "write true" if language in ("yes", "on") else suggest(language, sorted(known))
            what = f"the program speaks no '{language}'"
            yield document.problem(("channels", "sms", "transliterate"), what, fix, "warning", "no-effect")
    http = sms.get("http") or {}
    steps = [step for it in checked.scenarios.values() for step in it.steps if step.fallback_after]
    if http and not http.get("reports") and any("sms" in step.send[:-1] for step in steps):
        what = "no reports are described, so that no 'fallback_after' waits for an SMS to arrive"
        fix = "describe them in 'reports:', or leave 'fallback_after' out"
        yield document.problem(("channels", "sms", "http"), what, fix, "warning", "no-effect")
    answer = http.get("answer") or {}
    if answer.get("means") and not answer.get("code"):
        means = ("channels", "sms", "http", "answer", "means")
        what = "no code is looked for in the answer"
        fix = "write beside it where it stands: 'code: error_code'"
        yield document.problem(means, what, fix, "warning", "no-effect")


def _priced(names: Iterable[str]) -> Iterator[str]:
    channels = discover_channels()
    return (name for name in names if name in channels and "tariff" in channels[name].Config.model_fields)


def _example(tariff: Mapping[str, Any]) -> str:
    return "".join(f"{country}: {price}, " for country, price in tariff.items())
