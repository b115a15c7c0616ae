"""An answer of `dry-run` in each of its formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from channels.base import Channel
from core.errors import EnvironmentFault
from tidings import comparison_view, forecast_view, story_view
from tidings.dry_runs import Answer
from tidings.too_late import night_notes


def show(console: Console, made: Answer, written: list[Path]) -> None:
    """For people: one customer's story, or the base; then what differs; then what was written."""
    zone = made.running.program.zone
    if made.customer is not None:
        story_view.show(console, made.forecasts, zone, made.customer, made.name)
    elif not made.comparisons:
        forecast_view.show(console, made.forecasts, zone, night_notes(made))
    comparison_view.show(console, made.comparisons)
    for path in written:
        console.print(Text(f"wrote {path}"))


def as_json(made: Answer) -> list[dict[str, Any]]:
    """The documented interface: one document a scenario, in a list; `comparison` if one was asked for."""
    compared = {it.scenario: it.as_json() for it in made.comparisons}
    found = []
    for forecast in made.forecasts:
        one = forecast.as_json()
        if made.customer is not None:
            one = {"customer": made.customer} | one
        if forecast.scenario in compared:
            one["comparison"] = compared.pop(forecast.scenario)
        found.append(one)
    # Of a scenario that only the older version has there is no forecast.
    return [*found, *({"scenario": name, "comparison": it} for name, it in compared.items())]


def as_csv(made: Answer) -> str:
    """Counts, a line each."""
    return forecast_view.as_csv(made.forecasts)


def write_files(
    made: Answer, channels: Mapping[str, Channel[Any, Any, Any]], out: Path | None, html: Path | None
) -> list[Path]:
    """What was asked for as files; EnvironmentFault where they cannot be written."""
    written = forecast_view.write_samples(out, made.forecasts, channels) if out else []
    if html is not None:
        from tidings.forecast_page import page

        try:
            html.write_text(page(made), "utf-8")
        except OSError as error:
            raise EnvironmentFault(
                f"{html} cannot be written ({error.strerror}); choose another place"
            ) from error
        written.append(html)
    if made.wish.verdicts is not None:
        written.append(made.wish.verdicts)
    return written
