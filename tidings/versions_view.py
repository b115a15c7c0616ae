"""How differences, versions and proposals are shown in a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from campaigns.difference import Concerned, Difference, Differs
from campaigns.history import Version
from campaigns.undone import Undone
from campaigns.versions import Applied
from tidings.console import local, table

# Files that come or go as a whole: their names say enough.
WHOLE = ("new", "removed")
COLOURS = {"+": "green", "-": "red", "@": "cyan"}
WORDS = {
    "new": "new",
    "changed": "changed",
    "renamed": "renamed, goes on where it was",
    "back": "comes back",
    "removed": "removed, stops at once",
}


def show_difference(out: Console, found: Difference, most: int, *, lines: bool) -> None:
    """The files in words (and as text with `lines`), then whom it concerns. `most` is `max_per_look`."""
    if found.base:
        show_files(out, found.files, lines=lines)
    else:
        out.print(f"the first version: {len(found.files)} files")
    if not found.scenarios:
        return
    shown = table("Whom it concerns", "scenario", "", "first look", "under way", "planned", "",
                  right=("first look", "under way", "planned"))  # fmt: skip
    for it in found.scenarios:
        first = "" if it.first_look is None else f"{it.first_look:,}"
        shown.add_row(
            it.scenario,
            WORDS[it.change],
            first,
            f"{it.left.waiting:,}",
            f"{it.left.planned:,}",
            _note(it, most),
        )
    out.print(shown)


def show_left_behind(out: Console, sentences: Sequence[str]) -> None:
    """The cards in wallets that would be updated no more."""
    for sentence in sentences:
        out.print(f"[red]{escape(sentence)}[/red]", soft_wrap=True)


def _note(it: Concerned, most: int) -> str:
    if it.change == "removed":
        return f"[red]{messages(it.recalled)} would be recalled[/red]" if it.recalled else ""
    if it.status == "paused":
        return "paused: nobody until it is resumed"
    if it.over:
        return "[yellow]its time is over: it will send nothing[/yellow]"
    if it.stops:
        return f"[red]more than max_per_look ({most:,}): it will stop and ask[/red]"
    return "answers what happens from now on" if it.kind == "event" else ""


def show_files(out: Console, files: Sequence[Differs], *, lines: bool) -> None:
    """Each file: what becomes of it; the lines of those that stay and change."""
    for it in files:
        out.print(f"[bold]{it.kind:8}[/bold] {escape(it.file)}")
        for sentence in it.says:
            out.print(Text(f"         {sentence}"), soft_wrap=True)
        for line in it.diff.splitlines() if lines and it.kind not in WHOLE else ():
            out.print(Text(line, style=COLOURS.get(line[:1], "")), soft_wrap=True)


def show_applied(out: Console, applied: Applied) -> None:
    """What is live now, and what was left undone."""
    out.print(f"[bold]version {applied.version} is live[/bold]")
    if applied.started:
        out.print(f"started: {', '.join(applied.started)}")
    for name in applied.stopped:
        out.print(f"stopped: {name}; {left_by_removal(applied.undone.get(name, Undone()))}")


def left_by_removal(left: Undone) -> str:
    """`2 customers were waiting for a later step, 3 planned messages were recalled`."""
    if not left:
        return "it leaves nothing undone"
    parts = [f"{_were(left.waiting, 'customer')} on their way to a later step"] if left.waiting else []
    parts += [f"{_were(left.planned, 'planned message')} recalled"] if left.planned else []
    return ", ".join([*parts, *_sending(left)])


def left_by_pause(left: Undone) -> str:
    """The same for a pause, which keeps everything."""
    if not left:
        return "nobody is under way in it"
    parts = [f"{_are(left.waiting, 'customer')} on their way to a later step"] if left.waiting else []
    parts += [f"{messages(left.planned)} stay planned"] if left.planned else []
    return ", ".join([*parts, *_sending(left)])


def _sending(left: Undone) -> Iterator[str]:
    if left.sending:
        yield f"{_are(left.sending, 'message')} just being sent"


def _were(count: int, noun: str) -> str:
    return f"1 {noun} was" if count == 1 else f"{count:,} {noun}s were"


def _are(count: int, noun: str) -> str:
    return f"1 {noun} is" if count == 1 else f"{count:,} {noun}s are"


def messages(count: int) -> str:
    """`1 message`, `12 messages`."""
    return f"{count:,} message{'' if count == 1 else 's'}"


def show_history(out: Console, versions: Sequence[Version], zone: ZoneInfo) -> None:
    """The newest first."""
    shown = table("", "version", "when", "who", "note", "what changed", right=("version",))
    for it in versions:
        who = f"{it.who}, approved by {', '.join(it.approved_by)}" if it.approved_by else it.who
        again = f"brings back version {it.restores}" if it.restores else ""
        note = "; ".join(part for part in (again, it.note) if part)
        shown.add_row(str(it.version), local(it.at, zone), escape(who), escape(note), escape(it.brief))
    out.print(shown)


def show_waiting(
    out: Console, rows: Sequence[Any], approved: Mapping[int, Sequence[str]], zone: ZoneInfo
) -> None:
    """Proposals that may be approved."""
    for row in rows:
        agreed = f", approved by {', '.join(approved[row.number])}" if approved[row.number] else ""
        note = f": {row.note}" if row.note else ""
        said = f"by {row.proposed_by}, {local(row.proposed_at, zone)}{note}{agreed}"
        out.print(f"[yellow]proposal {row.number} waits[/yellow] ({escape(said)}); look and agree: "
                  f"`tidings approve {row.number}`", soft_wrap=True)  # fmt: skip


def proposal_as_json(row: Any, approved: Sequence[str]) -> dict[str, Any]:
    """For programs, without the files."""
    return {
        "proposal": row.number,
        "base": row.base,
        "at": row.proposed_at.isoformat(),
        "who": row.proposed_by,
        "note": row.note,
        "restores": row.restores,
        "approved_by": list(approved),
    }


def applied_as_json(applied: Applied) -> dict[str, Any]:
    """For programs."""
    return {
        "version": applied.version,
        "changed": applied.changed,
        "started": list(applied.started),
        "stopped": [
            {"scenario": name, "waiting": left.waiting, "recalled": left.planned, "sending": left.sending}
            for name, left in applied.undone.items()
        ],
    }
