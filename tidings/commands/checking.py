"""What is wrong in a workspace, and the schemas by which an editor tells while one writes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tidings.console import console, print_json, workspace

Context = typer.Context


class CheckFormat(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"
    sarif = "sarif"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(check)
    app.command()(schema)


def check(
    context: Context,
    output: Annotated[
        CheckFormat, typer.Option("--format", help="text, json, or sarif for a code review.")
    ] = CheckFormat.text,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Say everything that is wrong in every file, at once. Exit code 1 if something is.

    Example: tidings check --strict
    """
    from tidings import check_view
    from tidings.checks import everything
    from tidings.excerpts import Excerpts
    from tidings.sarif import sarif, seen_from_here

    with workspace(context) as here:
        bundle = here.bundle()
        problems = everything(here, bundle)
        excerpts = Excerpts(here.path)
        out = console()
        if output is CheckFormat.json:
            print_json([check_view.as_json(problem) for problem in problems])
        elif output is CheckFormat.sarif:
            print_json(sarif(problems, excerpts, seen_from_here(here.path)))
        elif out.is_terminal:
            check_view.show(out, problems, excerpts, len(bundle.files))
        else:
            for problem in problems:
                typer.echo(check_view.as_line(problem))
            typer.echo(check_view.summary(len(bundle.files), problems))
    found = (strict and problems) or any(problem.severity == "error" for problem in problems)
    raise typer.Exit(1 if found else 0)


def schema(
    context: Context,
    output: Annotated[
        Path | None, typer.Argument(help="A folder for the schema files; stdout if left out.")
    ] = None,
    editor: Annotated[
        bool, typer.Option("--editor", help="Set up VS Code in the workspace instead: .vscode/.")
    ] = False,
) -> None:
    """Write the JSON Schemas of all files, for editors that complete and underline.

    Example: tidings schema --editor
    """
    from tidings.editor import FOLDER, schemas, write_schemas, write_settings

    if editor:
        with workspace(context) as here:
            typer.echo(f"{here.path / FOLDER} is ready: {write_settings(here.path)} files")
    elif output is None:
        print_json(schemas())
    else:
        typer.echo(f"wrote {', '.join(write_schemas(output))} to {output}")
