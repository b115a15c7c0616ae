"""What stands under a trigger's name, held against the program and the workspace."""

import re
from pathlib import Path
from typing import Any

import pytest

from campaigns.bundle import check, event_names
from campaigns.parameters import _marks
from channels.discovery import discover as discover_channels
from core.events import NOTED
from core.program.words import _event_name
from tests.support.world import bundle_of, scenario
from triggers import discover
from triggers.base import EventTrigger, Trigger
from triggers.event import ANSWERED
from triggers.marks import Kept

ROOT = Path(__file__).parents[2]
ADD = "add it to 'events' in program.yaml, if your system tells it"
BEST = {"segments/best.yaml": "tier: gold"}


def findings(when: str, **program: Any) -> list[str]:
    state = discover()[when[1 : when.index(":")]].kind == "state"
    text = scenario(when, schedule="every day at 10:00" if state else "")
    bundle = bundle_of({"one": text}, program, BEST)
    return [str(it) for it in check(bundle, discover(), discover_channels()).problems]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{segment_entered: {segment: bst}}",
         "1:26: when.segment_entered.segment: no such segment: 'bst'; did you mean 'best'?"),
        ("{segment_left: {segment: nobody}}",
         "1:23: when.segment_left.segment: no such segment: 'nobody'; write best"),
        ("{balance_reached: {at_least: 1.005}}",
         "1:26: when.balance_reached.at_least: more than 2 decimal places; write 1.00"),
        ("{tier_near: {missing: 10.555}}",
         "1:20: when.tier_near.missing: more than 2 decimal places; write 10.56"),
        ("{bonus_expiring: {at_least: 0.001, ahead: 3 days}}",
         "1:25: when.bonus_expiring.at_least: more than 2 decimal places; write 0.00"),
        ("{bonus_accrued: {at_least: 1.999}}",
         "1:24: when.bonus_accrued.at_least: more than 2 decimal places; write 2.00"),
        ("{purchase: {at_least: 100.001}}",
         "1:19: when.purchase.at_least: more than 2 decimal places; write 100.00"),
        ("{return: {at_least: 100.001}}",
         "1:17: when.return.at_least: more than 2 decimal places; write 100.00"),
        ("{tier_changed: {to: golden}}",
         "1:23: when.tier_changed.to: no such tier: 'golden'; did you mean 'gold'?"),
        ("{tier_changed: {to: [gold, silvr]}}",
         "1:34: when.tier_changed.to[1]: no such tier: 'silvr'; did you mean 'silver'?"),
        ("{event: {name: revew}}", "1:16: when.event.name: no such event: 'revew'; did you mean 'review'?"),
        ("{event: {name: household_joind}}",
         "1:16: when.event.name: no such event: 'household_joind'; did you mean 'household_joined'?"),
        ("{event: {name: zzz}}",
         f"1:16: when.event.name: no such event: 'zzz'; {ADD}"),
    ],
)  # fmt: skip
def test_a_parameter_that_would_break_at_the_look_is_told(when: str, said: str) -> None:
    assert findings(when) == [f"scenarios/one.yaml:{said}"]


def test_a_reason_for_bonuses_is_one_that_the_program_may_have() -> None:
    rules = [{"rule": "base", "by": "tier"}, {"rule": "welcome", "give": 50, "on": "registered"}]
    earn = {"rules": [*rules, {"rule": "morning", "give": 5, "when": {"time": "07:00-09:00"}}]}
    for right in ("purchase", "welcome", "[adjustment, transfer, returned]"):
        assert findings(f"{{bonus_accrued: {{reason: {right}}}}}", earn=earn) == []
    said = {
        "welcom": "no such reason: 'welcom'; did you mean 'welcome'?",
        "nonsense": "no such reason: 'nonsense'; write transfer, adjustment, welcome, purchase or returned",
        "morning": "no such reason: 'morning' is a rule of purchases; write 'purchase': what a receipt "
        "brings is told together",
    }
    for wrong, what in said.items():
        [found] = findings(f"{{bonus_accrued: {{reason: {wrong}}}}}", earn=earn)
        assert found == f"scenarios/one.yaml:1:24: when.bonus_accrued.reason: {what}"


def test_the_shops_own_events_are_known_by_the_program() -> None:
    assert findings("{event: {name: cart_abandoned}}", events=["cart_abandoned"]) == []
    [said] = findings("{event: {name: cart_abandonned}}", events=["cart_abandoned"])
    assert said.endswith("did you mean 'cart_abandoned'?")


def test_a_program_of_whole_bonuses_takes_no_halves() -> None:
    points = {
        "name": {"en": ["bonus", "bonuses"], "uk": ["бонус", "бонуси", "бонусів", "бонуса"]},
        "scale": 0,
        "lasts": "180 days",
    }
    [said] = findings("{balance_reached: {at_least: 1.5}}", points=points)
    assert said.endswith("when.balance_reached.at_least: more than 0 decimal places; write 2")
    assert findings("{purchase: {at_least: 1.5}}", points=points) == []


def test_what_is_missing_to_a_tier_is_as_fine_as_tiers_are_measured() -> None:
    levels = [{"name": "bronze", "from": 0, "earn": "5%"}, {"name": "gold", "from": 10, "earn": "7%"}]
    tiers = {"measure": "purchases", "over": "365 days", "levels": levels}
    assert findings("{tier_near: {missing: 2}}", tiers=tiers) == []
    [said] = findings("{tier_near: {missing: 1.5}}", tiers=tiers)
    assert said.endswith("more than 0 decimal places; write 2")


@pytest.mark.parametrize("trigger", discover().values(), ids=lambda trigger: trigger.name)
def test_every_amount_says_in_what_it_is_kept(trigger: Trigger[Any]) -> None:
    """A trigger that takes an amount by itself would break at the look, not at the check."""
    for name, field in trigger.Parameters.model_fields.items():
        if "Decimal" in str(field.annotation) and "Operators" not in str(field.annotation):
            assert any(isinstance(mark, Kept) for mark in _marks(field)), f"{trigger.name}.{name}"


def test_every_event_that_is_appended_has_a_trigger_or_a_known_name() -> None:
    """Names that stand in the code as they are; a constant's name is known where it is defined."""
    source = "\n".join(
        path.read_text("utf-8") for at in ("core", "wallet") for path in (ROOT / at).rglob("*.py")
    )
    written = set(re.findall(r"Happening\([^,()]+(?:\.\w+)?, \"(\w+)\"|\.happen\(op, \"(\w+)\"", source))
    kinds = {kind for pair in written for kind in pair if kind}
    assert len(kinds) > 8
    assert kinds - {"customer_erased"} <= {*NOTED, *ANSWERED}


def test_an_event_has_one_way_to_be_waited_for() -> None:
    answered = {it.event for it in discover().values() if isinstance(it, EventTrigger) and it.name != "event"}
    assert answered == ANSWERED
    assert ANSWERED.isdisjoint(NOTED)


@pytest.mark.parametrize("name", NOTED)
def test_nobody_else_may_tell_what_the_service_notes_itself(name: str) -> None:
    with pytest.raises(Exception, match="is an event of Tidings' own"):
        _event_name(name)


def test_all_known_events_have_different_names() -> None:
    program = check(bundle_of({"one": scenario("{birthday: {}}")}), discover(), discover_channels()).program
    assert program is not None
    names = event_names(program)
    assert len(names) == len(set(names))
