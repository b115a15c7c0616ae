"""`tidings check` in a pipe, a terminal, a program and a code review; and what an editor is given."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from campaigns.kinds import KINDS
from tests.support.shop import Shop, shop
from tidings.check_view import show
from tidings.checks import everything
from tidings.editor import FILES
from tidings.excerpts import Excerpts
from tidings.workspace import Workspace

__all__ = ["shop"]

TEXT = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1}, "markdown": {"type": "string"}},
}
FROM_ONE = {"type": "integer", "minimum": 1}
REGION = {
    "type": "object",
    "required": ["startLine", "startColumn"],
    "additionalProperties": False,
    "properties": dict.fromkeys(("startLine", "startColumn", "endColumn"), FROM_ONE),
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": False,
                    "properties": {"uri": {"type": "string", "pattern": "^[^/ ]"}},
                },
                "region": REGION,
            },
        },
        "logicalLocations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["fullyQualifiedName"],
                "additionalProperties": False,
                "properties": {"fullyQualifiedName": {"type": "string"}},
            },
        },
    },
}
# What SARIF 2.1.0 asks of the parts that are written: sections 3.13, 3.14, 3.19, 3.27, 3.29, 3.30, 3.49.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": "sarif-2.1.0"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "version", "rules"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "name", "shortDescription", "help"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "name": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "help": TEXT,
                                                "defaultConfiguration": {
                                                    "type": "object",
                                                    "additionalProperties": False,
                                                    "properties": {"level": {"enum": ["error", "warning"]}},
                                                },
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"enum": list(KINDS)},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["error", "warning"]},
                                "message": TEXT,
                                "locations": {"type": "array", "minItems": 1, "items": LOCATION},
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def misspell(shop: Shop) -> None:
    shop.change("scenarios/birthday.yaml", "message: birthday", "mesage: birthday")
    shop.change("scenarios/win-back.yaml", "holdout: 10%", "holdout: 100%")


# --- lines and exit codes


def test_errors_are_findings_and_warnings_are_not_unless_it_is_strict(shop: Shop) -> None:
    shop.change("scenarios/win-back.yaml", "holdout: 10%", "holdout: 100%")
    assert shop.run("check").code == 0
    assert shop.run("check", "--strict").code == 1
    shop.change("scenarios/birthday.yaml", "message: birthday", "mesage: birthday")
    assert shop.run("check").code == 1


def test_a_line_ends_with_the_kind_of_its_finding(shop: Shop) -> None:
    misspell(shop)
    lines = shop.run("check").out.splitlines()
    place = "scenarios/birthday.yaml:9:5: steps[0].mesage"
    assert f"{place}: no such key; did you mean 'message'? [unknown-key]" in lines
    assert [line for line in lines if line.startswith("warning: ") and line.endswith("[nobody-left]")]


def test_a_misspelt_option_is_misuse(shop: Shop) -> None:
    assert shop.run("check", "--format", "xml").code == 2


# --- for programs


def test_json_tells_the_same_to_a_program(shop: Shop) -> None:
    misspell(shop)
    found = {it["kind"]: it for it in json.loads(shop.run("check", "--format", "json").out)}
    assert found["unknown-key"] == {
        "kind": "unknown-key",
        "severity": "error",
        "file": "scenarios/birthday.yaml",
        "line": 9,
        "column": 5,
        "path": "steps[0].mesage",
        "what": "no such key",
        "fix": "did you mean 'message'?",
    }
    assert found["nobody-left"]["severity"] == "warning"


def log(shop: Shop) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(shop.run("check", "--format", "sarif").out)
    jsonschema.Draft202012Validator(SARIF).validate(read)
    return read


def test_a_code_review_gets_rules_with_help_and_regions(shop: Shop) -> None:
    misspell(shop)
    [run] = log(shop)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(KINDS)
    [result] = [it for it in run["results"] if it["ruleId"] == "unknown-key"]
    assert rules[result["ruleIndex"]]["id"] == "unknown-key"
    assert result["level"] == "error"
    assert result["message"]["text"] == "steps[0].mesage: no such key; did you mean 'message'?"
    [location] = result["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 9, "startColumn": 5, "endColumn": 11}


def test_a_code_review_sees_paths_from_where_the_command_runs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    misspell(shop)
    monkeypatch.chdir(shop.path.parent)
    uris = {
        location["physicalLocation"]["artifactLocation"]["uri"]
        for result in log(shop)["runs"][0]["results"]
        for location in result["locations"]
    }
    assert "shop/scenarios/birthday.yaml" in uris


def test_a_finding_is_recognised_after_lines_above_it_have_moved(shop: Shop) -> None:
    misspell(shop)
    prints = [it["partialFingerprints"] for it in log(shop)["runs"][0]["results"]]
    shop.change("scenarios/birthday.yaml", "about:", "# a remark\nabout:")
    assert [it["partialFingerprints"] for it in log(shop)["runs"][0]["results"]] == prints


def test_a_workspace_without_faults_is_an_empty_log(shop: Shop) -> None:
    assert log(shop)["runs"][0]["results"] == []


def test_a_new_workspace_has_no_finding_at_all(shop: Shop) -> None:
    said = shop.run("check", "--strict")
    assert (said.code, said.out) == (0, "58 files: no errors, no warnings\n")


# --- in a terminal


def terminal(shop: Shop, width: int = 80) -> str:
    here = Workspace(shop.path)
    bundle = here.bundle()
    page = StringIO()
    out = Console(file=page, width=width, color_system=None, highlight=False)
    show(out, everything(here, bundle), Excerpts(here.path), len(bundle.files))
    return page.getvalue()


def test_a_terminal_shows_the_line_and_what_is_meant_in_it(shop: Shop) -> None:
    misspell(shop)
    assert (
        "scenarios/birthday.yaml:9:5  unknown-key\n"
        "  error  steps[0].mesage: no such key\n"
        "   9 │     mesage: birthday\n"
        "     │     ^^^^^^\n"
        "  →  did you mean 'message'?\n"
    ) in terminal(shop)


def test_nothing_is_wider_than_the_terminal(shop: Shop) -> None:
    misspell(shop)
    shop.change("messages/birthday/en/sms.txt", "Happy", "Happy " * 40 + "{{ nobody }} " + "and so on " * 40)
    page = terminal(shop, 60)
    excerpts = [line for line in page.splitlines() if "│" in line]
    assert excerpts
    assert max(len(line) for line in excerpts) <= 60
    [at] = [place for place, line in enumerate(excerpts) if "{{ nobody }}" in line]
    assert excerpts[at + 1].index("^") == excerpts[at].index("nobody")


def test_what_stands_in_env_is_never_shown(shop: Shop) -> None:
    shop.write(".env", "TIDINGS_EMAIL_PASWORD=hunter2\n")
    page = terminal(shop)
    assert "did you mean 'TIDINGS_EMAIL_PASSWORD'?" in page
    assert "hunter2" not in page


# --- for an editor


def test_a_new_workspace_completes_at_once(shop: Shop) -> None:
    settings = json.loads((shop.path / ".vscode" / "settings.json").read_text("utf-8"))
    assert list(settings["yaml.schemas"].values()) == [list(files) for files in FILES.values()]
    for file in settings["yaml.schemas"]:
        jsonschema.Draft202012Validator.check_schema(json.loads((shop.path / file).read_text("utf-8")))


def test_an_older_workspace_gets_new_schemas_and_keeps_its_settings(shop: Shop) -> None:
    shop.write(".vscode/settings.json", "{}")
    (shop.path / ".vscode" / "card.schema.json").unlink()
    assert shop.run("schema", "--editor").code == 0
    assert (shop.path / ".vscode" / "settings.json").read_text() == "{}"
    assert (shop.path / ".vscode" / "card.schema.json").is_file()


def test_schemas_are_written_where_one_wants_them(shop: Shop, tmp_path: Path) -> None:
    assert shop.run("schema", str(tmp_path / "schemas")).code == 0
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == sorted(
        f"{name}.schema.json" for name in FILES
    )
    assert set(json.loads(shop.run("schema").out)) == set(FILES)
