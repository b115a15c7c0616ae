"""Links that a customer may follow: signed, short, never expiring."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

Use = Literal["u", "p", "c"]
"""What a link is for: `u` unsubscribes, `p` shows the preferences, `c` the card."""

TAG_BYTES = 12


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links below `public_url`.

    A token is base64url of the customer's number and a 96-bit HMAC-SHA-256 over it, the use and the channel:
    a link for one use cannot be turned into one for another. Links stay under the 77 characters at which
    Python's mail library would mangle a `List-Unsubscribe` header.
    """

    public_url: str
    secret: bytes

    def unsubscribe(self, customer_id: int, channel: str) -> str:
        """One-click unsubscription from a channel's marketing (RFC 8058)."""
        return f"{self.public_url}/u/{channel}/{self._token('u', customer_id, channel)}"

    def preferences(self, customer_id: int) -> str:
        """The customer's own choices."""
        return f"{self.public_url}/p/{self._token('p', customer_id)}"

    def card(self, customer_id: int) -> str:
        """The page with the wallet card."""
        return f"{self.public_url}/c/{self._token('c', customer_id)}"

    def read(self, use: Use, token: str, channel: str = "") -> int | None:
        """The customer whom a token names; None for a forged or malformed one, compared in constant time."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        number, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
        if not 1 <= len(number) <= 8 or not hmac.compare_digest(tag, self._tag(use, number, channel)):
            return None
        return int.from_bytes(number, "big")

    def _token(self, use: Use, customer_id: int, channel: str = "") -> str:
        number = customer_id.to_bytes((customer_id.bit_length() + 7) // 8 or 1, "big")
        return base64.urlsafe_b64encode(number + self._tag(use, number, channel)).rstrip(b"=").decode()

    def _tag(self, use: Use, number: bytes, channel: str) -> bytes:
        body = f"{use}:{channel}:".encode() + number
        return hmac.new(self.secret, body, hashlib.sha256).digest()[:TAG_BYTES]
