"""What stands on the page; how it looks stands in page.html."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment

from campaigns.dryrun import Forecast, Sample
from campaigns.dryrun.words import reason
from campaigns.gates import NAMES
from templates.sms import segments
from tidings.console import number
from tidings.drawn_pages import templates
from tidings.dry_runs import Answer
from tidings.forecast_page.bubbles import bubbles
from tidings.forecast_view import WHY
from tidings.story_view import OWN, mark, sentence, standing, verdict_words

# A day and a half of hours; what comes later is summed up.
HOURS = 36
REASONS = 6


def page(made: Answer) -> str:
    """The whole document."""
    program = made.running.program
    local = made.wish.at.astimezone(program.zone)
    return _templates().get_template("page.html").render(
        program=program.name, at=f"{local:%A}, {local.day} {local:%B %Y, %H:%M}", zone=program.zone.key,
        version=max((it.version for it in made.forecasts), default=0), customer=made.customer, name=made.name,
        forecasts=[_forecast(it, made) for it in _in_order(made)], comparisons=made.comparisons,
        currency=program.currency, standing=standing(made.forecasts) if made.customer else [],
    )  # fmt: skip


def _in_order(made: Answer) -> list[Forecast]:
    """Of one customer, what concerns them now comes first."""
    return sorted(made.forecasts, key=lambda it: bool(made.customer and not it.samples))


def _templates() -> Environment:
    filters = {"reason": reason, "number": number, "words": lambda text: str(text).replace("_", " ")}
    return templates("tidings", "forecast_page", filters)


def _forecast(forecast: Forecast, made: Answer) -> dict[str, Any]:
    hours = sorted(forecast.spread.by_customer.items())
    return {
        "it": forecast, "funnel": _funnel(forecast), "gates": _gates(forecast),
        "hours": _hours(hours[:HOURS]), "later_hours": sum(sum(send.values()) for _, send in hours[HOURS:]),
        "channels": sorted(forecast.send), "stages": forecast.stages if len(forecast.stages) > 1 else [],
        "messages": [_message(it) for it in forecast.gallery],
        "stories": [_story(it, made) for it in forecast.samples] if made.customer else [],
        "absent": [it.said for it in forecast.absent if it.about not in OWN],
        "sends": forecast.sends, "sent_part": _percent(forecast.sends, forecast.candidates),
    }  # fmt: skip


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _funnel(forecast: Forecast) -> list[dict[str, Any]]:
    """Who is left after each gate, as the shape between its two widths (percent)."""
    levels, left = (
        [_level("due", forecast.candidates, forecast.candidates, forecast.candidates)],
        forecast.candidates,
    )
    for gate in NAMES:
        if lost := forecast.gates.get(gate, 0):
            levels.append(_level(gate, left - lost, left, forecast.candidates) | {"lost": lost})
            left -= lost
    return [*levels, _level("to send", forecast.sends, left, forecast.candidates)]


def _level(name: str, left: int, before: int, whole: int) -> dict[str, Any]:
    top, bottom = _percent(before, whole), _percent(left, whole)
    points = f"{50 - top / 2},0 {50 + top / 2},0 {50 + bottom / 2},10 {50 - bottom / 2},10"
    return {"name": name, "left": left, "points": points, "lost": 0, "why": WHY.get(name, "")}


def _gates(forecast: Forecast) -> list[dict[str, Any]]:
    return [
        {
            "name": gate, "count": forecast.gates[gate], "why": WHY.get(gate, ""),
            "part": _percent(forecast.gates[gate], forecast.candidates),
            "reasons": forecast.reasons.get(gate, Counter()).most_common(REASONS),
        }
        for gate in NAMES if forecast.gates.get(gate)
    ]  # fmt: skip


def _hours(hours: Sequence[tuple[str, Counter[str]]]) -> list[dict[str, Any]]:
    most = max((sum(send.values()) for _, send in hours), default=1)
    drawn = []
    for hour, send in hours:
        begin, pieces = 0.0, []
        for channel, count in sorted(send.items()):
            width = _percent(count, most)
            pieces.append({"channel": channel, "x": begin, "width": width})
            begin += width
        drawn.append(
            {"hour": hour, "count": sum(send.values()), "pieces": pieces, "send": sorted(send.items())}
        )
    return drawn


def _message(sample: Sample) -> dict[str, Any]:
    parts = sample.rendered.parts if sample.rendered else {}
    drawn: dict[str, Any] = {"it": sample, "parts": parts, "bubbles": [], "counted": None}
    if sample.channel == "sms" and sample.rendered:
        text = parts.get("text", "")
        drawn |= {"bubbles": bubbles(text), "counted": segments(text)}
    return drawn


def _story(sample: Sample, made: Answer) -> dict[str, Any]:
    return _message(sample) | {
        "title": sentence(sample.meaning or sample.occasion),
        "verdict": verdict_words(sample, made.running.program.zone),
        "evidence": [(mark(it), it.said) for it in sample.evidence],
    }
