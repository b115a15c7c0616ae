"""How results are said: numbers as people read them, who is compared, and what follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from campaigns.gates import NAMES
from campaigns.results import AllMarketing, Arm, Interval, ScenarioResults, Told
from tidings.console import number

# What was reported of messages, in the order in which it is shown.
REPORTS = ("opened", "clicked", "bounced", "complained", "stopped")
CENT = Decimal("0.01")
DASH = "–"
Mood = Literal["good", "bad", "warning", "note", "plain"]


@dataclass(frozen=True, slots=True)
class Line:
    """What became of some messages: its name, how many, their part of those sent, and what else is said."""

    name: str
    count: int
    part: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A sentence about the difference, and whether it is good news."""

    said: str
    mood: Mood = "plain"


def titled(it: ScenarioResults) -> Iterator[tuple[str, Told]]:
    """The steps, and each text of one that draws one of several."""
    several = {told.step for told in it.steps if sum(other.step == told.step for other in it.steps) > 1}
    for told in it.steps:
        yield f"{told.step}: {told.message}" if told.step in several else told.step, told


def lines(told: Told) -> Iterator[Line]:
    """Everything that there is any of."""
    yield Line("planned", told.planned)
    by = " · ".join(f"{name} {number(count)}" for name, count in told.channels.most_common())
    yield from _some(Line("sent", told.sent, "", by), Line("delivered", told.delivered))
    for name in REPORTS:
        yield from _some(Line(name, told.reports[name], share(told.reports[name], told.sent)))
    yield from _some(Line("waiting", told.waiting), Line("unknown", told.unknown))
    why = " · ".join(f"{reason} {number(count)}" for reason, count in told.lost.most_common())
    yield from _some(Line("not sent", told.lost.total(), "", why))


def _some(*said: Line) -> Iterator[Line]:
    yield from (it for it in said if it.count)


def by_gate(it: ScenarioResults) -> list[tuple[str, int]]:
    """Who was told nothing, in the order of the gates."""
    order = {name: place for place, name in enumerate(NAMES)}
    return sorted(it.silent.items(), key=lambda found: (order.get(found[0], len(order)), found[0]))


# --- the comparison


def measure(it: ScenarioResults) -> str:
    """By what the groups are compared."""
    what = f"a purchase within {it.within} of the entry"
    if it.within == it.goal:
        return f"goal: {what}"
    return f"measured by {what}" + (
        "" if it.goal else "; the scenario has no goal, --within takes another time"
    )


def groups(it: ScenarioResults) -> list[tuple[str, Arm]]:
    """Who could be told, those of each drawn text, who was held out; of these whoever there is."""
    found = it.effect
    drawn = [(f"{step}: {text}", arm) for (step, text), arm in sorted(found.variants.items())]
    every = [("not held out", found.treatment), *drawn, ("held out", found.holdout)]
    return [(name, arm) for name, arm in every if arm.customers]


def conclusions(it: ScenarioResults) -> list[Conclusion]:
    """What the comparison comes to, and whom it leaves out."""
    said = _of_both(it) if groups(it) else [Conclusion(_nobody(it), "note")]
    if groups(it) and (waiting := _waiting(it)):
        said.append(Conclusion(f"{number(waiting)} customers still have time", "note"))
    if it.effect.held_out_of_all:
        left_out = f"{number(it.effect.held_out_of_all)} held out of all marketing are not compared here"
        said.append(Conclusion(left_out, "note"))
    return said


def _of_both(it: ScenarioResults) -> list[Conclusion]:
    uplift, more, extra = it.effect.uplift, it.effect.spent_more, it.extra
    if uplift is None:
        return [Conclusion(_not_compared(it), "warning")]
    between = f"{points(uplift, 'low')} to {points(uplift, 'high')}"
    said = [
        Conclusion(f"bought: {points(uplift)} percentage points ({between}), {sure(uplift)}", mood(uplift))
    ]
    if more is None or extra is None:
        return said
    said.append(Conclusion(f"spent each: {spent_more(it, more)}", mood(more)))
    if not (uplift.is_sure or more.is_sure):
        said.append(Conclusion("more customers held out, or a longer time, would tell", "note"))
    if more.is_sure:
        which = "more" if extra.value > 0 else "less"
        whole = f"some {whole_money(it, abs(extra.value))} {it.currency} {which} in all"
        back = "" if it.returned is None else f", {it.returned:.1f} for each {it.currency} of messages"
        said.append(Conclusion(whole + back.replace("-", "−")))
    return said


def _waiting(it: ScenarioResults) -> int:
    return it.effect.waiting + it.effect.held_waiting


def _nobody(it: ScenarioResults) -> str:
    if waiting := _waiting(it):
        return f"{number(waiting)} customers still have time, nobody's is over"
    return "nobody entered in these days"


def _not_compared(it: ScenarioResults) -> str:
    if it.purpose != "marketing":
        return "service messages are kept from nobody, so there is nobody to compare with"
    if it.effect.held_waiting:
        return "nobody who was held out has had the whole time yet"
    return "nobody was held out of it, so nobody can say what they would have bought anyway ('holdout: 10%')"


def marketing(it: AllMarketing | None) -> tuple[str, Conclusion | None] | None:
    """What marketing as a whole came to; None where nobody is held out of it."""
    if it is None or not it.effect.holdout.customers:
        return None
    told, held, more = it.effect.treatment, it.effect.holdout, it.effect.spent_more
    said = (
        f"{number(told.customers)} customers, {number(held.customers)} held out. "
        f"Since their first entry {rate_of(told)} bought, of those held out {rate_of(held)}."
    )
    return said, Conclusion(f"Spent each: {spent_more(it, more)}.", mood(more)) if more else None


def spent_more(it: ScenarioResults | AllMarketing, more: Interval) -> str:
    """`+21.97 UAH (+4.58 to +39.36), hardly chance`."""
    between = f"{signed(it, more.low)} to {signed(it, more.high)}"
    return f"{signed(it, more.value)} {it.currency} ({between}), {sure(more)}"


def sure(found: Interval) -> str:
    """Whether it may be chance."""
    return "hardly chance" if found.is_sure else "may be chance"


def mood(found: Interval) -> Mood:
    """Good or bad news, once it is sure."""
    if not found.is_sure:
        return "plain"
    return "good" if found.value > 0 else "bad"


# --- numbers


def points(found: Interval, which: str = "value") -> str:
    """A difference of rates in percentage points: `+3.9`."""
    return f"{getattr(found, which) * 100:+.1f}".replace("-", "−")


def signed(it: ScenarioResults | AllMarketing, minor: float) -> str:
    """An amount with its sign."""
    return f"{minor / 10**it.money_scale:+.{it.money_scale}f}".replace("-", "−")


def whole_money(it: ScenarioResults, minor: float) -> str:
    """An amount without its small change: `56 463`."""
    return number(round(minor / 10**it.money_scale)).replace("-", "−")


def rate_of(arm: Arm) -> str:
    """`27.7 %`."""
    return DASH if arm.rate is None else f"{arm.rate.value * 100:.1f} %"


def between(found: Interval | None) -> str:
    """`26.0–29.5 %`."""
    return DASH if found is None else f"{found.low * 100:.1f}–{found.high * 100:.1f} %"


def share(count: int, of: int) -> str:
    """`12 %`; where that would be none, `0.2 %`."""
    if not count or not of:
        return DASH
    part = count / of * 100
    return f"{part:.0f} %" if part >= 1 else f"{part:.1f} %"


def cost(amount: Decimal | None, currency: str) -> str:
    """`1 612.45 UAH`; nothing where no price is known."""
    return "" if amount is None else f"{number(amount.quantize(CENT))} {currency}".strip()
