"""What came of the scenarios."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.console import ForecastFormat, hand_out, workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.results import AllMarketing, ScenarioResults
    from core.program import Program
    from core.units import Duration
    from tidings.workspace import Workspace

Context = typer.Context
# The last day of the report and so many before it: long enough for a goal of weeks.
DAYS = 90


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(report)


def report(
    context: Context,
    scenarios: Annotated[
        list[str] | None, typer.Argument(help="One or several; all that are live, in one table, if left out.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="The first day of entries, for example 2026-02-01; 90 days.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="The last day of entries, for example 2026-02-28; today.")
    ] = None,
    within: Annotated[
        str | None,
        typer.Option("--within", help="How long after an entry a purchase counts; the goal's if left out."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write all of it as one page with pictures, to pass on.")
    ] = None,
    output: Annotated[ForecastFormat, typer.Option("--format", help="table, json or csv")] = (
        ForecastFormat.table
    ),
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
) -> None:
    """What came of scenarios: messages, opens and clicks, purchases against those held out, cost and return.

    Example: tidings report win-back --from 2026-02-01 --to 2026-02-28
    """
    from core.clock import SystemClock

    with workspace(context) as here:
        now, length = SystemClock().now(), _length(within)
        found, of_all = _asked(here, scenarios or [], since, until, now, length)
        program = here.live.running().program
    if html is not None:
        _write_page(html, program, found, of_all)
    _say(found, of_all, bool(scenarios), output, out)


def _asked(
    here: "Workspace", names: "Sequence[str]", since: str | None, until: str | None, now: datetime,
    within: "Duration | None",
) -> "tuple[Sequence[ScenarioResults], AllMarketing | None]":  # fmt: skip
    from campaigns.backtest import day
    from campaigns.results import results_of, results_of_all
    from campaigns.versions import live_version
    from core.errors import UserError

    with here.database.read() as connection:
        if not live_version(connection):
            raise UserError("nothing is live yet, so nothing has come of it; make it live by `tidings apply`")
        running = here.live.running()
        last = day(until, "--to") if until else now.astimezone(running.program.zone).date()
        first = day(since, "--from") if since else _days_before(last)
        wanted = list(dict.fromkeys(names)) or sorted(running.scenarios)
        found = [results_of(connection, running, name, first, last, now, within) for name in wanted]
        return found, None if names else results_of_all(connection, running, first, last, now)


def _days_before(last: date) -> date:
    return last - timedelta(days=min(DAYS - 1, last.toordinal() - 1))


def _length(text: str | None) -> "Duration | None":
    from core.errors import UserError
    from core.units import Duration

    if text is None:
        return None
    try:
        found = Duration.parse(text)
    except ValueError:
        found = None
    if not found:
        raise UserError(f"--within: '{text}' is no length of time; write for example '14 days'")
    return found


def _write_page(
    html: Path, program: "Program", found: "Sequence[ScenarioResults]", of_all: "AllMarketing | None"
) -> None:
    from core.errors import UserError
    from tidings.report_page import page

    if not found:
        raise UserError("no scenario is live, so there is no page to write; name one that was")
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(page(program, found, of_all), "utf-8")
    typer.echo(f"wrote {html}", err=True)


def _say(
    found: "Sequence[ScenarioResults]", of_all: "AllMarketing | None", each: bool, output: ForecastFormat,
    out: Path | None,
) -> None:  # fmt: skip
    from tidings import report_view

    hand_out(
        output, out,
        document=lambda: {
            "scenarios": [it.as_json() for it in found],
            "all_marketing": of_all.as_json() if of_all else None,
        },
        rows=lambda: report_view.as_csv(found),
        draw=lambda shown: report_view.show(shown, found, each=each, of_all=of_all),
    )  # fmt: skip
