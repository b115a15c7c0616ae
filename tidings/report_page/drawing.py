"""What stands on the page; how it looks stands in page.html."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment

from campaigns.results import AllMarketing, Arm, ScenarioResults
from core.program import Program
from tidings.console import number
from tidings.drawn_pages import templates
from tidings.forecast_view import WHY
from tidings.report_words import (
    DASH,
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


def page(program: Program, found: Sequence[ScenarioResults], of_all: AllMarketing | None) -> str:
    """The whole document, of one scenario at least."""
    first = found[0]
    local = first.at.astimezone(program.zone)
    return _templates().get_template("page.html").render(
        program=program.name, first=first.first, last=first.last, at=f"{local:%d %B %Y, %H:%M}",
        zone=program.zone.key, currency=first.currency,
        scenarios=[_scenario(it) for it in found if len(found) == 1 or it.entered or it.silent],
        overview=[_row(it) for it in found] if len(found) > 1 else [], marketing=marketing(of_all),
    )  # fmt: skip


def _templates() -> Environment:
    words = {"number": number, "words": lambda text: str(text).replace("_", " ")}
    return templates("tidings", "report_page", words)


def _row(it: ScenarioResults) -> dict[str, Any]:
    uplift, extra = it.effect.uplift, it.extra
    return {
        "it": it, "opened": share(it.reported("opened"), it.sent),
        "clicked": share(it.reported("clicked"), it.sent), "told": rate_of(it.effect.treatment),
        "held": rate_of(it.effect.holdout), "uplift": points(uplift) if uplift else DASH,
        "mood": mood(uplift) if uplift else "plain", "cost": cost(it.cost, "") or DASH,
        "extra": whole_money(it, extra.value) if extra else DASH,
        "extra_mood": mood(extra) if extra else "plain",
    }  # fmt: skip


def _scenario(it: ScenarioResults) -> dict[str, Any]:
    compared = groups(it)
    widest = max((arm.rate.high for _, arm in compared if arm.rate), default=1.0)
    most = max(it.silent.values(), default=1)
    return {
        "it": it, "cost": cost(it.cost, it.currency), "measure": measure(it), "steps": _steps(it),
        "groups": [_group(it, name, arm, widest) for name, arm in compared], "conclusions": conclusions(it),
        "scale": f"{widest * 100:.0f} %",
        "silent": [
            {"gate": gate, "count": count, "why": WHY.get(gate, ""), "part": 100 * count / most}
            for gate, count in by_gate(it)
        ],
    }  # fmt: skip


def _steps(it: ScenarioResults) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "lines": [
                {"it": line, "part": 100 * line.count / told.planned if told.planned else 0}
                for line in lines(told)
            ],
        }
        for name, told in titled(it)
    ]  # fmt: skip


def _group(it: ScenarioResults, name: str, arm: Arm, widest: float) -> dict[str, Any]:
    """A rate with its interval, in percent of the widest one."""
    mean, rate = arm.spent.mean, arm.rate
    ends = (rate.low, rate.value, rate.high) if rate else (0.0, 0.0, 0.0)
    low, value, high = (100 * each / widest if widest else 0.0 for each in ends)
    return {
        "name": name, "arm": arm, "rate": rate_of(arm), "between": between(rate), "low": low, "value": value,
        "width": high - low, "spent": DASH if mean is None else it.money(mean), "held": name == "held out",
    }  # fmt: skip
