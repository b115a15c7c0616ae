"""What messages cost: each rendered as it would be sent, priced by its channel's tariff and segments."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, true

from campaigns.dryrun.forecast import Forecast, Stage, Tariff
from campaigns.dryrun.speaking import Speaker, Spoken
from campaigns.gates import Step
from campaigns.staging import CANDIDATE
from channels.base import Channel
from channels.country import country_of
from templates.sms import segments

# Above this many paid messages the cost is reckoned from about as many of them, and said to be an estimate.
PRICED = 2_000
CENT = Decimal("0.01")


def paid_channels(step: Step, channels: Mapping[str, Channel[Any, Any, Any]]) -> list[str]:
    """Channels of the cascade that know what a message costs."""
    return [name for name in step.step.send if type(channels[name]).cost is not Channel.cost]


def price(
    step: Step, stage: Stage, speaker: Speaker, channels: Mapping[str, Channel[Any, Any, Any]],
    forecast: Forecast,
) -> None:  # fmt: skip
    """Add what the step's messages cost; `stage` has counted them."""
    for name in paid_channels(step, channels):
        ours = and_(CANDIDATE.c.gate.is_(None), CANDIDATE.c.channel == name)
        count = stage.send[name]
        rows = speaker.rows(step, and_(ours, spread(count, PRICED)))
        if rows:
            _add(channels[name], speaker.speak(step, rows), count, len(rows), forecast)
    forecast.cost = sum((line.amount for line in forecast.tariffs), Decimal(0)).quantize(CENT)


def spread(count: int, wanted: int) -> ColumnElement[bool]:
    """About `wanted` of `count` candidates, evenly and always the same ones; all if there are fewer."""
    if count <= wanted:
        return true()
    # Neighbours by id are alike (one import, one zone): the product modulo a prime scatters them.
    return (CANDIDATE.c.id * 7919 % 100_003) % -(-count // wanted) == 0


def _add(
    channel: Channel[Any, Any, Any], spoken: Iterable[Spoken], count: int, priced: int, forecast: Forecast
) -> None:
    lines: dict[tuple[str, Decimal], Tariff] = {}
    for it in spoken:
        cost = channel.cost(it.outgoing) if it.outgoing else None
        if it.outgoing is None or cost is None:
            continue
        number = segments(it.outgoing.parts.get("text", "")).count if channel.name == "sms" else 0
        place = country_of(it.outgoing.to) or "" if channel.address_kind == "phone" else ""
        each = _shown(cost / (number or 1))
        line = lines.setdefault((place, each), Tariff(channel.name, place, each))
        line.messages += 1
        line.segments += number
        line.amount += cost
    forecast.estimated = forecast.estimated or priced < count
    for _, line in sorted(lines.items()):
        _merge(_scaled(line, Decimal(count) / priced), forecast)


def _shown(price: Decimal) -> Decimal:
    """With the cents that people expect, and as many places as the tariff has."""
    return price.quantize(CENT) if price == price.quantize(CENT) else price


def _scaled(line: Tariff, factor: Decimal) -> Tariff:
    return Tariff(
        line.channel, line.country, line.price, round(line.messages * factor), round(line.segments * factor),
        (line.amount * factor).quantize(CENT),
    )  # fmt: skip


def _merge(line: Tariff, forecast: Forecast) -> None:
    """Steps of one scenario are priced one after the other, and shown together."""
    forecast.segments[line.channel] += line.segments
    for known in forecast.tariffs:
        if (known.channel, known.country, known.price) == (line.channel, line.country, line.price):
            known.messages += line.messages
            known.segments += line.segments
            known.amount += line.amount
            return
    forecast.tariffs.append(line)
