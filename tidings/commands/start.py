"""Beginning: a workspace, its checks, its tests, the editor's schema, the demo."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from tidings.console import Format, console, print_json, workspace

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(init)
    app.command()(check)
    app.command("test")(run_tests)
    app.command()(schema)
    app.command()(demo)


def init(directory: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Make a ready workspace: a program, five scenarios in two languages, a card, and their tests.

    Example: tidings init my-shop && cd my-shop && tidings test
    """
    from tidings.example import write_workspace

    files = write_workspace(directory)
    out = console()
    out.print(f"[bold]{directory}[/bold] is ready: {files} files.")
    out.print(f"Next:  cd {quote(str(directory))} && tidings check && tidings test && tidings apply")


def check(
    context: Context, output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table
) -> None:
    """Say everything that is wrong in every file, at once. Exit code 1 if something is.

    Example: tidings check
    """
    from campaigns.running import findings
    from tidings.checks import more_findings

    with workspace(context) as here:
        bundle = here.bundle()
        problems = sorted({*findings(bundle), *more_findings(here, bundle)})
    errors = [problem for problem in problems if problem.severity == "error"]
    if output is Format.json:
        print_json(
            [
                {
                    "file": it.file,
                    "line": it.line,
                    "column": it.col,
                    "path": it.path,
                    "what": it.what,
                    "fix": it.fix,
                    "severity": it.severity,
                }
                for it in problems
            ]
        )
    else:
        for problem in problems:
            typer.echo(f"{'' if problem.severity == 'error' else 'warning: '}{problem}")
        warnings = len(problems) - len(errors)
        typer.echo(
            f"{len(bundle.files)} files: {_count(len(errors), 'error')}, {_count(warnings, 'warning')}"
        )
    raise typer.Exit(1 if errors else 0)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def run_tests(
    context: Context,
    run: Annotated[str | None, typer.Option("--run", help="Only tests whose name contains this.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file.")] = None,
) -> None:
    """Run the tests of tests/*.yaml, of scenarios and of rules. Exit code 1 if one fails.

    Example: tidings test --run birthday
    """
    from core.errors import UserError
    from tidings.junit import write_junit
    from tidings.workspace_tests import run_all

    with workspace(context) as here:
        files = {
            f"tests/{path.name}": path.read_text("utf-8")
            for path in sorted((here.path / "tests").glob("*.yaml"))
        }
        if not files:
            raise UserError(
                f"there are no tests in {here.path / 'tests'}; write one, for example tests/birthday.yaml"
            )
        results = run_all(here.bundle(), files, run)
    if not results:
        raise UserError(
            f"no test is named like '{run}'; there are {', '.join(Path(file).stem for file in files)}"
        )
    out = console()
    for result in results:
        out.print(f"{'[green]passed[/green]' if result.passed else '[red]failed[/red]'}  {result.name}")
        for mismatch in result.mismatches:
            out.print(f"  {mismatch}", markup=False, soft_wrap=True)
    failed = sum(not result.passed for result in results)
    out.print(f"{len(results) - failed} passed, {failed} failed")
    if junit:
        write_junit(junit, results)
    raise typer.Exit(1 if failed else 0)


def schema(
    output: Annotated[
        Path | None, typer.Argument(help="A folder for the schema files; stdout if left out.")
    ] = None,
) -> None:
    """Write the JSON Schemas of program.yaml and scenarios, for editors that complete and underline.

    Example: tidings schema .vscode
    """
    import json

    from campaigns import schema as schemas
    from channels import discover as discover_channels
    from triggers import discover

    configs = {name: channel.Config for name, channel in discover_channels().items()}
    made = {
        "program": schemas.program_schema(configs),
        "scenario": schemas.scenario_schema(discover()),
        "segment": schemas.segment_schema(),
        "scenario-test": schemas.scenario_test_schema(),
        "rule-test": schemas.rule_test_schema(),
    }
    if output is None:
        print_json(made)
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, document in made.items():
        (output / f"{name}.schema.json").write_text(
            json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8"
        )
    typer.echo(f"wrote {', '.join(f'{name}.schema.json' for name in made)} to {output}")


def demo(
    directory: Annotated[Path, typer.Argument(help="Where the demo's shop is made.")] = Path(
        ".demo/kavarnia"
    ),
) -> None:
    """See it work: a shop, its customers, a day's messages and live cards, on this machine alone.

    Example: tidings demo
    """
    from tidings.demo import run

    run(directory)
