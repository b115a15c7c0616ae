"""What an aggregator tells us of messages that it took over, as `channels.sms.http.reports` describes."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from channels.outcome import AddressFault
from channels.sms.aggregator import meaning
from channels.sms.aggregator.config import ReportsConfig, SignatureConfig
from channels.sms.aggregator.transport import PREFIX
from core.letters import is_kept

MOST_REPORTS = 1_000
_MOST_FIELDS = 200
_OLD = "cp1251"


@dataclass(frozen=True, slots=True)
class Report:
    """How one message fared: `kind` is delivered, read or undelivered; `address` what it tells of that."""

    provider_id: str
    kind: str
    reason: str | None
    address: AddressFault | None


def in_address(secret: str, given: str) -> bool:
    """Whether the end of the address is the secret."""
    return hmac.compare_digest(secret.encode(), given.encode())


def signed(config: SignatureConfig, secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the header has the body's HMAC (RFC 2104) under the secret, perhaps as `sha256=…`."""
    made = hmac.new(secret.encode(), body, getattr(hashlib, config.algorithm)).digest()
    right = made.hex() if config.encoding == "hex" else base64.b64encode(made).decode()
    given = headers.get(config.header, "").strip().removeprefix(f"{config.algorithm}=")
    given = given.lower() if config.encoding == "hex" else given
    return hmac.compare_digest(right.encode(), given.encode())


def document(body: bytes, query: str) -> Any:
    """What came: JSON, a form, or the query of an address; None for what is neither."""
    try:
        text = _text(body)
        if text.lstrip()[:1] in ("{", "["):
            return json.loads(text)
        return _parts(body) if body.startswith(b"--") else _fields(text or query)
    except (ValueError, RecursionError):
        return None


def _text(data: bytes) -> str:
    """UTF-8, or the windows-1251 of older systems: Cyrillic words in it are never UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode(_OLD, "replace")


def _fields(text: str) -> dict[str, str]:
    def read(encoding: str, errors: str) -> dict[str, str]:
        return dict(
            parse_qsl(
                text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, encoding=encoding, errors=errors
            )
        )

    try:
        return read("utf-8", "strict")
    except UnicodeDecodeError:
        return read(_OLD, "replace")


def _parts(body: bytes) -> dict[str, str]:
    """A form in several parts (RFC 7578), as PHP sends one unless told otherwise."""
    boundary = body.partition(b"\r\n")[0].removeprefix(b"--")
    head = b'Content-Type: multipart/form-data; boundary="%s"\r\n\r\n' % boundary
    parts = message_from_bytes(head + body).get_payload()
    found = {}
    for part in parts[:_MOST_FIELDS] if isinstance(parts, list) else ():
        if isinstance(part, Message) and isinstance(value := part.get_payload(decode=True), bytes):
            found[str(part.get_param("name", header="content-disposition"))] = _text(value)
    return found


def heard(config: ReportsConfig, document: Any) -> Iterator[Report]:
    """The final reports of a document; what is only under way, or names no message, is passed over."""
    each = meaning.thing(config.each, document) if config.each else document
    for one in (each if isinstance(each, list) else [each])[:MOST_REPORTS]:
        name, status = meaning.at(config.id, one), meaning.at(config.status, one)
        told = config.means.get(status or "")
        # What no database can hold is no name of ours, and keeps none of the other reports from being heard.
        if name and told and is_kept(name):
            kind = "undelivered" if told.address else told.kind
            yield Report(f"{PREFIX}{name}", kind, told.reason, told.address)
