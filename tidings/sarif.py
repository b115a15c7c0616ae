"""Findings as SARIF 2.1.0, which code reviews show beside the lines that they are about.

The format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from campaigns.kinds import KINDS, Kind, kind_of
from core.errors import Problem
from tidings.excerpts import Excerpts

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(problems: Sequence[Problem], excerpts: Excerpts, folder: PurePosixPath) -> dict[str, Any]:
    """One log of one run. `folder` is where the workspace lies, seen from where the review looks."""
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "columnKind": "unicodeCodePoints",
                "results": [_result(problem, excerpts, folder) for problem in problems],
            }
        ],
    }


def seen_from_here(folder: Path) -> PurePosixPath:
    """A workspace's folder as a path from the current one; empty for one that lies elsewhere."""
    full, here = folder.resolve(), Path.cwd().resolve()
    return PurePosixPath(full.relative_to(here).as_posix() if full.is_relative_to(here) else "")


def _driver() -> dict[str, Any]:
    return {"name": "Tidings", "version": version("tidings"), "rules": [_rule(it) for it in KINDS.values()]}


def _rule(kind: Kind) -> dict[str, Any]:
    return {
        "id": kind.id,
        "name": "".join(word.capitalize() for word in kind.id.split("-")),
        "shortDescription": {"text": kind.about},
        "help": {
            "text": f"{kind.about} {kind.help}",
            "markdown": f"{kind.about}\n\n**What to do.** {kind.help}",
        },
        "defaultConfiguration": {"level": kind.severity},
    }


def _result(problem: Problem, excerpts: Excerpts, folder: PurePosixPath) -> dict[str, Any]:
    kind = kind_of(problem)
    return {
        "ruleId": kind.id,
        "ruleIndex": list(KINDS).index(kind.id),
        "level": problem.severity,
        "message": {"text": _sentence(problem)},
        "locations": [_location(problem, excerpts, folder)],
        "partialFingerprints": {"tidings/v1": _fingerprint(problem)},
    }


def _sentence(problem: Problem) -> str:
    said = f"{problem.path}: {problem.what}" if problem.path else problem.what
    said = f"{said}; {problem.fix}" if problem.fix else said
    return said if said.endswith("?") else f"{said}."


def _location(problem: Problem, excerpts: Excerpts, folder: PurePosixPath) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(str(folder / problem.file))}}
    if problem.line:
        physical["region"] = {"startLine": problem.line, "startColumn": problem.col}
        if excerpt := excerpts.of(problem):
            physical["region"]["endColumn"] = problem.col + excerpt.width
    location: dict[str, Any] = {"physicalLocation": physical}
    if problem.path:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    return location


def _fingerprint(problem: Problem) -> str:
    """The same finding after lines above it have moved."""
    parts = (kind_of(problem).id, problem.file, problem.path, problem.what)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
