"""How many segments a text takes, which is what it costs (3GPP TS 23.038 and 23.040)."""

from collections.abc import Iterable

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM_ALL = _GSM_BASIC | _GSM_EXTENDED
_GSM_SINGLE, _GSM_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67


def is_gsm(text: str) -> bool:
    """Whether the text fits the 7-bit alphabet; one Cyrillic letter more than halves the room."""
    return _GSM_ALL.issuperset(text)


def segments(text: str) -> int:
    """Segments of the text, at least one. Neither escape pairs nor surrogate pairs are torn apart."""
    if is_gsm(text):
        return _count((2 if char in _GSM_EXTENDED else 1 for char in text), _GSM_SINGLE, _GSM_PART)
    return _count((2 if ord(char) > 0xFFFF else 1 for char in text), _UCS2_SINGLE, _UCS2_PART)


def _count(widths: Iterable[int], single: int, part: int) -> int:
    widths = list(widths)
    if sum(widths) <= single:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > part:
            count, used = count + 1, 0
        used += width
    return count
