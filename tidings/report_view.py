"""How results are shown in a terminal, and as CSV."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from campaigns.gates import NAMES
from campaigns.results import AllMarketing, Arm, Interval, ScenarioResults, Told
from core.sheets import Sheet
from tidings.backtest_view import bar, number

REPORTS = ("opened", "clicked", "bounced", "complained", "stopped")
CENT = Decimal("0.01")
DASH = "–"
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
        uplift, extra = it.effect.uplift, it.extra
        grid.add_row(
            _name(it), number(it.entered), number(it.held_out), number(it.sent),
            _share(it.reported("opened"), it.sent), _share(it.reported("clicked"), it.sent),
            _rate(it.effect.treatment), _rate(it.effect.holdout),
            Text(_points(uplift), style=_colour(uplift)) if uplift else DASH, _cost(it.cost, "") or DASH,
            Text(_whole(it, extra.value), style=_colour(extra)) if extra else DASH,
        )  # fmt: skip
    said = (
        f"Who entered from {first.first} to {first.last}. In colour: what chance alone would hardly have "
        "done. All of one: tidings report NAME"
    )
    return Group(grid, *_marketing(of_all), Text(said, style="dim"))


def _name(it: ScenarioResults) -> Text:
    return (
        Text(it.scenario) if it.status == "active" else Text.assemble(it.scenario, (f" {it.status}", "red"))
    )


def _marketing(it: AllMarketing | None) -> list[RenderableType]:
    """What marketing as a whole came to, in a line."""
    if it is None or not it.effect.holdout.customers:
        return []
    told, held, more = it.effect.treatment, it.effect.holdout, it.effect.spent_more
    text = Text.assemble(
        ("All marketing", "bold"),
        f": {number(told.customers)} customers, {number(held.customers)} held out. ",
        f"Since their first entry {_rate(told)} bought, of those held out {_rate(held)}.",
    )  # fmt: skip
    if more is not None:
        between = f"{_signed(it, more.low)} to {_signed(it, more.high)}"
        text.append(" Spent each: ")
        text.append(
            f"{_signed(it, more.value)} {it.currency} ({between}), {_sure(more)}.", style=_colour(more)
        )
    return [text, Text("")]


# --- one of them


def _panel(it: ScenarioResults) -> Panel:
    parts: list[RenderableType] = [_head(it), Text("")]
    parts += _steps(it) if it.steps else [Text("no message was planned in these days", style="dim")]
    if it.silent:
        parts += [Text(""), _silent(it)]
    parts += [Text(""), *_effect(it)]
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
    if cost := _cost(it.cost, it.currency):
        text.append(f" · cost {cost}")
    return text


def _steps(it: ScenarioResults) -> list[RenderableType]:
    """A step, or one of its texts: what became of its messages, each line a part of those planned."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(no_wrap=True, min_width=9)
    grid.add_column(justify="right")
    grid.add_column(justify="right", min_width=5)
    grid.add_column(ratio=1)
    several = Counter(told.step for told in it.steps)
    for place, told in enumerate(it.steps):
        if place:
            grid.add_row()
        name = f"{told.step}: {told.message}" if several[told.step] > 1 else told.step
        for label, count, share, said in _lines(told):
            grid.add_row(name, label, number(count), share, said)
            name = ""
    return [grid]


def _lines(told: Told) -> Iterator[tuple[str, int, str, Text]]:
    """What is said of a count, the count, its part of those sent, and a bar or its parts."""
    yield "planned", told.planned, "", bar(told.planned, told.planned, "grey50")
    if told.sent:
        by = " · ".join(f"{name} {number(count)}" for name, count in told.channels.most_common())
        yield "sent", told.sent, "", Text.assemble(bar(told.sent, told.planned, "green"), (f"  {by}", "dim"))
    if told.delivered:
        yield "delivered", told.delivered, "", bar(told.delivered, told.planned, "green")
    for name in REPORTS:
        if count := told.reports[name]:
            colour = "cyan" if name in ("opened", "clicked") else "red"
            yield name, count, _share(count, told.sent), bar(count, told.planned, colour)
    if told.waiting:
        yield "waiting", told.waiting, "", bar(told.waiting, told.planned, "grey50")
    if told.unknown:
        yield "unknown", told.unknown, "", bar(told.unknown, told.planned, "yellow")
    if told.lost:
        why = " · ".join(f"{reason} {number(count)}" for reason, count in told.lost.most_common())
        yield "not sent", told.lost.total(), "", Text(why, style="dim")


def _silent(it: ScenarioResults) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=9, no_wrap=True)
    grid.add_column(justify="right")
    grid.add_column()
    grid.add_row(Text("no message because", style="dim"), "", "")
    most = max(it.silent.values())
    for word in sorted(
        it.silent, key=lambda word: (NAMES.index(word) if word in NAMES else len(NAMES), word)
    ):
        grid.add_row(word, number(it.silent[word]), bar(it.silent[word], most, "red"))
    return grid


def _effect(it: ScenarioResults) -> list[RenderableType]:
    found = it.effect
    what = f"a purchase within {it.within} of the entry"
    parts: list[RenderableType] = [
        Text.assemble(("goal: " if it.within == it.goal else "measured by ", "bold"), what, _no_goal(it))
    ]
    if not (found.treatment.customers or found.holdout.customers):
        return [*parts, Text(_nobody(it), style="dim")]
    parts.append(_arms(it))
    parts += [Text(line, style=style) for line, style in _conclusions(it)]
    if waiting := found.waiting + found.held_waiting:
        parts.append(Text(f"{number(waiting)} customers still have time", style="dim"))
    if found.held_out_of_all:
        count = number(found.held_out_of_all)
        parts.append(Text(f"{count} held out of all marketing are not compared here", style="dim"))
    return parts


def _no_goal(it: ScenarioResults) -> str:
    return "" if it.goal else " (the scenario has no goal; --within asks for another time)"


def _nobody(it: ScenarioResults) -> str:
    if waiting := it.effect.waiting + it.effect.held_waiting:
        return f"{number(waiting)} customers still have time, nobody's is over"
    return "nobody entered in these days"


def _arms(it: ScenarioResults) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("")
    for name in ("customers", "bought", "", "95 %", "spent each"):
        grid.add_column(name, justify="left" if name.startswith("95") else "right", no_wrap=True)
    rows = [("not held out", it.effect.treatment)]
    rows += [(f"  {step}: {text}", arm) for (step, text), arm in sorted(it.effect.variants.items())]
    rows += [("held out", it.effect.holdout)]
    for name, arm in rows:
        mean = arm.spent.mean
        grid.add_row(
            name, number(arm.customers), number(arm.bought), _rate(arm), _between(arm.rate),
            DASH if mean is None else it.money(mean),
        )  # fmt: skip
    return grid


def _conclusions(it: ScenarioResults) -> list[tuple[str, str]]:
    uplift, more, extra = it.effect.uplift, it.effect.spent_more, it.extra
    if uplift is None:
        return [(_not_compared(it), "yellow")]
    between = f"{_points(uplift, 'low')} to {_points(uplift, 'high')}"
    said = [(f"bought: {_points(uplift)} percentage points ({between}), {_sure(uplift)}", _colour(uplift))]
    if more is None or extra is None:
        return said
    between = f"{_signed(it, more.low)} to {_signed(it, more.high)}"
    said.append(
        (f"spent each: {_signed(it, more.value)} {it.currency} ({between}), {_sure(more)}", _colour(more))
    )
    if not (uplift.is_sure or more.is_sure):
        said.append(("more customers held out, or a longer time, would tell", "dim"))
    if more.is_sure:
        which = "more" if extra.value > 0 else "less"
        whole = f"some {_whole(it, abs(extra.value))} {it.currency} {which} in all"
        back = f", {it.returned:.1f} for each {it.currency} of messages" if it.returned is not None else ""
        said.append((whole + back, ""))
    return said


def _not_compared(it: ScenarioResults) -> str:
    if it.purpose != "marketing":
        return "service messages are kept from nobody, so there is nobody to compare with"
    if it.effect.held_waiting:
        return "nobody who was held out has had the whole time yet"
    return "nobody was held out, so nobody can say what they would have bought anyway: write 'holdout: 10%'"


def _sure(found: Interval) -> str:
    return "hardly chance" if found.is_sure else "may be chance"


def _colour(found: Interval) -> str:
    if not found.is_sure:
        return ""
    return "green" if found.value > 0 else "red"


def _points(found: Interval, which: str = "value") -> str:
    return f"{getattr(found, which) * 100:+.1f}".replace("-", "−")


def _signed(it: ScenarioResults | AllMarketing, minor: float) -> str:
    return f"{minor / 10**it.money_scale:+.{it.money_scale}f}".replace("-", "−")


def _whole(it: ScenarioResults, minor: float) -> str:
    return f"{round(minor / 10**it.money_scale):,}".replace(",", " ").replace("-", "−")


def _rate(arm: Arm) -> str:
    return DASH if arm.rate is None else f"{arm.rate.value * 100:.1f} %"


def _between(found: Interval | None) -> str:
    return DASH if found is None else f"{found.low * 100:.1f}–{found.high * 100:.1f} %"


def _share(count: int, of: int) -> str:
    """`12 %`; where that would be none, `0.2 %`."""
    if not count or not of:
        return DASH
    part = count / of * 100
    return f"{part:.0f} %" if part >= 1 else f"{part:.1f} %"


def _cost(amount: Decimal | None, currency: str) -> str:
    return "" if amount is None else f"{amount.quantize(CENT)} {currency}".strip()


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
        _cost(it.cost, ""), it.within, effect.treatment.customers, effect.treatment.bought,
        effect.holdout.customers, effect.holdout.bought, effect.waiting + effect.held_waiting,
        *_three(effect.uplift),
        *([it.money(value) for value in (more.value, more.low, more.high)] if more else [""] * 3),
        it.money(it.extra.value) if it.extra else "",
        "" if it.returned is None else f"{it.returned:.2f}", it.currency,
    ]  # fmt: skip


def _three(found: Interval | None) -> list[str]:
    return [""] * 3 if found is None else [f"{it:.4f}" for it in (found.value, found.low, found.high)]
