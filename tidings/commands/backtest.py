"""Trying a scenario on days that are over."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tidings.console import ForecastFormat, hand_out, workspace

Context = typer.Context


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(backtest)


def backtest(
    context: Context,
    scenarios: Annotated[
        list[str], typer.Argument(help="One scenario, or several that share customers' allowances.")
    ],
    since: Annotated[str, typer.Option("--from", help="The first day, for example 2026-02-01.")],
    until: Annotated[str, typer.Option("--to", help="The last day, for example 2026-02-28.")],
    sample: Annotated[
        str | None,
        typer.Option("--sample", help="So many customers (500), or a part (10%); all if left out."),
    ] = None,
    output: Annotated[ForecastFormat, typer.Option("--format", help="table, json or csv")] = (
        ForecastFormat.table
    ),
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
) -> None:
    """Replay days that are over with the files as they are now: what would have been sent, day by day.

    Sends nothing, writes nothing, and the same days give the same answer to the byte.

    Example: tidings backtest bonus-expiring --from 2026-02-01 --to 2026-02-28 --sample 10%
    """
    from campaigns.backtest import Replay, checked, day
    from core.clock import SystemClock
    from tidings.progress import going_through

    with workspace(context) as here:
        running = here.files()
        wanted = [running.scenarios[name] for name in _known(running.scenarios, scenarios)]
        period = checked(day(since, "--from"), day(until, "--to"), SystemClock().now(), running)
        drawn = _sample(sample)
        channels, links = here.channels(running.program), here.links(running.program)
        with here.database.read() as connection, going_through(period.first, period.last) as told:
            found = Replay(connection, running, channels, links, told=told).run(wanted, period, drawn)
    _say(found, output, out)


def _known(known: Any, asked: list[str]) -> list[str]:
    from core.errors import UserError
    from core.explain import suggest

    for name in asked:
        if name not in known:
            raise UserError(f"there is no scenario '{name}'; {suggest(name, sorted(known))}")
    return list(dict.fromkeys(asked))


def _sample(text: str | None) -> Any:
    from campaigns.backtest import Sample
    from core.errors import UserError
    from core.units import percent

    if text is None:
        return Sample()
    if text.isascii() and text.isdigit() and int(text):
        return Sample(count=int(text))
    try:
        part = percent(text)
    except ValueError:
        part = None
    if not part:
        raise UserError(f"--sample: '{text}' is no sample; write for example 500 or 10%")
    return Sample(part=part)


def _say(found: Any, output: ForecastFormat, out: Path | None) -> None:
    from tidings import backtest_view

    hand_out(
        output, out,
        document=lambda: [it.as_json() for it in found],
        rows=lambda: backtest_view.as_csv(found),
        draw=lambda shown: backtest_view.show(shown, found),
    )  # fmt: skip
