"""How a backtest is shown in a terminal, and as CSV."""

import io
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from campaigns.backtest.report import Backtest, Day
from campaigns.gates import NAMES
from core.sheets import Sheet
from tidings.console import number

BAR = 18
STEPS = " ▁▂▃▄▅▆▇█"
# A line of the terminal; of longer histories a sign stands for several days.
WIDEST = 62
COLOURS = {"sms": "magenta", "email": "blue", "push": "cyan", "wallet": "green", "telegram": "bright_blue"}
CENT = Decimal("0.01")


def show(console: Console, found: Sequence[Backtest]) -> None:
    """One panel a scenario: the days, the channels, the customers, the gates, the goal."""
    for backtest in found:
        console.print(_panel(backtest))


def _panel(it: Backtest) -> Panel:
    parts: list[RenderableType] = [_head(it), Text(""), *_days(it), Text("")]
    parts += [_columns(it)]
    if it.goal is not None:
        parts += [Text(""), *_goal(it)]
    for day, count in it.guarded[:3]:
        said = f"{day}: {number(count)} at once is more than max_per_look; a live look would stop and ask"
        parts.append(Text(f"! {said}", style="yellow"))
    parts += [Text(""), *(Text(f"· {note}", style="dim") for note in it.notes)]
    live = f"live version {it.version}" if it.version else "not applied yet"
    return Panel(
        Group(*parts), title=f"[bold]{it.scenario}[/bold] · {it.first} to {it.last}", title_align="left",
        subtitle=f"backtest · {live} · nothing was sent, nothing was written", subtitle_align="right",
        border_style="cyan", padding=(1, 2), expand=True,
    )  # fmt: skip


def _head(it: Backtest) -> Text:
    sampled = "" if it.customers == it.of_customers else f" (a sample of {number(it.of_customers)})"
    reached = sum(people for count, people in it.per_customer.items() if count)
    text = Text.assemble(
        (number(it.messages), "bold green"), " messages to ", (number(reached), "bold"), " of ",
        (number(it.customers), "bold"), f" customers{sampled} in ", (str(len(it.days)), "bold"), " days",
    )  # fmt: skip
    if it.cost:
        about = "about " if it.estimated else ""
        text.append(f" · costs {about}{number(it.cost.quantize(CENT))} {it.currency}")
    return text


# --- the days


def _days(it: Backtest) -> list[RenderableType]:
    """A line of bars for all channels, one for each channel, and the calendar below it."""
    stretch = -(-len(it.days) // WIDEST)
    groups = [it.days[start : start + stretch] for start in range(0, len(it.days), stretch)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=9)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right")
    grid.add_column(style="dim")
    whole = [_messages(group) for group in groups]
    grid.add_row("messages", Text(sparkline(whole), style="bold green"), number(it.messages), _busiest(it))
    highest = max(whole, default=0)
    for channel, count in it.sent.most_common():
        line = sparkline([sum(day.sent[channel] for day in group) for group in groups], highest)
        grid.add_row(channel, Text(line, style=COLOURS.get(channel, "white")), number(count), "")
    grid.add_row(
        "", Text(_ruler(groups), style="dim"), "", f"a sign is {stretch} days" if stretch > 1 else ""
    )
    return [grid]


def _messages(group: Sequence[Day]) -> int:
    return sum(day.messages for day in group)


def _busiest(it: Backtest) -> str:
    most = max(it.days, key=lambda day: day.messages, default=None)
    if most is None or not most.messages:
        return "no day had any"
    mean = Decimal(it.messages) / len(it.days)
    return f"most {number(most.messages)} on {most.day:%a %d %b}, {mean:.1f} a day"


def sparkline(values: Sequence[int], highest: int | None = None) -> str:
    """One sign a value, by the highest of them (or of others); nothing is a blank, a little is seen."""
    top = max(values, default=0) if highest is None else highest
    if not top:
        return STEPS[0] * len(values)
    return "".join(STEPS[min(8, max(1, round(8 * it / top)))] if it else STEPS[0] for it in values)


def _ruler(groups: Sequence[Sequence[Day]]) -> str:
    """The first day, and every month that begins where there is room for it."""
    marks, free = [" "] * (len(groups) + 6), 0
    for place, group in enumerate(groups):
        begins = place == 0 or any(day.day.day == 1 for day in group)
        label = f"{group[0].day:%d %b}" if place == 0 else f"{max(d.day for d in group):%b}"
        if begins and place >= free:
            marks[place : place + len(label)] = label
            free = place + len(label) + 1
    return "".join(marks).rstrip()


# --- who, and why not


def _columns(it: Backtest) -> Table:
    grid = Table.grid(padding=(0, 6))
    grid.add_column()
    grid.add_column()
    grid.add_row(_customers(it), _gates(it))
    return grid


def _customers(it: Backtest) -> Table:
    grid = _list("messages", "customers")
    counts = sorted(it.per_customer.items())
    rows = [(str(count), people) for count, people in counts[:8]]
    if more := counts[8:]:
        rows.append((f"{more[0][0]} and more", sum(people for _, people in more)))
    most = max((people for _, people in rows), default=0)
    for label, people in rows:
        grid.add_row(label, number(people), bar(people, most, "grey50" if label == "0" else "green"))
    return grid


def _gates(it: Backtest) -> Table:
    grid = _list("occasions", "")
    words: Counter[str] = sum(it.verdicts.values(), Counter())
    most = max(words.values(), default=0)
    order = ["sent", "planned", "deferred", *NAMES]
    for word in sorted(words, key=lambda word: (order.index(word) if word in order else len(order), word)):
        colour = "green" if word in ("sent", "planned", "deferred") else "red"
        grid.add_row(word, number(words[word]), bar(words[word], most, colour))
    return grid


def _list(first: str, second: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=9, no_wrap=True)
    grid.add_column(justify="right", min_width=len(second))
    grid.add_column(width=BAR)
    grid.add_row(Text(first, style="dim"), Text(second, style="dim"), "")
    return grid


def _goal(it: Backtest) -> list[RenderableType]:
    assert it.goal is not None
    said = [f"goal: a purchase within {it.goal.within}"]
    for name, arm in (("told", it.goal.treatment), ("held out", it.goal.holdout)):
        if arm.rate is not None:
            said.append(f"{name} {number(arm.reached)} of {number(arm.enrolled)} ({arm.rate * 100:.1f}%)")
    if it.goal.waiting:
        said.append(f"{number(it.goal.waiting)} still have time")
    anyway = "nobody was really told: this is what customers do anyway"
    return [Text(" · ".join(said)), Text(anyway, style="dim")]


def bar(count: int, whole: int, colour: str) -> Text:
    """So much of the whole, as a line of blocks; a little is seen."""
    width = 0 if not whole else max(1 if count else 0, round(BAR * count / whole))
    return Text("█" * width, style=colour)


def as_csv(found: Sequence[Backtest]) -> str:
    """One row a scenario, day and channel; days without a message have one row without a channel."""
    out = io.StringIO()
    sheet = Sheet(out, ["scenario", "day", "channel", "messages", "cost_of_day", "currency"])
    for it in found:
        for day in it.days:
            cost = day.cost.quantize(CENT)
            counts = sorted(day.sent.items()) or [("", 0)]
            sheet.add((it.scenario, day.day, channel, count, cost, it.currency) for channel, count in counts)
    return out.getvalue()
