"""Mailboxes: who it is from, and addresses that may safely stand in a header and in an SMTP command."""

import re
from dataclasses import dataclass
from email.utils import getaddresses
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from channels.transport import Malformed
from core.domain_names import ascii_domain

LONGEST_LOCAL = 64
"""Octets before the @ (RFC 5321, 4.5.3.1.1)."""

_LONGEST_DOMAIN = 253
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_LOCAL})@({_LABEL}(?:\.{_LABEL})*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# People write `Kavarnia, Lviv <hello@…>`, without the quotes that RFC 5322 wants around a comma.
_NAMED = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^<>"]*?))\s*<(?P<address>[^<>]*)>\s*')

# Characters that turn, hide or join what stands around them. Joiners of emoji and of letters stay.
_FORMAT = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


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
    # Most texts are printable; what is not may still be a harmless joiner between two emoji.
    return not text.isprintable() and _CONTROL.search(text) is not None


def without_format(text: str) -> str:
    """A header's text without what no reader sees: a customer's name must not turn the words around it."""
    return text if text.isprintable() else _FORMAT.sub("", text)


def ascii_address(address: str) -> str:
    """The address as SMTP without SMTPUTF8 takes it: an international domain becomes its A-label (RFC 5890).

    Raises Malformed for anything that is not one plain mailbox, whatever it tries to smuggle in.
    """
    plain = address if address.isascii() else _with_a_label(address)
    found = _ADDRESS.fullmatch(plain.strip(" "))
    if found is None or found.end(1) - found.start(1) > LONGEST_LOCAL:
        raise Malformed("address_malformed")
    if found.end(2) - found.start(2) > _LONGEST_DOMAIN:
        raise Malformed("address_malformed")
    return found[0]


def _with_a_label(address: str) -> str:
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        raise Malformed("address_not_ascii")
    try:
        return f"{local}@{ascii_domain(domain.strip(' '))}"
    except ValueError:
        raise Malformed("address_malformed") from None


def _mailbox(value: Any) -> Any:
    if isinstance(value, Mailbox | dict):
        return value
    text = value if isinstance(value, str) else ""
    if has_control(text):
        raise ValueError("a sender is one line")
    name, address = _taken_apart(text)
    try:
        return Mailbox(name, ascii_address(address))
    except Malformed:
        raise ValueError("write a sender as 'Kavarnia <hello@kavarnia.example>'") from None


def _taken_apart(text: str) -> tuple[str, str]:
    """Name and address; no address if there is not exactly one."""
    if found := _NAMED.fullmatch(text):
        quoted = found["quoted"]
        name = found["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        return name, found["address"].strip()
    addresses = getaddresses([text])
    return addresses[0] if len(addresses) == 1 else ("", "")


MailboxText = Annotated[
    Mailbox,
    BeforeValidator(_mailbox),
    WithJsonSchema({"type": "string", "examples": ["Kavarnia <hello@kavarnia.example>"]}),
]
