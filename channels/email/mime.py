"""Composes a message from a skeleton: what is the same for every message of a channel is made once."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from channels.base import optional_part, part
from channels.email.addresses import Mailbox, ascii_address
from channels.email.bodies import encode_body, with_preheader
from channels.email.headers import from_header, text_header
from channels.outgoing import Outgoing
from channels.transport import Malformed

_LINK = re.compile(r"https?://[!-;=?-~]{1,900}")


@dataclass(frozen=True, slots=True)
class Mail:
    """A composed message with its envelope; `data` has CRLF line ends and is sent as it is."""

    key: str
    message_id: str
    sender: str
    to: str = field(repr=False)
    data: bytes = field(repr=False)
    html: bytes = field(repr=False)

    def files(self) -> Mapping[str, bytes]:
        """The message as mail programs open it, and its page as a browser does."""
        return {".eml": self.data, ".html": self.html} if self.html else {".eml": self.data}


class Skeleton:
    """The part of every message that does not change, and the way to fill in the rest."""

    def __init__(self, sender: Mailbox, bounce_address: str | None = None) -> None:
        """`bounce_address` is the envelope sender (where bounces go); the sender's own address if None."""
        self._domain = sender.domain
        self._envelope = bounce_address or sender.address
        self._from = from_header(sender)
        self._stream = re.sub(r"[^a-z0-9]+", "-", sender.domain.lower()).strip("-")[:15]

    def compose(self, outgoing: Outgoing) -> Mail:
        """The message of RFC 5322. Raises Malformed if there is no text, or a line break in a header."""
        digest = hashlib.sha256(outgoing.key.encode()).hexdigest()[:40]
        to = ascii_address(outgoing.to)
        message_id = f"<{digest}@{self._domain}>"
        page = with_preheader(optional_part(outgoing, "html"), optional_part(outgoing, "preheader"))
        head = self._head(outgoing, to, message_id).encode("ascii")
        data = head + _content(outgoing, page, f"=_{digest[:24]}")
        return Mail(outgoing.key, message_id, self._envelope, to, data, page.encode("utf-8"))

    def _head(self, outgoing: Outgoing, to: str, message_id: str) -> str:
        lines = [
            f"Date: {_date(outgoing.at.replace(microsecond=0))}",
            self._from,
            f"To: {to}",
            text_header("Subject", part(outgoing, "subject")),
            f"Message-ID: {message_id}",
            f"Feedback-ID: {_label(outgoing.tag)}:{outgoing.purpose}:{self._stream}",
            *_list_headers(outgoing),
            "MIME-Version: 1.0",
        ]
        return "\r\n".join(lines) + "\r\n"


def _list_headers(outgoing: Outgoing) -> list[str]:
    """One-click unsubscribe by RFC 8058 (https only). The URI stays whole: an encoded one is none."""
    lines = ["Precedence: bulk"] if outgoing.purpose == "marketing" else []
    if outgoing.unsubscribe_url is None:
        return lines
    if not _LINK.fullmatch(outgoing.unsubscribe_url):
        raise Malformed("unsubscribe_url_malformed")
    lines.append(f"List-Unsubscribe: <{outgoing.unsubscribe_url}>")
    if outgoing.unsubscribe_url.startswith("https://"):
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    return lines


def _content(outgoing: Outgoing, page: str, boundary: str) -> bytes:
    """Text first, the page after it: readers show the last that they can (RFC 2046, 5.1.4)."""
    text = optional_part(outgoing, "text") if page.strip() else part(outgoing, "text")
    if not (page.strip() and text.strip()):
        single = _entity("html", page, boundary) if page.strip() else _entity("plain", text, boundary)
        return single if single.endswith(b"\r\n") else single + b"\r\n"
    mark = b"--" + boundary.encode("ascii")
    head = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode("ascii")
    parts = [
        head,
        mark,
        _entity("plain", text, boundary),
        mark,
        _entity("html", page, boundary),
        mark + b"--",
        b"",
    ]
    return b"\r\n".join(parts)


def _entity(subtype: str, text: str, boundary: str) -> bytes:
    encoding, body = encode_body(text, boundary)
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode("ascii") + body


def _label(tag: str) -> str:
    """A Feedback-ID field: no colon, no space, nothing but ASCII."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", tag)[:60].strip("-") or "none"


@lru_cache(maxsize=256)
def _date(at: datetime) -> str:
    return format_datetime(at)
