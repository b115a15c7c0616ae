"""Customers to phone: what is to be said to whom, for people who call; the list itself is made when wanted.

Nothing leaves by this channel. That a message stands on the list is its row in the outbox; phone, name and
words are read anew whenever the list is made (`tidings calls`), so that no file of ours has to be found and
cleaned when a customer is erased, changes the number or wants no more calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from pydantic_settings import SettingsConfigDict

from channels.base import Channel, part
from channels.country import E164
from channels.outcome import Accepted, Outcome
from channels.outgoing import Outgoing
from channels.settings import ChannelConfig, ChannelSettings
from channels.transport import Malformed, Transport

LISTED = "call-"
"""How the names of the messages begin that stand on the list; those written into the folder do not."""


class CallListConfig(ChannelConfig):
    """`channels.call_list` in program.yaml."""


class CallListSettings(ChannelSettings):
    """TIDINGS_CALL_LIST_… in .env."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_CALL_LIST_")

    transport: Literal["folder", "list"] = "folder"


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be said, and the number to say it to."""

    key: str
    to: str = field(repr=False)
    text: str = field(repr=False)

    def files(self) -> Mapping[str, bytes]:
        """A note as a person would write it down."""
        return {".txt": f"Call: {self.to}\n\n{self.text}\n".encode()}


class CallList(Channel[CallListConfig, CallListSettings, Note]):
    """Puts customers on the list of those to phone. Nobody is called twice for one message."""

    name = "call_list"
    address_kind = "phone"
    policy = "at_most_once"
    confirmed_by = "accepted"
    text_files = ("call_list.txt",)
    Config = CallListConfig
    Settings = CallListSettings

    def compose(self, outgoing: Outgoing) -> Note:
        """The note. Raises Malformed for a number that cannot be dialled and for no words."""
        if not E164.fullmatch(outgoing.to):
            raise Malformed("number_malformed")
        return Note(outgoing.key, outgoing.to, part(outgoing, "text").strip())

    def provider(self) -> Transport[Note]:
        """The list."""
        return ListTransport()


class ListTransport(Transport[Note]):
    """Takes a message over by naming it: that it stands on the list is kept in the outbox alone."""

    async def transmit(self, wire: Note) -> Outcome:
        """Always accepted, under the same name each time."""
        return Accepted(f"{LISTED}{sha256(wire.key.encode()).hexdigest()[:16]}")
