"""Placeholders of other tools, which would be sent as they stand: `{name}`, `%balance%`, `*|FNAME|*`."""

import re
from collections.abc import Collection, Iterator, Mapping

_PLACEHOLDER = re.compile(
    r"(?<![{$])\$?\{\s*([A-Za-z_][\w.]*)\s*\}(?!\})|%([A-Za-z_][\w.]*)%|\*\|([A-Za-z_]\w*)(?::[^|]*)?\|\*"
)
# What other tools call a customer's first and last name, and what may be spent.
_ELSEWHERE = {
    **dict.fromkeys(("fname", "firstname", "first"), "customer.first_name"),
    **dict.fromkeys(("lname", "lastname", "fullname", "last_name"), "customer.name"),
    **dict.fromkeys(("points", "bonus", "bonuses"), "balance"),
    **dict.fromkeys(("unsub", "unsubscribe_url", "unsubscribe_link"), "links.unsubscribe"),
}


def foreign(text: str, names: Mapping[str, Collection[str] | None]) -> Iterator[tuple[int, str, str]]:
    """Where one stands, how it is written, and the name that it means; what means none is let be."""
    for found in _PLACEHOLDER.finditer(text):
        word = next(group for group in found.groups() if group)
        if meant := _meant(word.lower(), names):
            yield found.start(), found[0], meant


def _meant(word: str, names: Mapping[str, Collection[str] | None]) -> str:
    owner, _, attribute = word.rpartition(".")
    if owner:
        return word if attribute in (names.get(owner) or ()) else ""
    if word in _ELSEWHERE:
        return _ELSEWHERE[word]
    if word in names and not names[word]:
        return word
    owners = (name for name, attributes in names.items() if attributes and word in attributes)
    return next((f"{name}.{word}" for name in owners), "")
