"""What an aggregator tells us of messages that it took over, as `channels.sms.http.reports` describes."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from channels.outcome import AddressFault
from channels.sms.aggregator import meaning
from channels.sms.aggregator.config import ReportsConfig, SignatureConfig
from channels.sms.aggregator.transport import PREFIX

MOST_REPORTS = 1_000
_MOST_FIELDS = 200


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
        text = body.decode()
        if text.lstrip()[:1] in ("{", "["):
            return json.loads(text)
        return dict(parse_qsl(text or query, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except (ValueError, RecursionError):
        return None


def heard(config: ReportsConfig, document: Any) -> Iterator[Report]:
    """The final reports of a document; what is only under way, or names no message, is passed over."""
    each = meaning.thing(config.each, document) if config.each else document
    for one in (each if isinstance(each, list) else [each])[:MOST_REPORTS]:
        name, status = meaning.at(config.id, one), meaning.at(config.status, one)
        told = config.means.get(status or "")
        if name and told:
            kind = "undelivered" if told.address else told.kind
            yield Report(f"{PREFIX}{name}", kind, told.reason, told.address)
