"""One step by itself: what it says, by which channels, and whether the texts for it are there."""

from collections.abc import Iterator

from campaigns.checks.around import Surroundings
from campaigns.scenario import Step
from core.errors import Problem
from core.explain import suggest
from core.source import Document, KeyPath


def check_step(step: Step, index: int, document: Document, around: Surroundings) -> Iterator[Problem]:
    """What does not fit in a step, or is not there for it."""
    yield from _texts(step, index, document)
    yield from _weights(step, index, document)
    yield from check_names(step, index, document, around)


def check_names(step: Step, index: int, document: Document, around: Surroundings) -> Iterator[Problem]:
    """The channels and the messages that a step names."""
    yield from _channels(step, index, document, around)
    yield from _messages(step, index, document, around)


def _texts(step: Step, index: int, document: Document) -> Iterator[Problem]:
    path: KeyPath = ("steps", index)
    if step.message and step.variants:
        what = "a step has a message or variants, not both"
        yield document.problem((*path, "variants"), what, "remove one", kind="nothing-to-say")
    if not step.choices:
        yield document.problem(
            path, "says nothing", "write for example 'message: hello'", kind="nothing-to-say"
        )


def _weights(step: Step, index: int, document: Document) -> Iterator[Problem]:
    path: KeyPath = ("steps", index, "variants")
    if step.variants and not sum(variant.weight for variant in step.variants):
        what = "the weights add up to nothing"
        yield document.problem(path, what, "give one of them a weight", kind="weightless-variant")
        return
    for place, variant in enumerate(step.variants):
        if not variant.weight:
            what = f"nobody gets '{variant.message}': it weighs nothing"
            fix = "give it a weight, or remove it"
            yield document.problem((*path, place, "weight"), what, fix, "warning", "weightless-variant")
        if variant.message in (it.message for it in step.variants[:place]):
            what = f"'{variant.message}' stands here twice, so that it is compared with itself"
            fix = "name another message, or give the first more weight"
            yield document.problem((*path, place, "message"), what, fix, "warning", "no-effect")


def _channels(step: Step, index: int, document: Document, around: Surroundings) -> Iterator[Problem]:
    for place, channel in enumerate(step.send):
        path: KeyPath = ("steps", index, "send", place)
        if channel not in around.channels:
            listed = [each.strip() for each in channel.split(",")]
            fix = suggest(channel, sorted(around.channels))
            if len(listed) > 1 and around.channels.keys() >= {*listed}:
                fix = f"write '[{', '.join(listed)}]'"
            yield document.problem(path, f"no such channel: '{channel}'", fix, kind="unknown-name")
        elif channel in step.send[:place]:
            what = f"'{channel}' stands here twice"
            yield document.problem(path, what, "remove one", kind="duplicate-channel")
        elif around.program and channel not in around.program.channels:
            what = f"'{channel}' is not set up in program.yaml"
            fix = f"add '{channel}: {{}}' to its channels"
            yield document.problem(path, what, fix, kind="channel-not-set-up")


def _messages(step: Step, index: int, document: Document, around: Surroundings) -> Iterator[Problem]:
    for place, choice in enumerate(step.choices):
        own: KeyPath = ("variants", place, "message") if step.variants else ("message",)
        path: KeyPath = ("steps", index, *own)
        if choice.message not in around.messages:
            what = f"no such message: '{choice.message}'"
            new = f"add the folder messages/{choice.message}/"
            alike = suggest(choice.message, sorted(around.messages))
            fix = alike if alike.startswith("did") else new
            yield document.problem(path, what, fix, kind="unknown-name")
            continue
        there = {file.rpartition("/")[2] for file in around.messages[choice.message]}
        for channel in step.send:
            files = around.channels.get(channel, ())
            if files and not there.intersection(files):
                what = f"'{choice.message}' has no text for {channel}"
                fix = f"add messages/{choice.message}/{files[0]}"
                yield document.problem(path, what, fix, kind="missing-text")
