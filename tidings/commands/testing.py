"""The tests of a workspace."""

from pathlib import Path
from typing import Annotated

import typer

from tidings.console import console, workspace

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("test")(run_tests)


def run_tests(
    context: Context,
    run: Annotated[str | None, typer.Option("--run", help="Only tests whose name contains this.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file.")] = None,
) -> None:
    """Run the tests of tests/, of scenarios and of rules. Exit code 1 if one fails.

    Example: tidings test --run birthday
    """
    from core.errors import UserError
    from tidings import tests_view
    from tidings.junit import write_junit
    from tidings.workspace_tests import names, read_files, run_all

    out = console()
    with workspace(context) as here:
        files = read_files(here.path)
        if not names(files):
            raise UserError(
                f"there are no tests in {here.path / 'tests'}; write one, for example tests/birthday.yaml"
            )
        results = run_all(here.bundle(), files, run, lambda result: out.print(tests_view.line(result)))
    if not results:
        raise UserError(f"no test is named like '{run}'; there are {', '.join(names(files))}")
    tests_view.show_failures(out, results)
    out.print(tests_view.summary(results))
    if junit:
        write_junit(junit, results)
    raise typer.Exit(0 if all(result.passed for result in results) else 1)
