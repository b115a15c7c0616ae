"""How a dry run is shown in a terminal, as CSV, and as files to look at."""

import asyncio
import io
from collections import Counter
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
from campaigns.dryrun.words import reason
from campaigns.gates import NAMES
from channels.base import Channel
from channels.folder import FolderTransport
from core.sheets import Sheet
from tidings.console import number

Channels = Mapping[str, Channel[Any, Any, Any]]

BAR, SHORT_BAR = 28, 14
# In a terminal narrower than this the sentences need the room more than the bars do.
WIDE = 100
# So many reasons of a gate, and hours, stand in the table; the JSON and the page have the others.
REASONS, HOURS = 3, 14
WHY = {
    "not_in_audience": "not among those it is for",
    "already_entered": "entered on this occasion before",
    "no_consent": "have not said yes to these channels",
    "suppressed": "address bounced, or they said STOP",
    "unreachable": "no address",
    "holdout": "left alone, to measure the effect",
    "exited": "the goal is met, or what the step asks is not so",
    "capped": "heard enough lately",
    "displaced": "a scenario of higher priority takes the place",
    "missing_text": "there is no text",
    "quiet_hours": "waits for the end of the quiet hours",
    "expired": "would come too late",
    "no_longer_true": "no longer true",
}


def show(
    console: Console, forecasts: Sequence[Forecast], zone: ZoneInfo, notes: Mapping[str, str] = {}
) -> None:
    """One panel a scenario: the funnel with its reasons, the cost, the hours, and samples.

    `notes` are what else is to be known of scenarios, by their names.
    """
    for forecast in forecasts:
        longest = BAR if console.width >= WIDE else SHORT_BAR
        console.print(_panel(forecast, zone, longest, notes.get(forecast.scenario)))


def _panel(forecast: Forecast, zone: ZoneInfo, longest: int, note: str | None) -> Panel:
    parts: list[RenderableType] = []
    if forecast.about:
        parts.append(Padding(Text(forecast.about, style="italic dim"), (0, 0, 1, 0)))
    parts.append(_funnel(forecast, longest))
    if len(forecast.stages) > 1:
        parts.append(Text("  " + _stages(forecast), style="dim"))
    if notes := [*_notes(forecast), *([note] if note else ())]:
        parts += ["", *(Padding(Text(each, style="yellow"), (0, 0, 0, 2)) for each in notes)]
    if forecast.tariffs:
        parts += ["", _tariffs(forecast)]
    if forecast.sends:
        parts += ["", _hours(forecast, longest)]
    parts += [Padding(sample_of(it, zone, forecast.currency), (1, 0, 0, 2)) for it in forecast.samples]
    return framed(Group(*parts), heading(forecast, zone), forecast.version)


def heading(forecast: Forecast, zone: ZoneInfo) -> str:
    """What a panel about a scenario is called."""
    local = forecast.at.astimezone(zone)
    return f"[bold]{forecast.scenario}[/bold] · {local:%a} {local.day} {local:%b %Y %H:%M} {zone.key}"


def framed(content: RenderableType, title: str, version: int) -> Panel:
    """A panel of a dry run."""
    live = f"live version {version}" if version else "not applied yet"
    return Panel(
        content, title=title, title_align="left", subtitle=f"dry run · {live}", subtitle_align="right",
        border_style="cyan", padding=(1, 2), expand=True,
    )  # fmt: skip


def _funnel(forecast: Forecast, longest: int) -> Table:
    def drawn(count: int, colour: str, block: str = "█") -> Text:
        return bar(count, forecast.candidates, colour, longest, block)

    grid = Table.grid(padding=(0, 2))
    # Columns that could give way would push the last one beyond the edge of a narrow terminal.
    grid.add_column(justify="right", min_width=9, no_wrap=True)
    grid.add_column(min_width=16, no_wrap=True)
    grid.add_column(width=longest)
    grid.add_column(style="dim")
    left = forecast.candidates
    if not left:
        grid.add_row("", "nobody is due")
        return grid
    grid.add_row(number(left), "due", drawn(left, "blue"), "")
    for gate in NAMES:
        if count := forecast.gates.get(gate):
            left -= count
            shape = drawn(left, "blue") + drawn(count, "red dim", "░")
            grid.add_row(f"[red]−{number(count)}[/red]", gate, shape[:longest], WHY.get(gate, ""))
            for why, many in forecast.reasons.get(gate, Counter()).most_common(REASONS):
                grid.add_row("", "", "", Text(f"{number(many)} × {reason(why)}", style="dim italic"))
    by_channel = " · ".join(f"{channel} {number(count)}" for channel, count in sorted(forecast.send.items()))
    grid.add_row(
        f"[bold green]{number(forecast.sends)}[/bold green]",
        "[bold]to send[/bold]",
        drawn(forecast.sends, "green"),
        f"[default]{by_channel}[/default]",
    )
    return grid


def _stages(forecast: Forecast) -> str:
    each = [
        f"{stage.step}: {number(stage.candidates)} due, {number(sum(stage.send.values()))} to send"
        for stage in forecast.stages
    ]
    return "by step · " + " · ".join(each)


def _notes(forecast: Forecast) -> list[str]:
    notes = []
    if forecast.deferred:
        notes.append(f"{_so_many(forecast.deferred, forecast.sends)} for the end of quiet hours")
    notes += [
        f"{number(count)} waiting {_messages(count)} of {scenario} would be displaced"
        for scenario, count in sorted(forecast.displaced.items())
    ]
    if forecast.cost and len(forecast.tariffs) > 1:
        about = "about " if forecast.estimated else ""
        notes.append(f"costs {about}{number(forecast.cost)} {forecast.currency}")
    notes += [
        f"{number(count)} in another language than their own: {what}"
        for what, count in forecast.fallbacks.items()
    ]
    if forecast.guard:
        notes.append(f"more than max_per_look ({number(forecast.guard)}): the live look would stop and ask")
    return notes


def _so_many(count: int, whole: int) -> str:
    if count == whole:
        return "it waits" if count == 1 else f"all {number(count)} wait"
    return f"{number(count)} of them {'waits' if count == 1 else 'wait'}"


def _messages(count: int) -> str:
    return "message" if count == 1 else "messages"


def _tariffs(forecast: Forecast) -> Table:
    grid = Table.grid(padding=(0, 2))
    for side in ("left", "right", "right", "right", "right"):
        grid.add_column(justify=side)
    about = "≈ " if forecast.estimated else ""
    for line in forecast.tariffs:
        segments = f"{number(line.segments)} segments" if line.segments else ""
        place = f" {line.country}" if line.country else ""
        messages = f"{about}{number(line.messages)} {_messages(line.messages)}"
        grid.add_row(
            f"  [cyan]{line.channel}[/cyan]{place}", messages, segments,
            f"at {line.price}", f"[bold]{line.amount} {forecast.currency}[/bold]",
        )  # fmt: skip
    return grid


def _hours(forecast: Forecast, longest: int) -> Group:
    """How many leave in each hour of the customers' own day."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", min_width=9, no_wrap=True)
    grid.add_column(min_width=16, no_wrap=True)
    grid.add_column()
    hours = sorted(forecast.spread.by_customer.items())
    most = max((sum(send.values()) for _, send in hours), default=1)
    for hour, send in hours[:HOURS]:
        whole = sum(send.values())
        by_channel = " · ".join(f"{channel} {number(count)}" for channel, count in sorted(send.items()))
        grid.add_row(
            number(whole), hour, bar(whole, most, "cyan", longest) + Text(f" {by_channel}", style="dim")
        )
    lines: list[RenderableType] = [
        Text("  leaving, by the hour of each customer's own clock", style="dim"),
        grid,
    ]
    lines += [Text(f"  {note}", style="dim") for note in _remarks(forecast, hours)]
    return Group(*lines)


def _remarks(forecast: Forecast, hours: Sequence[tuple[str, Counter[str]]]) -> list[str]:
    notes = []
    if rest := hours[HOURS:]:
        count = sum(sum(send.values()) for _, send in rest)
        notes.append(f"and {number(count)} more in {len(rest)} later hours, to {rest[-1][0]}")
    if forecast.spread.later:
        notes.append(f"{number(forecast.spread.later)} would not leave within a week at the channel's rate")
    if forecast.spread.too_late:
        notes.append(f"{number(forecast.spread.too_late)} would be too late by then, and dropped")
    return notes


def bar(count: int, whole: int, colour: str, longest: int, block: str = "█") -> Text:
    """As long as its part of the whole; at least one block for anybody."""
    width = 0 if not whole else max(1 if count else 0, round(longest * count / whole))
    return Text(block * width, style=colour)


def sample_of(sample: Sample, zone: ZoneInfo, currency: str) -> Group:
    """One message as it would be read, under whose it is."""
    lines = message_lines(sample, currency)
    return Group(_heading(sample, zone), *(Padding(text, (0, 0, 0, 2)) for text in lines))


def message_lines(sample: Sample, currency: str) -> list[Text]:
    """What the customer would read; a sentence where it cannot be rendered."""
    if sample.problem:
        return [Text(f"cannot be rendered: {sample.problem}", style="red")]
    if sample.rendered is None:
        return []
    parts = sample.rendered.parts
    said = [Text(parts[name], style="bold") for name in ("subject", "title") if parts.get(name)]
    if sample.rendered.channel == "email":
        return [*said, *(Text(parts[name], style="dim") for name in ("preheader",) if parts.get(name))]
    said.append(Text(sample.text or ""))
    if sample.segments:
        word = "segment" if sample.segments == 1 else "segments"
        price = f", {sample.cost} {currency}" if sample.cost is not None else ""
        said.append(Text(f"{sample.segments} {word}{price}", style="dim"))
    return said


def _heading(sample: Sample, zone: ZoneInfo) -> Text:
    head = Text.assemble(
        (sample.customer, "bold"),
        f" · {sample.meaning or sample.occasion} · ",
        (sample.channel or "", "cyan"),
    )
    if sample.channel is None:
        head.append(f"{sample.verdict.replace('_', ' ')}: {sample.reason}", style="red")
        return head.append(f" ({reason(sample.detail)})" if sample.detail else "", style="dim")
    if sample.due_at and sample.verdict == "deferred":
        local = sample.due_at.astimezone(zone)
        head.append(f" on {local.day} {local:%b, %H:%M}, after quiet hours", style="yellow")
    return head


def as_csv(forecasts: Sequence[Forecast]) -> str:
    """One line for each scenario and verdict."""
    out = io.StringIO()
    sheet = Sheet(out, ["scenario", "version", "at", "kind", "name", "count"])
    for it in forecasts:
        head = [it.scenario, it.version, it.at.isoformat()]
        sheet.add([[*head, "candidates", "", it.candidates]])
        for kind, counts in (("gate", it.gates), ("send", it.send), ("displaced", it.displaced)):
            sheet.add([*head, kind, name, count] for name, count in sorted(counts.items()))
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
