"""What a scenario is checked against."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from campaigns.contradictions import Segments
from core.program import Program


@dataclass(frozen=True)
class Surroundings:
    """The rest of the bundle.

    `channels`: each channel's text files, best first (`email.mjml`, `email.txt`). `messages`: each message's
    files, as paths below its folder (`uk/sms.txt`). `program` is None when it could not be read. `segments`:
    each one's file, and what it was read into.
    """

    channels: Mapping[str, Sequence[str]]
    messages: Mapping[str, Collection[str]]
    program: Program | None
    segments: Segments
