"""The command line. A command is a function in tidings/commands/; what it needs is imported when it runs."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from core.collecting import collect_seldom
from core.errors import EnvironmentFault, Problems, UserError
from tidings.commands import (
    backtest,
    calls,
    card,
    checking,
    codes,
    database,
    household,
    keeping,
    keys,
    look,
    mail,
    movement,
    operate,
    people,
    report,
    sending,
    settlement,
    start,
    suppressions,
    telegram,
    testing,
    tier,
    versions,
    writing,
)
from tidings.commands import data as data_commands

EXIT_FINDINGS, EXIT_MISUSE, EXIT_FAULT, EXIT_INTERRUPTED = 1, 2, 3, 130
# What a shell tells of a program that a closed pipe ended: 128 and SIGPIPE.
EXIT_UNREAD = 141
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Commands(TyperGroup):
    """Says what is wrong with an argument in our words, not in those of the library that found it."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if error.__cause__ is not None:
                error.message = _plainly(error.__cause__) or error.message
            raise


def _plainly(fault: BaseException) -> str:
    from pydantic import ValidationError

    from tidings.api.plain import said

    return said(fault.errors()[0]) if isinstance(fault, ValidationError) else ""


app = typer.Typer(
    name="tidings",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Campaigns and triggers for a loyalty program: ledger, scenarios in YAML, messages, live cards.",
    epilog="Exit codes: 0 done · 1 findings (failed checks, tests) · 2 misuse · 3 something around failed.",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tidings {version('tidings')}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    workspace: Annotated[
        Path,
        typer.Option("--workspace", "-w", help="The folder with program.yaml.", envvar="TIDINGS_WORKSPACE"),
    ] = Path(),
    _show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    context.obj = workspace


for module in (
    start,
    testing,
    checking,
    look,
    backtest,
    report,
    versions,
    writing,
    operate,
    database,
    keeping,
    sending,
    data_commands,
    people,
    household,
    suppressions,
    tier,
    movement,
    settlement,
    calls,
    card,
    keys,
    codes,
    telegram,
    mail,
):
    module.register(app)


def main() -> None:
    """Run a command; every expected failure is one clear sentence and its exit code."""
    # What a command loads stays: searching it while it is loaded took an eighth of the start.
    collect_seldom()
    _usable_streams()
    try:
        app(standalone_mode=True)
    except Problems as problems:
        typer.echo("\n".join(str(problem) for problem in problems.problems), err=True)
        sys.exit(EXIT_FINDINGS)
    except UserError as error:
        _say(str(error))
        sys.exit(EXIT_MISUSE)
    except EnvironmentFault as fault:
        _say(str(fault))
        sys.exit(EXIT_FAULT)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except UnicodeEncodeError as error:
        # A terminal with another encoding gives bytes that no database keeps.
        if "surrogates" not in error.reason:
            raise
        _say("what was written is no text in UTF-8; set the terminal to UTF-8, or write it otherwise")
        sys.exit(EXIT_MISUSE)
    except SystemExit as end:
        # Whoever read the output has gone (`| head`): nothing is wrong, and no finding either.
        if isinstance(end.__context__, BrokenPipeError):
            sys.exit(EXIT_UNREAD)
        raise
    except OSError as error:
        _say(_fault(error))
        _let_go()
        sys.exit(EXIT_FAULT)


def _fault(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        # Of a write nobody says where to.
        where = error.filename or "where the output goes, or a file that is written"
        return f"{where}: {reason}; make room there, or write elsewhere"
    if isinstance(error, IsADirectoryError):
        return f"{error.filename or 'what was named'} is a folder; name a file"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename}: there is a file where a folder should be; write elsewhere"
    return f"{error.filename or 'a file'}: {reason}; check that it is there and may be used"


def _let_go() -> None:
    """Forget what stdout did not take: Python would try once more as it ends, and end with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usable_streams() -> None:
    """What a terminal has no letter for is shown as a question mark; a closed stream is an empty one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It stays as long as the process.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _say(sentence: str) -> None:
    typer.echo(f"tidings: {sentence}", err=True)
