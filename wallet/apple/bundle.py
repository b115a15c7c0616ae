"""Several passes in one file, `.pkpasses`, which a phone offers to add together.

Source: Apple's "Distributing and updating a pass". Its pages name no limits; these are the ones that
developers report.
"""

from collections.abc import Mapping
from urllib.parse import quote

from core.errors import UserError
from wallet.apple.archive import Archive, zipped

MIME = "application/vnd.apple.pkpasses"
PASSES_AT_MOST = 10
BYTES_AT_MOST = 150_000_000


def few_enough(count: int) -> None:
    """UserError for more passes than a bundle holds."""
    if count > PASSES_AT_MOST:
        raise UserError(f"a bundle holds at most {PASSES_AT_MOST} passes, not {count}; make several of them")


def bundle(passes: Mapping[str, bytes]) -> bytes:
    """A zip of `.pkpass` files by name (without the suffix); the same passes give the same bytes.

    UserError for none, for more than ten, or for more than 150 MB.
    """
    if not passes:
        raise UserError("a bundle holds at least one pass; name a customer")
    few_enough(len(passes))
    if (size := sum(map(len, passes.values()))) > BYTES_AT_MOST:
        raise UserError(
            f"a bundle has at most {BYTES_AT_MOST // 1_000_000} MB, not {size // 1_000_000}; "
            "make several of them, or the card's pictures smaller"
        )
    # A customer's id may hold anything; a name in the zip must not lead into a folder.
    return zipped(Archive(), [(f"{quote(name, '')}.pkpass", b"", passes[name]) for name in sorted(passes)])
