"""How the installation stands, for people."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.presence import MISSING
from scheduler.standing import Queue, Standing, said
from tidings.console import local, table

if TYPE_CHECKING:
    from rich.console import Console


def show(console: "Console", found: Standing, zone: ZoneInfo) -> None:
    """Who works, what waits on which channel, and what somebody must mend."""
    _who(console, found, zone)
    shown = table("", "channel", "due", "for", "later", "leaving", "unknown", "how it is",
                  right=("due", "for", "later", "leaving", "unknown"))  # fmt: skip
    for queue in found.queues:
        it = queue.condition
        shown.add_row(
            it.channel, _many(queue.due), said(queue.waited) if queue.due else "",
            _many(it.waiting - queue.due), _many(queue.sending), _many(queue.unknown), _how(queue, found),
        )  # fmt: skip
    console.print(shown)
    cards = f"{found.cards.devices:,} phones to be told, {found.cards.objects:,} objects of Google behind"
    console.print(f"  cards: {cards}; letters waiting: {found.letters:,}")
    for sentence in found.trouble:
        console.print(f"  [yellow]![/yellow] {sentence}", soft_wrap=True)
    if not found.trouble:
        console.print("  [green]nothing is stuck[/green]")


def _who(console: "Console", found: Standing, zone: ZoneInfo) -> None:
    counts = ", ".join(f"{len(names)} {status}" for status, names in sorted(found.scenarios.items()))
    console.print(f"[bold]version {found.version}[/bold]  scenarios: {counts or 'none'}")
    for it in found.processes:
        silent = found.at - it.seen_at
        seen = "runs" if silent <= MISSING else f"[red]silent for {said(silent.total_seconds())}[/red]"
        since = f"since {local(it.began_at, zone)}"
        console.print(f"  {it.kind} {it.version} on {it.host}, process {it.pid}: {seen} {since}")
    if not found.processes:
        console.print("  no process works on it; `tidings serve` does, or `tidings tick` once")


def _how(queue: Queue, found: Standing) -> str:
    it = queue.condition
    if it.paused_at is not None:
        return "[yellow]paused[/yellow]"
    if it.open_until is not None and it.open_until > found.at:
        return "[red]left alone[/red]"
    if it.places is not None and it.used >= it.places:
        return "today's places are used"
    return "open"


def _many(count: int) -> str:
    return f"{count:,}" if count else ""
