"""A scenario: one file in scenarios/, the file's name is the scenario's name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PrivateAttr, WithJsonSchema

from campaigns.audience import Names, Node, read_audience
from campaigns.parameters import check_parameters
from core.errors import NotRead, Problem
from core.explain import complaint, expected, one_of, suggest
from core.schedule import Looked, Schedule
from core.source import Document, KeyPath, Model
from core.units import Allowance, Listed, Percent, Series, Some, Span, TimeWindow

Purpose = Literal["marketing", "service", "transactional"]

# What a step asks of the customer just before it is decided, and once more before it is sent.
ASKED = ("unless", "only_if")


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


def _condition(value: object) -> object:
    if value == "purchase" or (isinstance(value, dict) and value):
        return value
    raise expected("'purchase' or an audience", value, "write for example '[purchase]' or '{tier: gold}'")


# `purchase` (since the enrolment), or an audience as it stands in the file.
Condition = Annotated[
    Any,
    BeforeValidator(_condition),
    WithJsonSchema({"anyOf": [{"const": "purchase"}, {"type": "object", "minProperties": 1}]}),
]


class Variant(Model):
    """One of several texts of a step; the weights are shares of their sum."""

    message: Name
    weight: int = Field(1, ge=0, examples=[50])


class Step(Model):
    """One message: its text or texts, its cascade of channels, and when it goes out.

    `wait` runs from the previous message's acceptance; the first step goes out at once and has none. A step
    whose `unless` is so, or whose `only_if` is not, ends the enrolment; a list is *one of*.
    """

    instead: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("channel", "channels", "via", "by", "to"), "send"),
        **dict.fromkeys(("text", "template", "messages", "say"), "message"),
        **dict.fromkeys(("delay", "after", "pause"), "wait"),
        **dict.fromkeys(("if", "when", "condition"), "only_if"),
        "fallback": "list the channels under 'send', the best first",
    }

    id: Name = ""
    message: Name | None = None
    variants: Listed[Variant] = ()
    send: Series[str] = Field(examples=["[sms]"])
    wait: Span | None = None
    unless: Series[Condition] = ()
    only_if: Series[Condition] = ()
    fallback_after: Span | None = None

    # What the audiences among `unless` and `only_if` were read into, in their order (read_scenario).
    _read: dict[str, tuple[Node, ...]] = PrivateAttr(default_factory=dict)

    def keep(self, asked: Mapping[str, tuple[Node, ...]]) -> None:
        """Remember what the audiences of `unless` and `only_if` mean."""
        self._read = dict(asked)

    def asks(self, key: Literal["unless", "only_if"]) -> tuple[Literal["purchase"] | Node, ...]:
        """What stands under a key, its audiences read; empty if the step does not ask."""
        nodes = iter(self._read.get(key, ()))
        return tuple(it if it == "purchase" else next(nodes) for it in getattr(self, key))

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


_OF_A_STEP = ("message", "messages", "send", "channel", "channels", "variants", "wait", "text")


class ScenarioFile(Model):
    """What stands in the file; `when` and `audience` are read by their own rules."""

    instead: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("trigger", "on", "event"), "when"),
        **dict.fromkeys(("filter", "segment", "segments", "who", "target", "conditions", "if"), "audience"),
        **dict.fromkeys(("description", "title", "comment"), "about"),
        **dict.fromkeys(("control", "control_group"), "holdout"),
        **dict.fromkeys(_OF_A_STEP, "put it into a step: 'steps: [{message: hello, send: [sms]}]'"),
        **{key: f"put it under 'limits': 'limits: {{{key}: …}}'" for key in Limits.model_fields},
        **dict.fromkeys(
            ("cooldown", "frequency", "cap"), "write for example 'limits: {at_most: 1 per 30 days}'"
        ),
        "name": "remove it: the file's name is the scenario's name",
        "at": "put it under the trigger: 'when: {schedule: {at: 2026-12-01 10:00}}'",
    }

    about: str = ""
    purpose: Purpose = "marketing"
    when: dict[str, Any] = Field(examples=["{birthday: {}}"])
    audience: Any = None
    holdout: Percent = Decimal(0)
    steps: Some[Step] = Field(examples=["[{message: hello, send: [sms]}]"])
    limits: Limits = Limits()
    priority: int = Field(50, ge=0, le=100, examples=[70])
    goal: Goal | None = None
    schedule: Looked | None = None
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

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """NotRead for what could not be read (`read_scenario`)."""
            raise (NotRead if name in type(self).__dataclass_fields__ else AttributeError)(name)

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
) -> tuple[Scenario, bool]:
    """Read one file; every finding goes to `problems`. The scenario, and whether all of it could be read.

    What could not be read raises NotRead: such a scenario is for checks alone.
    """
    file = document.validate(ScenarioFile, problems)
    trigger, parameters = _read_when(document, triggers, names, problems)
    audience = read_audience(document, ("audience",), names, problems)
    rest = file or document.in_part(ScenarioFile)
    read = {key: value for key, value in vars(rest).items() if key in _READ} if rest else {}
    if trigger:
        read |= {"trigger": trigger.name, "kind": trigger.kind}
    if parameters:
        read["parameters"] = parameters
    if "steps" in read:
        steps = enumerate(read["steps"])
        read["steps"] = tuple(_as_read(step, index, document, names, problems) for index, step in steps)
    else:
        for index in range(len(given_steps(document))):
            _asked(index, document, names, problems)
    scenario = object.__new__(Scenario)
    vars(scenario).update(read, name=name, audience=audience)
    return scenario, bool(file and parameters)


# What a scenario takes over as it stands in the file.
_READ = Scenario.__dataclass_fields__.keys() & ScenarioFile.model_fields.keys() - {"audience"}


def _as_read(step: Step, index: int, document: Document, names: Names, problems: list[Problem]) -> Step:
    """The step with an id, and with its audiences read."""
    given = "id" not in vars(step) or step.id
    read = step.model_copy(update={} if given else {"id": f"step-{index + 1}"})
    read.keep(_asked(index, document, names, problems))
    return read


def given_steps(document: Document) -> list[Any]:
    """What stands under `steps`, whether it can be read or not; nothing where that is no list."""
    steps = document.get(("steps",))
    return steps if isinstance(steps, list) else []


def _asked(
    index: int, document: Document, names: Names, problems: list[Problem]
) -> dict[str, tuple[Node, ...]]:
    return {key: tuple(_audiences(document, index, key, names, problems)) for key in ASKED}


def _audiences(
    document: Document, index: int, key: str, names: Names, problems: list[Problem]
) -> Iterator[Node]:
    path: KeyPath = ("steps", index, key)
    given = document.get(path)
    if isinstance(given, dict):
        yield read_audience(document, path, names, problems)
    if isinstance(given, list):
        for place, each in enumerate(given):
            if isinstance(each, dict):
                yield read_audience(document, (*path, place), names, problems)


def _read_when(
    document: Document, triggers: Mapping[str, TriggerLike], names: Names, problems: list[Problem]
) -> tuple[TriggerLike | None, BaseModel | None]:
    when = document.get(("when",))
    if not isinstance(when, dict):
        return None, None  # the file's model has said so
    if len(when) != 1:
        example = "write for example 'when: {birthday: {}}'"
        what = "expected exactly one trigger, got " + (one_of(list(when)).replace(" or ", " and ") or "none")
        problems.append(document.problem(("when",), what, example))
        return None, None
    name = next(iter(when))
    if name not in triggers:
        fix = suggest(name, sorted(triggers))
        problems.append(document.problem(("when", name), "no such trigger", fix))
        return None, None
    trigger = triggers[name]
    parameters = document.validate(trigger.Parameters, problems, at=("when", name), noun="parameter")
    if parameters is not None:
        check_parameters(document, ("when", name), parameters, names, problems)
    return trigger, parameters
