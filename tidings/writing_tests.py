"""The first test of a new scenario: a customer, what makes the scenario speak, and what it says then."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from json import dumps
from typing import Any

from campaigns.audience import Segment
from campaigns.bundle import Bundle
from campaigns.gates import NAMES
from campaigns.running import Running, make_ready
from campaigns.scenario import Scenario
from core.errors import Problems
from core.program import Program
from core.schedule import next_after
from core.tiers.periods import periods
from tidings.workspace_tests import run_all
from tidings.writing_segments import joined, ways
from triggers import discover

# A Monday at noon: outside everybody's quiet hours.
NOON = datetime(2026, 3, 2, 12)  # noqa: DTZ001 - a wall time, of whatever zone the program has


# So many ways into a segment, or out of it, are tried.
TRIED = 4
HEARD = "# Anna hears of it. Add somebody who must not: docs/testing.md tells how."
HELD = "# Anna is held back. Add somebody who hears of it: docs/testing.md tells how."
SILENT = "# Nothing has happened to Anna yet: write under `do` what makes the scenario speak."
# Texts that YAML reads as they stand: names, addresses without a colon or a sign, days.
PLAIN = re.compile(r"(?!(?:true|false|null)$)[^\W\d][\w@.-]*|\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2})?")


@dataclass(slots=True)
class _Story:
    """When the test begins and looks, what the customer has, and what is done to them.

    `joins` tells that they are not there yet and register.
    """

    at: datetime
    has: dict[str, Any] = field(default_factory=dict)
    does: list[dict[str, Any]] = field(default_factory=list)
    begins: datetime | None = None
    joins: bool = False


def passing_test(bundle: Bundle, name: str) -> str:
    """The text of a test that passes: the message where it can be brought about, else the reason why not."""
    running = make_ready(bundle)
    scenario = running.scenarios[name]
    for story, expected in _attempts(scenario, running):
        text = _text(scenario, running.program, story, expected)
        try:
            if all(it.passed for it in run_all(bundle, {f"tests/{name}.yaml": text})):
                return text
        except Problems:
            continue
    return _text(scenario, running.program, _Story(NOON), None)


def _attempts(scenario: Scenario, running: Running) -> Iterator[tuple[_Story, Any]]:
    """What may happen with what may come out of it, the best first."""
    stories = list(_stories(scenario, running))
    for story in stories:
        yield from ((story, {channel: running.program.name}) for channel in scenario.steps[0].send)
    yield from ((stories[-1], name) for name in (*NAMES, "nothing") if name != "already_entered")


def _text(scenario: Scenario, program: Program, story: _Story, expected: Any) -> str:
    who = {
        "name": "Anna", "phone": "+380501234567", "email": "anna@example.com", "push": "device-of-anna",
        "consent": list(scenario.steps[0].send), "locale": program.locale, **story.has,
    }  # fmt: skip
    if "telegram" in scenario.steps[0].send:
        who["telegram"] = "7000000001"
    if who.get("receipts") and "registered" not in who:
        who["registered"] = f"{min(it['at'] for it in who['receipts'])[:10]} 00:00"
    begins = story.begins or story.at - timedelta(minutes=1)
    does = [{"register": who}] if story.joins else story.does
    lines = [
        HEARD if isinstance(expected, Mapping) else HELD if expected in NAMES else SILENT,
        f"scenario: {scenario.name}",
        f"start: {begins:%Y-%m-%d %H:%M}",
    ]
    if not story.joins:
        lines += ["given:", "  anna:", *_block(who, 4)]
    lines += ["timeline:", f"  - at: {story.at:%Y-%m-%d %H:%M}"]
    lines += _done(does)
    if expected is not None:
        lines.append(f"    expect: {_flow({'anna': expected})}")
    return "\n".join(lines) + "\n"


def _done(does: list[dict[str, Any]]) -> Iterator[str]:
    """One act stands in a line; of several, each does. Who registers has a line for each key."""
    if len(does) == 1 and "register" not in does[0]:
        yield f"    do: {_flow({'anna': does[0]})}"
    elif does:
        yield "    do:"
        yield "      anna:"
    for act in does if len(does) > 1 else ():
        yield f"        - {_flow(act)}"
    if len(does) == 1 and "register" in does[0]:
        yield "        register:"
        yield from _block(does[0]["register"], 10)


def _block(given: Mapping[str, Any], indent: int) -> Iterator[str]:
    """A line for each key; a list of mappings has one for each of them."""
    space = " " * indent
    for key, value in given.items():
        if value == []:
            continue
        if isinstance(value, list) and len(value) > 1 and isinstance(value[0], Mapping):
            yield f"{space}{key}:"
            yield from (f"{space}  - {_flow(each)}" for each in value)
        else:
            yield f"{space}{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    """In one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        return dumps(value, ensure_ascii=False)
    return str(value)


# --- what makes each trigger speak


def _stories(scenario: Scenario, running: Running) -> Iterator[_Story]:
    """Ways to bring it about, of somebody whom it is for; at the end the plain one."""
    plain = list(_by_trigger(scenario, running))
    belonging = ways(scenario.audience, running.segments, running.program, plain[-1].at)
    for story in plain:
        yield from (replace(story, has=joined([story.has, way.has])) for way in belonging[:TRIED])
    yield from plain


def _by_trigger(scenario: Scenario, running: Running) -> Iterator[_Story]:
    """At least one; several where the trigger may be brought about in several ways."""
    story, given = _Story(_next_look(scenario, running.program)), scenario.parameters
    # With bonuses of their own, a customer can be told how many there are, and can spend some.
    story.has["bonuses"] = [{"amount": 1000, "expires": _day(story.at, 300)}]
    tell = _TOLD.get(scenario.trigger)
    if tell is not None:
        tell(story, given, running.program)
    if scenario.trigger == "tier_expiring":
        story.at = _next_look(scenario, running.program, _ending(story, given, running.program))
    if scenario.trigger.startswith("segment_"):
        yield from _crossings(story, given, running, enters=scenario.trigger == "segment_entered")
    yield story


def _next_look(scenario: Scenario, program: Program, since: datetime = NOON) -> datetime:
    """The wall time at which the scenario next looks: by its schedule, or by its trigger's own calendar."""
    at = since.replace(tzinfo=program.zone).astimezone(UTC)
    if scenario.schedule is not None:
        return _wall(next_after(scenario.schedule, at, program.zone), program)
    far = at + timedelta(days=3 * 366)
    own = discover()[scenario.trigger].times(scenario.parameters, at, far, program.zone)
    return _wall(own[0], program) if own else since


def _wall(at: datetime, program: Program) -> datetime:
    return at.astimezone(program.zone).replace(tzinfo=None, second=0, microsecond=0)


def _enough(at_least: Decimal | None, usual: int = 100) -> int:
    return max(usual, int(at_least or 0) + 1)


def _day(at: datetime, days: int = 0) -> str:
    return f"{at + timedelta(days=days):%Y-%m-%d}"


def _expiring(story: _Story, given: Any, _program: Program) -> None:
    days = max(span.days for span in given.ahead)
    story.has["bonuses"] = [{"amount": _enough(given.at_least), "expires": _day(story.at, days)}]


def _birthday(story: _Story, given: Any, _program: Program) -> None:
    day = story.at - timedelta(days=given.days)
    story.has["birthday"] = f"1990-{day:%m-%d}"


def _anniversary(story: _Story, given: Any, _program: Program) -> None:
    day = f"{story.at - timedelta(days=365 + given.days):%Y-%m-%d} 09:00"
    if given.of == "registration":
        story.has["registered"] = day
    else:
        story.has |= {"registered": day, "receipts": [{"at": day, "total": 200}]}


def _inactive(story: _Story, given: Any, program: Program) -> None:
    zone = program.zone
    last = _wall(given.for_.ago(story.at.replace(tzinfo=zone), zone), program) - timedelta(minutes=5)
    count = max(1, given.at_least_receipts)
    whens = [last - timedelta(days=number) for number in range(count)]
    story.has |= {
        "registered": f"{min(whens) - timedelta(days=1):%Y-%m-%d %H:%M}",
        "receipts": [{"at": f"{when:%Y-%m-%d %H:%M}", "total": 200} for when in reversed(whens)],
    }


def _accrued(story: _Story, given: Any, _program: Program) -> None:
    if "purchase" in given.reason:
        # A purchase brings a part of itself: a large one brings enough.
        story.does = [{"purchase": 100 * _enough(given.at_least)}]
    else:
        story.does = [{"accrue": {"amount": _enough(given.at_least), "expires": _day(story.at, 200)}}]


def _redeemed(story: _Story, given: Any, _program: Program) -> None:
    amount = _enough(given.at_least)
    story.has["bonuses"] = [{"amount": 2 * amount, "expires": _day(story.at, 300)}]
    story.does = [{"redeem": amount}]


def _reached(story: _Story, given: Any, _program: Program) -> None:
    story.has.pop("bonuses")
    story.does = [{"accrue": {"amount": _enough(given.at_least), "expires": _day(story.at, 200)}}]


def _bought(story: _Story, given: Any, _program: Program) -> None:
    story.does = [{"purchase": _basket(given)}] * max(1, min(given.nth or 1, 20))


def _basket(given: Any) -> Any:
    line: dict[str, Any] = {"total": _enough(given.at_least)}
    for key in ("sku", "category"):
        if named := getattr(given, key):
            line[key] = named[0]
    basket: dict[str, Any] = {"lines": [line]}
    return basket | ({"store": given.store[0]} if given.store else {})


def _returned(story: _Story, given: Any, _program: Program) -> None:
    story.does = [{"purchase": _enough(given.at_least)}, {"return": "last"}]


def _level(story: _Story, given: Any, program: Program) -> None:
    levels = program.tier_names
    story.has["tier"] = levels[-1] if given.direction == "down" else levels[0]
    story.does = [{"tier": (given.to or [levels[0] if given.direction == "down" else levels[-1]])[0]}]


def _card(story: _Story, given: Any, _program: Program) -> None:
    story.does = [{"add_card": "apple" if given.wallet == "any" else given.wallet}]


def _no_card(story: _Story, given: Any, _program: Program) -> None:
    _card(story, given, _program)
    story.does.append({"remove_card": story.does[0]["add_card"]})


def _event(story: _Story, given: Any, _program: Program) -> None:
    story.does = [{"event": given.name}]


def _expired(story: _Story, given: Any, _program: Program) -> None:
    story.begins = story.at - timedelta(days=1)
    lot = {"amount": _enough(given.at_least), "expires": _day(story.begins)}
    story.has["bonuses"] = [lot, *story.has["bonuses"]]


def _joined(story: _Story, _given: Any, _program: Program) -> None:
    story.joins = True


def _near(story: _Story, given: Any, program: Program) -> None:
    """What was bought an hour ago leaves just so much to the second level as is asked about."""
    lowest, *higher = program.tiers.levels
    if not higher or program.tiers.measure not in ("spend", "purchases"):
        return
    bought = max(program.in_whole(program.tier_amount(higher[0])) - given.missing, Decimal(1))
    at = f"{story.at - timedelta(hours=1):%Y-%m-%d %H:%M}"
    many = int(bought) if program.tiers.measure == "purchases" else 1
    total = 200 if program.tiers.measure == "purchases" else bought
    story.has |= {
        "tier": lowest.name, "registered": f"{_day(story.at, -1)} 09:00",
        "receipts": [{"at": at, "total": total}] * many,
    }  # fmt: skip


def _ending(story: _Story, given: Any, program: Program) -> datetime:
    """The day on which a tier has as long to run as is asked about; the customer reached it in time for that.

    The first look ahead tells how long the program's tiers last: the day on which this one was reached is
    moved back by it, so that the test plays in this year.
    """
    ahead = timedelta(days=max(span.days for span in given.ahead) + 1)
    rules, today = periods(program), story.at.date()
    reached = today - (rules.first_check(today) - ahead - today)
    look = rules.first_check(reached) - ahead
    reached = min(reached, look - timedelta(days=1))
    level = program.tier_names[min(1, len(program.tier_names) - 1)]
    since = f"{reached:%Y-%m-%d} 12:00"
    story.has |= {"tier": level, "tier_since": since, "registered": since}
    return datetime.combine(look, time(0))


def _crossings(story: _Story, given: Any, running: Running, *, enters: bool) -> Iterator[_Story]:
    """Ways into the segment, or out of it."""
    found = ways(Segment(given.segment), running.segments, running.program, story.at)
    told = [way if enters else way.turned() for way in found]
    for way in [way for way in told if way.comes or way.by_itself][:TRIED]:
        usual = {key: value for key, value in story.has.items() if key not in way.lacks}
        has = joined([usual, way.lacks])
        begins = story.at - timedelta(days=1) if way.by_itself else None
        yield replace(story, has=has, does=list(way.comes), begins=begins)


_TOLD: Mapping[str, Any] = {
    "bonus_expiring": _expiring, "birthday": _birthday, "anniversary": _anniversary, "inactive": _inactive,
    "bonus_accrued": _accrued, "bonus_redeemed": _redeemed, "balance_reached": _reached, "purchase": _bought,
    "return": _returned, "tier_changed": _level, "card_added": _card, "card_removed": _no_card,
    "event": _event, "bonus_expired": _expired, "registered": _joined, "tier_near": _near,
}  # fmt: skip
