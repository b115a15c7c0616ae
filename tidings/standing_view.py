"""How the installation stands, for people."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.markup import escape

from scheduler.presence import MISSING
from scheduler.standing import Queue, Standing, said
from scheduler.tables import Process
from tidings.console import local, table

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {"active": "green", "paused": "yellow", "held": "red"}


def show(console: "Console", found: Standing, zone: ZoneInfo) -> None:
    """Who works, what waits on which channel, and what somebody must mend."""
    _head(console, found, zone)
    _processes(console, found, zone)
    _channels(console, found)
    _beside(console, found)
    console.print()
    for sentence in found.trouble:
        console.print(f" [bold yellow]![/] {escape(sentence)}", soft_wrap=True)
    if not found.trouble:
        console.print(" [bold green]✓[/] nothing is stuck")


def _head(console: "Console", found: Standing, zone: ZoneInfo) -> None:
    counts = " · ".join(
        f"[{_COLOURS.get(status, 'default')}]{len(names)} {status}[/]"
        for status, names in sorted(found.scenarios.items())
    )
    at = local(found.at, zone)
    console.print(f"[bold]Tidings[/] [dim]at {at}[/]  version {found.version}  scenarios: {counts or 'none'}")


def _processes(console: "Console", found: Standing, zone: ZoneInfo) -> None:
    if not found.processes:
        console.print("\n no process works on it; `tidings serve` does, or `tidings tick` once")
        return
    shown = table("", "process", "on", "since", "last seen", "channels", "at a time", "how it is",
                  right=("at a time",))  # fmt: skip
    for it in found.processes:
        shown.add_row(
            f"{it.kind} [dim]{it.version}[/]", f"{it.host} [dim]{it.pid}[/]", local(it.began_at, zone),
            f"{said((found.at - it.seen_at).total_seconds())} ago", _by(it, found), str(it.concurrency or ""),
            _process(it, found),
        )  # fmt: skip
    console.print(shown)


def _by(it: Process, found: Standing) -> str:
    if found.jobs is not None and it.concurrency is None:
        return "[dim]none[/]"
    return "all" if it.channels is None else " ".join(it.channels)


def _process(it: Process, found: Standing) -> str:
    silent = found.at - it.seen_at
    if silent > MISSING:
        return f"[red]silent for {said(silent.total_seconds())}[/]"
    if it.trouble:
        return "[red]something in it fails[/]"
    return "[green]leads[/]" if it in found.leaders else "[green]works[/]"


def _channels(console: "Console", found: Standing) -> None:
    shown = table("", "channel", "due", "the first for", "later", "leaving", "unknown", "how it is",
                  right=("due", "the first for", "later", "leaving", "unknown"))  # fmt: skip
    for queue in found.queues:
        it = queue.condition
        shown.add_row(
            it.channel, _many(queue.due), said(queue.waited) if queue.due else "",
            _many(it.waiting - queue.due), _many(queue.sending), _many(queue.unknown), _how(queue, found),
        )  # fmt: skip
    console.print(shown)


def _beside(console: "Console", found: Standing) -> None:
    cards = found.cards
    console.print(
        f" cards    {cards.devices:,} phones to be told, {cards.objects:,} objects of Google behind"
    )
    console.print(f" letters  {found.letters:,} waiting")
    if found.jobs is not None:
        doing, todo = (sum(found.jobs[status].values()) for status in ("doing", "todo"))
        console.print(f" jobs     {doing:,} under way, {todo:,} waiting")
    for name, done in found.looking.items():
        console.print(f" looking  {name}: {done:.0%}")


def _how(queue: Queue, found: Standing) -> str:
    it = queue.condition
    if it.wrong is not None:
        return "[red]set up wrongly[/]"
    if it.paused_at is not None:
        return "[yellow]paused[/]"
    if it.left_alone(found.at):
        return "[red]left alone[/]"
    if it.full:
        return "today's places are used"
    if found.here and not found.hands(it.channel):
        return "[yellow]nobody works on it[/]"
    return "[green]open[/]"


def _many(count: int) -> str:
    return f"{count:,}" if count else "[dim]·[/]"
