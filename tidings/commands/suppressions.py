"""Addresses that are left alone: listed, brought in from another sender, lifted."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.commands.acting import Output, say, working
from tidings.console import Format, console, moment, plain, print_json, table

if TYPE_CHECKING:
    from core.customers.suppressions import Which
    from core.program import Program

Context = typer.Context
For = Annotated[
    str | None, typer.Option("--for", help="Only those suppressed for this, for example complained.")
]
Since = Annotated[
    str | None, typer.Option("--since", help="Only from this time on, for example '2026-03-01 10:00'.")
]
Until = Annotated[str | None, typer.Option("--until", help="Only before this time.")]
suppressions_app = typer.Typer(no_args_is_help=True, help="Addresses that are left alone.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    suppressions_app.command("list")(list_suppressions)
    suppressions_app.command()(lift)
    suppressions_app.command("import")(import_list)
    app.add_typer(suppressions_app, name="suppressions")


def list_suppressions(
    context: Context,
    channel: Annotated[str | None, typer.Option("--channel", help="Only of this channel.")] = None,
    reason: For = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")] = 50,
    output: Output = Format.table,
) -> None:
    """Customers whose address now is suppressed, and why.

    Only digests are kept: of an address that nobody has now, it can be told only that it is there.

    Example: tidings suppressions list --channel email --for complained
    """
    from core.customers.suppressions import of_nobody, suppressed
    from tidings.suppressions import kinds

    with working(context) as (here, program):
        which = _which(program, channel, reason, since, until)
        with here.database.read() as connection:
            rows = suppressed(connection, kinds(), which, limit=limit + 1)
            others = of_nobody(connection, kinds(), which)
    shown = [
        {"customer": it.external_id, "channel": it.channel, "address": it.value, "reason": it.reason,
         "since": it.at.astimezone(program.zone)}
        for it in rows[:limit]
    ]  # fmt: skip
    if output is Format.json:
        found = [{**it, "since": it["since"].isoformat()} for it in shown]
        print_json({"suppressed": found, "more": len(rows) > limit, "of_nobody": others})
        return
    if shown:
        _show(shown)
    more = ", and more: give a higher --limit" if len(rows) > limit else ""
    typer.echo(f"suppressed: {len(shown)} of customers{more}; {others} of addresses that nobody has now")


def lift(
    context: Context,
    channel: Annotated[str, typer.Argument(help="The channel on which the address may be used again.")],
    who: Annotated[
        str | None, typer.Argument(help="The address, or the customer's external id or card.")
    ] = None,
    author: Annotated[str, typer.Option("--author", help="Who answers for it.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, in a few words.")] = "",
    suppressed_for: For = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many --for would lift; change nothing.")
    ] = False,
    output: Output = Format.table,
) -> None:
    """Let an address be used again; who did it, when and why is kept.

    Instead of one address, --for names all that were suppressed for a reason, such as a provider's mistake.
    Whoever asked to be erased is left out of those.

    Example: tidings suppressions lift email 10042 --author maria --reason 'the mailbox is back, ticket 812'

    Example: tidings suppressions lift email --for mailbox_unknown --since 2026-03-01 --author jo --reason DNS
    """
    from core.clock import SystemClock
    from core.customers.addresses import Answerable
    from core.customers.suppressions import ERASED, count, lift_many, lift_one
    from core.errors import UserError
    from core.ledger.lots import Refusal
    from tidings.suppressions import kinds

    if (who is None) == (suppressed_for is None):
        raise UserError("name either an address or customer, or --for what they were suppressed")
    if suppressed_for == ERASED:
        raise UserError("these asked to be forgotten; if one of them comes back, name the address")
    if who is not None and (since or until or dry_run):
        raise UserError("--since, --until and --dry-run go with --for")
    with working(context) as (here, program):
        which, by = _which(program, channel, suppressed_for, since, until), Answerable(author, reason)
        if dry_run:
            with here.database.read() as connection:
                lifted: int | Refusal = count(connection, kinds(), which)
        else:
            with here.database.write() as connection:
                at = SystemClock().now()
                lifted = (
                    lift_many(connection, kinds(), which, by, at)
                    if who is None
                    else lift_one(connection, here.addresses, kinds(), channel, who, by, at)
                )
    if isinstance(lifted, Refusal):
        raise UserError(lifted.detail)
    sentence = "{lifted} would be lifted on {channel}" if dry_run else "{lifted} lifted on {channel}"
    say(output, {"channel": channel, "lifted": lifted, "dry_run": dry_run}, sentence)


def import_list(
    context: Context,
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet: channel, address, reason, at")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and check; change nothing.")] = False,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Where rows that cannot be read are set aside.")
    ] = None,
    kind_of_file: Annotated[
        str | None, typer.Option("--as", help="csv, jsonl or parquet; told by the file's ending if left out.")
    ] = None,
    output: Output = Format.table,
) -> None:
    """Leave alone what another sender has learned to leave alone. The same file again changes nothing.

    Bad rows are set aside with line and reason (exit code 1); the rest goes in.

    Example: tidings suppressions import suppressions.csv --dry-run
    """
    from tidings.commands.data import bring_in

    bring_in(context, "suppressions", file, output, trial=dry_run, rejects=rejects, format=kind_of_file)


def _which(
    program: "Program", channel: str | None, reason: str | None, since: str | None, until: str | None
) -> "Which":
    """What is meant; UserError for a channel without such addresses, or for what is no time."""
    from core.customers.suppressions import Which
    from core.errors import UserError
    from core.explain import suggest
    from tidings.suppressions import kinds

    if channel is not None and channel not in kinds():
        raise UserError(f"'{channel}' is no channel with addresses to suppress; {suggest(channel, kinds())}")

    def time(option: str, text: str | None) -> datetime | None:
        return None if text is None else moment(text, program.zone, option)

    return Which(channel, reason, time("--since", since), time("--until", until))


def _show(rows: list[dict[str, Any]]) -> None:
    shown = table("", "customer", "channel", "address", "reason", "since")
    for it in rows:
        since = f"{it['since']:%Y-%m-%d %H:%M}"
        shown.add_row(*plain(it["customer"], it["channel"], it["address"], it["reason"], since))
    console().print(shown)
