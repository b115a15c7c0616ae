"""Operating: serve, pause and resume, the messages."""

from typing import Annotated

import typer

from tidings.console import Format, console, local, print_json, table, workspace

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(serve)
    app.command()(pause)
    app.command()(resume)
    app.command()(messages)


def serve(
    context: Context,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port to listen at.")] = 8000,
) -> None:
    """Run API, pages, looks and delivery in one process. Ctrl-C finishes what is in flight.

    Example: tidings serve --port 8000
    """
    from tidings import serving

    with workspace(context) as here:
        raise typer.Exit(serving.serve(here, host, port))


def pause(context: Context, scenario: Annotated[str, typer.Argument(help="A live scenario")]) -> None:
    """No look and no message of a scenario until it is resumed; says what is under way in it.

    Example: tidings pause win-back
    """
    from campaigns import versions
    from tidings.versions_view import left_by_pause

    with workspace(context) as here, here.database.write() as connection:
        left = versions.pause(connection, scenario)
    typer.echo(f"{scenario} is paused: {left_by_pause(left)}; `tidings resume {scenario}` lets it go on")


def resume(
    context: Context,
    scenario: Annotated[str, typer.Argument(help="A live scenario")],
    allow: Annotated[
        int | None, typer.Option("--allow", min=1, help="Agree once to a look of so many customers.")
    ] = None,
) -> None:
    """Let a scenario go on that was paused, or that the blast guard stopped.

    Example: tidings resume win-back --allow 60000
    """
    from campaigns import versions

    with workspace(context) as here, here.database.write() as connection:
        stopped = versions.resume(connection, scenario, allow)
    typer.echo(f"{scenario} goes on")
    if stopped:
        typer.echo(
            f"its last look would have reached {stopped:,} customers, more than it may without being asked: "
            f"the next one stops again unless fewer are due; see them with `tidings dry-run {scenario}`, and "
            f"agree with `tidings resume {scenario} --allow {stopped}`"
        )


def messages(
    context: Context,
    state: Annotated[
        str | None, typer.Option("--state", help="planned, deferred, sent, unknown, failed, …")
    ] = None,
    scenario: Annotated[str | None, typer.Option("--scenario", help="Only of this scenario.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """The newest messages of the outbox.

    Example: tidings messages --state unknown
    """
    from sqlalchemy import select

    from campaigns.tables import STATES
    from core.customers.profiles import CUSTOMER
    from core.errors import UserError
    from core.explain import suggest
    from tidings.customer_view import MESSAGE

    if state and state not in STATES:
        raise UserError(f"there is no state '{state}'; {suggest(state, STATES)}")
    statement = select(MESSAGE, CUSTOMER.c.external_id).join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id)
    if state:
        statement = statement.where(MESSAGE.c.state == state)
    if scenario:
        statement = statement.where(MESSAGE.c.scenario == scenario)
    with workspace(context) as here:
        zone = here.files().program.zone
        with here.database.read() as connection:
            rows = connection.execute(statement.order_by(MESSAGE.c.id.desc()).limit(limit)).all()
    fields = (
        "id",
        "scenario",
        "external_id",
        "occasion",
        "step",
        "channel",
        "state",
        "reason",
        "tries",
        "provider_id",
    )
    if output is Format.json:
        print_json(
            [
                {name: getattr(row, name) for name in fields} | {"due_at": row.due_at.isoformat()}
                for row in rows
            ]
        )
        return
    shown = table(
        "", "due", "scenario", "customer", "occasion", "channel", "state", "reason", "tries", right=("tries",)
    )
    for row in rows:
        shown.add_row(
            local(row.due_at, zone),
            row.scenario,
            row.external_id,
            row.occasion,
            row.channel,
            row.state,
            row.reason or "",
            str(row.tries),
        )
    console().print(shown)
