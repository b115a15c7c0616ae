"""Mutation testing of one file, in a copy: `python -m tests.support.mutants FILE RESULTS [--again]`.

mutmut changes one thing at a time in every function of the file and puts a switch before each. The tests that
concern the file are loaded and run once, so that it is known which of them come through which line; then each
mutant is switched on in a process of its own, forked from there, and meets those tests, until one fails:
first those that found its neighbours, then those that come where few others do. The file is written
over: `scripts/mutants` works on a copy, see docs/mutants.md.
"""

import ast
import gc
import importlib
import json
import os
import resource
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from difflib import unified_diff
from operator import attrgetter
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

NEWS = ("tests/triggers/test_events.py", "tests/triggers/test_bonus_events.py")
GATES = "tests/campaigns/test_gates.py"
ALLOWANCE = "tests/campaigns/test_gates_allowance.py"
REACH = "tests/campaigns/test_gates_reach.py"
EXITS = "tests/campaigns/test_gates_exits.py"
COUNTING = "tests/campaigns/test_gates_counting.py"
STEPS = "tests/campaigns/test_steps.py"
ONCE = "tests/campaigns/test_said_once.py"
# The tests of a file that are not called after it, and what those of the gates have in their names.
TESTS: dict[str, tuple[str, ...]] = {
    "triggers/base.py": (
        "tests/triggers/test_base.py",
        "tests/triggers/test_anniversary.py",
        "tests/triggers/test_bonus_expiring.py",
        "tests/triggers/test_inactive.py",
        "tests/triggers/test_named_event.py",
        "tests/triggers/test_return.py",
        "tests/triggers/test_segments.py",
        *NEWS,
    ),
    "triggers/bonus_accrued.py": NEWS,
    "triggers/bonus_expired.py": NEWS[1:],
    "triggers/bonus_redeemed.py": NEWS[1:],
    "triggers/card_added.py": ("tests/triggers/test_cards.py",),
    "triggers/event.py": ("tests/triggers/test_named_event.py",),
    "triggers/ledger.py": (
        "tests/triggers/test_purchase.py",
        "tests/triggers/test_return.py",
        "tests/triggers/test_named_event.py",
        NEWS[1],
    ),
    "triggers/return_.py": ("tests/triggers/test_return.py",),
    "triggers/segment_entered.py": ("tests/triggers/test_segments.py",),
    "triggers/tier_changed.py": NEWS[:1],
    "campaigns/gates/__init__.py": (GATES, ALLOWANCE),
    "campaigns/gates/allowance.py": (ALLOWANCE, COUNTING),
    "campaigns/gates/entry.py": (GATES, STEPS, ONCE),
    "campaigns/gates/exits.py": (EXITS, GATES, STEPS, "tests/triggers/test_bonus_expiring.py", NEWS[0]),
    "campaigns/gates/holdout.py": (GATES,),
    "campaigns/gates/reach.py": (REACH, GATES, ALLOWANCE, ONCE),
    "campaigns/gates/step.py": (GATES, ALLOWANCE, COUNTING, STEPS),
    "campaigns/gates/timing.py": (GATES, STEPS),
}
NAMED = {
    "entry": "said_once or audience or entered or order or renamed or merged or duplicate or survivor",
    "exits": "gates_exits or no_longer or recalls or purchase or unless or only_if or asks or one_of",
    "holdout": "holdout or held_out or renamed",
    "reach": "said_once or gates_reach or occasions or consent or suppress or cascade or channel or reaches "
    "or text_for",
    "step": "audience or room or order or consent or holdout or occasions or unless or service",
    "timing": "quiet or late or variants or text or renamed or valid or night or cascade or first_channel",
}
# Tests of a plan or of a number of statements, and one thing asked in many ways: long, and they find little.
SLOW = "nine_as or forty or index_range or found_by_keys or every_distance"
# Files that other triggers live by.
ALIKE = {
    "base": ("purchase",), "ledger": ("purchase",), "card_added": ("card_added", "card_removed"),
    "segment_entered": ("segment_entered", "segment_left"),
}  # fmt: skip
# They have a say when a scenario is read.
AT_READING = ("triggers/event.py", "triggers/schedule.py")
# So many tests a mutant meets in the first round; whoever survives meets the others in a second one.
FEW = 12
# So many bytes a mutant may take that never ends.
ROOM = 2 << 30
CONTRACTS = (
    "tests/contracts/test_triggers.py",
    "tests/contracts/test_event_triggers.py",
    "tests/triggers/test_base.py",
)
# mutmut leaves decorated functions alone; these keep their decorator and mutmut's way with it.
KEPT = {"abstractmethod", "staticmethod", "classmethod"}


def tests_of(path: Path) -> list[str]:
    """pytest's arguments: the tests that concern a file, on SQLite."""
    found = [it for it in TESTS.get(str(path), (f"tests/triggers/test_{path.stem}.py",)) if Path(it).exists()]
    if path.parts[0] == "campaigns":
        named = f" and ({NAMED[path.stem]})" if path.stem in NAMED else ""
        return [*found, "-k", f"not postgresql{named}"]
    # Of the tests that every trigger must pass, its own.
    names = ALIKE.get(path.stem, (path.stem.removesuffix("_"),))
    own = " or ".join(f"-{name}] or [{name}] or [{name}-sqlite]" for name in names)
    files = " or ".join(Path(it).name for it in found)
    return [*found, *CONTRACTS, "-k", f"not postgresql and not ({SLOW}) and ({files} or {own})"]


def undecorated(source: str) -> str:
    """`@property def at` as `def at` and `at = property(at)`: the same, and open to mutation."""
    lines = source.splitlines()
    after: dict[int, list[str]] = {}
    dropped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef) or _is_kept(node):
            continue
        called = node.name
        for it in reversed(node.decorator_list):
            called = f"{ast.unparse(it)}({called})"
            dropped |= set(range(it.lineno - 1, (it.end_lineno or it.lineno)))
        indent = " " * node.col_offset
        after[(node.end_lineno or node.lineno) - 1] = [f"{indent}{node.name} = {called}"]
    out: list[str] = []
    for number, line in enumerate(lines):
        out += [] if number in dropped else [line]
        out += after.get(number, [])
    return "\n".join(out) + "\n"


def _is_kept(node: ast.FunctionDef) -> bool:
    return not node.decorator_list or any(ast.unparse(it) in KEPT for it in node.decorator_list)


class Trial:
    """A plugin of pytest: rehearses what was collected, then tries each mutant."""

    def __init__(self, path: Path, places: dict[str, range], tell: Callable[[dict[str, str]], None]) -> None:
        self._file, self._places = str(path.resolve()), places
        self.names, self.tell = list(places), tell
        self.verdicts: dict[str, str] = {}
        self._failed: list[str] = []
        self._took: dict[pytest.Item, float] = {}
        self._kills: dict[pytest.Item, float] = defaultdict(float)
        self._rare: dict[pytest.Item, int] = {}
        self._order: dict[str, list[pytest.Item]] = {}
        self._lines: dict[pytest.Item, set[int]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests once."""
        self._rehearse(session)
        gc.freeze()
        self._round(session, self.names, slice(None, FEW))
        self.tell(self.verdicts)
        alive = [name for name in self.names if self.verdicts[name] == "survived"]
        self._round(session, alive, slice(FEW, None))
        self.tell(self.verdicts)
        return True

    def _round(self, session: pytest.Session, names: list[str], which: slice) -> None:
        for number, name in enumerate(names, 1):
            self.verdicts[name] = verdict = self._try(session, name, which)
            if verdict != "killed":
                sys.stderr.write(f"  {verdict}: {name}\n")
            if number % 25 == 0:
                # Who stops it here goes on from here, with --again.
                self.tell(self.verdicts)
                sys.stderr.write(f"  {number} of {len(names)}: {dict(Counter(self.verdicts.values()))}\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails at any stage has seen the mutant."""
        if report.failed:
            self._failed.append(report.nodeid)

    def _run(self, session: pytest.Session, item: pytest.Item) -> None:
        # What lasts for the session stays; everything else is put away after each test.
        item.ihook.pytest_runtest_protocol(item=item, nextitem=session)

    def _rehearse(self, session: pytest.Session) -> None:
        from coverage import Coverage  # comes with mutmut

        for item in session.items:
            watch = Coverage(data_file=None, config_file=False, include=[self._file])
            watch.set_option("run:disable_warnings", ["no-data-collected"])
            began = perf_counter()
            self._forget()
            with watch.collect():
                self._run(session, item)
            self._took[item] = perf_counter() - began
            self._lines[item] = set(watch.get_data().lines(self._file) or ())
        known = Counter(line for lines in self._lines.values() for line in lines)
        self._rare = {
            it: min((known[line] for line in lines), default=0) for it, lines in self._lines.items()
        }
        if self._failed:
            raise pytest.UsageError(f"without any mutant these fail: {self._failed}")

    def _try(self, session: pytest.Session, name: str, which: slice) -> str:
        tests = self._order.get(name) or self._in_order(name)
        if not tests:
            return "not covered"
        tests = tests[which]
        if not tests:
            return "survived"
        child = os.fork()
        if not child:
            self._meet(name, session, tests)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if not code:
            return "survived"
        if code < 0:
            return "timeout"
        # What has found a mutant finds its neighbour; what has not for a while falls back.
        for item in self._kills:
            self._kills[item] *= 0.8
        self._kills[tests[code - 1]] += 1
        return "killed"

    def _in_order(self, name: str) -> list[pytest.Item]:
        place = self._places[name]
        tests = [item for item, lines in self._lines.items() if not lines.isdisjoint(place)]
        self._order[name] = sorted(tests, key=lambda it: (-self._kills[it], self._rare[it], self._took[it]))
        return self._order[name]

    def _meet(self, name: str, session: pytest.Session, tests: list[pytest.Item]) -> None:
        from mutmut.mutation.trampoline import set_mutant_under_test

        # Five times as long as it takes: a mutant that never ends is one that shows.
        resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
        signal.alarm(15 + int(5 * sum(self._took[it] for it in tests)))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        set_mutant_under_test(name)
        self._forget()
        if self._file.endswith(AT_READING):
            # What is wrong with the reading of parameters would not show in what was read before.
            importlib.import_module("tests.support.world")._READY.clear()
            importlib.import_module("tests.support.reading").READINGS.forget()
        for number, item in enumerate(tests, 1):
            try:
                self._run(session, item)
            except BaseException:  # noqa: BLE001 - whatever breaks, it shows
                os._exit(number)
            if self._failed:
                os._exit(number)
        os._exit(0)

    def _forget(self) -> None:
        """What functions of the file remember was made without the mutant, or by another test."""
        mine = (it for it in [*sys.modules.values()] if getattr(it, "__file__", None) == self._file)
        for it in [it for module in mine for it in vars(module).values()]:
            if hasattr(it, "cache_clear"):
                it.cache_clear()


def places(path: Path, mutated: Any) -> dict[str, range]:
    """For each mutant the lines of the statement that it changes, in the file as mutmut writes it."""
    from mutmut.utils.format_utils import get_mutant_name

    lines, spans = mutated.code.splitlines(), mutated.line_span_by_function_name
    statements = [it for it in ast.walk(ast.parse(mutated.code)) if isinstance(it, ast.stmt)]
    found = {}
    for name in mutated.mutant_names:
        begin, other = (_first_line(lines, spans[it]) for it in (_unchanged(name), name))
        pairs = zip(lines[begin:], lines[other:], strict=False)
        line = begin + next((number for number, (old, new) in enumerate(pairs, 1) if old != new), 0)
        inmost = max((it for it in statements if _covers(it, line)), key=attrgetter("lineno"))
        found[get_mutant_name(path, name)] = _extent(inmost)
    return found


def _unchanged(name: str) -> str:
    return f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"


def _first_line(lines: list[str], span: Any) -> int:
    """The number of the line that names a function; those before it are empty."""
    return next(
        number for number in range(span.start, span.end) if lines[number - 1].lstrip().startswith("def ")
    )


def _extent(statement: ast.stmt) -> range:
    """The lines of a statement; of one that holds others, those before the first of them."""
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(end, statement.lineno) + 1)


def _covers(statement: ast.stmt, line: int) -> bool:
    return statement.lineno <= line <= (statement.end_lineno or statement.lineno)


def differences(path: Path, code: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """What each mutant changed: (mutant, lines with - and +)."""
    import libcst
    from mutmut.mutation.diff_apply import read_mutant_function, read_original_function

    module = libcst.parse_module(code)
    for name in names:
        functions = (read_original_function(module, name), read_mutant_function(module, name))
        before, after = (libcst.Module([it]).code.strip().splitlines() for it in functions)
        lines = [
            it
            for it in unified_diff(before, after, lineterm="", n=0)
            if not it.startswith(("---", "+++", "@@"))
        ]
        yield name, "\n".join(lines)


def main(path: Path, results: Path, *, again: bool) -> int:
    """Try the mutants of a file; `again` only those that were alive, or were not tried yet.

    `results` takes the verdicts as JSON.
    """
    from mutmut.mutation.file_mutation import mutate_file_contents

    source = path.read_text()
    mutated = mutate_file_contents(str(path), undecorated(source), None, None)
    where = places(path, mutated)
    before: dict[str, str] = json.loads(results.read_text())["verdicts"] if again and results.exists() else {}
    # Of a function that has changed since, some are gone.
    known = {name: verdict for name, verdict in before.items() if name in where}
    wanted = {name: lines for name, lines in where.items() if known.get(name) not in {"killed", "timeout"}}

    def tell(verdicts: dict[str, str]) -> None:
        said = known | verdicts
        alive = [name for name, verdict in said.items() if verdict in {"survived", "not covered"}]
        found = {
            "file": str(path), "totals": dict(Counter(said.values())), "verdicts": said,
            "alive": dict(differences(path, mutated.code, alive)),
        }  # fmt: skip
        results.write_text(json.dumps(found, indent=1, ensure_ascii=False))

    path.write_text(mutated.code)
    try:
        plugins = [Trial(path, wanted, tell)]
        code = int(pytest.main([*tests_of(path), "-s", "-q", "-p", "no:cacheprovider"], plugins=plugins))
    finally:
        path.write_text(source)
    if not code:
        found = json.loads(results.read_text())
        for name, change in found["alive"].items():
            sys.stdout.write(f"{found['verdicts'][name]}: {name}\n{change}\n")
        sys.stdout.write(f"{path}: {found['totals']}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), again="--again" in sys.argv))
