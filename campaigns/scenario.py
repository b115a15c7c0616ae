"""A scenario: one file in scenarios/, the file's name is the scenario's name."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, Field

from campaigns.audience import Names, Node, read_audience
from core.errors import Problem
from core.explain import UNSUPPORTED, complaint, one_of, suggest
from core.schedule import Schedule
from core.source import Document, Model
from core.units import Allowance, Listed, Percent, Series, Some, Span, TimeWindow

Purpose = Literal["marketing", "service", "transactional"]

# The triggers of the language; those that nobody has discovered are refused as not in this release.
LANGUAGE_TRIGGERS = frozenset({
    "bonus_expiring", "birthday", "anniversary", "inactive", "tier_near", "tier_expiring", "balance_reached",
    "segment_entered", "segment_left", "bonus_accrued", "bonus_redeemed", "bonus_expired", "tier_changed",
    "purchase", "return", "registered", "card_added", "card_removed", "event", "schedule",
})  # fmt: skip


class TriggerLike(Protocol):
    """What is asked of a trigger here: its kind, and the model of what stands under its name."""

    @property
    def name(self) -> str:
        """As it stands under `when`."""
        ...

    @property
    def kind(self) -> Literal["state", "event", "calendar"]:
        """State triggers are looked up on a schedule, the others are not."""
        ...

    @property
    def Parameters(self) -> type[BaseModel]:  # noqa: N802 - a class
        """The model of its parameters."""
        ...


def is_name(text: str) -> bool:
    """Whether it may name a scenario, a segment, a message or a step: Latin letters, digits, `-` and `_`."""
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _slug(text: str) -> str:
    if not is_name(text):
        raise complaint(f"'{text}' is not a name", "write letters, digits and '-'")
    return text


Name = Annotated[str, AfterValidator(_slug)]


class Variant(Model):
    """One of several texts of a step; the weights are shares of their sum."""

    message: Name
    weight: int = Field(1, ge=0)


class Step(Model):
    """One message: its text or texts, its cascade of channels, and when it goes out.

    `wait` runs from the previous message's acceptance; the first step goes out at once and has none.
    """

    id: Name = ""
    message: Name | None = None
    variants: Listed[Variant] = ()
    send: Series[str] = Field(examples=["[sms]"])
    wait: Span | None = None
    unless: Series[Literal["purchase"]] = ()
    fallback_after: Span | None = None

    @property
    def choices(self) -> tuple[Variant, ...]:
        """What may be said, with weights: one choice, of weight 1, for a step without variants."""
        if self.variants or self.message is None:
            return self.variants
        return (Variant(message=self.message, weight=1),)

    @property
    def messages(self) -> tuple[str, ...]:
        """The names of the message folders it may use."""
        return tuple(dict.fromkeys(choice.message for choice in self.choices))


class Limits(Model):
    """What may hold this scenario's messages back, beside the program's own limits.

    `valid_for` runs from the planned time; a message later than that is dropped.
    """

    at_most: Allowance | None = None
    quiet_hours: TimeWindow | None = None
    valid_for: Span | None = None


class PurchaseGoal(Model):
    """A purchase within a time of the entry."""

    within: Span = Field(examples=["14 days"])


class Goal(Model):
    """What the scenario is for; a goal that is met ends the enrolment."""

    purchase: PurchaseGoal = Field(examples=["{within: 14 days}"])


class ScenarioFile(Model):
    """What stands in the file; `when` and `audience` are read by their own rules."""

    about: str = ""
    purpose: Purpose = "marketing"
    when: dict[str, Any] = Field(examples=["{birthday: {}}"])
    audience: dict[str, Any] | None = None
    holdout: Percent = Decimal(0)
    steps: Some[Step] = Field(examples=["[{message: hello, send: [sms]}]"])
    limits: Limits = Limits()
    priority: int = Field(50, ge=0, le=100)
    goal: Goal | None = None
    schedule: Schedule | None = None
    formerly: Name | None = None


@dataclass(frozen=True)
class Scenario:
    """A scenario as it runs. `holdout` is a fraction; every step has an `id`."""

    name: str
    about: str
    purpose: Purpose
    trigger: str
    kind: Literal["state", "event", "calendar"]
    parameters: BaseModel
    audience: Node
    holdout: Decimal
    steps: tuple[Step, ...]
    limits: Limits
    priority: int
    goal: Goal | None
    schedule: Schedule | None
    formerly: str | None

    def step(self, step_id: str) -> Step:
        """The step of this id; KeyError when there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def quiet_hours(self, of_program: TimeWindow | None) -> TimeWindow | None:
        """When its messages wait: its own hours, else the program's; never for transactional ones."""
        if self.purpose == "transactional":
            return None
        return self.limits.quiet_hours or of_program


def read_scenario(
    name: str,
    document: Document,
    triggers: Mapping[str, TriggerLike],
    names: Names,
    problems: list[Problem],
) -> Scenario | None:
    """Read one file; None, and every finding in `problems`, when a part of it cannot be read."""
    file = document.validate(ScenarioFile, problems)
    found = _read_when(document, triggers, problems)
    audience = read_audience(document, ("audience",), names, problems)
    if file is None or found is None:
        return None
    trigger, parameters = found
    return Scenario(
        name=name,
        about=file.about,
        purpose=file.purpose,
        trigger=trigger.name,
        kind=trigger.kind,
        parameters=parameters,
        audience=audience,
        holdout=file.holdout,
        steps=tuple(_with_id(step, index) for index, step in enumerate(file.steps, start=1)),
        limits=file.limits,
        priority=file.priority,
        goal=file.goal,
        schedule=file.schedule,
        formerly=file.formerly,
    )


def _with_id(step: Step, number: int) -> Step:
    return step if step.id else step.model_copy(update={"id": f"step-{number}"})


def _read_when(
    document: Document, triggers: Mapping[str, TriggerLike], problems: list[Problem]
) -> tuple[TriggerLike, BaseModel] | None:
    when = document.get(("when",))
    if not isinstance(when, dict):
        return None  # the file's model has said so
    if len(when) != 1:
        example = "write for example 'when: {birthday: {}}'"
        what = "expected exactly one trigger, got " + (one_of(list(when)).replace(" or ", " and ") or "none")
        problems.append(document.problem(("when",), what, example))
        return None
    name = next(iter(when))
    if name not in triggers:
        problems.append(_unknown_trigger(document, name, triggers))
        return None
    trigger = triggers[name]
    parameters = document.validate(trigger.Parameters, problems, at=("when", name), noun="parameter")
    return None if parameters is None else (trigger, parameters)


def _unknown_trigger(document: Document, name: str, triggers: Mapping[str, TriggerLike]) -> Problem:
    if name in LANGUAGE_TRIGGERS:
        return document.problem(("when", name), UNSUPPORTED[0], f"write {one_of(sorted(triggers))}")
    return document.problem(("when", name), "no such trigger", suggest(name, sorted(triggers)))
