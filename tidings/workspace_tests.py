"""All tests of a workspace: of scenarios, and of rules."""

from collections.abc import Callable, Mapping
from pathlib import Path

from campaigns.bundle import Bundle
from campaigns.ruletest import RuleTest, is_rule_test
from campaigns.running import Running, make_ready
from campaigns.scenariotest import ScenarioTest, name_of
from campaigns.walking import files_in
from core.errors import Problem, Problems
from tidings import ruletests, scenariotests
from tidings.scenariotests import Result, is_fixture

FOLDER = "tests"
Told = Callable[[Result], None]


def read_files(workspace: Path) -> dict[str, str]:
    """The tests and their fixtures, path in the workspace → text; Problems with what is not in UTF-8."""
    problems: list[Problem] = []
    files = texts(workspace, problems)
    if problems:
        raise Problems(problems)
    return files


def texts(workspace: Path, problems: list[Problem]) -> dict[str, str]:
    """The same, what cannot be read left out; folders in tests/ are read too."""
    found = {}
    for file, path in files_in(workspace, FOLDER, problems, "*.yaml"):
        try:
            found[file] = path.read_text("utf-8")
        except UnicodeDecodeError:
            what, fix = "not in UTF-8", "save the file as UTF-8"
            problems.append(Problem(file, 1, 1, "", what, fix, kind="unreadable-file"))
    return found


def of_rules(files: Mapping[str, str]) -> dict[str, str]:
    """Those that test rules."""
    return {it: text for it, text in files.items() if not is_fixture(it) and is_rule_test(text)}


def names(files: Mapping[str, str]) -> list[str]:
    """What the tests are called."""
    return [name_of(file) for file in sorted(files) if not is_fixture(file)]


def run_all(
    bundle: Bundle, files: Mapping[str, str], only: str | None = None, told: Told = lambda _result: None
) -> list[Result]:
    """Run the tests (path → text) whose name contains `only`, telling of each when it is over.

    Problems with everything that cannot be read in any of them.
    """
    running = make_ready(bundle)
    rules, problems = of_rules(files), list[Problem]()
    cases = ruletests.read_all(running.program, rules, problems)
    known = scenariotests.known_to(bundle, running.program, running.scenarios)
    others = {it: text for it, text in files.items() if it not in rules}
    tests = scenariotests.read_all(known, others, problems)
    if problems:
        raise Problems(problems)
    every: list[RuleTest | ScenarioTest] = [*cases, *tests]
    jobs = {it.document.file: it for it in every if only is None or only in it.name}
    results = []
    for _, job in sorted(jobs.items()):
        results.append(_run(running, job))
        told(results[-1])
    return results


def _run(running: Running, job: RuleTest | ScenarioTest) -> Result:
    if isinstance(job, RuleTest):
        return ruletests.run_one(running.program, job)
    return scenariotests.run_one(running, job)
