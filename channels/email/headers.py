"""Header lines by RFC 5322 and RFC 2047: any script, folded, 76 characters a line where it can be helped."""

import base64
import re

from channels.email.addresses import Mailbox, has_control
from channels.transport import Malformed

_WIDTH = 76
_WRAPPING = len("=?utf-8?b??=")
_LONGEST_WORD = 900
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=^_`{|}~ -]+")


def text_header(name: str, text: str) -> str:
    """`Name: text`, without the last CRLF. Raises Malformed at a line break or control character."""
    if has_control(text):
        raise Malformed(f"control_character_in_{name.lower()}")
    text = text.strip()
    if not text.isascii() or "=?" in text or any(len(word) > _LONGEST_WORD for word in text.split()):
        return f"{name}: {encoded_words(text, len(name) + 2)}"
    return _fold(f"{name}: {text}")


def from_header(mailbox: Mailbox) -> str:
    """`From: name <address>`; the name as a phrase, quoted or in encoded words as it needs."""
    if not mailbox.name:
        return f"From: {mailbox.address}"
    line = f"From: {_phrase(mailbox.name)}"
    fits = len(line.rpartition("\r\n")[2]) + len(mailbox.address) + 3 <= _WIDTH
    return f"{line}{' ' if fits else chr(13) + chr(10) + ' '}<{mailbox.address}>"


def encoded_words(text: str, used: int) -> str:
    """RFC 2047 words in UTF-8 and base64, of whole characters; `used` characters stand before the first."""
    words: list[str] = []
    chunk = b""
    room = _room(used)
    for char in text:
        encoded = char.encode("utf-8")
        if len(chunk) + len(encoded) > room:
            words.append(_word(chunk))
            chunk, room = b"", _room(1)
        chunk += encoded
    return "\r\n ".join([*words, _word(chunk)])


def _room(used: int) -> int:
    return max((_WIDTH - used - _WRAPPING) // 4 * 3, 4)


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(chunk).decode('ascii')}?="


def _phrase(name: str) -> str:
    if not name.isascii() or "=?" in name:
        return encoded_words(name, len("From: "))
    if _PLAIN_NAME.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _fold(line: str) -> str:
    """Break before spaces; unfolding gives back exactly what was there."""
    if len(line) <= _WIDTH:
        return line
    name, _, text = line.partition(": ")
    lines = [f"{name}:"]
    for word in re.findall(r" *[^ ]+", f" {text}"):
        if len(lines[-1]) + len(word) > _WIDTH and not lines[-1].endswith(":"):
            lines.append("")
        lines[-1] += word
    return "\r\n".join(lines)
