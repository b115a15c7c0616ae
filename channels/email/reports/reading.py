"""Reads a message that came back, whatever mail system wrote it. Nothing in it is believed but the token.

A forged report can name no message, since tokens are signed; what a report without any report's form says
counts only by an enhanced status code in it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from email import message_from_bytes, message_from_string
from email.message import Message
from email.utils import getaddresses
from itertools import islice

from channels.email.mime import NAME_FIELD
from channels.email.reports.report import Bounce, Complaint, Neither, Report
from channels.email.reports.status import classify
from channels.email.verp import token_of_message_id, tokens_in

LARGEST = 256 * 1024
"""Octets of a message that are read: what a report has to say stands at its beginning."""
MOST_ADDRESSES = 100
"""How many addresses of a report are looked at: a stranger's list must not become a query of any length."""

_TO = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To")
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_DAEMON = re.compile(r"\b(?:mailer-?daemon|mail-?daemon|postmaster|mdaemon)\b", re.IGNORECASE)
# Where the copy of our own message begins in bounces that are text only: qmail, Exim, and others.
_COPY = re.compile(
    r"^-+ ?(?:below this line is a copy|this is a copy of|original message|the (?:header|body) of the "
    r"(?:original )?message)",
    re.IGNORECASE | re.MULTILINE,
)
# A report in words of what is still tried: nothing has come back.
_STILL_TRIED = re.compile(
    r"warning message only|delivery attempts? will continue|(?:will|to) (?:be retried|keep (?:on )?trying)|"
    r"will continue (?:to try|trying|to be (?:tried|retried))|\bstill (?:trying|being (?:tried|retried))",
    re.IGNORECASE,
)
# Tried once a word: from each of its letters, a stranger's endless word would take for ever.
_ADDRESS = re.compile(r"(?<![^\s<>:;,\"'])[^\s<>:;,\"'@]+@[^\s<>:;,\"']+")


def read(data: bytes, recipients: Sequence[str] = ()) -> Report:
    """What came back. `recipients` are the addresses of the envelope, where they are known."""
    message = message_from_bytes(data[:LARGEST])
    parts = _parts(message)
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            return _feedback(message, part, parts, recipients)
    for part in parts:
        if part.get_content_type() in _STATUS_TYPES:
            return _status(message, part, parts, recipients)
    return _without_report(message, parts, recipients)


def _parts(message: Message) -> list[Message]:
    """The message's own parts, also where a gateway has wrapped them; not those of what it returns."""
    if message.get_content_maintype() != "multipart":
        return [message]
    return [own for part in _inner(message) for own in _parts(part)]


def _inner(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _status(message: Message, part: Message, parts: Sequence[Message], recipients: Sequence[str]) -> Report:
    """A delivery status notification (RFC 3464). A message of ours has one recipient."""
    blocks = [block for block in _blocks(part) if block.get("Action")]
    actions = {_word(block.get("Action")) for block in blocks}
    if "failed" not in actions:
        return Neither("delayed" if "delayed" in actions else "arrived" if actions else "letter")
    failed = next(block for block in blocks if _word(block.get("Action")) == "failed")
    kind, reason, status = classify(_text(failed.get("Status")), _text(failed.get("Diagnostic-Code")))
    named = (_text(failed.get(name)) for name in ("Original-Recipient", "Final-Recipient"))
    addresses = _addresses(*named, *_failed(message), *_returned_to(parts))
    return Bounce(kind, reason, status, _tokens(message, parts, recipients), addresses)


def _feedback(message: Message, part: Message, parts: Sequence[Message], recipients: Sequence[str]) -> Report:
    """A feedback report (RFC 5965)."""
    fields = next(iter(_blocks(part)), Message())
    if _word(fields.get("Feedback-Type")) != "abuse":
        return Neither("other_feedback")
    tokens = [*tokens_in(_text(fields.get("Original-Mail-From"))), *_tokens(message, parts, recipients)]
    named = (_text(value) for value in fields.get_all("Original-Rcpt-To", ()))
    return Complaint(tokens, _addresses(*named, *_returned_to(parts)))


def _without_report(message: Message, parts: Sequence[Message], recipients: Sequence[str]) -> Report:
    """A bounce in words alone (qmail, some Exims), an automatic reply, or a letter."""
    failed, words = _failed(message), _words(parts)
    kind, reason, status = classify("", words)
    is_daemon = _DAEMON.search(_text(message.get("From"))) is not None
    # A daemon calls its bounces automatic, too: only they name a code.
    if not failed and _is_automatic(message) and not (is_daemon and status.startswith("5")):
        return Neither("auto_reply")
    if not failed and not is_daemon:
        return Neither("letter")
    if not failed and not status.startswith("5") and _STILL_TRIED.search(words):
        return Neither("delayed")
    written = (found[0] for found in _ADDRESS.finditer(words))
    addresses = _addresses(*failed, *_returned_to(parts), *islice(written, MOST_ADDRESSES))
    tokens = [*_tokens(message, parts, recipients), *_named_in(_whole(parts))]
    return Bounce(kind, reason, status, tokens, addresses)


def _is_automatic(message: Message) -> bool:
    """An out-of-office note and its kin (RFC 3834, and what was there before it)."""
    if _word(message.get("Auto-Submitted", "no")) != "no":
        return True
    if any(message.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder")):
        return True
    return _word(message.get("Precedence")) in {"auto_reply", "bulk", "junk", "list"}


def _tokens(message: Message, parts: Sequence[Message], recipients: Iterable[str]) -> list[str]:
    """What may name the message: the address that it came to, then what it returns of the message."""
    found = [token for address in recipients for token in tokens_in(address)]
    for name in _TO:
        found += [token for value in message.get_all(name, ()) for token in tokens_in(_text(value))]
    for returned in _returned(parts):
        found += tokens_in(_text(returned.get("Return-Path")))
        found += [_text(value).strip().lower() for value in returned.get_all(NAME_FIELD, ())]
        found += token_of_message_id(_text(returned.get("Message-ID")))
    return list(dict.fromkeys(found))


def _named_in(text: str) -> list[str]:
    """The name that our own message carries, in a bounce that quotes its header."""
    return re.findall(rf"^{NAME_FIELD}: ([0-9a-f]{{26,40}})\s*$", text, re.MULTILINE)


def _returned(parts: Sequence[Message]) -> Iterator[Message]:
    """Our own message as the report returns it, or its header only."""
    for part in parts:
        kind = part.get_content_type()
        if kind in {"message/rfc822", "message/global"}:
            yield from (_in_the_clear(part, returned) for returned in _inner(part))
        elif kind in {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}:
            yield message_from_string(_decoded(part))


def _in_the_clear(part: Message, returned: Message) -> Message:
    """A message that a gateway has encoded as a whole, which RFC 2046 (5.2.1) forbids, and some do."""
    return returned if returned.keys() else message_from_string(_unparsed(part, returned))


def _returned_to(parts: Sequence[Message]) -> list[str]:
    return [_text(returned.get("To")) for returned in _returned(parts)]


def _failed(message: Message) -> list[str]:
    """Exim's own header."""
    return [_text(value) for value in message.get_all("X-Failed-Recipients", ())]


def _blocks(part: Message) -> list[Message]:
    """The groups of fields of a machine-readable part."""
    blocks = _inner(part)
    if len(blocks) > 1:
        return blocks
    text = _unparsed(part, blocks[0]) if blocks else _decoded(part)
    return [message_from_string(block) for block in re.split(r"\r?\n\r?\n", text.strip())]


def _unparsed(part: Message, block: Message) -> str:
    """The parser takes what it does not know below `message/` for one message, encoded or not."""
    fields = [f"{name}: {value}" for name, value in block.items()]
    text = "\n".join([*fields, "", str(block.get_payload())])
    encoding = _word(part.get("Content-Transfer-Encoding"))
    if encoding not in ("base64", "quoted-printable"):
        return text
    return _decoded(message_from_string(f"Content-Transfer-Encoding: {encoding}\n\n{text.lstrip()}"))


def _addresses(*texts: str) -> frozenset[str]:
    """The addresses in fields such as `rfc822; anna@example.com`; what no database could hold is none."""
    bare = [text.partition(";")[2] or text for text in texts if text]
    named = (address.strip().lower() for _, address in getaddresses(bare))
    return frozenset(islice((it for it in named if "@" in it and it.isprintable()), MOST_ADDRESSES))


def _whole(parts: Sequence[Message]) -> str:
    return "\n".join(_decoded(part) for part in parts if part.get_content_type() == "text/plain")


def _words(parts: Sequence[Message]) -> str:
    """What the mail system says, without what it quotes of our message."""
    text = _whole(parts)
    copy = _COPY.search(text)
    return text[: copy.start()] if copy else text


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _word(value: object) -> str:
    """The first word of a field, without its comments and parameters."""
    found = re.match(r"\s*([\w-]+)", _text(value))
    return found[1].lower() if found else ""
