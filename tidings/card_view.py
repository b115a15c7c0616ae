"""A customer's card, and all cards, for people at a terminal."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from rich.columns import Columns
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tidings.card_acts import AllCards
from tidings.card_status import CardStatus, DeviceOut, GoogleOut, ReplacedOut
from tidings.console import local, table
from wallet import tally
from wallet.apple.complaints import Complaint
from wallet.figures import BOUNDS, Totals

STATES: Mapping[str, str] = {
    "none": "[yellow]no pass yet[/yellow]: the link issues it when it is followed",
    "issued": "[green]issued[/green]",
    "void": "[red]void[/red]: the customer is gone",
    "revoked": "[red]revoked[/red]: `tidings card reissue` gives a new one",
}
PUSHES: Mapping[str, str] = {
    "none": "[dim]never[/dim]", "waiting": "[yellow]waiting[/yellow]", "retried": "[red]failed, again[/red]",
    "unanswered": "[yellow]sent, unanswered[/yellow]", "dormant": "[red]dormant[/red]",
    "answered": "[green]answered[/green]",
}  # fmt: skip


def show(console: Console, it: CardStatus, zone: ZoneInfo) -> None:
    """One customer's card."""
    parts: list[Table | Text] = [_head(it, zone), _shown(it)]
    parts.append(_devices(it, zone) if it.devices else Text("\nNo Apple device carries it.", style="dim"))
    parts.append(_google(it.google, zone) if it.google else Text("No object at Google.", style="dim"))
    if it.replaced:
        parts.append(_replaced(it, zone))
    title = f"[bold]Card of {escape(it.customer)}[/bold]"
    console.print(Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2)))


def _head(it: CardStatus, zone: ZoneInfo) -> Table:
    changed = f"{local(it.changed_at, zone)} (update tag {it.tag})" if it.tag else "never"
    return _pairs({
        "state": STATES[it.state], "serial": it.serial or "", "issued": local(it.issued_at, zone),
        "last change": changed, "last fetched": local(it.fetched_at, zone) or "never",
        "page": it.page, "for an SMS": f"{it.short} ({len(it.short)} characters)",
    })  # fmt: skip


def _pairs(pairs: Mapping[str, str]) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        if value:
            grid.add_row(name, value)
    return grid


def _shown(it: CardStatus) -> Table:
    shown = table("\nOn the card now", "where", "label", "value")
    for field in it.shows:
        shown.add_row(field.place, escape(field.label), escape(field.value))
    shown.add_row("barcode", "", escape(it.barcode or "none"))
    return shown


def _devices(it: CardStatus, zone: ZoneInfo) -> Table:
    shown = table("\nApple", "device", "added", "push", "sent", "asked", "after", "due", right=("after",))
    for each in it.devices:
        shown.add_row(
            each.device, local(each.registered_at, zone), _push(each), local(each.pushed_at, zone),
            local(each.asked_at, zone), _seconds(each.answered_seconds), local(each.push_at, zone),
        )  # fmt: skip
    return shown


def _push(each: DeviceOut) -> str:
    times = each.attempts if each.push == "retried" else each.unasked
    tries = f" ({times})" if times > 1 and each.push in ("retried", "unanswered", "dormant") else ""
    return f"{PUSHES[each.push]}{tries}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:,.1f} s"


def _google(it: GoogleOut, zone: ZoneInfo) -> Table:
    saved = f"[green]saved[/green] {local(it.saved_at, zone)}".strip() if it.saved else "not saved by anybody"
    state = "[green]as the card is[/green]"
    if it.state == "waiting":
        tries = f", failed {it.attempts} times (the log says why)" if it.attempts else ""
        state = f"[yellow]behind[/yellow], to be written {local(it.try_at, zone)}{tries}"
    if it.state == "refused":
        state = "[red]refused by Google[/red], until the card changes (the log says why)"
    most = it.told_at_most
    told = f"{it.told_updates} of {most} updates and {it.told_messages} of {most} messages in 24 hours"
    grid = _pairs({"object": it.object, "holder": saved, "content": state, "told of": told})
    grid.title, grid.title_justify, grid.title_style = "\nGoogle", "left", "bold"
    return grid


def _replaced(it: CardStatus, zone: ZoneInfo) -> Table:
    shown = table("\nReplaced passes", "serial", "issued", "replaced", "devices", "emptied there",
                  right=("devices",))  # fmt: skip
    for row in it.replaced:
        emptied = f"[green]{local(row.emptied_at, zone)}[/green]" if row.emptied_at else _not_emptied(row)
        issued, replaced = local(row.issued_at, zone), local(row.replaced_at, zone)
        shown.add_row(row.serial, issued, replaced, str(row.devices), emptied)
    return shown


def _not_emptied(row: ReplacedOut) -> str:
    if not row.devices:
        return "[dim]on no device[/dim]"
    return "[yellow]to be told[/yellow]" if row.waiting else "[yellow]told, not yet fetched[/yellow]"


def as_json(found: AllCards) -> dict[str, object]:
    """All cards, for programs."""
    totals, queues = found.totals, found.queues
    bounds = [*map(str, BOUNDS), "all"]
    return {
        "issued": totals.issued, "revoked": totals.revoked, "installed": dict(totals.installed),
        "held": totals.held, "active": totals.active, "added": totals.added, "removed": totals.removed,
        "devices": {"all": totals.devices, "dormant": totals.dormant, "waiting": queues.devices,
                    "retried": queues.retried, "oldest_wait_seconds": queues.devices_wait},
        "google": {"waiting": queues.objects, "oldest_wait_seconds": queues.objects_wait},
        "push_to_fetch": dict(zip(bounds, totals.answers, strict=True)),
        "outcomes": {what: {name: it for (kind, name), it in sorted(found.counted.items()) if kind == what}
                     for what in (tally.PUSH, tally.GOOGLE)},
        "complaints": [{"at": it.at.isoformat(), "text": it.text} for it in found.complaints],
    }  # fmt: skip


def show_all(console: Console, found: AllCards) -> None:
    """All cards."""
    totals, queues = found.totals, found.queues
    cards = _numbers("Cards", {
        "issued": totals.issued, "in a wallet": totals.held, "in Apple Wallet": totals.installed["apple"],
        "in Google Wallet": totals.installed["google"], "heard of within 30 days": totals.active,
        "added, ever": totals.added, "removed, ever": totals.removed, "revoked or gone": totals.revoked,
    })  # fmt: skip
    devices = _numbers("Apple's devices", {
        "all": totals.devices, "dormant (pushed in vain)": totals.dormant,
        "waiting for a push": queues.devices, "of these, failed before": queues.retried,
        "the first waits for": _lasting(queues.devices_wait),
    })  # fmt: skip
    objects = _numbers("Google's objects", {
        "behind": queues.objects, "the first is for": _lasting(queues.objects_wait)
    })  # fmt: skip
    console.print(Columns([cards, devices, objects], padding=(0, 4)))
    below = [_answers(totals)] if totals.answers[-1] else []
    for what, title in ((tally.PUSH, "Pushes, ever"), (tally.GOOGLE, "Writes to Google, ever")):
        if outcomes := {name: it for (kind, name), it in sorted(found.counted.items()) if kind == what}:
            below.append(_numbers(title, outcomes))
    console.print(Columns(below, padding=(0, 4)))
    if found.complaints:
        console.print(_complaints(found.complaints))


def _complaints(lines: Sequence[Complaint]) -> Table:
    shown = table("Of what phones complained last", "at", "what")
    for it in lines:
        shown.add_row(local(it.at, ZoneInfo("UTC")) + " UTC", escape(it.text))
    return shown


def _answers(totals: Totals) -> Table:
    shown = table("Push to fetch, last day", "within", "devices", "share",
                  right=("devices", "share"))  # fmt: skip
    shown.min_width = 23
    names = [*(_lasting(bound) for bound in BOUNDS), "ever"]
    for name, count in zip(names, totals.answers, strict=True):
        shown.add_row(name, f"{count:,}", f"{100 * count / totals.answers[-1]:.1f}%")
    return shown


def _numbers(title: str, numbers: Mapping[str, int | str]) -> Table:
    shown = table(title, "", "number", right=("number",))
    shown.show_header, shown.min_width = False, len(title)
    for name, value in numbers.items():
        shown.add_row(name, value if isinstance(value, str) else f"{value:,}")
    return shown


def _lasting(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"
