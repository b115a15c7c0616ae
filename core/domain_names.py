"""Names of domains in other letters than ASCII, as mail and the web carry them."""

import re

# Python's codec knows IDNA 2003 alone, which makes another domain of these, perhaps another owner's.
_OTHER_DOMAIN = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")


def ascii_domain(name: str) -> str:
    """A domain by its A-labels (RFC 5890).

    Raises ValueError for what has none that are surely its own, and for a label that is empty or too long.
    """
    if _OTHER_DOMAIN.search(name):
        raise ValueError(f"{name} would become another domain")
    return name.encode("idna").decode("ascii")
