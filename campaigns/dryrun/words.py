"""How a dry run says days, amounts and occasions to a marketer: in plain English."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

from core.program import Program
from triggers import discover
from triggers.base import Fact

# What became of one channel, as the gates note it: `sms: capped (1 per 7 days used by win-back)`.
_PER_CHANNEL = re.compile(r"(\w+): (\w+(?: \([^)]*\))?)")
_SINGLE = re.compile(r"\b(1) (day|year)s\b")
# The occasion in words, by its trigger; a trigger without a phrase tells its facts by their names.
PHRASES = {
    "anniversary": "{years} years since {since}",
    "balance_reached": "the balance came to {balance}, which is at least {at_least}",
    "birthday": "their birthday on {birthday}",
    "bonus_accrued": "{amount} given for {reason}",
    "bonus_expired": "{amount} expired after {expired_on}",
    "bonus_expiring": "{expiring} expire on {expires_on}, {days_left} days from now",
    "bonus_redeemed": "{amount} spent on receipt {receipt}",
    "card_added": "added the card to {wallet} on {since}",
    "card_removed": "removed the card from {wallet} on {since}",
    "event": "'{name}' on {happened_at}",
    "inactive": "silent for {days_silent} days, since {last_purchase_on}",
    "purchase": "bought for {total} on {bought_on}, receipt {receipt}",
    "registered": "joined on {registered_on}",
    "return": "brought back goods of {amount} from receipt {receipt}",
    "schedule": "the campaign of {planned_for}",
    "segment_entered": "came into the segment {segment} on {changed_on}",
    "segment_left": "left the segment {segment} on {changed_on}",
    "tier_changed": "{previous} became {tier}",
    "tier_expiring": "{tier} ends on {ends_on}, {days_left} days from now",
    "tier_near": "{missing} left to {next_tier}",
}


class Words:
    """Says values in the program's zone, units and currency."""

    def __init__(self, program: Program) -> None:
        self.program = program
        forms = program.points.name.get("en") or ("bonus", "bonuses")
        self._one, self._many = forms[0], forms[-1]

    def day(self, day: date) -> str:
        """`15 March 2026`."""
        return f"{day.day} {day:%B %Y}"

    def moment(self, at: datetime, zone: ZoneInfo | None = None) -> str:
        """`15 March 2026, 10:00` by the program's clock, or another."""
        local = at.astimezone(zone or self.program.zone)
        return f"{self.day(local.date())}, {local:%H:%M}"

    def points(self, units: int) -> str:
        """`500 bonuses`, from the ledger's integer."""
        return self.whole_points(self.program.from_points(units))

    def whole_points(self, amount: Decimal) -> str:
        """`500 bonuses`, from whole points."""
        return f"{plain(amount)} {self._one if amount == 1 else self._many}"

    def money(self, minor: int) -> str:
        """`120.00 UAH`."""
        return f"{self.program.from_money(minor)} {self.program.currency}"

    def occasion(self, trigger: str, stored: Mapping[str, Any] | None, at: datetime) -> str:
        """What an occasion means, from the facts that its candidate has."""
        found = discover()[trigger]
        read = found.read(stored or {}, self.program, at)
        said = {name: self._fact(found.facts[name], value) for name, value in read.items()}
        phrase = PHRASES.get(trigger)
        if phrase is not None and all(said.get(name) for name in _names(phrase)):
            return _counted(phrase.format_map(said))
        return _counted(
            ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in said.items() if value)
        )

    def _fact(self, fact: Fact, value: Any) -> str:
        if value is None:
            return ""
        if fact.type == "points":
            return self.whole_points(value)
        if fact.type == "money":
            return f"{value} {self.program.currency}"
        if fact.type == "percent":
            return f"{plain(value)}%"
        if isinstance(value, datetime):
            return self.moment(value)
        return self.day(value) if isinstance(value, date) else str(value)


def _names(phrase: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(phrase) if name]


def _counted(text: str) -> str:
    return _SINGLE.sub(r"\1 \2", text).replace(", 0 days from now", ", today")


def reason(detail: str) -> str:
    """A gate's detail as people say it: `no consent on push, email; unreachable on sms`."""
    told = _PER_CHANNEL.findall(detail)
    if ", ".join(f"{channel}: {what}" for channel, what in told) != detail:
        return detail.replace("_", " ")
    by_gate: dict[str, list[str]] = {}
    for channel, what in told:
        by_gate.setdefault(what.replace("_", " "), []).append(channel)
    return "; ".join(f"{what} on {', '.join(channels)}" for what, channels in by_gate.items())


def plain(number: Decimal) -> str:
    """Without zeros behind the point: `500`, `12.5`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
