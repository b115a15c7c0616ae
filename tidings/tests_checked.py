"""What `tidings check` finds in tests/: in tests of scenarios and of rules, and in their fixtures."""

from pathlib import Path

from campaigns.bundle import Checked
from campaigns.ruletest import read_rule_test, rules_named, untested
from campaigns.scenariotest import name_of
from core.errors import Problem
from core.program import Program
from core.source import Document
from tidings.scenariotests import known_to, read_all
from tidings.workspace_tests import of_rules, texts


def check_tests(folder: Path, checked: Checked, program: Program, document: Document) -> list[Problem]:
    """Every finding in the tests of a workspace, and rules of the program that no test names.

    `document` is program.yaml as it was read.
    """
    problems: list[Problem] = []
    files = texts(folder, problems)
    rules = of_rules(files)
    for it, text in sorted(rules.items()):
        read_rule_test(name_of(it), text, it, program, problems)
    tested = {name for text in rules.values() for name in rules_named(text)}
    others = {it: text for it, text in files.items() if it not in rules}
    read_all(known_to(checked.bundle, program, checked.scenarios), others, problems)
    return [*problems, *untested(program, document, tested)]
