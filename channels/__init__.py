"""How a message leaves: transport only, one folder a channel, found by its name."""

from channels.base import Channel
from channels.discovery import create, discover
from channels.outcome import Accepted, AddressFault, Failed, FailureKind, Outcome, Unknown
from channels.outgoing import Outgoing, Purpose

__all__ = [
    "Accepted",
    "AddressFault",
    "Channel",
    "Failed",
    "FailureKind",
    "Outcome",
    "Outgoing",
    "Purpose",
    "Unknown",
    "create",
    "discover",
]
