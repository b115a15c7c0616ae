"""What: steps, limits and measuring in words."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from campaigns.audience import Or
from campaigns.explaining.who import clause
from campaigns.explaining.words import Speech
from campaigns.scenario import Scenario, Step
from channels import discover
from channels.base import CARD, NO_ADDRESS
from core.program import Program

# Gates that none of the other lines tells of.
UNTOLD = ("suppressed", "unreachable", "missing_text", "no_longer_true")


def steps(speech: Speech, scenario: Scenario) -> list[str]:
    """One sentence for each message."""
    return [_step(speech, step, index) for index, step in enumerate(scenario.steps)]


def _step(speech: Speech, step: Step, index: int) -> str:
    phrase = "wait" if step.wait else "next" if index else "now"
    return speech.say(
        speech.phrase("steps", phrase),
        wait=step.wait,
        what=_message(speech, step),
        how=_channels(speech, step),
        whom="".join(_asked(speech, step)),
    )


def _message(speech: Speech, step: Step) -> str:
    if len(step.choices) < 2:
        return speech.say(speech.phrase("steps", "message"), message=step.messages[0])
    total = sum(choice.weight for choice in step.choices) or 1
    shares = [
        speech.say(
            speech.phrase("steps", "variant"),
            message=choice.message,
            share=round(Decimal(choice.weight) / total, 3),
        )
        for choice in step.choices
    ]
    return speech.say(speech.phrase("steps", "variants"), variants=speech.several(shares, either=True))


def _channels(speech: Speech, step: Step) -> str:
    first, *others = [speech.channel(name) for name in step.send]
    if not others:
        return first
    rest = others[0]
    for each in others[1:]:
        rest = speech.say(speech.phrase("steps", "then"), one=rest, other=each)
    phrase = "cascade_after" if step.fallback_after else "cascade"
    return speech.say(speech.phrase("steps", phrase), first=first, rest=rest, after=step.fallback_after)


def _asked(speech: Speech, step: Step) -> Iterator[str]:
    """What the step asks of the customer, in the order of the file: purchases, then audiences."""
    for key in ("unless", "only_if"):
        asked = step.asks(key)
        nodes = tuple(node for node in asked if node != "purchase")
        # One of a list is enough to stay, and enough to leave.
        either = key == "only_if" and "purchase" in asked and bool(nodes)
        if "purchase" in asked and not either:
            yield str(speech.phrase("steps", f"{key}_purchase"))
        if nodes:
            said = clause(speech, nodes[0] if len(asked) == 1 else Or(nodes))
            if either:
                said = speech.say(
                    speech.phrase("who", "or"), one=speech.phrase("steps", "bought"), other=said
                )
            yield speech.say(speech.phrase("steps", key), clause=said)


def limits(speech: Speech, scenario: Scenario, program: Program | None) -> Iterator[str]:
    """What may hold its messages back, with the program's own limits."""
    yield str(speech.phrase("lines", scenario.purpose))
    yield str(speech.phrase("lines", "once"))
    if scenario.purpose == "marketing":
        # The other purposes have no allowances, whatever the file says.
        if at_most := scenario.limits.at_most:
            yield _line(speech, "at_most", count=at_most.count, window=at_most.window)
        if program:
            yield from _allowances(speech, scenario, program)
    if window := scenario.quiet_hours(program.quiet_hours if program else None):
        yield _line(speech, "quiet", start=f"{window.start:%H:%M}", end=f"{window.end:%H:%M}")
    if scenario.purpose == "marketing" and program and program.blackout:
        yield _line(speech, "blackout", value=tuple(sorted(program.blackout)))
    if scenario.limits.valid_for:
        yield _line(speech, "valid_for", value=scenario.limits.valid_for)
    if scenario.formerly:
        yield _line(speech, "formerly", value=format(speech.of(scenario.formerly), "quote"))
    yield _line(speech, "held", reasons=speech.several(list(_untold(speech, scenario)), either=True))


def _untold(speech: Speech, scenario: Scenario) -> Iterator[str]:
    """The reasons of the other gates, as far as the scenario's channels know them."""
    channels = discover()
    kinds = {channels[name].address_kind for step in scenario.steps for name in step.send}
    addressed, missing = kinds - {CARD, NO_ADDRESS}, speech.phrase("gates", "unreachable")
    if addressed:
        yield str(speech.phrase("gates", "suppressed"))
        yield str(missing["address"])
    if CARD in kinds:
        yield str(missing["card"])
    for name in ("missing_text", "no_longer_true"):
        yield str(speech.phrase("gates", name))


def _allowances(speech: Speech, scenario: Scenario, program: Program) -> Iterator[str]:
    found = program.allowances.marketing
    used = {name for step in scenario.steps for name in step.send}
    for name, allowance in found.items():
        values = {"count": allowance.count, "window": allowance.window}
        if name == "all":
            yield _line(speech, "program_all", **values)
        elif name in used:
            yield _line(speech, "program_channel", channel=name, **values)
    if found or scenario.limits.at_most:
        yield _line(speech, "priority", priority=scenario.priority)


def measured(speech: Speech, scenario: Scenario, program: Program | None) -> Iterator[str]:
    """Who is left alone for comparison, and what the scenario is for."""
    if scenario.holdout and scenario.purpose == "marketing":
        yield _line(speech, "holdout", value=scenario.holdout)
    if program and program.holdout and scenario.purpose == "marketing":
        yield _line(speech, "holdout_program", value=program.holdout)
    if scenario.goal:
        yield _line(speech, "goal", value=scenario.goal.purchase.within)


def _line(speech: Speech, name: str, **values: Any) -> str:
    return speech.say(speech.phrase("lines", name), **values)
