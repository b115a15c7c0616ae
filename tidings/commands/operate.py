"""Operating: serve, how it stands, pause and resume, the messages."""

from typing import Annotated

import typer

from tidings.console import Format, console, local, print_json, table, workspace

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(serve)
    app.command()(status)
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


def status(
    context: Context, output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table
) -> None:
    """What runs, how far behind it is, what is stuck and why. Exit code 1 if somebody must look after it.

    Example: tidings status
    """
    from core.clock import SystemClock
    from scheduler.standing import standing
    from tidings import standing_view

    with workspace(context) as here:
        running = here.live.running()
        program = running.program
        with here.database.read() as connection:
            found = standing(connection, here.channels(program), running, SystemClock().now())
    if output is Format.json:
        print_json(found.as_json())
    else:
        standing_view.show(console(), found, program.zone)
    raise typer.Exit(1 if found.trouble else 0)


def pause(
    context: Context,
    scenario: Annotated[str | None, typer.Argument(help="A live scenario.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="A channel, for all scenarios.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why, for others who look at the channels.")
    ] = None,
) -> None:
    """No look and no message of a scenario, or nothing by a channel, until it is resumed.

    Example: tidings pause win-back

    Example: tidings pause --channel sms --reason "the sender's name is being changed"
    """
    from campaigns import versions
    from core.clock import SystemClock
    from core.errors import UserError
    from scheduler import throttle
    from tidings.versions_view import left_by_pause

    _one_of("pause", scenario, channel)
    if reason and scenario:
        raise UserError("--reason goes with --channel; write it into the scenario's `about`, or leave it out")
    with workspace(context) as here, here.database.write() as connection:
        if channel:
            throttle.pause(connection, channel, SystemClock().now(), reason)
            said, again = "its messages wait", f"--channel {channel}"
        else:
            said, again = left_by_pause(versions.pause(connection, str(scenario))), str(scenario)
    typer.echo(f"{channel or scenario} is paused: {said}; `tidings resume {again}` lets it go on")


def resume(
    context: Context,
    scenario: Annotated[str | None, typer.Argument(help="A live scenario.")] = None,
    allow: Annotated[
        int | None, typer.Option("--allow", min=1, help="Agree once to a look of so many customers.")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="A channel that was paused.")] = None,
) -> None:
    """Let a scenario go on that was paused, or that the blast guard stopped; or a channel.

    Example: tidings resume win-back --allow 60000

    Example: tidings resume --channel sms
    """
    from campaigns import versions
    from scheduler import throttle

    _one_of("resume", scenario, channel)
    stopped, was_paused = None, True
    with workspace(context) as here, here.database.write() as connection:
        if channel:
            was_paused = throttle.resume(connection, channel)
        else:
            stopped = versions.resume(connection, str(scenario), allow)
    typer.echo(f"{channel or scenario} goes on" if was_paused else f"{channel} was not paused")
    if stopped:
        typer.echo(
            f"its last look would have reached {stopped:,} customers, more than it may without being asked: "
            f"the next one stops again unless fewer are due; see them with `tidings dry-run {scenario}`, and "
            f"agree with `tidings resume {scenario} --allow {stopped}`"
        )


def _one_of(command: str, scenario: str | None, channel: str | None) -> None:
    from channels import discover
    from core.errors import UserError
    from core.explain import suggest

    if (scenario is None) == (channel is None):
        raise UserError(
            f"say what: `tidings {command} win-back` for a scenario, `tidings {command} --channel sms` for a "
            "channel"
        )
    if channel is not None and channel not in discover():
        raise UserError(f"there is no channel '{channel}'; {suggest(channel, sorted(discover()))}")


def messages(
    context: Context,
    message: Annotated[int | None, typer.Argument(help="One message: all that became of it.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="planned, deferred, sent, unknown, failed, …")
    ] = None,
    scenario: Annotated[str | None, typer.Option("--scenario", help="Only of this scenario.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """The newest messages of the outbox; with a message's id, its states through time.

    Example: tidings messages --state unknown
    """
    from sqlalchemy import select

    from campaigns.tables import STATES
    from core.customers.profiles import CUSTOMER
    from core.errors import UserError
    from core.explain import suggest
    from tidings.customer_view import MESSAGE

    if message is not None:
        _show_history(context, message, output)
        return
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
        "", "id", "due", "scenario", "customer", "occasion", "channel", "state", "reason", "tries",
        right=("id", "tries"),
    )  # fmt: skip
    for row in rows:
        shown.add_row(
            str(row.id),
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


def _show_history(context: Context, message: int, output: Format) -> None:
    """Every state that a message came into, with time and reason, and what was reported of it."""
    from campaigns.states import history
    from core.errors import UserError

    with workspace(context) as here:
        zone = here.files().program.zone
        with here.database.read() as connection:
            changes = history(connection, [message]).get(message)
    if changes is None:
        raise UserError(f"there is no message {message}; `tidings messages` shows the newest with their ids")
    if output is Format.json:
        print_json([it.as_json() for it in changes])
        return
    shown = table(f"Message {message}", "when", "state", "channel", "reason")
    for it in changes:
        said = f"reported: {it.state}" if it.is_report else it.state
        shown.add_row(local(it.at, zone), said, it.channel, it.reason or "")
    console().print(shown)
