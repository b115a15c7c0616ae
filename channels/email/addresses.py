"""Mailboxes: who it is from, and addresses that may safely stand in a header and in an SMTP command."""

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from channels.transport import Malformed

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name in any script (may be empty) and an ASCII address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part after the @."""
        return self.address.rpartition("@")[2]


def has_control(text: str) -> bool:
    """Whether a header made of it could be broken out of (CR, LF) or would be illegal."""
    return _CONTROL.search(text) is not None


def ascii_address(address: str) -> str:
    """The address as SMTP without SMTPUTF8 takes it: an international domain becomes its A-label (RFC 5890).

    Raises Malformed for anything that is not one plain mailbox, whatever it tries to smuggle in.
    """
    local, at, domain = address.strip(" ").rpartition("@")
    if not local.isascii():
        raise Malformed("address_not_ascii")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise Malformed("address_malformed") from None
    if (
        not (at and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain))
        or len(local) > 64
        or len(domain) > 253
    ):
        raise Malformed("address_malformed")
    return f"{local}@{domain}"


def _mailbox(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name, address = parseaddr(value)
    if has_control(value):
        raise ValueError("a sender is one line")
    try:
        return Mailbox(name, ascii_address(address))
    except Malformed:
        raise ValueError("write a sender as 'Kavarnia <hello@kavarnia.example>'") from None


MailboxText = Annotated[
    Mailbox,
    BeforeValidator(_mailbox),
    WithJsonSchema({"type": "string", "examples": ["Kavarnia <hello@kavarnia.example>"]}),
]
