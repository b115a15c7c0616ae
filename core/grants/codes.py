"""Codes that people read, say and type: promo codes, coupons, a customer's own code for friends."""

import secrets
import unicodedata

# Without 0 and O, 1, I and L, 2 and Z, 5 and S, 8 and B, U and V: nobody has to guess which it was.
LETTERS = "ACDEFGHJKMNPQRTWXY34679"
SHORTEST, LONGEST = 8, 32
_JOINTS = str.maketrans("", "", "-–— \u00a0_.")


def normal(code: str) -> str:
    """How a code is compared: neither case, nor dashes, spaces and dots matter."""
    return unicodedata.normalize("NFKC", code).translate(_JOINTS).upper()


def drawn(length: int) -> str:
    """A code of so many letters and digits that nobody can guess: 23 to the power of `length`."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))
