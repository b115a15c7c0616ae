"""The kinds of what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

BounceKind = Literal["hard", "soft", "policy", "other"]
"""*hard*: the mailbox is no more. *soft*: it took nothing for some days. *policy*: it does not want mail from
us, or not such mail. *other*: for good, but it is not said why."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """A message was not delivered, and will not be.

    `reason` is one word, the same as of a refusal in the SMTP dialogue; `status` the enhanced code (RFC 3463)
    or "". `tokens` are what may name the message, best first; `addresses` what the report calls the
    recipient, in lower case.
    """

    kind: BounceKind
    reason: str
    status: str
    tokens: Sequence[str] = field(repr=False)
    addresses: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Complaint:
    """The recipient called a message spam."""

    tokens: Sequence[str] = field(repr=False)
    addresses: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Neither:
    """Nothing follows from it: `auto_reply`, `delayed`, `arrived`, `other_feedback`, `letter`."""

    what: Literal["auto_reply", "delayed", "arrived", "other_feedback", "letter"]


Report = Bounce | Complaint | Neither
