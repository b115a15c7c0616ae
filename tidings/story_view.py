"""One customer's story in a dry run: what each scenario would say to them, or why it would not."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from campaigns.dryrun import Evidence, Forecast, Sample
from campaigns.gates import NAMES
from tidings.forecast_view import WHY, framed, heading, message_lines

# What opens and what closes the way to a customer.
GOOD, BAD, PLAIN = "✓", "✗", "·"
# Evidence of an absence that is about the customer and not about the scenario.
OWN = ("lots", "purchase")


def show(
    console: Console, forecasts: Sequence[Forecast], zone: ZoneInfo, customer: str, name: str | None
) -> None:
    """Those with something to say first, then those that do not concern the customer now, in a line each."""
    who = f"[bold]{escape(name)}[/bold] · {escape(customer)}" if name else f"[bold]{escape(customer)}[/bold]"
    console.print(f"\n{who}")
    for said in standing(forecasts):
        console.print(Padding(Text(said, style="dim"), (0, 0, 0, 2)))
    for forecast in forecasts:
        if forecast.samples:
            console.print(framed(_story(forecast, zone), heading(forecast, zone), forecast.version))
    for forecast in forecasts:
        if not forecast.samples:
            console.print(Padding(_absent(forecast), (0, 0, 0, 2)))


def standing(forecasts: Sequence[Forecast]) -> list[str]:
    """What they have whatever the scenario: bonuses that end, the last purchase."""
    return list(dict.fromkeys(it.said for one in forecasts for it in one.absent if it.about in OWN))


def _story(forecast: Forecast, zone: ZoneInfo) -> Group:
    parts: list[RenderableType] = []
    for sample in forecast.samples:
        parts += [verdict_line(sample, zone), *(Padding(_fact(it), (0, 0, 0, 2)) for it in sample.evidence)]
        parts += [Padding(text, (0, 0, 0, 4)) for text in message_lines(sample, forecast.currency)]
        parts.append("")
    return Group(*parts[:-1])


def verdict_line(sample: Sample, zone: ZoneInfo) -> Text:
    """What happens to them, in one line."""
    line = Text(f"{sentence(sample.meaning)}: ", style="bold")
    return line.append(verdict_words(sample, zone), style="red" if sample.verdict == "held_back" else "green")


def verdict_words(sample: Sample, zone: ZoneInfo) -> str:
    """`gets an sms now`, `nothing, because of capped (heard enough lately)`."""
    if sample.verdict == "held_back":
        return f"nothing ({sample.reason}: {WHY.get(sample.reason or '', 'held back')}); step {sample.step}"
    when = "now"
    if sample.verdict == "deferred" and sample.due_at:
        local = sample.due_at.astimezone(zone)
        when = f"on {local.day} {local:%B, %H:%M} {zone.key}"
    return f"{sample.channel} {when}, step {sample.step}"


def sentence(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


def mark(evidence: Evidence) -> str:
    """Whether it opens the way, closes it, or only tells."""
    if evidence.about in NAMES and evidence.about != "quiet_hours":
        return BAD
    return GOOD if evidence.about == "consent" else PLAIN


def _fact(evidence: Evidence) -> Text:
    sign = mark(evidence)
    colour = {GOOD: "green", BAD: "red"}.get(sign, "dim")
    return Text.assemble((f"{sign} ", colour), evidence.said)


def _absent(forecast: Forecast) -> Text:
    said = "; ".join(it.said for it in forecast.absent if it.about not in OWN) or "not due"
    return Text.assemble((forecast.scenario, "bold"), (f" · {said}", "dim"))
