"""Operating: serve, how it stands, pause and resume, the messages."""

from typing import Annotated

import typer

from tidings.commands.acting import program_of
from tidings.console import HIGHEST, MOST, Format, console, local, plain, print_json, table, workspace

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(serve)
    app.command()(worker)
    app.command()(status)
    app.command()(pause)
    app.command()(resume)
    app.command()(cancel)
    app.command()(messages)


def serve(
    context: Context,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port to listen at.")] = 8000,
    api_only: Annotated[
        bool, typer.Option("--api-only", help="No looks and no delivery: workers do that (PostgreSQL).")
    ] = False,
) -> None:
    """Run API, pages, looks and delivery in one process. Ctrl-C finishes what is in flight.

    Example: tidings serve --port 8000
    """
    from tidings import serving

    with workspace(context) as here:
        raise typer.Exit(serving.serve(here, host, port, api_only=api_only))


def worker(
    context: Context,
    channels: Annotated[
        str | None, typer.Option("--channels", help="Deliver by these alone, for example email,sms.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=64, help="Jobs at a time, for each channel.")
    ] = 4,
    metrics_host: Annotated[
        str,
        typer.Option("--metrics-host", help="Where /metrics, /healthz and /readyz listen."),
    ] = "127.0.0.1",
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", min=0, max=65535, help="Their port; 0 for none. [9464]"),
    ] = None,
) -> None:
    """Look, deliver and update cards beside others on one PostgreSQL. Ctrl-C finishes what is in flight.

    Example: tidings worker

    Example: tidings worker --channels sms,push --concurrency 8
    """
    from tidings import working

    only = None if channels is None else list(dict.fromkeys(name.strip() for name in channels.split(",")))
    with workspace(context) as here:
        raise typer.Exit(
            working.work(here, only, concurrency, metrics_host=metrics_host, metrics_port=metrics_port)
        )


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
            found = standing(connection, here.each_channel(program), running, SystemClock().now())
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
        int | None,
        typer.Option("--allow", min=1, max=MOST, help="Agree once to a look of so many customers."),
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


def cancel(
    context: Context,
    scenario: Annotated[str, typer.Argument(help="A live scenario.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take back every message of a scenario that waits. New ones may follow: pause it as well to stop it.

    Example: tidings cancel win-back

    Example: tidings cancel win-back --yes
    """
    import sys

    from campaigns import versions
    from core.clock import SystemClock
    from core.errors import UserError
    from scheduler import cancelling

    with workspace(context) as here:
        with here.database.read() as connection:
            versions.known(connection, scenario)
            waiting = cancelling.waiting_of(connection, scenario)
        if not yes:
            if not sys.stdin.isatty():
                raise UserError("nobody can be asked here; agree with --yes")
            typer.confirm(f"take back the {_messages(waiting)} of {scenario} that wait?", abort=True)
        done = cancelling.cancel(here.database, scenario, SystemClock().now())
    typer.echo(
        f"{_messages(done.recalled)} of {scenario} taken back; `tidings pause {scenario}` stops new ones"
    )
    if done.perhaps:
        typer.echo(f"{_messages(done.perhaps)} may have left in an earlier try: unknown")
    if done.leaving:
        typer.echo(f"{_messages(done.leaving)} in a sender's hands: what it has not begun is taken back")


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"


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
    message: Annotated[
        int | None, typer.Argument(min=0, max=HIGHEST, help="One message: all that became of it.")
    ] = None,
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
    from tidings.listing import listing

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
        zone = program_of(here).zone
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
    columns = ("id", "due", "scenario", "customer", "occasion", "channel", "state", "reason", "tries")
    said = [
        plain(
            row.id, local(row.due_at, zone), row.scenario, row.external_id, row.occasion, row.channel,
            row.state, row.reason or "", row.tries,
        )
        for row in rows
    ]  # fmt: skip
    stacks = ("id", "due", "scenario, occasion", "customer, channel", "state, reason", "tries")
    shown = listing("", columns, said, stacks, right=("id", "tries"))
    console().print(shown)


def _show_history(context: Context, message: int, output: Format) -> None:
    """Every state that a message came into, with time and reason, and what was reported of it."""
    from sqlalchemy import select

    from campaigns.states import history
    from core.errors import UserError
    from tidings.customer_view import MESSAGE

    with workspace(context) as here:
        zone = program_of(here).zone
        with here.database.read() as connection:
            row = connection.execute(select(MESSAGE).where(MESSAGE.c.id == message)).first()
            changes = history(connection, [message]).get(message)
    if row is None or changes is None:
        raise UserError(f"there is no message {message}; `tidings messages` shows the newest with their ids")
    if output is Format.json:
        print_json([it.as_json() for it in changes])
        return
    title = f"Message {message} · {row.scenario} · step {row.step}"
    shown = table(title, "when", "state", "channel", "reason")
    for it in changes:
        said = f"reported: {it.state}" if it.is_report else it.state
        shown.add_row(*plain(local(it.at, zone), said, it.channel, it.reason or ""))
    console().print(shown)
