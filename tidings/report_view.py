"""How results are shown in a terminal, and as CSV."""

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from campaigns.results import AllMarketing, Arm, Interval, ScenarioResults
from core.sheets import Sheet
from tidings.backtest_view import bar
from tidings.console import number
from tidings.report_words import (
    CENT,
    DASH,
    REPORTS,
    Line,
    between,
    by_gate,
    conclusions,
    cost,
    groups,
    lines,
    marketing,
    measure,
    mood,
    points,
    rate_of,
    share,
    titled,
    whole_money,
)

STYLES = {"good": "green", "bad": "red", "warning": "yellow", "note": "dim", "plain": ""}
COLOURS = {
    "planned": "grey50", "sent": "green", "delivered": "green", "opened": "cyan", "clicked": "cyan",
    "waiting": "grey50", "unknown": "yellow",
}  # fmt: skip
COLUMNS = (
    "scenario", "from", "to", "entered", "held_out", "planned", "sent", "delivered", *REPORTS, "cost",
    "purchase_within", "treatment", "treatment_bought", "holdout", "holdout_bought", "still_have_time",
    "uplift", "uplift_low", "uplift_high", "spent_each_more", "spent_each_more_low", "spent_each_more_high",
    "spent_more", "return", "currency",
)  # fmt: skip


def show(
    console: Console, found: Sequence[ScenarioResults], *, each: bool, of_all: AllMarketing | None = None
) -> None:
    """One table of all scenarios and what marketing came to, or with `each` a panel for every one."""
    if not found:
        console.print("no scenario is live")
    elif each:
        for it in found:
            console.print(_panel(it))
    else:
        console.print(_overview(found, of_all))


# --- all of them


def _overview(found: Sequence[ScenarioResults], of_all: AllMarketing | None) -> RenderableType:
    first = found[0]
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("scenario", overflow="fold", style="bold", min_width=14)
    names = ("entered", "held out", "sent", "opened", "clicked", "bought", "if held out", "uplift", "cost")
    for name in (*names, f"{first.currency} more"):
        grid.add_column(name, justify="right")
    for it in found:
        grid.add_row(
            Text(it.scenario), number(it.entered), number(it.held_out), number(it.sent),
            share(it.reported("opened"), it.sent), share(it.reported("clicked"), it.sent),
            rate_of(it.effect.treatment), rate_of(it.effect.holdout), *_difference(it),
        )  # fmt: skip
    said = (
        f"Who entered from {first.first} to {first.last}. Uplift in percentage points; in colour what chance "
        "alone would hardly have done. All of one: tidings report NAME"
    )
    return Group(grid, *_marketing(of_all), Text(said, style="dim"))


def _difference(it: ScenarioResults) -> tuple[RenderableType, str, RenderableType]:
    uplift, extra = it.effect.uplift, it.extra
    return (
        Text(points(uplift), style=STYLES[mood(uplift)]) if uplift else DASH,
        cost(it.cost, "") or DASH,
        Text(whole_money(it, extra.value), style=STYLES[mood(extra)]) if extra else DASH,
    )


def _marketing(it: AllMarketing | None) -> list[RenderableType]:
    if (told := marketing(it)) is None:
        return []
    said, more = told
    text = Text.assemble(("All marketing", "bold"), f": {said}")
    if more is not None:
        text.append(" ").append(more.said, style=STYLES[more.mood])
    return [text, Text("")]


# --- one of them


def _panel(it: ScenarioResults) -> Panel:
    parts: list[RenderableType] = [_head(it), Text("")]
    parts.append(_steps(it) if it.steps else Text("no message was planned in these days", style="dim"))
    if it.silent:
        parts += [Text(""), _silent(it)]
    parts += [Text(""), Text(measure(it))]
    if compared := groups(it):
        parts.append(_arms(it, compared))
    parts += [Text(said.said, style=STYLES[said.mood]) for said in conclusions(it)]
    if it.notes:
        parts += [Text(""), *(Text(f"· {note}", style="dim") for note in it.notes)]
    state = "" if it.status == "active" else f" · {it.status}"
    return Panel(
        Group(*parts), title=f"[bold]{it.scenario}[/bold] · who entered from {it.first} to {it.last}",
        title_align="left", subtitle=f"version {it.version}{state}", subtitle_align="right",
        border_style="cyan", padding=(1, 2), expand=True,
    )  # fmt: skip


def _head(it: ScenarioResults) -> Text:
    text = Text.assemble(
        (number(it.entered), "bold green"), " entered · ", (number(it.held_out), "bold"), " held out · ",
        (number(it.sent), "bold"), " messages sent",
    )  # fmt: skip
    if paid := cost(it.cost, it.currency):
        text.append(f" · cost {paid}")
    return text


def _steps(it: ScenarioResults) -> Table:
    """What became of the messages of each step, or of each of its texts."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(no_wrap=True, min_width=9)
    grid.add_column(justify="right")
    grid.add_column(justify="right", min_width=5)
    grid.add_column(ratio=1)
    for place, (name, told) in enumerate(titled(it)):
        if place:
            grid.add_row()
        for line in lines(told):
            title = name if line.name == "planned" else ""
            grid.add_row(title, line.name, number(line.count), line.part, _drawn(line, told.planned))
    return grid


def _drawn(line: Line, planned: int) -> Text:
    if line.name == "not sent":
        return Text(line.said, style="dim")
    drawn = bar(line.count, planned, COLOURS.get(line.name, "red"))
    return Text.assemble(drawn, (f"  {line.said}", "dim")) if line.said else drawn


def _silent(it: ScenarioResults) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=9, no_wrap=True)
    grid.add_column(justify="right")
    grid.add_column()
    grid.add_row(Text("no message because", style="dim"), "", "")
    most = max(it.silent.values())
    for gate, count in by_gate(it):
        grid.add_row(gate, number(count), bar(count, most, "red"))
    return grid


def _arms(it: ScenarioResults, compared: Sequence[tuple[str, Arm]]) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("", overflow="fold")
    for name in ("customers", "bought", "", "95 %", "spent each"):
        grid.add_column(name, justify="left" if name.startswith("95") else "right", no_wrap=True)
    for name, arm in compared:
        mean = arm.spent.mean
        grid.add_row(
            Text(name), number(arm.customers), number(arm.bought), rate_of(arm), between(arm.rate),
            DASH if mean is None else it.money(mean),
        )  # fmt: skip
    return grid


# --- for spreadsheets


def as_csv(found: Sequence[ScenarioResults]) -> str:
    """One row a scenario; rates are fractions, amounts whole money."""
    out = io.StringIO()
    Sheet(out, COLUMNS, ours=COLUMNS[1:]).add(map(_row, found))
    return out.getvalue()


def _row(it: ScenarioResults) -> list[object]:
    effect, more = it.effect, it.effect.spent_more
    return [
        it.scenario, it.first, it.last, it.entered, it.held_out,
        sum(told.planned for told in it.steps), it.sent, sum(told.delivered for told in it.steps),
        *(it.reported(name) for name in REPORTS),
        "" if it.cost is None else it.cost.quantize(CENT), it.within,
        effect.treatment.customers, effect.treatment.bought,
        effect.holdout.customers, effect.holdout.bought, effect.waiting + effect.held_waiting,
        *_three(effect.uplift),
        *([it.money(value) for value in (more.value, more.low, more.high)] if more else [""] * 3),
        it.money(it.extra.value) if it.extra else "",
        "" if it.returned is None else f"{it.returned:.2f}", it.currency,
    ]  # fmt: skip


def _three(found: Interval | None) -> list[str]:
    return [""] * 3 if found is None else [f"{it:.4f}" for it in (found.value, found.low, found.high)]
