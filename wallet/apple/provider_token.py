"""The token of a team's `.p8` key, in the place of the pass certificate.

Source: Apple's "Establishing a token-based connection to APNs": ES256, kept 20 to 60 minutes.
"""

from datetime import datetime, timedelta

from core.clock import Clock

TOKEN_LASTS = timedelta(minutes=40)


class ProviderToken:
    """An ES256 token of a `.p8` key, made anew every 40 minutes."""

    def __init__(self, key: str, key_id: str, team: str, clock: Clock) -> None:
        """`key` is PEM; ValueError or TypeError for another one than Apple gives."""
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        loaded = load_pem_private_key(key.encode(), None)
        if not isinstance(loaded, EllipticCurvePrivateKey) or not isinstance(loaded.curve, SECP256R1):
            raise TypeError("no key of the curve P-256")
        self._key = loaded
        self._key_id, self._team, self._clock = key_id, team, clock
        self._token = ""
        self._made_at: datetime | None = None

    def value(self) -> str:
        """The token in force."""
        import jwt

        now = self._clock.now()
        if self._made_at is None or now - self._made_at >= TOKEN_LASTS:
            claims = {"iss": self._team, "iat": int(now.timestamp())}
            self._token = jwt.encode(claims, self._key, "ES256", headers={"kid": self._key_id})
            self._made_at = now
        return self._token

    def expire(self) -> None:
        """Apple finds it too old: make another next time."""
        self._made_at = None
