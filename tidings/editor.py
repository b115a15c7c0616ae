"""What an editor completes and underlines by: the schemas, and the setting that tells VS Code of them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = ".vscode"
# Schema → the files it is of, below the workspace; `!` leaves some out.
FILES: dict[str, tuple[str, ...]] = {
    "program": ("program.yaml",),
    "scenario": ("scenarios/*.yaml",),
    "segment": ("segments/*.yaml",),
    "card": ("cards/*.yaml",),
    "test": ("tests/**/*.yaml", "!tests/fixtures/*.yaml"),
    "fixture": ("tests/fixtures/*.yaml",),
}
# The extension that completes YAML by a schema, recommended to who opens the folder.
EXTENSIONS = {"recommendations": ["redhat.vscode-yaml"]}


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of all files, by the names of `FILES`."""
    from campaigns import schema
    from channels import discover as discover_channels
    from triggers import discover as discover_triggers

    channels = discover_channels()
    return {
        "program": schema.program_schema({name: channel.Config for name, channel in channels.items()}),
        "scenario": schema.scenario_schema(discover_triggers(), channels),
        "segment": schema.segment_schema(),
        "card": schema.card_schema(),
        "test": schema.any_test_schema(),
        "fixture": schema.fixture_schema(),
    }


def write_schemas(folder: Path) -> list[str]:
    """Write each schema as a file; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {file_of(name): schema for name, schema in schemas().items()}
    for name, schema in made.items():
        _write(folder / name, schema)
    return list(made)


def write_settings(workspace: Path) -> int:
    """Set up VS Code in a workspace: the schemas and which files they are of; returns how many files.

    A setting that somebody has made is theirs and stays.
    """
    folder = workspace / FOLDER
    written = len(write_schemas(folder))
    # The address of a schema is taken from the folder that is open.
    of_files = {f"./{FOLDER}/{file_of(name)}": list(files) for name, files in FILES.items()}
    for name, content in (("settings.json", {"yaml.schemas": of_files}), ("extensions.json", EXTENSIONS)):
        if not (folder / name).exists():
            _write(folder / name, content)
            written += 1
    return written


def file_of(name: str) -> str:
    """`scenario.schema.json`."""
    return f"{name}.schema.json"


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", "utf-8")
