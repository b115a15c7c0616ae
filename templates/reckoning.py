"""How long an SMS or a message on the card can become: with the longest facts, whichever way it goes."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from jinja2 import Template, TemplateError, nodes

from core.errors import Problem, Problems
from templates.environment import MessageEnvironment
from templates.library import Library
from templates.pages import Part
from templates.sms import foreign, segments

# Beyond so many conditions each is turned by itself, and all of them together.
_MOST_CONDITIONS = 5
# How the conditions of a text go: a name that nobody writes.
_WAY = "_way_of_conditions"


def too_long(
    library: Library, message_name: str, contexts: Iterable[Mapping[str, object]], at_most: int
) -> list[Problem]:
    """SMS that need more segments than allowed for one of the sample contexts, in any locale."""
    samples = list(contexts)
    found = (_problem(library, message_name, locale, samples, at_most) for locale in library.program_locales)
    return [problem for problem in found if problem]


def longest(
    library: Library, message_name: str, locale: str, contexts: Iterable[Mapping[str, object]]
) -> str:
    """The text of the most segments; empty if it cannot be rendered at all. Problems for a broken file."""
    texts = _worst(library, message_name, "sms", locale, contexts)
    return max((library.as_sms(text, locale) for text in texts), key=_size, default="")


def most_characters(
    library: Library, message_name: str, channel: str, locale: str, contexts: Iterable[Mapping[str, object]],
    part: str,
) -> int:  # fmt: skip
    """How many characters a part of a message can have; 0 if it has none, or it cannot be rendered at all."""
    texts = _worst(library, message_name, channel, locale, contexts, part)
    return max((len(text.strip()) for text in texts), default=0)


def _worst(
    library: Library, name: str, channel: str, locale: str, contexts: Iterable[Mapping[str, object]],
    wanted: str = "text",
) -> Iterator[str]:  # fmt: skip
    """A part with each of the contexts, whichever way its conditions go."""
    slot = library.slots[name, channel, locale]
    parts = [part for part in library.parts(slot) if part.name == wanted]
    templates = [_turning(part, library.environment(locale, part.kind)) for part in parts]
    return (
        text
        for context in contexts
        for template, conditions in templates
        for way in _ways(conditions)
        for text in _texts(template, {**context, _WAY: way})
    )


def _problem(
    library: Library, name: str, locale: str, contexts: list[Mapping[str, object]], at_most: int
) -> Problem | None:
    if (name, "sms", locale) not in library.slots:
        return None
    try:
        text = longest(library, name, locale, contexts)
    except (Problems, TemplateError):
        return None  # what is wrong with the template is a finding of its own
    cost = segments(text)
    if cost.count <= at_most:
        return None
    because = f", for '{letter}' is not in GSM-7" if (letter := foreign(text)) else ""
    what = f"needs {cost.count} segments at worst ({cost.units} units in {cost.encoding}{because})"
    fix = f"at most {at_most} are allowed: shorten it"
    return Problem(library.slots[name, "sms", locale].main, 1, 1, "", what, fix, kind="sms-too-long")


def _turning(part: Part, environment: MessageEnvironment) -> tuple[Template, int]:
    """The template, whose conditions go as `_WAY` says in their order, and how many it has.

    It is compiled once: every way by itself would take an hour for a text of a thousand conditions.
    """
    tree = environment.parse(part.template)
    conditions: list[nodes.If | nodes.CondExpr] = list(tree.find_all((nodes.If, nodes.CondExpr)))
    for place, condition in enumerate(conditions):
        condition.test = nodes.Getitem(nodes.Name(_WAY, "load"), nodes.Const(place), "load")
    code = environment.compile(tree, name=part.file)
    return Template.from_code(environment, code, environment.globals), len(conditions)


def _ways(count: int) -> Iterator[tuple[bool, ...]]:
    if count <= _MOST_CONDITIONS:
        yield from product((True, False), repeat=count)
        return
    yield (True,) * count
    yield (False,) * count
    for turned in range(count):
        yield tuple(place != turned for place in range(count))
        yield tuple(place == turned for place in range(count))


def _texts(template: Template, context: Mapping[str, object]) -> Iterator[str]:
    try:
        yield template.render(context)
    except Exception:  # noqa: BLE001 - a branch that the facts do not allow is not sent to anybody
        return


def _size(text: str) -> tuple[int, int]:
    cost = segments(text)
    return cost.count, cost.units
