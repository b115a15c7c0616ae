"""An SMS taken apart at its segments, as a provider counts them (3GPP TS 23.038 and 23.040)."""

from templates.sms import segments

# Units of one part of a long text, by its encoding.
ROOM = {"GSM-7": 153, "UCS-2": 67}
EXTENDED = frozenset("\f^{}\\[~]|€")


def bubbles(text: str) -> list[str]:
    """The text of each segment; one for a text that fits."""
    counted = segments(text)
    if counted.count == 1:
        return [text]
    room, found, left = ROOM[counted.encoding], [""], ROOM[counted.encoding]
    for each in text:
        size = 2 if (each in EXTENDED if counted.encoding == "GSM-7" else each > "\uffff") else 1
        if size > left:
            found.append("")
            left = room
        found[-1] += each
        left -= size
    return found
