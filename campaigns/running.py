"""A bundle made ready to run: read, checked, its messages compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from campaigns.audience import Node
from campaigns.bundle import Bundle, Loaded, check
from campaigns.scenario import Scenario
from channels import discover as discover_channels
from core.errors import Problem, Problems
from core.program import Program
from templates import check as template_check
from templates.context import NAMES
from templates.fitting import TYPES
from templates.library import Library
from templates.sources import Kind
from triggers import discover as discover_triggers


@dataclass(frozen=True)
class Running:
    """What decisions are made with. `version` is 0 for files that were not applied."""

    loaded: Loaded
    version: int = 0

    @property
    def program(self) -> Program:
        """The program."""
        return self.loaded.program

    @property
    def scenarios(self) -> Mapping[str, Scenario]:
        """Scenarios by name."""
        return self.loaded.scenarios

    @cached_property
    def segments(self) -> dict[str, Node]:
        """Named audiences."""
        return {name: segment.audience for name, segment in self.loaded.segments.items()}

    @cached_property
    def library(self) -> Library:
        """The messages, compiled when first used."""
        return library_of(self.loaded.bundle, self.program)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Channel → the kind of address that it needs."""
        return {name: channel.address_kind for name, channel in discover_channels().items()}

    @property
    def by_priority(self) -> list[Scenario]:
        """Who goes first when allowances run out: the higher priority, then the name."""
        return sorted(self.scenarios.values(), key=lambda it: (-it.priority, it.name))


def text_kinds() -> dict[str, Kind]:
    """Channel → how its texts are written, as the channel itself declares."""
    return {
        name: Kind(channel.text_files, channel.front_matter, channel.required_front, channel.front_fault)
        for name, channel in discover_channels().items()
    }


def library_of(bundle: Bundle, program: Program) -> Library:
    """The messages of a bundle."""
    return Library(
        bundle.files, kinds=text_kinds(), default_locale=program.locale, locales=program.locales,
        point_names=program.points.name, currency=program.currency, scale=program.points.scale,
        time_zone=program.time_zone, transliterate=latin(program),
    )  # fmt: skip


def latin(program: Program) -> bool | tuple[str, ...]:
    """The languages whose SMS go out in Latin letters, or whether all of them do."""
    wanted = (program.channels.get("sms") or {}).get("transliterate") or False
    return wanted if isinstance(wanted, bool) else (wanted,) if isinstance(wanted, str) else tuple(wanted)


def make_ready(bundle: Bundle, version: int = 0) -> Running:
    """Read and check everything; Problems with every error of every file if there is one."""
    loaded, problems = _read(bundle)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or loaded is None:
        raise Problems(errors)
    return Running(loaded, version)


def findings(bundle: Bundle) -> list[Problem]:
    """Everything that is wrong or doubtful in a workspace, at once."""
    return _read(bundle)[1]


def _read(bundle: Bundle) -> tuple[Loaded | None, list[Problem]]:
    checked = check(bundle, discover_triggers(), discover_channels())
    problems = list(checked.problems)
    if checked.program is None:
        return None, problems
    library = library_of(bundle, checked.program)
    problems += template_check.layout(library)
    for scenario in checked.scenarios.values():
        problems += _messages(scenario, library)
    loaded = Loaded(bundle, checked.program, checked.scenarios, checked.segments, tuple(problems))
    return loaded, sorted(set(problems))


def _messages(scenario: Scenario, library: Library) -> list[Problem]:
    facts = discover_triggers()[scenario.trigger].facts
    names: dict[str, Any] = {**NAMES, "trigger": tuple(facts)}
    types = {**TYPES, **{f"trigger.{name}": fact.type for name, fact in facts.items()}}
    found: list[Problem] = []
    known = library.messages()
    for message in {name for step in scenario.steps for name in step.messages if name in known}:
        found += template_check.check(
            library, message, names, scenario.trigger, purpose=scenario.purpose, types=types
        )
        found += template_check.missing_locales(library, message)
    return found
