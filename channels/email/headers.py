"""Header lines by RFC 5322 and RFC 2047: any script, folded, 76 characters a line where it can be helped."""

import base64
import re

from channels.email.addresses import Mailbox, has_control, without_format
from channels.transport import Malformed

_WIDTH = 76
_WRAPPING = len("=?utf-8?b??=")
_LONGEST_WORD = 900
_WORD_AND_SPACE_BEFORE = re.compile(r" *[^ ]+")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=^_`{|}~-]+)*")


def text_header(name: str, text: str) -> str:
    """`Name: text`, without the last CRLF and what turns or hides text. Raises Malformed at a line break or
    control character.
    """
    if has_control(text):
        raise Malformed(f"control_character_in_{name.lower()}")
    text = without_format(text).strip()
    if text.isascii() and "=?" not in text:
        line = f"{name}: {text}"
        if len(line) <= _WIDTH:
            return line
        words = _WORD_AND_SPACE_BEFORE.findall(f" {text}")
        if max(map(len, words)) <= _LONGEST_WORD:
            return _fold(name, words)
    return f"{name}: {encoded_words(text, len(name) + 2)}"


def from_header(mailbox: Mailbox) -> str:
    """`From: name <address>`; the name as a phrase, quoted or in encoded words as it needs."""
    name = without_format(mailbox.name).strip()
    if not name:
        return f"From: {mailbox.address}"
    line = f"From: {_phrase(name)}"
    fits = len(line.rpartition("\r\n")[2]) + len(mailbox.address) + 3 <= _WIDTH
    return f"{line}{' ' if fits else chr(13) + chr(10) + ' '}<{mailbox.address}>"


def encoded_words(text: str, used: int) -> str:
    """RFC 2047 words in UTF-8 and base64, of whole characters; `used` characters stand before the first.

    Raises Malformed for what no encoding can carry.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("not_encodable") from None
    words = []
    start, room = 0, _room(used)
    while True:
        end = start + room
        while end < len(data) and data[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        words.append(f"=?utf-8?b?{base64.b64encode(data[start:end]).decode('ascii')}?=")
        if end >= len(data):
            return "\r\n ".join(words)
        start, room = end, _room(1)


def _room(used: int) -> int:
    return max((_WIDTH - used - _WRAPPING) // 4 * 3, 4)


def _phrase(name: str) -> str:
    if not name.isascii() or "=?" in name or len(name) > _WIDTH:
        return encoded_words(name, len("From: "))
    if _PLAIN_NAME.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _fold(name: str, words: list[str]) -> str:
    """Break before spaces; unfolding gives back exactly what was there."""
    lines = [f"{name}:{words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + len(word) > _WIDTH:
            lines.append(word)
        else:
            lines[-1] += word
    return "\r\n".join(lines)
