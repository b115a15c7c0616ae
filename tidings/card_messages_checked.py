"""What `tidings check` looks at in messages on the card: is there a card, how much does a phone show."""

from collections.abc import Iterator, Sequence
from typing import Any

from jinja2 import TemplateError

from campaigns.bundle import Bundle, Checked
from campaigns.scenario import Scenario
from channels.wallet import LOCK_SCREEN, LONGEST_TEXT, LONGEST_TITLE, Wallet
from core.errors import Problem, Problems
from core.source import load
from templates.library import Library
from templates.reckoning import most_characters
from templates.sources import Slot
from tidings.samples import longest_contexts
from triggers import discover as discover_triggers


def check_card_messages(bundle: Bundle, checked: Checked, library: Library) -> Iterator[Problem]:
    """What is wrong or doubtful in the steps that go to the card, and in their texts."""
    paths = bundle.names_in("scenarios")
    has_card = bool(bundle.names_in("cards"))
    for name, scenario in sorted(checked.scenarios.items()):
        steps = [step for step in scenario.steps if Wallet.name in step.send]
        if not steps:
            continue
        if not has_card:
            yield _no_card(bundle, paths[name], scenario)
        messages = sorted({message for step in steps for message in step.messages})
        yield from _texts(checked, library, scenario, messages)


def _no_card(bundle: Bundle, path: str, scenario: Scenario) -> Problem:
    index = next(place for place, step in enumerate(scenario.steps) if Wallet.name in step.send)
    place = ("steps", index, "send")
    file = load(bundle.files[path].decode(errors="replace"), path, [])
    assert file is not None, "it was read before"
    fix = f"write cards/loyalty.yaml, or take '{Wallet.name}' out"
    return file.problem(place, "there is no card to put a message on", fix, kind="no-card")


def _texts(
    checked: Checked, library: Library, scenario: Scenario, messages: Sequence[str]
) -> Iterator[Problem]:
    assert checked.program is not None, "a scenario was read with it"
    facts = discover_triggers()[scenario.trigger].facts
    contexts: list[Any] = list(longest_contexts(checked.program, facts))
    for message in messages:
        for locale in library.program_locales:
            if (slot := library.slots.get((message, Wallet.name, locale))) is not None:
                for what, fix, severity in _too_long(library, slot, contexts):
                    yield Problem(slot.main, 1, 1, "", what, fix, severity, "card-message-too-long")


def _too_long(library: Library, slot: Slot, contexts: Sequence[Any]) -> Iterator[Any]:
    """What is said of a text or a title, what to do, and how bad it is; nothing of what fits."""
    try:
        text, title = (_most(library, slot, part, contexts) for part in ("text", "title"))
    except (Problems, TemplateError):
        return  # what is wrong with the template is a finding of its own
    if text > LONGEST_TEXT:
        yield f"has {text} characters at worst", f"a card takes at most {LONGEST_TEXT}: shorten it", "error"
    elif text > LOCK_SCREEN:
        what = f"has {text} characters at worst; a lock screen shows about {LOCK_SCREEN}"
        yield what, "say first what matters, or shorten it", "warning"
    # One that is the same for everybody is found where the front matter is read.
    if title > LONGEST_TITLE and _varies(library, slot, "title"):
        what = f"has a title of {title} characters at worst"
        yield what, f"a card takes at most {LONGEST_TITLE}: write a few words; the text has room", "error"


def _most(library: Library, slot: Slot, part: str, contexts: Sequence[Any]) -> int:
    return most_characters(library, slot.name, slot.channel, slot.locale, contexts, part)


def _varies(library: Library, slot: Slot, part: str) -> bool:
    return any("{" in it.template for it in library.parts(slot) if it.name == part)
