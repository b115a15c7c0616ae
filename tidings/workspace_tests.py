"""All tests of a workspace: of scenarios, and of rules."""

from collections.abc import Mapping

from campaigns.bundle import Bundle
from campaigns.ruletest import is_rule_test
from campaigns.running import make_ready
from tidings import ruletests, scenariotests
from tidings.scenariotests import Result


def run_all(bundle: Bundle, files: Mapping[str, str], only: str | None = None) -> list[Result]:
    """Run the tests (path → text) whose name contains `only`; Problems if something cannot be read."""
    rules = {file: text for file, text in files.items() if is_rule_test(text)}
    scenarios = {file: text for file, text in files.items() if file not in rules}
    program = make_ready(bundle).program
    tests = ruletests.read_all(program, rules)
    results = scenariotests.run_all(bundle, scenarios, only)
    results += [ruletests.run_one(program, it) for it in tests if only is None or only in it.name]
    return sorted(results, key=lambda it: it.file)
