"""Variable envelope return paths: the address to which a message comes back names the message.

The token is signed (`core.links`) and holds lower-case letters and digits only: mail systems may change the
case of a local part, whatever RFC 5321 says.
"""

import re
from dataclasses import dataclass

from channels.email.addresses import LONGEST_LOCAL, ascii_address
from channels.transport import Malformed
from core.errors import EnvironmentFault

LONGEST_TOKEN = 40
"""Characters of the longest token: a number of eight bytes and a tag of twelve, in hexadecimal."""

SHORT_DIGEST = 12
"""Hexadecimal digits before the token in a Message-ID: a database that was brought back counts anew."""

_TOKEN = re.compile(r"\+([0-9a-f]{26,40})@", re.IGNORECASE)

_MESSAGE_ID = re.compile(rf"<[0-9a-f]{{{SHORT_DIGEST}}}\.([0-9a-f]{{26,40}})@")


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """`bounces@shop.example`, from which `bounces+<token>@shop.example` is made for each message."""

    local: str
    domain: str

    @classmethod
    def parse(cls, address: str, variable: str) -> "ReturnPath":
        """Raises EnvironmentFault, naming the variable, if tokens cannot stand in it."""
        try:
            local, _, domain = ascii_address(address).rpartition("@")
        except Malformed:
            raise EnvironmentFault(
                f"{variable} is not an address; write one mailbox: bounces@shop.example"
            ) from None
        room = LONGEST_LOCAL - LONGEST_TOKEN - 1
        if len(local) > room:
            raise EnvironmentFault(
                f"{variable} has more than {room} characters before the @, and each message adds up to "
                f"{LONGEST_TOKEN + 1} of the {LONGEST_LOCAL} that mail servers take; choose a shorter one"
            )
        return cls(local, domain)

    def address(self, token: str | None) -> str:
        """The envelope sender of one message."""
        return f"{self.local}+{token}@{self.domain}" if token else f"{self.local}@{self.domain}"


def tokens_in(text: str) -> list[str]:
    """What may be tokens in an address or a header with addresses, as they were before a case was changed."""
    return [token.lower() for token in _TOKEN.findall(text)]


def token_of_message_id(text: str) -> list[str]:
    """The token in a Message-ID of ours; none in any other."""
    return _MESSAGE_ID.findall(text)
