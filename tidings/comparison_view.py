"""How the comparison of two versions is shown in a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from campaigns.dryrun.comparison import Changed, Comparison
from campaigns.dryrun.differing import Piece
from tidings.console import number

STYLES = {"same": "", "removed": "red strike", "added": "green"}
# Where there are no colours, as `git diff --word-diff` has it.
SIGNS = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
# Between two changes so much of what stays is shown.
AROUND = 60


def show(console: Console, comparisons: Sequence[Comparison]) -> None:
    """One panel a scenario: how many gain, lose, read something else, and some of them by name."""
    for one in comparisons:
        title = f"[bold]{one.scenario}[/bold] · {one.versions[0]} → {one.versions[1]}"
        console.print(
            Panel(
                _content(one, SIGNS if console.color_system is None else {}),
                title=title,
                title_align="left",
                border_style="magenta",
                padding=(1, 2),
            )
        )


def _content(one: Comparison, signs: Mapping[str, str]) -> Group:
    parts: list[RenderableType] = [_counts(one)]
    if one.moves:
        parts += ["", _moves(one)]
    for title, found in (("gain", one.gains), ("lose", one.loses), ("read something else", one.changes)):
        for each in found:
            parts.append(Padding(_sample(title, each, signs), (1, 0, 0, 2)))
    return Group(*parts)


def _counts(one: Comparison) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", min_width=9)
    grid.add_column()
    about = "about " if one.estimated else ""
    gain, lose = one.count(False, True), one.count(True, False)
    grid.add_row(f"[green]{'+' if gain else ''}{number(gain)}[/green]", "gain: they get a message only now")
    grid.add_row(f"[red]{'−' if lose else ''}{number(lose)}[/red]", "lose: they no longer get one")
    grid.add_row(
        number(one.count(True, True)), f"get one in both; for {about}{number(one.changed)} the text changes"
    )
    if one.before and one.after and (one.before.cost or one.after.cost):
        cost = f"{one.before.cost} → {one.after.cost}"
        grid.add_row(cost, f"{one.after.currency}, what it costs")
    return grid


def _moves(one: Comparison) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", min_width=9)
    grid.add_column(style="dim")
    for (was, now), count in one.moves.most_common():
        if was != now:
            grid.add_row(number(count), f"{was.replace('_', ' ')} → {now.replace('_', ' ')}")
    return grid


def _sample(title: str, each: Changed, signs: Mapping[str, str]) -> Group:
    head = Text.assemble((each.customer, "bold"), f" · {title}")
    if each.before != each.after:
        head.append(f" · {each.before.replace('_', ' ')} → {each.after.replace('_', ' ')}", style="dim")
    if each.before_channel and each.after_channel and each.before_channel != each.after_channel:
        head.append(f" · {each.before_channel} → {each.after_channel}", style="cyan")
    return Group(head, *(Padding(text, (0, 0, 0, 2)) for text in _bodies(each, signs)))


def _bodies(each: Changed, signs: Mapping[str, str]) -> list[Text]:
    if each.pieces:
        return [difference(each.pieces, signs)]
    texts = ((each.before_channel, each.before_text), (each.after_channel, each.after_text))
    return [Text.assemble((f"{channel}: ", "dim"), _short(text)) for channel, text in texts if text]


def difference(pieces: Sequence[Piece], signs: Mapping[str, str]) -> Text:
    """Both texts as one: what goes is struck out, what comes is green, long runs that stay are shortened.

    `signs` are brackets by the kind of a piece, for where colours are not seen.
    """
    text = Text()
    for piece in pieces:
        said = piece.text
        if piece.kind == "same" and len(said) > 2 * AROUND:
            said = f"{said[:AROUND]} … {said[-AROUND:]}"
        text.append(signs.get(piece.kind, "{}").format(said), style=STYLES[piece.kind])
    return text


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 3 * AROUND else f"{text[: 3 * AROUND]} …"
