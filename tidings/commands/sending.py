"""How sending goes: the channels, and failed messages that are to go once more."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.console import HIGHEST, Format, console, local, plain, print_json, table, workspace

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduler.condition import Condition
    from scheduler.retrying import Retried

Context = typer.Context
MOST_NAMED = 10


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(channels)
    app.command()(retry)


def channels(
    context: Context,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:
    """Every channel: how fast it may go, what its plan has let go today, and whether it is left alone.

    Example: tidings channels
    """
    from core.clock import SystemClock
    from scheduler.condition import conditions

    now = SystemClock().now()
    with workspace(context) as here:
        program = here.live.running().program
        with here.database.read() as connection:
            found = conditions(connection, here.each_channel(program), program, now)
    if output is Format.json:
        print_json([it.as_json() for it in found])
        return
    shown = table("", "channel", "sends by", "rate", "today", "waiting", "how it is", right=("waiting",))
    for it in found:
        today = "" if it.places is None else f"{it.used:,} of {it.places:,}"
        rate = "" if it.rate is None else it.rate
        how = _how(it, now, program.zone)
        shown.add_row(*plain(it.channel, it.transport or "", rate, today, f"{it.waiting:,}", how))
    console().print(shown)


def _how(it: "Condition", now: datetime, zone: "ZoneInfo") -> str:
    if it.wrong is not None:
        return f"set up wrongly: {it.wrong}"
    if it.paused_at is not None:
        why = f": {it.paused_reason}" if it.paused_reason else ""
        return f"paused since {local(it.paused_at, zone)}{why}"
    if it.broken_since is not None:
        until = it.open_until
        left = f"left alone until {local(until, zone)}" if until and until > now else "tried carefully"
        return f"{left}; {it.reason} since {local(it.broken_since, zone)}"
    return "open"


def retry(
    context: Context,
    messages: Annotated[
        list[int] | None, typer.Argument(max=HIGHEST, help="Failed messages, by their ids.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All failed ones of --scenario.")] = False,
    scenario: Annotated[str | None, typer.Option("--scenario", help="A scenario's failed messages.")] = None,
) -> None:
    """Plan failed messages again, once what they failed on is mended.

    Consent, addresses and whether it is still true are asked again before they leave. An unknown message is
    never sent again by hand: it may have arrived.

    Example: tidings retry 4711 4712

    Example: tidings retry --failed --scenario win-back
    """
    from core.clock import SystemClock
    from core.errors import UserError
    from scheduler.retrying import failed_of
    from scheduler.retrying import retry as plan_again

    if bool(messages) == failed or failed != (scenario is not None):
        raise UserError("say which: `tidings retry 4711`, or `tidings retry --failed --scenario win-back`")
    with workspace(context) as here, here.database.write() as connection:
        ids = list(messages or ()) or failed_of(connection, _known(here, scenario))
        found = plan_again(connection, ids, SystemClock().now())
    for sentence in _told(found):
        typer.echo(sentence)
    raise typer.Exit(1 if found.late or found.others or found.missing else 0)


def _known(here: Any, scenario: str | None) -> str:
    from core.errors import UserError
    from core.explain import suggest

    names = sorted(here.live.running().scenarios)
    if scenario is None or scenario not in names:
        raise UserError(f"there is no live scenario '{scenario}'; {suggest(scenario or '', names)}")
    return scenario


def _told(found: "Retried") -> Iterator[str]:
    again = len(found.again)
    yield f"{again:,} message{' goes' if again == 1 else 's go'} again with the next delivery"
    if found.late:
        yield f"too late to be worth sending, and left as they are: {_named(found.late)}"
    for state in sorted(set(found.others.values())):
        them = [number for number, theirs in found.others.items() if theirs == state]
        why = "; nobody knows that they did not arrive" if state == "unknown" else ""
        yield f"not failed but {state}, and left as they are{why}: {_named(them)}"
    if found.missing:
        yield f"there are no such messages: {_named(found.missing)}"


def _named(ids: Sequence[int]) -> str:
    more = len(ids) - MOST_NAMED
    return ", ".join(map(str, ids[:MOST_NAMED])) + (f" and {more:,} more" if more > 0 else "")
