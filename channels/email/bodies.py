"""Bodies of MIME parts: the lightest legal transfer encoding, CRLF line ends, lines within 998 octets."""

import binascii
import re
import struct
from collections.abc import Sequence
from typing import Literal

from channels.transport import Malformed
from templates.pieces import Pieces

_CONTROLS = bytes(code for code in [*range(32), 127] if code not in b"\t\r\n")
_LONGEST_LINE = 998
_LINE = 76
_SOFT_BREAK = b"=\r\n"
_BETWEEN_TAGS = re.compile(r"(?<=>)(?=<)|(?<=\n)")
_AFTER_BLANKS = re.compile(r"(?<=[ \t])(?=\n)")
# Shorter pieces are encoded as quickly as they are found; of the longer ones so many are kept.
_WORTH_KEEPING = 24
_MOST_KEPT = 2_048
_encoded: dict[str, bytes] = {}
Encoding = Literal["7bit", "quoted-printable", "base64"]
_ENCODINGS: tuple[Encoding, ...] = ("7bit", "quoted-printable", "base64")
_HEADS = {
    (subtype, encoding): (
        f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    ).encode("ascii")
    for subtype in ("plain", "html")
    for encoding in _ENCODINGS
}


def entity(subtype: str, text: str, boundary: bytes) -> bytes:
    """A text part: its two header lines, a blank one, and the body. Raises Malformed if it is no Unicode."""
    encoding, body = encode_body(text, boundary)
    return _HEADS[subtype, encoding] + body


def encode_body(text: str, boundary: bytes) -> tuple[Encoding, bytes]:
    """The Content-Transfer-Encoding and the encoded body, whose decoding is the text with CRLF line ends.

    7bit for plain ASCII; quoted-printable where most is ASCII (or a line is too long, or the boundary
    stands in it); base64 for other scripts, which quoted-printable would triple.
    """
    if not text.isascii():
        return _foreign(text)
    data = _normalized(text).replace("\n", "\r\n").encode("ascii")
    if boundary in data or not _is_plain(data):
        return "quoted-printable", quoted_printable(text)
    return "7bit", data


def base64_lines(data: bytes) -> bytes:
    """Base64 in lines of 76 characters, without a last line end."""
    encoded = binascii.b2a_base64(data, newline=False)
    lines = len(encoded) // _LINE
    whole = struct.unpack_from("76s" * lines, encoded)  # a tenth of the time of slices in a loop
    rest = encoded[lines * _LINE :]
    return b"\r\n".join((*whole, rest)) if rest else b"\r\n".join(whole)


def quoted_printable(text: str) -> bytes:
    """Quoted-printable, piece by piece with soft line breaks between: what everybody is told is encoded once.

    Encoding costs more than everything else that is done to a page.
    """
    encoded: list[bytes] = []
    short: list[str] = []
    for piece in _pieces(text):
        if len(piece) < _WORTH_KEEPING:
            short.append(piece)
            continue
        if short:
            encoded.append(_quoted("".join(short)))
            short.clear()
        found = _encoded.get(piece)
        encoded.append(found if found is not None else _kept(piece))
    encoded.append(_quoted("".join(short)))
    return b"".join(encoded).removesuffix(_SOFT_BREAK)


def _foreign(text: str) -> tuple[Encoding, bytes]:
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("not_encodable") from None
    others = len(data) - len(text)  # of Cyrillic, Greek or Hebrew as many as there are such letters
    if others * 12 > len(data):
        return "base64", base64_lines(_normalized(text).replace("\n", "\r\n").encode("utf-8"))
    return "quoted-printable", quoted_printable(text)


def _pieces(text: str) -> Sequence[str]:
    """The pieces that the template gave; those between two tags of a page that was changed since."""
    if "\r" in text:
        text = _normalized(text)
    return text.pieces if isinstance(text, Pieces) else _BETWEEN_TAGS.split(text)


def _quoted(piece: str) -> bytes:
    """A piece with what continues it: a soft line break, unless a line ends with it."""
    # A blank at the end of a line becomes three characters, which binascii does not count.
    return b"".join(_continued(part) for part in _AFTER_BLANKS.split(piece) if part)


def _continued(part: str) -> bytes:
    """Line ends are LF until the last moment: binascii would take the first one of a text for that of all."""
    encoded = binascii.b2a_qp(part.encode("utf-8"), quotetabs=False, istext=True)
    if len(encoded) - encoded.rfind(b"\n") - 1 >= _LINE:  # no room for the break itself
        return _continued(part[:-1]) + _continued(part[-1])
    return (encoded if encoded.endswith(b"\n") else encoded + b"=\n").replace(b"\n", b"\r\n")


def _kept(piece: str) -> bytes:
    """For the next messages too; addresses of one customer are among them, and go soon."""
    if len(_encoded) >= _MOST_KEPT:
        _encoded.clear()
    encoded = _encoded[piece] = _quoted(piece)
    return encoded


def _normalized(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _is_plain(data: bytes) -> bool:
    """Whether the lines are of legal length and hold no control characters."""
    begin = 0
    while len(data) - begin > _LONGEST_LINE:
        end = data.rfind(b"\r\n", begin, begin + _LONGEST_LINE + 2)
        if end < 0:
            return False
        begin = end + 2
    return len(data.translate(None, _CONTROLS)) == len(data)
