"""What a step of an earlier version asks and says today: of a segment or a level that is gone, what it meant
then; of a folder that is gone, what its step says now.

Whoever began with a step keeps it. The files of today need not have all that it names any more.
"""

from dataclasses import replace

from campaigns.audience import And, Node, Not, Or, Segment, Test
from campaigns.running import Running
from campaigns.scenario import Scenario, Step


def askable(step: Step, then: Running, now: Running) -> Step:
    """The step of the bundle `then`, asking nothing that the bundle `now` does not know."""
    same = step.model_copy()
    asked = {"unless": step.asks("unless"), "only_if": step.asks("only_if")}
    same.keep({
        key: tuple(_known(node, then, now) for node in nodes if node != "purchase")
        for key, nodes in asked.items()
    })  # fmt: skip
    return same


def sayable(step: Step, today: Scenario, now: Running) -> Step:
    """The step of then, with the folder that has its words by the bundle `now`."""
    if step.variants or step.message is None:
        return step
    return step.model_copy(update={"message": folder_of(step.message, step.id, today, now)})


def folder_of(message: str, step: str, today: Scenario | None, now: Running) -> str:
    """Where the words of a message are. A folder that is gone has got another name: that of its step by the
    bundle `now`, if the step says but one thing.
    """
    if now.library.channels(message):
        return message
    said = next((it.messages for it in today.steps if it.id == step), ()) if today else ()
    return said[0] if len(said) == 1 else message


def _known(node: Node, then: Running, now: Running) -> Node:
    match node:
        case And(parts) | Or(parts):
            return replace(node, parts=tuple(_known(part, then, now) for part in parts))
        case Not(part):
            return Not(_known(part, then, now))
        case Segment(name) if name not in now.segments:
            return _known(then.segments[name], then, now)
        case Test("tier", "at_least" | "at_most", level) if level not in now.program.tier_names:
            return replace(node, op="one_of", value=_levels(node, then))
    return node


def _levels(test: Test, then: Running) -> tuple[str, ...]:
    """The levels that were meant, by their order of then."""
    levels = then.program.tier_names
    place = levels.index(str(test.value))
    return tuple(levels[place:] if test.op == "at_least" else levels[: place + 1])
