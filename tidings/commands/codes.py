"""Promo codes: coupons made, listed, taken out of use."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.commands.acting import working
from tidings.console import HIGHEST, Format, console, plain, print_json, table, workspace

if TYPE_CHECKING:
    from core.ledger.lots import Refusal

Context = typer.Context
Output = Annotated[Format, typer.Option("--format", help="table or json")]
codes_app = typer.Typer(no_args_is_help=True, help="Promo codes and coupons.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    codes_app.command()(create)
    codes_app.command("list")(list_codes)
    codes_app.command()(disable)
    app.add_typer(codes_app, name="codes")


def create(
    context: Context,
    rule: Annotated[str, typer.Argument(help="A rule of program.yaml with 'codes: coupons'.")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many.")] = 1,
    length: Annotated[int, typer.Option("--length", help="Letters and digits of a code, 8 to 32.")] = 10,
    first: Annotated[
        str | None, typer.Option("--from", help="The first day, for example 2026-04-01; at once if left out.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="The last day, for example 2026-05-31; no end if left out.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="A name: the same again makes nothing new.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A file for the codes, one a line; printed if left out.")
    ] = None,
) -> None:
    """Make coupons for a rule, each of one use.

    Example: tidings codes create flyer --count 1000 --until 2026-05-31 --out flyer.csv
    """
    from core.clock import SystemClock
    from core.grants.coupons import Request, make_coupons
    from core.ledger.lots import Refusal

    now = SystemClock().now()
    request = Request(
        batch or f"{rule} {now:%Y-%m-%d %H:%M:%S.%f}", rule, count, length, first_day=_day("--from", first),
        last_day=_day("--until", until),
    )  # fmt: skip
    with working(context) as (here, program), here.database.write() as connection:
        made = make_coupons(connection, program, request, now)
        if isinstance(made, Refusal):
            raise _misuse(made)
        # Written before they are kept: a file that cannot be written leaves no codes that nobody has.
        _hand_over(made.codes, out)
    again = " (made before)" if made.repeated else ""
    where = f", in {out}" if out else ""
    typer.echo(f"{len(made.codes)} coupons of '{rule}'{again}{where}; batch '{request.batch}'", err=True)


def list_codes(
    context: Context,
    rule: Annotated[str | None, typer.Option("--rule", help="Only of this rule.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Only of this batch.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="open, used or disabled")] = None,
    after: Annotated[
        int, typer.Option("--after", min=0, max=HIGHEST, help="Only those with a higher number.")
    ] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 50,
    output: Output = Format.table,
) -> None:
    """Coupons, in the order in which they were made.

    Example: tidings codes list --rule flyer --state used
    """
    from core.errors import UserError
    from core.explain import suggest
    from core.grants.coupons import STATES, coupons, state_of

    if state and state not in STATES:
        raise UserError(f"there is no state '{state}'; {suggest(state, STATES)}")
    with workspace(context) as here, here.database.read() as connection:
        rows = coupons(connection, rule=rule, batch=batch, state=state, after=after, limit=limit)
    if output is Format.json:
        print_json([{**_as_json(row), "state": state_of(row)} for row in rows])
        return
    if not rows:
        typer.echo("there are no such coupons; make some: tidings codes create RULE --count 100")
        return
    shown = table(
        "", "id", "code", "rule", "batch", "customer", "from", "until", "uses", "state", right=("id",)
    )
    for row in rows:
        days = [str(it or "") for it in (row.first_day, row.last_day)]
        uses = f"{row.uses}/{row.uses_at_most}"
        shown.add_row(
            *plain(row.id, row.code, row.rule, row.batch, row.external_id or "", *days, uses, state_of(row))
        )
    console().print(shown)


def disable(
    context: Context,
    code: Annotated[str | None, typer.Argument(help="A code; neither case nor dashes matter.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="All coupons of a batch instead.")] = None,
) -> None:
    """Take a code, or a whole batch, out of use. What was given with it stays.

    Example: tidings codes disable HK7W-Q3NA-4D

    Example: tidings codes disable --batch flyer-spring
    """
    from core.clock import SystemClock
    from core.errors import UserError
    from core.grants.coupons import coupons, disable_batch
    from core.grants.coupons import disable as take_out
    from core.ledger.lots import Refusal

    if (code is None) == (batch is None):
        raise UserError("name either a code or a batch, for example 'tidings codes disable HK7WQ3NA4D'")
    now = SystemClock().now()
    with working(context) as (here, program), here.database.write() as connection:
        if batch is not None:
            if not coupons(connection, batch=batch, limit=1):
                raise UserError(f"there is no batch '{batch}'; 'tidings codes list' shows them")
            typer.echo(f"{disable_batch(connection, batch, now)} coupons of '{batch}' are out of use")
            return
        found = take_out(connection, program, code or "", now)
        if isinstance(found, Refusal):
            raise _misuse(found)
    typer.echo(f"the code {found.code} is out of use")


def _day(option: str, text: str | None) -> date | None:
    from core.errors import UserError

    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UserError(f"{option}: '{text}' is not a day; write for example 2026-05-31") from None


def _hand_over(codes: tuple[str, ...], out: Path | None) -> None:
    lines = "".join(f"{code}\n" for code in codes)
    if out is None:
        typer.echo(lines, nl=False)
    else:
        out.write_text(lines, encoding="utf-8")


def _misuse(refusal: "Refusal") -> Exception:
    from core.errors import UserError

    return UserError(refusal.detail)


def _as_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "code": row.code, "rule": row.rule, "batch": row.batch, "customer": row.external_id,
        "first_day": row.first_day and row.first_day.isoformat(),
        "last_day": row.last_day and row.last_day.isoformat(),
        "uses": row.uses, "uses_at_most": row.uses_at_most,
    }  # fmt: skip
