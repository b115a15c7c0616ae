"""Several requests in one: Google's batch endpoint (multipart/mixed with an HTTP message in each part).

Source: `batchPath` of the walletobjects v1 discovery document, Google's guide to batching, the samples and
the client of the vendor. Answers name the part they belong to (`Content-ID: <response-…>`). Each part counts
in the quota.
"""

import json
import re
from collections.abc import Sequence
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import urlsplit

from wallet.google.calls import NO_ANSWER, Answer, Call

BOUNDARY = "tidings_batch"
CONTENT_TYPE = f"multipart/mixed; boundary={BOUNDARY}"
UNREADABLE = Answer(NO_ANSWER, b"unreadable")
_PART = re.compile(r"\+\s*(\d+)\s*>?\s*$")
_STATUS = re.compile(rb"HTTP/\S+ (\d{3})[^\r\n]*\r?\n")


def address(base_url: str) -> str:
    """Where batches go: beside the API, not below its version."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}/batch"


def compose(calls: Sequence[Call], base_url: str) -> bytes:
    """The body of a batch; JSON is ASCII, so a boundary or a line end never stands inside a part."""
    path = urlsplit(base_url).path.rstrip("/")
    parts = [_part(number, call, path) for number, call in enumerate(calls)]
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode("ascii")


def _part(number: int, call: Call, path: str) -> str:
    lines = [
        f"--{BOUNDARY}", "Content-Type: application/http", "Content-Transfer-Encoding: binary",
        f"Content-ID: <tidings + {number}>", "", f"{call.method} {path}/{call.path} HTTP/1.1",
    ]  # fmt: skip
    if call.body is None:
        return "\r\n".join([*lines, "", ""]) + "\r\n"
    content = json.dumps(call.body, separators=(",", ":"))
    headers = ["Content-Type: application/json", f"Content-Length: {len(content)}", "", content]
    return "\r\n".join([*lines, *headers]) + "\r\n"


def read(content_type: str, content: bytes, count: int, date: str = "") -> list[Answer]:
    """The answers in the order of the requests; a part that is missing or broken is UNREADABLE.

    `date` is that of the whole answer.
    """
    answers = [UNREADABLE] * count
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + content
    )
    for position, part in enumerate(message.iter_parts() if message.is_multipart() else ()):
        named = _PART.search(str(part.get("Content-ID", "")))
        place = int(named[1]) if named else position
        if place < count:
            answers[place] = _inner(part.get_payload(decode=True), date)
    return answers


def _inner(payload: object, date: str) -> Answer:
    """The HTTP answer inside a part."""
    if not isinstance(payload, bytes):
        return UNREADABLE
    status = _STATUS.match(payload.lstrip())
    if status is None:
        return UNREADABLE
    inner = BytesParser(policy=HTTP).parsebytes(payload.lstrip()[status.end() :])
    body = inner.get_payload(decode=True)
    content = body if isinstance(body, bytes) else b""
    return Answer(int(status[1]), content, str(inner.get("Retry-After", "")), date)
