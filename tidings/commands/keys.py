"""API keys: made, listed, revoked."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from tidings.commands.acting import program_of
from tidings.console import Format, console, local, plain, print_json, table, workspace

if TYPE_CHECKING:
    from tidings.keys import Key
    from tidings.workspace import Workspace

Context = typer.Context
Output = Annotated[Format, typer.Option("--format", help="table or json")]
keys_app = typer.Typer(no_args_is_help=True, help="The keys of tills, shops and programs to the API.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    keys_app.command()(create)
    keys_app.command("list")(list_keys)
    keys_app.command()(revoke)
    keys_app.command("rotate-links")(rotate_links)
    app.add_typer(keys_app, name="keys")


def create(
    context: Context,
    name: Annotated[str, typer.Argument(help="What to call it, for example till-1.")],
    role: Annotated[str | None, typer.Option("--role", help="till, marketer, metrics or admin.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may do beside its role; may be repeated.")
    ] = None,
    store: Annotated[
        list[str] | None,
        typer.Option("--store", help="The only stores whose receipts it may send; may be repeated."),
    ] = None,
    rate: Annotated[
        str, typer.Option("--rate", help="How often it may ask: '50 per second', '600 per minute'.")
    ] = "100 per second",
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", help="Its last day in the program's zone, for example 2027-12-31; never if left out."
        ),
    ] = None,
    output: Output = Format.table,
) -> None:
    """Make a key and print it, once: only its digest is kept.

    Example: tidings keys create till-1 --role till --store kyiv-1 --rate '50 per second'

    Example: tidings keys create warehouse --scope events:read --scope receipts:read --expires 2027-12-31
    """
    from core.clock import SystemClock
    from tidings.keys import Wanted
    from tidings.keys import create as make

    now = SystemClock().now()
    with workspace(context) as here:
        wanted = Wanted(name, role, scope or (), store or (), _rate(rate), _end_of(here, expires))
        with here.database.write() as connection:
            key, secret = make(connection, wanted, now)
    if output is Format.json:
        print_json({**_as_json(key, now), "key": secret})
        return
    typer.echo(f"The key {key.name} is made. Keep it well: it is shown this once.\n", err=True)
    typer.echo(secret)
    typer.echo("\nIt is sent with every request: `Authorization: Bearer tid_…`", err=True)


def list_keys(
    context: Context,
    revoked: Annotated[bool, typer.Option("--all", help="Also those that were revoked.")] = False,
    output: Output = Format.table,
) -> None:
    """Every key: what it may do, how often, since when, and when it was last used.

    Example: tidings keys list
    """
    from core.clock import SystemClock
    from tidings.keys import all_keys

    now = SystemClock().now()
    with workspace(context) as here:
        with here.database.read() as connection:
            keys = [it for it in all_keys(connection) if revoked or it.revoked_at is None]
        zone = program_of(here).zone if output is Format.table and keys else ZoneInfo("UTC")
    if output is Format.json:
        print_json([_as_json(it, now) for it in keys])
        return
    if not keys:
        typer.echo("there are no keys; make one: tidings keys create till-1 --role till")
        return
    shown = table("", "id", "name", "key", "may", "stores", "rate", "state", "last used", right=("id",))
    for it in keys:
        may = ", ".join([*([it.role] if it.role else []), *it.own_scopes])
        [stores], last_used = plain(", ".join(it.stores) or "all"), local(it.last_used_at, zone) or "never"
        shown.add_row(
            str(it.id), it.name, f"{it.hint}…", may, stores, str(it.rate), _state(it, now, zone), last_used
        )
    console().print(shown)


def revoke(
    context: Context,
    who: Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As `tidings keys list` shows it.")],
    output: Output = Format.table,
) -> None:
    """End a key: within a second no server takes it any more.

    Example: tidings keys revoke till-1
    """
    from core.clock import SystemClock
    from tidings.keys import revoke as end

    now = SystemClock().now()
    with workspace(context) as here, here.database.write() as connection:
        key = end(connection, who, now)
    if output is Format.json:
        print_json(_as_json(key, now))
    else:
        typer.echo(f"the key {key.name} ({key.hint}…) is revoked")


def rotate_links(
    context: Context,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the line instead of writing it into .env.")
    ] = False,
) -> None:
    """Sign customers' links with a new key. Links that were sent before stay good.

    Example: tidings keys rotate-links
    """
    import os

    from core.errors import UserError
    from tidings.link_keys import VARIABLE, rotated, write

    with workspace(context) as here:
        now = here.settings.link_keys
        value = rotated(now.get_secret_value() if now else "")
        if only_print:
            typer.echo(f"{VARIABLE}={value}")
            return
        if given := next((it for it in (VARIABLE, f"{VARIABLE}_FILE") if it in os.environ), None):
            raise UserError(
                f"{given} stands in the environment, which goes before .env; set it there, to what "
                "--print says"
            )
        write(here.env_file, value)
    typer.echo(f"a new key signs links once every process is started again; {here.env_file} has it")


def _rate(text: str) -> Any:
    from core.errors import UserError
    from core.units import Rate

    try:
        return Rate.parse(text)
    except ValueError:
        raise UserError(f"--rate: '{text}' is not a rate; write for example '50 per second'") from None


def _end_of(here: "Workspace", day: str | None) -> datetime | None:
    from core.clock import LATEST
    from core.errors import UserError

    if day is None:
        return None
    try:
        last = date.fromisoformat(day)
    except ValueError:
        raise UserError(f"--expires: '{day}' is not a day; write for example 2027-12-31") from None
    if last.year >= LATEST.year:
        # As other systems write that there is no end.
        raise UserError(f"--expires: {day} is no end; leave it out for a key without one")
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), program_of(here).zone)
    return end.astimezone(UTC)


def _state(key: "Key", now: datetime, zone: ZoneInfo) -> str:
    state = key.state(now)
    if state != "valid" or key.expires_at is None:
        return state
    # It ends at a midnight of the program's zone: the last day is the one before.
    last = (key.expires_at - timedelta(microseconds=1)).astimezone(zone)
    return f"{state}, until {last:%Y-%m-%d}"


def _as_json(key: "Key", now: datetime) -> dict[str, Any]:
    return {
        "id": key.id, "name": key.name, "hint": key.hint, "role": key.role, "scopes": sorted(key.scopes),
        "stores": list(key.stores), "rate": str(key.rate), "state": key.state(now),
        "created_at": key.created_at, "expires_at": key.expires_at, "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }  # fmt: skip
