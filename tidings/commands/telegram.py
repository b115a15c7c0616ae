"""Telegram: connecting the program's bot."""

from typing import Annotated

import typer

from tidings.console import Format, print_json, workspace

Context = typer.Context
telegram_app = typer.Typer(no_args_is_help=True, help="The program's Telegram bot.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    telegram_app.callback()(_several)
    telegram_app.command()(connect)
    app.add_typer(telegram_app, name="telegram")


def _several() -> None:
    """Keeps `connect` a word of its own while it is the only one."""


def connect(
    context: Context,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Tell Telegram where customers' /start and /stop are to be brought, and say whether that works.

    To be repeated after a new token or a new public address; the same once more changes nothing.

    Example: tidings telegram connect
    """
    from dataclasses import asdict

    from tidings.telegram import connect as register_webhook

    with workspace(context) as here:
        connected = register_webhook(here, here.files().program)
    if output is Format.json:
        print_json(asdict(connected))
    else:
        typer.echo(f"@{connected.bot} brings its updates to {connected.url}; {connected.waiting} are waiting")
        if connected.complaint:
            typer.echo(f"Telegram's last attempt failed: {connected.complaint}")
    raise typer.Exit(1 if connected.complaint else 0)
