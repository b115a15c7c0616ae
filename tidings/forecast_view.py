"""How a dry run is shown in a terminal, as CSV, and as files to look at."""

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from campaigns.dryrun import Forecast, Sample
from campaigns.gates import NAMES
from channels.base import Channel
from channels.folder import FolderTransport

Channels = Mapping[str, Channel[Any, Any, Any]]

BAR = 28
WHY = {
    "not_in_audience": "not among those it is for",
    "already_entered": "entered on this occasion before",
    "no_consent": "never said yes on these channels",
    "suppressed": "address bounced, or they said STOP",
    "unreachable": "no address",
    "holdout": "left alone, to measure the effect",
    "exited": "bought in the meantime, or the goal is met",
    "capped": "heard enough lately",
    "missing_text": "there is no text",
    "expired": "would come too late",
    "no_longer_true": "no longer true",
}


def show(console: Console, forecasts: Sequence[Forecast], zone: ZoneInfo) -> None:
    """One panel a scenario: the funnel, the cost, and samples."""
    for forecast in forecasts:
        console.print(_panel(forecast, zone))


def _panel(forecast: Forecast, zone: ZoneInfo) -> Panel:
    parts: list[RenderableType] = []
    if forecast.about:
        parts.append(Text(forecast.about, style="italic dim"))
    parts.append(_funnel(forecast))
    parts += [Text(f"  {note}", style="yellow") for note in _notes(forecast)]
    parts += [Padding(_sample(sample, zone), (1, 0, 0, 2)) for sample in forecast.samples]
    live = f"live version {forecast.version}" if forecast.version else "not applied yet"
    title = f"[bold]{forecast.scenario}[/bold] · {forecast.at.astimezone(zone):%a %d %b %Y %H:%M} {zone.key}"
    return Panel(
        Group(*parts),
        title=title,
        title_align="left",
        subtitle=f"dry run · {live}",
        subtitle_align="right",
        border_style="cyan",
        padding=(1, 2),
        expand=True,
    )


def _funnel(forecast: Forecast) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", min_width=9)
    grid.add_column(min_width=18)
    grid.add_column(width=BAR)
    grid.add_column(style="dim")
    left = forecast.candidates
    grid.add_row(_number(left), "due", _bar(left, forecast.candidates, "blue"), "")
    for gate in NAMES:
        if count := forecast.gates.get(gate):
            left -= count
            grid.add_row(
                f"[red]−{_number(count)}[/red]",
                gate,
                _bar(left, forecast.candidates, "grey50"),
                WHY.get(gate, ""),
            )
    sends = sum(forecast.send.values())
    by_channel = " · ".join(f"{channel} {_number(count)}" for channel, count in sorted(forecast.send.items()))
    grid.add_row(
        f"[bold green]{_number(sends)}[/bold green]",
        "[bold]to send[/bold]",
        _bar(sends, forecast.candidates, "green"),
        f"[default]{by_channel}[/default]",
    )
    return grid


def _notes(forecast: Forecast) -> list[str]:
    notes = []
    if forecast.deferred:
        notes.append(f"{_number(forecast.deferred)} of them wait for the end of quiet hours")
    if forecast.displaces:
        notes.append(f"{_number(forecast.displaces)} waiting messages of less priority would be displaced")
    if forecast.cost:
        about = "about " if forecast.estimated else ""
        notes.append(f"costs {about}{forecast.cost} {forecast.currency}")
    notes += [
        f"{_number(count)} in another language than their own: {what}"
        for what, count in forecast.fallbacks.items()
    ]
    if forecast.guard:
        notes.append(f"more than max_per_look ({_number(forecast.guard)}): the live look would stop and ask")
    return notes


def _bar(count: int, whole: int, colour: str) -> Text:
    width = 0 if not whole else max(1 if count else 0, round(BAR * count / whole))
    return Text("█" * width, style=colour)


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _sample(sample: Sample, zone: ZoneInfo) -> Group:
    lines: list[RenderableType] = [_heading(sample, zone)]
    if sample.rendered:
        parts = sample.rendered.parts
        said = [Text(parts[name], style="bold") for name in ("subject", "title") if parts.get(name)]
        if sample.rendered.channel == "email":
            said.append(Text(parts.get("preheader", ""), style="dim"))
        else:
            said.append(Text(parts.get("text") or parts.get("body", "")))
        lines += [Padding(text, (0, 0, 0, 2)) for text in said]
    return Group(*lines)


def _heading(sample: Sample, zone: ZoneInfo) -> Text:
    head = Text.assemble(
        (sample.customer, "bold"), f" · {sample.occasion} · ", (sample.channel or "", "cyan")
    )
    if sample.reason:
        colour = "red" if sample.channel is None else "yellow"
        head.append(f"{sample.verdict.replace('_', ' ')}: {sample.reason}", style=colour)
        if sample.due_at and sample.verdict == "deferred":
            head.append(f" until {sample.due_at.astimezone(zone):%d %b %H:%M}", style="yellow")
    if sample.detail:
        head.append(f" ({sample.detail})", style="dim")
    return head


def as_csv(forecasts: Sequence[Forecast]) -> str:
    """One line for each scenario and verdict."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["scenario", "version", "at", "kind", "name", "count"])
    for it in forecasts:
        head = [it.scenario, it.version, it.at.isoformat()]
        writer.writerow([*head, "candidates", "", it.candidates])
        writer.writerows([*head, "gate", gate, count] for gate, count in sorted(it.gates.items()))
        writer.writerows([*head, "send", channel, count] for channel, count in sorted(it.send.items()))
    return out.getvalue()


def write_samples(directory: Path, forecasts: Sequence[Forecast], channels: Channels) -> list[Path]:
    """Every sample as the file that the folder transport would write."""
    return asyncio.run(_write(directory, forecasts, channels))


async def _write(directory: Path, forecasts: Sequence[Forecast], channels: Channels) -> list[Path]:
    written = []
    for forecast in forecasts:
        for sample in forecast.samples:
            if sample.outgoing is None or sample.channel is None:
                continue
            transport = FolderTransport(directory / sample.channel)
            await transport.open()
            wire = channels[sample.channel].compose(sample.outgoing)
            await transport.transmit(wire)
            written += [
                directory / sample.channel / f"{sample.outgoing.key}{suffix}" for suffix in wire.files()
            ]
    return written
