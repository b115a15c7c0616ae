"""How a tick is shown."""

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from campaigns.running import Running
from scheduler.cards import CardsDone
from scheduler.tick import Ticked
from tidings.console import local, plain, table


def show(console: Console, ticked: Ticked, zone: ZoneInfo, held: Mapping[str, int]) -> None:
    """Who was due, who was held back by which gate, what was sent; `held`: what the blast guard stopped."""
    console.print(f"[bold]Tick[/bold] at {local(ticked.at, zone)} {zone.key}")
    if ticked.expired_lots:
        console.print(f"  {_many(ticked.expired_lots, 'bonus lot')} expired")
    if ticked.moved_down:
        console.print(f"  {_many(ticked.moved_down, 'customer')} moved to a lower tier")
    if ticked.looks:
        console.print(_looks(ticked))
    else:
        console.print("  no scenario was due")
    if ticked.delivered.by_channel:
        console.print(_delivery(ticked))
    if sent := ticked.letters["sent"]:
        console.print(f"  {_many(sent, 'letter')} sent that somebody waits for")
    if found := ticked.asked.found:
        console.print(
            f"  {_many(found, 'message')} that nobody knew of had left: the provider shows "
            f"{'it' if found == 1 else 'them'}"
        )
    for trouble in (*_held(held), *_troubles(ticked)):
        console.print(f"[yellow]{escape(trouble)}[/yellow]", soft_wrap=True)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def show_cards(console: Console, done: CardsDone) -> None:
    """Which cards changed, and who was told."""
    if not done.changed:
        return
    shown = table("Cards", "customer", "shows now", "Apple", "Google")
    for change in done.changed:
        face = " · ".join(f"{label} {value}" for label, value in list(change.shows.items())[:2])
        phones = f"{change.devices} phone{'' if change.devices == 1 else 's'} woken"
        google = "" if change.google == "none" else f"object {change.google}"
        shown.add_row(*plain(change.customer, face, phones, google))
    console.print(shown)
    if (more := done.marked - len(done.changed)) > 0:
        console.print(f"  and {_many(more, 'more card')}")
    for note in done.notes:
        console.print(f"  [dim]{escape(note)}[/dim]", soft_wrap=True)


def _delivery(ticked: Ticked) -> Table:
    sent = table("Delivery", "channel", "outcome", "messages", right=("messages",))
    for channel, counts in sorted(ticked.delivered.by_channel.items()):
        for outcome, count in sorted(counts.items()):
            sent.add_row(channel, outcome, str(count))
    return sent


def _held(held: Mapping[str, int]) -> Iterator[str]:
    for scenario, count in sorted(held.items()):
        yield (
            f"{scenario} is stopped: its look would enrol {_many(count, 'customer')}, more than was agreed "
            f"to (max_per_look); nothing was enrolled. Look with `tidings dry-run {scenario}`, "
            f"then `tidings resume {scenario} --allow {count}`"
        )


def _troubles(ticked: Ticked) -> Iterator[str]:
    for looked in ticked.looks:
        if looked.error:
            yield f"{looked.scenario} could not be looked at ({looked.error}); the other scenarios went on"
    if unknown := ticked.delivered.unknown:
        yield (
            f"{_many(unknown, 'message')} {'is' if unknown == 1 else 'are'} unknown: nobody can say whether "
            f"{'it' if unknown == 1 else 'they'} left; "
            "see `tidings messages --state unknown`"
        )
    if lost := ticked.letters["unknown"] + ticked.letters["failed"]:
        yield f"{_many(lost, 'letter')} that somebody waits for did not arrive as far as is known"
    for channel, reason in ticked.delivered.broken.items():
        yield f"{channel} is not working ({reason}); its messages wait and are tried again"


def _looks(ticked: Ticked) -> Table:
    looks = table("Looks", "scenario", "due", "held back", "planned", "channels", right=("due", "planned"))
    for looked in ticked.looks:
        held = {
            name: count
            for name, count in sorted(looked.verdicts.items())
            if name not in ("planned", "deferred")
        }
        gates = ", ".join(f"{name} {count}" for name, count in held.items())
        channels = ", ".join(f"{name} {count}" for name, count in sorted(looked.channels.items()))
        planned = looked.verdicts["planned"] + looked.verdicts["deferred"]
        if looked.guarded:
            planned, channels = 0, "stopped"
        if deferred := looked.verdicts["deferred"]:
            channels += f" ({deferred} after the quiet hours)"
        looks.add_row(looked.scenario, str(looked.candidates), gates, str(planned), channels)
    return looks


def as_json(ticked: Ticked, running: Running) -> list[dict[str, Any]]:
    """The documented interface, one object a scenario that was looked at."""
    return [
        {
            "scenario": it.scenario,
            "version": it.version,
            "at": it.at.isoformat(),
            "candidates": it.candidates,
            "gates": {k: v for k, v in sorted(it.verdicts.items()) if k not in ("planned", "deferred")},
            "send": dict(sorted(it.channels.items())),
            "deferred": it.verdicts["deferred"],
            "guard": {"max_per_look": it.guarded.limit} if it.guarded else None,
            "error": it.error,
            "cost": {
                "amount": str(ticked.delivered.cost.get(it.scenario, 0)),
                "currency": running.program.currency,
            },
            "samples": [],
        }
        for it in ticked.looks
    ]


def exit_code(ticked: Ticked, held: Mapping[str, int]) -> int:
    """0; 1 if a look is stopped or something sent is unknown; 3 if a look or a provider does not work."""
    if ticked.delivered.broken or any(looked.error for looked in ticked.looks):
        return 3
    return 1 if ticked.delivered.unknown or ticked.letters["unknown"] or held else 0
