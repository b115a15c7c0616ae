"""Whether DMARC sees one organization behind two domains (RFC 7489, 3.1 and 3.2)."""

from typing import Literal

Alignment = Literal["yes", "no", "perhaps"]
# Where others register, the second label is short (co.uk, com.ua, uk.com) or a place of a country (lviv.ua).
_SHORT_LABEL = 3
_COUNTRY = 2


def aligned(domain: str, sender: str) -> Alignment:
    """By relaxed alignment: both belong to one Organizational Domain, the one that was registered.

    Which suffixes others register under is told by a list (publicsuffix.org) that is none of ours. It is not
    needed where one domain is above the other, or where only their last label is the same; where they have
    more in common it is *perhaps*, if that looks like such a suffix.
    """
    if domain == sender or domain.endswith(f".{sender}") or sender.endswith(f".{domain}"):
        return "yes"
    labels = common(domain, sender).split(".")
    if len(labels) < 2:
        return "no"
    is_country = len(labels[1]) == _COUNTRY or labels[1].startswith("xn--")
    suffix_like = len(labels) == 2 and (is_country or len(labels[0]) <= _SHORT_LABEL)
    return "perhaps" if suffix_like else "yes"


def common(one: str, other: str) -> str:
    """The longest domain that both are of; empty if there is none."""
    shared: list[str] = []
    for mine, theirs in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if mine != theirs:
            break
        shared.insert(0, mine)
    return ".".join(shared)
