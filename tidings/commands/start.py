"""Beginning: a workspace, the demo."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from tidings.console import console, plain


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(init)
    app.command()(demo)


def init(directory: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Make a ready workspace: a program, six scenarios in two languages, a card, and their tests.

    Example: tidings init my-shop && cd my-shop && tidings test
    """
    from tidings.example import write_workspace

    files = write_workspace(directory)
    out = console()
    [shown, into] = plain(directory, quote(str(directory)))
    out.print(f"[bold]{shown}[/bold] is ready: {files} files.")
    there = "" if directory.resolve() == Path.cwd() else f"cd {into} && "
    out.print(f"Next:  {there}tidings check && tidings test && tidings apply")


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
