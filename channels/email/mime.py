"""Composes a message from a skeleton: what is the same for every message of a channel is made once."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING

from channels.base import part
from channels.email.addresses import Mailbox, ascii_address
from channels.email.bodies import entity
from channels.email.headers import from_header, text_header
from channels.email.pictures import Pictures
from channels.email.verp import SHORT_DIGEST, ReturnPath
from channels.outgoing import Outgoing
from channels.transport import Malformed

if TYPE_CHECKING:
    from channels.email.dkim import Signer

NAME_FIELD = "Tidings-Message"
"""The header field that names the message, signed as a return path is."""

_LINK = re.compile(r"https?://[!-;=?-~]{1,900}")
_TOKEN = re.compile(r"[a-z0-9]{1,64}")


@dataclass(slots=True)
class Mail:
    """A composed message with its envelope; `data` has CRLF line ends and is sent as it is."""

    key: str
    message_id: str
    sender: str
    to: str = field(repr=False)
    data: bytes = field(repr=False)
    page: str = field(repr=False, default="")

    def files(self) -> Mapping[str, bytes]:
        """The message as mail programs open it, and its page as a browser does."""
        page = {".html": self.page.encode("utf-8")} if self.page else {}
        return {".eml": self.data, **page}


class Skeleton:
    """The part of every message that does not change, and the way to fill in the rest."""

    def __init__(
        self,
        sender: Mailbox,
        return_path: ReturnPath | None = None,
        signer: "Signer | None" = None,
        *,
        inline: bool = False,
    ) -> None:
        """`return_path` is where bounces go, the sender's own address if None; `signer` adds DKIM; `inline`
        puts the pictures that stand beside the message's file into it.
        """
        self._domain, self._address = sender.domain, sender.address
        self._return_path, self._signer = return_path, signer
        self._from = from_header(sender)
        self._stream = re.sub(r"[^a-z0-9]+", "-", sender.domain.lower()).strip("-")[:15]
        self._constants: dict[tuple[str, str], str] = {}
        self._date = (0, "")
        self._pictures = Pictures(sender.domain) if inline else None

    def compose(self, outgoing: Outgoing) -> Mail:
        """The message of RFC 5322. Raises Malformed if there is no text, or a line break in a header."""
        digest = hashlib.sha256(outgoing.key.encode()).hexdigest()[:40]
        to = ascii_address(outgoing.to)
        message_id = f"<{_local(digest, outgoing.return_token)}@{self._domain}>"
        page = outgoing.parts.get("html", "")
        head = self._head(outgoing, to, message_id).encode("ascii")
        data = head + self._content(outgoing, page, digest)
        if self._signer is not None:
            data = self._signer.sign(data, outgoing.at) + data
        return Mail(outgoing.key, message_id, self._sender(outgoing), to, data, page)

    def _sender(self, outgoing: Outgoing) -> str:
        if self._return_path is None:
            return self._address
        return self._return_path.address(outgoing.return_token)

    def _head(self, outgoing: Outgoing, to: str, message_id: str) -> str:
        constant = self._constants.get((outgoing.tag, outgoing.purpose)) or self._constant(outgoing)
        return (
            f"Date: {self._date_of(int(outgoing.at.timestamp()))}\r\n{constant}To: {to}\r\n"
            f"{text_header('Subject', part(outgoing, 'subject'))}\r\nMessage-ID: {message_id}\r\n"
            f"{_list_headers(outgoing)}{_name_of(outgoing)}"
        )

    def _constant(self, outgoing: Outgoing) -> str:
        """What all messages of one scenario and purpose have in common."""
        lines = [
            self._from,
            f"Feedback-ID: {_label(outgoing.tag)}:{outgoing.purpose}:{self._stream}",
            "Auto-Submitted: auto-generated",
            *(["Precedence: bulk"] if outgoing.purpose == "marketing" else []),
            "MIME-Version: 1.0",
        ]
        made = self._constants[outgoing.tag, outgoing.purpose] = "\r\n".join(lines) + "\r\n"
        return made

    def _date_of(self, second: int) -> str:
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=False).replace("-0000", "+0000"))
        return self._date[1]

    def _content(self, outgoing: Outgoing, page: str, digest: str) -> bytes:
        """Text first, the page after it: readers show the last that they can (RFC 2046, 5.1.4)."""
        boundary = b"=_" + digest[:24].encode("ascii")
        if not page or page.isspace():
            return _ended(entity("plain", part(outgoing, "text"), boundary))
        if self._pictures is not None and outgoing.pictures:
            shown = self._pictures.page(page, outgoing.pictures, boundary)
        else:
            shown = entity("html", page, boundary)
        text = outgoing.parts.get("text", "")
        if not text or text.isspace():
            return _ended(shown)
        head = b'Content-Type: multipart/alternative; boundary="' + boundary + b'"\r\n'
        mark = b"--" + boundary
        return b"\r\n".join((head, mark, entity("plain", text, boundary), mark, shown, mark + b"--\r\n"))


def _ended(body: bytes) -> bytes:
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _list_headers(outgoing: Outgoing) -> str:
    """One-click unsubscribe by RFC 8058 (https only). The URI stays whole: an encoded one is none."""
    url = outgoing.unsubscribe_url
    if url is None:
        return ""
    if not _LINK.fullmatch(url):
        raise Malformed("unsubscribe_url_malformed")
    one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url.startswith("https://") else ""
    return f"List-Unsubscribe: <{url}>\r\n{one_click}"


def _name_of(outgoing: Outgoing) -> str:
    """What a complaint, which comes to no address of the message's own, tells it by."""
    token = outgoing.return_token
    if token is None:
        return ""
    if not _TOKEN.fullmatch(token):
        raise Malformed("return_token_malformed")
    return f"{NAME_FIELD}: {token}\r\n"


def _local(digest: str, token: str | None) -> str:
    """Before the @ of a Message-ID: with the token, since some reports leave nothing else of a header."""
    return f"{digest[:SHORT_DIGEST]}.{token}" if token else digest


def _label(tag: str) -> str:
    """A Feedback-ID field: no colon, no space, nothing but ASCII."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", tag)[:60].strip("-") or "none"
