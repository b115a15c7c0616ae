"""The reference pages of docs/reference/, made from the code that they describe.

`python -m tidings.reference` writes them; a test fails when they are not as it would write them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic_settings import BaseSettings

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
HEAD = "<!-- Made by `python -m tidings.reference`; change the code instead. -->\n\n"


def pages() -> dict[str, str]:
    """File name → content."""
    made = {
        "triggers.md": "\n".join(_triggers()),
        "audience.md": "\n".join(_audience()),
        "gates.md": "\n".join(_gates()),
        "settings.md": "\n".join(_settings()),
        "commands.md": "\n".join(_commands()),
        "api.md": "\n".join(_api()),
        "problems.md": "\n".join(_problems()),
    }
    return {name: f"{HEAD}{content}\n" for name, content in made.items()}


def _triggers() -> Iterator[str]:
    from triggers import discover

    yield "# Triggers\n\nWhat may stand under `when`; what a message may say as `trigger.…`.\n"
    for trigger in discover().values():
        about = _paragraph(trigger.__doc__)
        yield f"## `{trigger.name}`\n\n{about} ({trigger.kind})\n"
        yield "| parameter | default | meaning |\n|---|---|---|"
        for name, field in trigger.Parameters.model_fields.items():
            default = (
                "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
            )
            yield f"| `{field.alias or name}` | {default} | {field.description or ''} |"
        yield "\n| fact | type | meaning |\n|---|---|---|"
        yield from (
            f"| `trigger.{name}` | {fact.type} | {fact.about} |" for name, fact in trigger.facts.items()
        )
        yield ""


def _default(value: object) -> str:
    return "none" if value in ((), None, "") else f"`{value}`"


def _paragraph(doc: str | None) -> str:
    return " ".join((doc or "").split())


def _audience() -> Iterator[str]:
    from campaigns.fields import ATTRIBUTE, FIELDS, MEANINGS, NARROWING

    yield "# Audience fields\n"
    yield (
        "What may stand under `audience`, in a segment and in `only_if`; [Audiences](../audience.md) tells "
        "how to put it together. A value is equality, a list is *one of*, a mapping holds the keys of the "
        "last column.\n"
    )
    every = [*FIELDS.values(), ATTRIBUTE]
    for group in dict.fromkeys(field.group for field in every):
        yield f"## {group.capitalize()}\n"
        yield "| field | meaning | value | example | keys |\n|---|---|---|---|---|"
        yield from (_audience_field(field) for field in every if field.group == group)
        yield ""
    yield "## Operators\n\n| operator | compares |\n|---|---|"
    yield from (f"| `{name}` | {about} |" for name, about in MEANINGS.items())
    yield "\n## What narrows\n\n| key | holds |\n|---|---|"
    yield from (f"| `{name}` | {about} |" for name, about in NARROWING.items())
    yield "\n## Parts\n\n| part | meaning | from | to |\n|---|---|---|---|"
    parts = [(field.name, part) for field in every for part in field.parts]
    yield from (f"| `{name}: {{{it.name}: …}}` | {it.about} | {it.bounds[0]} | {it.bounds[1]} |"
                for name, it in parts)  # fmt: skip


def _audience_field(field: Any) -> str:
    kinds = {"flag": "true or false", "percent": "a percentage", "anything": "text, a number, true or false",
             "choice": ", ".join(f"`{str(it).lower() if it is False else it}`" for it in field.choices),
             "number": "a whole number"}  # fmt: skip
    value = kinds.get(field.kind, f"a {field.refers}" if field.refers else "text") if field.equality else "–"
    keys = ", ".join(f"`{name}`" for name in field.keys) or "–"
    return f"| `{field.name}` | {field.about} | {value} | `{field.example}` | {keys} |"


def _gates() -> Iterator[str]:
    from campaigns.gates import NAMES
    from tidings.forecast_view import WHY

    yield "# Gates\n\nWhat may hold a message back, in this order.\n"
    yield "| gate | means |\n|---|---|"
    yield from (f"| `{name}` | {WHY[name]} |" for name in NAMES)
    yield "\n`displaced` is said of a planned message that a scenario of higher priority took the place of."


def _settings() -> Iterator[str]:
    yield "# Settings\n\nFrom the environment, else the workspace's `.env`. Secrets never stand in YAML.\n"
    for title, kind in _setting_classes().items():
        prefix = str(kind.model_config.get("env_prefix", ""))
        yield f"## {title}\n\n| variable | default | meaning |\n|---|---|---|"
        for name, field in kind.model_fields.items():
            default = "none" if field.default in (None, "") else f"`{field.default}`"
            choices = ", ".join(f"`{it}`" for it in get_args(field.annotation) if isinstance(it, str))
            about = field.description or f"One of {choices}; `folder` writes into the outbox."
            yield f"| `{prefix}{name}`".upper() + f" | {default} | {about} |"
        yield ""


def _setting_classes() -> Mapping[str, type[BaseSettings]]:
    from channels import discover
    from tidings.settings import Settings
    from wallet.apple.settings import AppleSettings
    from wallet.google.settings import GoogleSettings

    channels: dict[str, type[BaseSettings]] = {
        f"Channel: {name}": kind.Settings for name, kind in discover().items()
    }
    return {"Tidings": Settings, **channels, "Apple Wallet": AppleSettings, "Google Wallet": GoogleSettings}


def _commands() -> Iterator[str]:
    import typer.main

    from tidings.cli import app

    yield "# Commands\n"
    yield "Every command works in a workspace (`-w DIR`, else the current folder); `--help` explains it.\n"
    yield (
        "Exit codes: 0 done · 1 findings (failed checks, failed tests, rejected rows) · 2 misuse · "
        "3 something around it failed (database, provider, credentials).\n"
    )
    yield from _command("tidings", typer.main.get_command(app))


def _api() -> Iterator[str]:
    from tidings.api.app import bare_app
    from tidings.api.description import describe, operations
    from tidings.keys import ROLES, SCOPES

    yield "# The API's addresses\n\nWhat each does; [The API](../api.md) tells how to speak to it.\n"
    yield "| request | does | scope | answers |\n|---|---|---|---|"
    for path, method, operation in operations(describe(bare_app())):
        about = _paragraph(operation.get("description", "").split("\n\n")[0]).replace("|", "\\|")
        scope = f"`{operation['x-scope']}`" if "x-scope" in operation else "none"
        answers = ", ".join(status for status in operation["responses"] if status.startswith("2"))
        yield f"| `{method} {path}` | {about} | {scope} | {answers} |"
    yield "\n## Roles and scopes\n\nA key has the scopes of its role and those of `--scope`.\n"
    yield f"| scope | allows to | {' | '.join(ROLES)} |\n|---|---|{'---|' * len(ROLES)}"
    for scope, about in SCOPES.items():
        given = " | ".join("yes" if scope in own else "–" for own in ROLES.values())
        yield f"| `{scope}` | {about} | {given} |"


def _problems() -> Iterator[str]:
    from tidings.api.problem_kinds import PROBLEMS

    yield "# Problems\n\nWhat the API may answer instead, by `code`; its `type` leads to the same words.\n"
    yield "| status | code | means | what to do |\n|---|---|---|---|"
    for code, kind in sorted(PROBLEMS.items()):
        yield f"| {kind.status} | `{code}` | {kind.means} | {kind.do} |"


def _command(path: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", {})
    for name, child in children.items():
        yield from _command(f"{path} {name}", child)
    if children:
        return
    yield f"## `{path}`\n\n{command.help}\n"
    for parameter in command.params:
        if parameter.name == "help":
            continue
        named = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
        shown = ", ".join(f"`{it}`" for it in named)
        yield f"- {shown}: {getattr(parameter, 'help', '') or ''}"
    yield ""


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in pages().items():
        (FOLDER / name).write_text(content, "utf-8")


if __name__ == "__main__":
    main()
