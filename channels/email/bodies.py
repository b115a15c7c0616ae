"""Bodies of MIME parts: the lightest legal transfer encoding, CRLF line ends, lines within 998 octets."""

import binascii
import html
import re

_ASCII = bytes(range(128))
_CONTROLS = bytes(code for code in [*range(32), 127] if code not in b"\t\r\n")
_LONGEST_LINE = 998
_BODY_TAG = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HIDDEN = (
    '<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;'
    'line-height:1px;mso-hide:all">{}</div>'
)


def encode_body(text: str, boundary: str) -> tuple[str, bytes]:
    """The Content-Transfer-Encoding and the encoded body, whose decoding is the text with CRLF line ends.

    7bit for plain ASCII; quoted-printable where most is ASCII (or a line is too long, or the boundary
    stands in it); base64 for other scripts, which quoted-printable would triple.
    """
    data = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8")
    others = len(data.translate(None, _ASCII))
    if not others and boundary not in text and _is_plain(data):
        return "7bit", data
    if others * 6 > len(data):
        return "base64", _base64(data)
    return "quoted-printable", _quoted_printable(data)


def with_preheader(page: str, preheader: str) -> str:
    """The page with the line that mailboxes show beside the subject, hidden at its top."""
    if not preheader.strip():
        return page
    hidden = _HIDDEN.format(html.escape(" ".join(preheader.split())))
    body = _BODY_TAG.search(page)
    top = body.end() if body else 0
    return f"{page[:top]}{hidden}{page[top:]}"


def _is_plain(data: bytes) -> bool:
    """Whether the lines are of legal length and hold no control characters."""
    longest = max(map(len, data.split(b"\r\n")))
    return longest <= _LONGEST_LINE and len(data.translate(None, _CONTROLS)) == len(data)


def _base64(data: bytes) -> bytes:
    encoded = binascii.b2a_base64(data, newline=False)
    return b"\r\n".join([encoded[start : start + 76] for start in range(0, len(encoded), 76)])


def _quoted_printable(data: bytes) -> bytes:
    """Line by line: binascii would take the line end of the first line for that of all."""
    return b"\r\n".join(
        binascii.b2a_qp(line, quotetabs=False, istext=True).replace(b"\n", b"\r\n")
        for line in data.split(b"\r\n")
    )
